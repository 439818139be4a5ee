package sqlstore_test

import (
	"errors"
	"testing"

	"github.com/ringwall/ringwall/internal/sqlstore"
)

// No spelling of an address brings a password, or people's data, to another machine in the clear.
func TestNoDatabaseInTheClear(t *testing.T) {
	for _, tt := range []struct {
		name, database string
		environment    [2]string
		want           error
	}{
		{name: "nothing said", database: "postgres://u:p@db.example.org/x", want: sqlstore.ErrInTheClear},
		{name: "off", database: "postgres://u:p@db.example.org/x?sslmode=disable", want: sqlstore.ErrInTheClear},
		{name: "unverified", database: "postgres://u:p@db.example.org/x?sslmode=require", want: sqlstore.ErrInTheClear},
		{name: "host as a parameter", database: "postgres://u:p@localhost/x?host=db.example.org", want: sqlstore.ErrInTheClear},
		{name: "second of two hosts", database: "postgres://u:p@localhost,db.example.org/x?sslmode=disable", want: sqlstore.ErrInTheClear},
		{name: "behind a socket", database: "postgres://u:p@/x?host=/run/postgresql,db.example.org", want: sqlstore.ErrInTheClear},
		{name: "host from the environment", database: "postgres:///x?user=u", environment: [2]string{"PGHOST", "db.example.org"}, want: sqlstore.ErrInTheClear},
		{name: "verified", database: "postgres://u:p@db.example.org/x?sslmode=verify-full"},
		{name: "verified chain", database: "postgres://u:p@db.example.org/x?sslmode=verify-ca"},
		{name: "mode from the environment", database: "postgres://u:p@db.example.org/x", environment: [2]string{"PGSSLMODE", "verify-full"}},
		{name: "this machine", database: "postgres://u:p@localhost/x"},
		{name: "this machine, IPv6", database: "postgres://u:p@[::1]/x?sslmode=disable"},
		{name: "socket", database: "postgres://u@/x?host=/run/postgresql"},
		{name: "file", database: "sqlite:x.db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"PGHOST", "PGSSLMODE", "PGSSLROOTCERT"} {
				t.Setenv(name, "")
			}
			if tt.environment[0] != "" {
				t.Setenv(tt.environment[0], tt.environment[1])
			}
			if got := sqlstore.CheckTransport(tt.database); !errors.Is(got, tt.want) || (got == nil) != (tt.want == nil) {
				t.Errorf("CheckTransport(%q) = %v, want %v", tt.database, got, tt.want)
			}
		})
	}
}
