// Package testdb runs a test on every database that Ringwall supports.
//
//	testdb.Each(t, func(t *testing.T, db testdb.DB) {
//		store, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: db.DSN})
//		…
//	})
//
// SQLite lies in t.TempDir(). PostgreSQL is the server at RINGWALL_TEST_POSTGRES (a superuser's URL), which `make test`
// starts; without it the test fails, because a test that skips in silence tests nothing. Each test gets a database of its
// own, already migrated, that is dropped at its end.
//
// The databases are copies of a template which the first test process of a schema makes, under a lock of the server, so
// that any number of processes may start at once. The template's name ends in the hash of the schema.
package testdb

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/ringwall/ringwall/internal/sqlstore"
)

// Variable is the environment variable with the URL of PostgreSQL.
const Variable = "RINGWALL_TEST_POSTGRES"

// The roles of each PostgreSQL database: the owner of the tables, and that of the server.
const (
	OwnerRole   = "ringwall_test_owner"
	RuntimeRole = "ringwall_test_runtime"
)

const (
	password = "ringwall-test"
	lockID   = 0x72696e6777616c6c // "ringwall"
)

// DB is a fresh database. It is dropped when the test ends.
type DB struct {
	Engine   string // "sqlite" or "postgres"
	DSN      string // as the server opens it
	OwnerDSN string // as the migrations open it; on SQLite the same
	AdminDSN string // PostgreSQL: the database as a superuser sees it; on SQLite the same
}

// Each runs test on SQLite and on PostgreSQL.
func Each(t *testing.T, test func(t *testing.T, db DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// SQLite is a file that does not exist yet: opening it makes and migrates it.
func SQLite(t testing.TB) DB {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "ringwall.db")
	return DB{Engine: "sqlite", DSN: dsn, OwnerDSN: dsn, AdminDSN: dsn}
}

// Postgres is a fresh, migrated database.
func Postgres(t testing.TB) DB {
	t.Helper()
	return fromTemplate(t, true)
}

// Empty is a fresh PostgreSQL database without any table, for tests of the migrations.
func Empty(t testing.TB) DB {
	t.Helper()
	return fromTemplate(t, false)
}

func fromTemplate(t testing.TB, migrated bool) DB {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		t.Fatalf("%s is not set: run the tests with `make test`, which starts a PostgreSQL for them", Variable)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatalf("open %s: %v", Variable, err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	template, err := ensureTemplate(ctx, server)
	if err != nil {
		t.Fatalf("make the template of the test databases: %v", err)
	}
	if !migrated {
		template = "template0"
	}
	name := "ringwall_test_" + strings.ToLower(rand.Text())
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template+" OWNER "+OwnerRole); err != nil { // #nosec G701 -- random letters and a hash; a database cannot be named by an argument
		t.Fatalf("make a test database: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return DB{Engine: "postgres", DSN: dsn(server, name, RuntimeRole), OwnerDSN: dsn(server, name, OwnerRole), AdminDSN: dsn(server, name, "")}
}

// dsn is the server's URL with another database and, unless it is empty, another role.
func dsn(server, database, role string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server // sql.Open has taken it, so this does not happen
	}
	if role != "" {
		u.User = url.UserPassword(role, password)
	}
	u.Path = "/" + database
	return u.String()
}

// ensureTemplate returns the name of the template of the current schema, and makes it if it is missing.
func ensureTemplate(ctx context.Context, server string) (string, error) {
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return "", err
	}
	defer func() { _ = admin.Close() }()
	var schema bytes.Buffer
	if err := sqlstore.DryRun(ctx, &schema, server, RuntimeRole); err != nil {
		return "", err
	}
	sum := sha256.Sum256(schema.Bytes())
	name := "ringwall_template_" + hex.EncodeToString(sum[:8])

	conn, err := admin.Conn(ctx) // the lock belongs to the connection
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(lockID)); err != nil {
		return "", err
	}
	defer func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(lockID))
	}()

	var ready int
	if err := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM pg_database WHERE datname = $1", name).Scan(&ready); err != nil || ready == 1 {
		return name, err
	}
	return name, makeTemplate(ctx, conn, server, name)
}

// makeTemplate migrates a database under another name and renames it when it is complete.
func makeTemplate(ctx context.Context, conn *sql.Conn, server, name string) error {
	draft := name + "_draft"
	for _, role := range []string{OwnerRole, RuntimeRole} {
		var there int
		if err := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM pg_roles WHERE rolname = $1", role).Scan(&there); err != nil {
			return err
		}
		if there == 0 {
			if _, err := conn.ExecContext(ctx, "CREATE ROLE "+role+" LOGIN PASSWORD '"+password+"'"); err != nil {
				return err
			}
		}
	}
	for _, step := range []string{"DROP DATABASE IF EXISTS " + draft + " WITH (FORCE)", "CREATE DATABASE " + draft + " TEMPLATE template0 OWNER " + OwnerRole} {
		if _, err := conn.ExecContext(ctx, step); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	if err := sqlstore.Migrate(ctx, dsn(server, draft, OwnerRole), RuntimeRole); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, "ALTER DATABASE "+draft+" RENAME TO "+name)
	return err
}
