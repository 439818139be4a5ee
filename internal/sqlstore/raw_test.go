package sqlstore_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/ringwall/ringwall/internal/testdb"
)

// raw opens the database past the store, as an administrator would.
func raw(t testing.TB, db testdb.DB) *sql.DB {
	t.Helper()
	return rawAs(t, db.AdminDSN)
}

func rawAs(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	driver := "pgx"
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", path+"?_busy_timeout=5000"
	}
	opened, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}
