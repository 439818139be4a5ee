package ringwall

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"

	"github.com/ringwall/ringwall/internal/sqlstore"
)

// MigrateOptions name a database, and on PostgreSQL the two roles that meet there.
type MigrateOptions struct {
	Database      string // as in [Options]; on PostgreSQL its role is granted what the server needs, and no more
	DatabaseOwner string // PostgreSQL: the same database as the owner of the tables
	Development   bool   // as in [Options]: the database may be on another machine without a verified connection
}

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string
	Applied bool
}

// owner is the database as whoever may change tables sees it, and the role to grant rights to. A database that may be spoken to
// over a network in the clear is an [*OptionsError].
func (o MigrateOptions) owner() (database, runtimeRole string, err error) {
	name := "DatabaseOwner"
	if database = o.DatabaseOwner; database == "" {
		name, database = "Database", o.Database
	}
	if !o.Development {
		if err := checkTransport(name, database); err != nil {
			return "", "", &OptionsError{err}
		}
	}
	if o.DatabaseOwner == "" {
		return database, "", nil
	}
	if u, err := url.Parse(o.Database); err == nil {
		runtimeRole = u.User.Username()
		if runtimeRole == "" {
			runtimeRole = u.Query().Get("user")
		}
	}
	return database, runtimeRole, nil
}

// Migrate brings the tables up to date. A step that was interrupted is taken up again; a newer schema than this
// program's is refused. SQLite is brought up to date by [New] too.
func Migrate(ctx context.Context, o MigrateOptions) error {
	database, role, err := o.owner()
	if err != nil {
		return err
	}
	return sqlstore.Migrate(ctx, database, role)
}

// MigrateStatus lists the steps, and which have been applied. It changes nothing.
func MigrateStatus(ctx context.Context, o MigrateOptions) ([]Migration, error) {
	database, _, err := o.owner()
	if err != nil {
		return nil, err
	}
	steps, err := sqlstore.Status(ctx, database)
	list := make([]Migration, 0, len(steps))
	for _, s := range steps {
		list = append(list, Migration{Version: s.Version, Name: s.Name, Applied: s.Applied})
	}
	return list, err
}

// MigrateDryRun writes the SQL that [Migrate] would run.
func MigrateDryRun(ctx context.Context, w io.Writer, o MigrateOptions) error {
	database, role, err := o.owner()
	if err != nil {
		return err
	}
	return sqlstore.DryRun(ctx, w, database, role)
}

// RuntimeRoleFaults names the rights in PostgreSQL that the role of a server must not have, each with what it is for
// an attacker; none on SQLite. [New] refuses such a role outside of development. A database that may be spoken to over a network
// in the clear is an [*OptionsError].
func RuntimeRoleFaults(ctx context.Context, database string) ([]string, error) {
	if err := checkTransport("Database", database); err != nil {
		return nil, &OptionsError{err}
	}
	store, err := sqlstore.Open(ctx, sqlstore.Config{Database: database, MaxConnections: 1})
	if err != nil {
		return nil, err
	}
	role, err := store.RuntimeRole(ctx)
	return roleFaults(role), errors.Join(err, store.Close())
}

func roleFaults(role sqlstore.Role) []string {
	faults := role.Faults()
	for i, fault := range faults {
		faults[i] = "the role " + role.Name + " " + fault + ": connect as a role of its own, to which `ringwall migrate up` grants what a server needs"
	}
	return faults
}

// refuseOwner keeps a server from running with rights that it does not need.
func (rw *Ringwall) refuseOwner(ctx context.Context) error {
	if rw.opt.Development {
		return nil
	}
	role, err := rw.store.RuntimeRole(ctx)
	if faults := roleFaults(role); len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	return err
}
