package sqlstore_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// S091: with the server's password an attacker can neither change the schema nor rewrite the log.
func TestRuntimeRoleCannot(t *testing.T) {
	db := testdb.Postgres(t)
	store := open(t, db)
	ada := addUser(t, store, "ada@example.org")
	change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertSession(ctx, newSession(ada.ID, 1)) })
	runtime := rawAs(t, db.DSN)
	for _, attack := range []string{
		`CREATE TABLE ringwall_evil (x INT)`,
		`CREATE TABLE evil (x INT)`,
		`CREATE FUNCTION ringwall_tx() RETURNS BIGINT LANGUAGE sql AS 'SELECT 1::bigint'`,
		`CREATE SCHEMA evil`,
		`DROP TABLE ringwall_sessions`,
		`DROP FUNCTION ringwall_tx() CASCADE`,
		`ALTER TABLE ringwall_audit ADD COLUMN x INT`,
		`ALTER TABLE ringwall_audit DISABLE TRIGGER ALL`,
		`TRUNCATE ringwall_sessions`,
		`UPDATE ringwall_audit SET reason = 'forged'`,
		`DELETE FROM ringwall_audit`,
		`TRUNCATE ringwall_audit`,
		`UPDATE ringwall_audit_seals SET mac = ''`,
		`DELETE FROM ringwall_audit_seals`,
		`UPDATE ringwall_audit_shift SET shift = 1`,
		`UPDATE ringwall_keys SET key = ''`,
		`DELETE FROM ringwall_keys`,
		`UPDATE ringwall_facts SET value = 'development'`,
		`DELETE FROM ringwall_migrations`,
		`DELETE FROM ringwall_session_epoch`,
		`SET ROLE ` + testdb.OwnerRole,
		`COPY ringwall_users TO PROGRAM 'cat'`,
		`SELECT pg_read_file('/etc/hostname')`,
	} {
		if _, err := runtime.Exec(attack); err == nil {
			t.Errorf("the runtime role may: %s", attack)
		} else if !strings.Contains(err.Error(), "42501") { // insufficient_privilege
			t.Errorf("%s was refused, but for another reason: %v", attack, err)
		}
	}
}

func TestRuntimeRoleIsReported(t *testing.T) {
	db := testdb.Postgres(t)
	if role, err := open(t, db).RuntimeRole(t.Context()); err != nil || len(role.Faults()) != 0 || role.Name != testdb.RuntimeRole {
		t.Errorf("RuntimeRole = %+v %v, %v; want no fault", role, role.Faults(), err)
	}
	for name, dsn := range map[string]string{"the owner": db.OwnerDSN, "a superuser": db.AdminDSN} {
		other := db
		other.DSN = dsn
		role, err := open(t, other).RuntimeRole(t.Context())
		if err != nil || !role.MayCreate || !role.ChangesTheLog || !role.OwnsTables || len(role.Faults()) < 3 {
			t.Errorf("RuntimeRole as %s = %+v, %v; want its rights named", name, role, err)
		}
	}
	if role, err := open(t, testdb.SQLite(t)).RuntimeRole(t.Context()); err != nil || len(role.Faults()) != 0 {
		t.Errorf("RuntimeRole on SQLite = %+v, %v", role, err)
	}
}

func TestMigrateTakesBackWhatIsTooMuch(t *testing.T) {
	db := testdb.Postgres(t)
	if _, err := raw(t, db).Exec(`GRANT ALL ON ringwall_audit TO ` + testdb.RuntimeRole); err != nil {
		t.Fatal(err)
	}
	store := open(t, db)
	if role, err := store.RuntimeRole(t.Context()); err != nil || !role.ChangesTheLog {
		t.Errorf("RuntimeRole = %+v, %v; want it to see the grant", role, err)
	}
	if err := sqlstore.Migrate(t.Context(), db.OwnerDSN, testdb.RuntimeRole); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	if role, err := store.RuntimeRole(t.Context()); err != nil || len(role.Faults()) != 0 {
		t.Errorf("RuntimeRole after Migrate = %+v, %v", role, err)
	}
}

func TestMigrateRefusesARoleThatIsNone(t *testing.T) {
	db := testdb.Postgres(t)
	for _, role := range []string{"nobody-here", testdb.OwnerRole, `x"; DROP TABLE ringwall_users; --`} {
		if err := sqlstore.Migrate(t.Context(), db.OwnerDSN, role); err == nil || !strings.Contains(err.Error(), "CREATE ROLE") {
			t.Errorf("Migrate for %q = %v, want a refusal with the mend", role, err)
		}
	}
}

// A database that was restored to another cluster has rows of the log with numbers that are still to come there.
func TestARestoredLogIsNumberedOn(t *testing.T) {
	db := testdb.Postgres(t)
	store, ctx := open(t, db), t.Context()
	change(t, store, func(context.Context, account.Tx) error { return nil })
	if _, err := raw(t, db).Exec(`UPDATE ringwall_audit SET tx = tx + 1000000`); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Open(ctx, sqlstore.Config{Database: db.DSN}); err == nil || !strings.Contains(err.Error(), "ringwall migrate up") {
		t.Errorf("Open = %v, want a refusal with the mend", err)
	}
	if err := sqlstore.Migrate(ctx, db.OwnerDSN, testdb.RuntimeRole); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	after := open(t, db)
	change(t, after, func(context.Context, account.Tx) error { return nil })
	rows, waiting, err := settled(t, after, 0, 0, 10)
	if err != nil || waiting || len(rows) != 2 || rows[1].Tx <= rows[0].Tx {
		t.Errorf("Unsealed = %v, %v, %v; want two rows that rise", rows, waiting, err)
	}
}

func TestThePathMayBeOdd(t *testing.T) {
	db := testdb.SQLite(t)
	db.DSN = strings.TrimSuffix(db.DSN, "ringwall.db") + "new folder/50%20 of?mode=ro#1 " + url.PathEscape("ä/") + ".db"
	addUser(t, open(t, db), "ada@example.org")
}
