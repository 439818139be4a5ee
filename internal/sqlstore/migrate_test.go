package sqlstore_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// eachEmpty runs a test on databases that have not been migrated.
func eachEmpty(t *testing.T, test func(t *testing.T, db testdb.DB, role string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, testdb.SQLite(t), "") })
	t.Run("postgres", func(t *testing.T) { test(t, testdb.Empty(t), testdb.RuntimeRole) })
}

func TestDryRunChangesNothing(t *testing.T) {
	eachEmpty(t, func(t *testing.T, db testdb.DB, role string) {
		var text bytes.Buffer
		if err := sqlstore.DryRun(t.Context(), &text, db.OwnerDSN, role); err != nil {
			t.Fatalf("DryRun: %v", err)
		}
		for _, want := range []string{"CREATE TABLE ringwall_users", "CREATE TABLE ringwall_audit_seals"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("DryRun does not tell of %q", want)
			}
		}
		if strings.Contains(text.String(), "+goose") {
			t.Error("DryRun tells of the tool's marks")
		}
		if role != "" && !strings.Contains(text.String(), "GRANT") {
			t.Error("DryRun does not tell of the grants")
		}
		if path, ok := strings.CutPrefix(db.DSN, "sqlite:"); ok {
			if _, err := os.Stat(path); err == nil {
				t.Error("DryRun made the file")
			}
		}
		steps, err := sqlstore.Status(t.Context(), db.OwnerDSN)
		if err != nil || len(steps) == 0 || slices.ContainsFunc(steps, func(s sqlstore.Step) bool { return s.Applied }) {
			t.Errorf("Status = %v, %v; want nothing applied", steps, err)
		}
	})
}

func TestMigrate(t *testing.T) {
	eachEmpty(t, func(t *testing.T, db testdb.DB, role string) {
		if db.Engine == "postgres" {
			if _, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: db.DSN}); !errors.Is(err, sqlstore.ErrUnmigrated) || !strings.Contains(err.Error(), "ringwall migrate up") {
				t.Errorf("Open before Migrate = %v, want ErrUnmigrated", err)
			}
		}
		for range 2 { // twice is no error
			if err := sqlstore.Migrate(t.Context(), db.OwnerDSN, role); err != nil {
				t.Fatalf("Migrate: %v", err)
			}
		}
		steps, err := sqlstore.Status(t.Context(), db.OwnerDSN)
		if err != nil || slices.ContainsFunc(steps, func(s sqlstore.Step) bool { return !s.Applied }) {
			t.Errorf("Status = %v, %v; want all applied", steps, err)
		}
		var text bytes.Buffer
		if err := sqlstore.DryRun(t.Context(), &text, db.OwnerDSN, ""); err != nil || text.Len() != 0 {
			t.Errorf("DryRun of nothing = %q, %v", text.String(), err)
		}
		addUser(t, open(t, db), "ada@example.org")
	})
}

// A migration that fails leaves nothing of its step behind; once its cause is gone the next run goes on from there.
func TestMigrateResumes(t *testing.T) {
	eachEmpty(t, func(t *testing.T, db testdb.DB, role string) {
		if path, ok := strings.CutPrefix(db.DSN, "sqlite:"); ok {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		admin := rawAs(t, db.OwnerDSN)
		for _, obstacle := range []string{"ringwall_roles", "ringwall_signups_expires", "ringwall_audit_tx", "ringwall_audit_seals"} {
			if _, err := admin.Exec("CREATE TABLE " + obstacle + " (x BIGINT)"); err != nil { // in the way of a table, or of an index after one
				t.Fatal(err)
			}
			if err := sqlstore.Migrate(t.Context(), db.OwnerDSN, role); err == nil {
				t.Fatalf("Migrate over %s: no error", obstacle)
			}
			if _, err := admin.Exec("DROP TABLE " + obstacle); err != nil {
				t.Fatalf("%s: %v", obstacle, err)
			}
		}
		if err := sqlstore.Migrate(t.Context(), db.OwnerDSN, role); err != nil {
			t.Fatalf("Migrate after all: %v", err)
		}
		addUser(t, open(t, db), "ada@example.org")
	})
}

func TestANewerSchemaIsRefused(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := raw(t, db).Exec(`INSERT INTO ringwall_migrations (version_id, is_applied) VALUES (9000, $1)`, true); err != nil {
			t.Fatal(err)
		}
		_, opening := sqlstore.Open(t.Context(), sqlstore.Config{Database: db.DSN})
		_, status := sqlstore.Status(t.Context(), db.OwnerDSN)
		for name, err := range map[string]error{
			"Open": opening, "Status": status, "Migrate": sqlstore.Migrate(t.Context(), db.OwnerDSN, ""),
			"DryRun": sqlstore.DryRun(t.Context(), &bytes.Buffer{}, db.OwnerDSN, ""),
		} {
			if !errors.Is(err, sqlstore.ErrNewer) {
				t.Errorf("%s = %v, want ErrNewer", name, err)
			}
		}
	})
}

// Both engines have the same tables with the same columns.
func TestSchemasAgree(t *testing.T) {
	lite, pg := testdb.SQLite(t), testdb.Postgres(t)
	open(t, lite)
	columns := func(db testdb.DB, query string) []string {
		found, err := raw(t, db).Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = found.Close() }()
		var list []string
		for found.Next() {
			var name string
			if err := found.Scan(&name); err != nil {
				t.Fatal(err)
			}
			list = append(list, name)
		}
		slices.Sort(list)
		return list
	}
	onLite := columns(lite, `SELECT m.name || '.' || c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND m.name LIKE 'ringwall_%' AND m.name <> 'ringwall_migrations'`)
	onPostgres := columns(pg, `SELECT table_name || '.' || column_name FROM information_schema.columns
		WHERE table_name LIKE 'ringwall_%' AND table_name NOT IN ('ringwall_migrations', 'ringwall_audit_shift')`)
	if diff := cmp.Diff(onLite, onPostgres); diff != "" {
		t.Errorf("columns differ:\n%s", diff)
	}
}

func TestBadDatabaseSettings(t *testing.T) {
	for _, database := range []string{"", "sqlite:", "sqlite::memory:", "mysql://x", "postgres", "/tmp/x.db", "SQLITE:x"} {
		if _, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: database}); !errors.Is(err, sqlstore.ErrDatabase) {
			t.Errorf("Open(%q) = %v, want ErrDatabase", database, err)
		}
	}
	_, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: "postgres://u:canary-password@127.0.0.1:1/x?sslmode=nonsense"})
	if err == nil || strings.Contains(err.Error(), "canary-password") {
		t.Errorf("a broken URL: %v", err)
	}
}

func TestMigrateInParallel(t *testing.T) {
	db := testdb.Empty(t)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := sqlstore.Migrate(t.Context(), db.OwnerDSN, testdb.RuntimeRole); err != nil {
				t.Errorf("Migrate: %v", err)
			}
		})
	}
	group.Wait()
	addUser(t, open(t, db), "ada@example.org")
}
