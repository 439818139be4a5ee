package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/ringwall/ringwall/sqlsafe"
)

//go:embed migrations
var migrations embed.FS

const versionTable = "ringwall_migrations"

var (
	// ErrUnmigrated says that the schema is older than this program.
	ErrUnmigrated = errors.New("the database's schema is not up to date: run `ringwall migrate up`")
	// ErrNewer says that the schema is newer than this program.
	ErrNewer = errors.New("the database's schema is newer than this ringwall: run the release that migrated it, or a later one")
)

var (
	sqliteTable     = sqlsafe.New(`SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'ringwall_migrations'`)
	postgresTable   = sqlsafe.New(`SELECT COUNT(to_regclass('ringwall_migrations'))`)
	schemaVersion   = sqlsafe.New(`SELECT COALESCE(MAX(version_id), 0) FROM ringwall_migrations`)
	fallenBehindLog = sqlsafe.New(`SELECT COUNT(*) FROM ringwall_audit WHERE tx >= ringwall_tx()`)
)

// Step is one migration. Each is a transaction of its own: one that fails leaves nothing behind, and the next run
// begins with it again.
type Step struct {
	Version int64
	Name    string
	Applied bool
	SQL     string
}

// Migrate brings a database up to date. On PostgreSQL, database names the owner of the tables; runtimeRole, unless it is
// empty, is the role of the server and is granted what it needs and no more (also if there was nothing to migrate).
func Migrate(ctx context.Context, database, runtimeRole string) error {
	db, kind, err := openForMigration(database, true)
	if err != nil {
		return err
	}
	err = up(ctx, db, kind)
	if err == nil && kind == onPostgres {
		err = grant(ctx, sqlsafe.Wrap(db), runtimeRole)
	}
	if err != nil {
		err = fmt.Errorf("migrate: %w", fault(err))
	}
	return errors.Join(err, db.Close())
}

// Status lists all migrations, in their order, and changes nothing.
func Status(ctx context.Context, database string) ([]Step, error) {
	db, kind, err := openForMigration(database, false)
	if errors.Is(err, fs.ErrNotExist) {
		return steps(kind, 0)
	}
	if err != nil {
		return nil, err
	}
	version, err := versionOf(ctx, db, kind)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("migration status: %w", fault(err)), db.Close())
	}
	listed, err := steps(kind, version)
	return listed, errors.Join(err, db.Close())
}

// DryRun writes the SQL that [Migrate] would run, and changes nothing.
func DryRun(ctx context.Context, w io.Writer, database, runtimeRole string) error {
	listed, err := Status(ctx, database)
	if err != nil {
		return err
	}
	for _, step := range listed {
		if !step.Applied {
			if _, err := fmt.Fprintf(w, "-- %s\n%s\n", step.Name, strings.TrimSpace(step.SQL)); err != nil {
				return err
			}
		}
	}
	if kind, _ := split(database); kind == onPostgres && runtimeRole != "" {
		_, err = fmt.Fprintf(w, "-- grants to the role %q\n%s\n", runtimeRole, grantText)
	}
	return err
}

func openForMigration(database string, create bool) (*sql.DB, kind, error) {
	kind, file := split(database)
	switch kind {
	case onSQLite:
		if _, err := os.Stat(file); err != nil && !create {
			return nil, kind, err
		}
		file, err := makeFile(file)
		if err != nil {
			return nil, kind, err
		}
		db, err := openFile(file, asWriter, 1)
		return db, kind, err
	case onPostgres:
		db, err := connect(database, 2, "0") // an index on a large table takes its time
		return db, kind, err
	}
	return nil, kind, ErrDatabase
}

// openSchema makes sure that the schema is the one this program knows. SQLite is migrated on the way.
func openSchema(ctx context.Context, db *sql.DB, kind kind) error {
	version, err := versionOf(ctx, db, kind)
	if err != nil {
		return err
	}
	known, err := steps(kind, version)
	if err != nil {
		return err
	}
	if known[len(known)-1].Applied {
		return restored(ctx, db, kind)
	}
	if kind == onSQLite {
		return up(ctx, db, kind)
	}
	return ErrUnmigrated
}

// restored refuses a PostgreSQL database that was restored to another cluster, where the numbers of transactions begin
// lower than the audit log's: migrating mends it.
func restored(ctx context.Context, db *sql.DB, kind kind) error {
	if kind != onPostgres {
		return nil
	}
	rows, err := one(ctx, pool{db: sqlsafe.Wrap(db), patient: callPatience}, scanNumber, fallenBehindLog)
	if err == nil && rows > 0 {
		return fmt.Errorf("the database was restored to another server: %w", ErrUnmigrated)
	}
	return err
}

// versionOf reads the version of the schema, zero if there is none. Unlike goose it never makes its table on the way.
func versionOf(ctx context.Context, db *sql.DB, kind kind) (int64, error) {
	on := pool{db: sqlsafe.Wrap(db), patient: 2 * callPatience}
	table := postgresTable
	if kind == onSQLite {
		table = sqliteTable
	}
	if there, err := one(ctx, on, scanNumber, table); err != nil || there == 0 {
		return 0, err
	}
	return one(ctx, on, scanNumber, schemaVersion)
}

// steps lists the migrations that this program knows; [ErrNewer] if version is beyond them.
func steps(kind kind, version int64) ([]Step, error) {
	folder := path.Join("migrations", string(kind))
	files, err := fs.ReadDir(migrations, folder)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var listed []Step
	for _, file := range files { // ReadDir sorts by name, and names begin with the version
		text, err := fs.ReadFile(migrations, path.Join(folder, file.Name()))
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		number, err := goose.NumericComponent(file.Name())
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		listed = append(listed, Step{
			Version: number, Name: strings.TrimSuffix(file.Name(), ".sql"), Applied: number <= version, SQL: withoutMarks(string(text)),
		})
	}
	if last := listed[len(listed)-1].Version; version > last {
		return nil, fmt.Errorf("%w (schema %d, known %d)", ErrNewer, version, last)
	}
	return listed, nil
}

// withoutMarks leaves out the comments that speak to goose.
func withoutMarks(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "-- +goose") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func up(ctx context.Context, db *sql.DB, kind kind) error {
	version, err := versionOf(ctx, db, kind)
	if err != nil {
		return err
	}
	if _, err := steps(kind, version); err != nil {
		return err
	}
	folder, err := fs.Sub(migrations, path.Join("migrations", string(kind)))
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	dialect := goose.DialectSQLite3
	if kind == onPostgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // seconds, tries
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, db, folder, options...)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
