package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/sqlsafe"
)

// Dialect is which database it is.
type Dialect string

// The databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// The tables, for both databases. What must never be is refused here too, whatever a handler forgets: a balance below zero,
// the key of a transfer twice.
var tables = [...]sqlsafe.Statement{
	sqlsafe.New(`CREATE TABLE people (
		id BYTEA NOT NULL PRIMARY KEY,
		email TEXT UNIQUE,
		display_name TEXT NOT NULL,
		about TEXT NOT NULL,
		balance_cents BIGINT NOT NULL CHECK (balance_cents >= 0),
		picture BYTEA,
		picture_type TEXT NOT NULL
	)`),
	sqlsafe.New(`CREATE TABLE invoices (
		id TEXT NOT NULL PRIMARY KEY,
		owner_id BYTEA NOT NULL REFERENCES people (id),
		number TEXT NOT NULL,
		customer TEXT NOT NULL,
		amount_cents BIGINT NOT NULL CHECK (amount_cents > 0),
		due TEXT NOT NULL,
		paid BOOLEAN NOT NULL,
		created_micros BIGINT NOT NULL
	)`),
	sqlsafe.New(`CREATE INDEX invoices_by_owner ON invoices (owner_id, due, id)`),
	sqlsafe.New(`CREATE TABLE comments (
		id TEXT NOT NULL PRIMARY KEY,
		owner_id BYTEA NOT NULL REFERENCES people (id),
		invoice_id TEXT NOT NULL REFERENCES invoices (id),
		html TEXT NOT NULL,
		created_micros BIGINT NOT NULL
	)`),
	sqlsafe.New(`CREATE INDEX comments_by_invoice ON comments (invoice_id, created_micros, id)`),
	sqlsafe.New(`CREATE TABLE transfers (
		id TEXT NOT NULL PRIMARY KEY,
		owner_id BYTEA NOT NULL REFERENCES people (id),
		to_id BYTEA NOT NULL REFERENCES people (id),
		amount_cents BIGINT NOT NULL CHECK (amount_cents > 0),
		key TEXT NOT NULL,
		created_micros BIGINT NOT NULL,
		UNIQUE (owner_id, key)
	)`),
	sqlsafe.New(idempotency.Schema),
}

// On PostgreSQL the tables know their owners as well: a statement that forgot one finds nothing. Accountants pass, in a
// transaction that says so.
var policies = [...]sqlsafe.Statement{
	sqlsafe.New(`ALTER TABLE invoices ENABLE ROW LEVEL SECURITY`),
	sqlsafe.New(`ALTER TABLE invoices FORCE ROW LEVEL SECURITY`),
	sqlsafe.New(`CREATE POLICY own ON invoices
		USING (owner_id = decode(replace(current_setting('ringwall.subject', TRUE), '-', ''), 'hex'))`),
	sqlsafe.New(`CREATE POLICY all_of_them ON invoices FOR SELECT
		USING (current_setting('invoices.reader', TRUE) = 'accountant')`),
	sqlsafe.New(`ALTER TABLE comments ENABLE ROW LEVEL SECURITY`),
	sqlsafe.New(`ALTER TABLE comments FORCE ROW LEVEL SECURITY`),
	sqlsafe.New(`CREATE POLICY own ON comments
		USING (owner_id = decode(replace(current_setting('ringwall.subject', TRUE), '-', ''), 'hex'))`),
	sqlsafe.New(`CREATE POLICY all_of_them ON comments FOR SELECT
		USING (current_setting('invoices.reader', TRUE) = 'accountant')`),
}

// The name of a role cannot be bound, so PostgreSQL quotes it itself.
var (
	grantee = sqlsafe.New(`SELECT set_config('invoices.grantee', $1, TRUE)`)
	grant   = sqlsafe.New(`DO $$ BEGIN
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON people, invoices, comments, transfers, idempotency_keys TO %I', current_setting('invoices.grantee'));
	END $$`)
)

var hasTables = sqlsafe.New(`SELECT COUNT(*) FROM people`)

// Open opens "sqlite:PATH", which it makes if it is missing, or "postgres://…".
func Open(database string) (*sql.DB, Dialect, error) {
	if strings.HasPrefix(database, "postgres://") {
		db, err := sql.Open("pgx", database)
		return db, Postgres, err
	}
	path, ok := strings.CutPrefix(database, "sqlite:")
	if !ok || path == "" {
		return nil, "", errors.New(`the database must be "sqlite:PATH" or "postgres://…"`)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- the operator names the file; SQLite alone would let others read it
	if err != nil {
		return nil, "", err
	}
	if err := file.Close(); err != nil {
		return nil, "", err
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: "_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)"}
	db, err := sql.Open("sqlite", name.String())
	if err == nil {
		db.SetMaxOpenConns(1) // SQLite has one writer: here they queue, instead of finding the file locked
	}
	return db, SQLite, err
}

// Migrate makes the tables, and reports whether they were not there yet. On PostgreSQL call it as their owner; role is who
// serves, and is granted what it needs (empty: the owner serves itself).
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect, role string) (fresh bool, err error) {
	safe := sqlsafe.Wrap(db)
	var n int
	if safe.QueryRow(ctx, hasTables).Scan(&n) == nil {
		return false, nil
	}
	tx, err := safe.Begin(ctx)
	if err != nil {
		return false, fmt.Errorf("make the tables: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	statements := slices.Clone(tables[:])
	if dialect == Postgres {
		statements = append(statements, policies[:]...)
	}
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s); err != nil {
			return false, fmt.Errorf("make the tables: %w", err)
		}
	}
	if dialect == Postgres && role != "" {
		if _, err := tx.Exec(ctx, grantee.With(role)); err != nil {
			return false, fmt.Errorf("grant: %w", err)
		}
		if _, err := tx.Exec(ctx, grant); err != nil {
			return false, fmt.Errorf("grant: %w", err)
		}
	}
	return true, tx.Commit()
}
