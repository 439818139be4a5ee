package sqlsafe_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/sqlsafe"
)

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func run(t *testing.T, db *sqlsafe.DB, statements ...sqlsafe.Query) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	makeBills = sqlsafe.New(`CREATE TABLE bills (id BIGINT PRIMARY KEY, owner_id BYTEA NOT NULL, total BIGINT NOT NULL)`)
	useBills  = sqlsafe.New(`GRANT SELECT, INSERT, UPDATE, DELETE ON bills TO ringwall_test_runtime`)
	guard     = sqlsafe.New(`ALTER TABLE bills ENABLE ROW LEVEL SECURITY`)
	force     = sqlsafe.New(`ALTER TABLE bills FORCE ROW LEVEL SECURITY`)
	policy    = sqlsafe.New(`CREATE POLICY own ON bills USING (owner_id = decode(replace(current_setting('ringwall.subject', TRUE), '-', ''), 'hex'))`)

	addBill = sqlsafe.New(`INSERT INTO bills (id, owner_id, total) VALUES ($1, $2, $3)`)
	// What a tired colleague writes: without the owner.
	allBills  = sqlsafe.New(`SELECT COUNT(*) FROM bills`)
	anyBill   = sqlsafe.New(`UPDATE bills SET total = 0`)
	giveAway  = sqlsafe.New(`UPDATE bills SET owner_id = $1`)
	dropBills = sqlsafe.New(`DELETE FROM bills`)
)

// S092: where a statement forgets the owner, the database does not.
func TestRowSecurityBoundsAStatementThatForgotTheOwner(t *testing.T) {
	database := testdb.Empty(t)
	owner, app := sqlsafe.WrapPostgres(open(t, "pgx", database.OwnerDSN)), sqlsafe.WrapPostgres(open(t, "pgx", database.DSN))
	admin := sqlsafe.WrapPostgres(open(t, "pgx", database.AdminDSN))
	run(t, owner, makeBills, useBills, guard, force, policy)
	ada, eve := identity.NewRandomID(), identity.NewRandomID()
	run(t, admin, addBill.With(1, ada[:], 10), addBill.With(2, ada[:], 20), addBill.With(3, eve[:], 30))

	as := func(who identity.ID, try func(tx *sqlsafe.Tx) error) error {
		tx, err := app.BeginAs(t.Context(), identity.SubjectOf(who))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		return try(tx)
	}
	seen := func(tx *sqlsafe.Tx) (n int) {
		if err := tx.QueryRow(t.Context(), allBills).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	affected := func(q sqlsafe.Query) func(tx *sqlsafe.Tx) error {
		return func(tx *sqlsafe.Tx) error {
			result, err := tx.Exec(t.Context(), q)
			if err != nil {
				return err
			}
			if n, _ := result.RowsAffected(); n != 1 {
				t.Errorf("Eve's statement about everybody's rows touched %d, want her one", n)
			}
			return nil
		}
	}
	_ = as(ada, func(tx *sqlsafe.Tx) error {
		if n := seen(tx); n != 2 {
			t.Errorf("Ada sees %d bills, want her two", n)
		}
		return nil
	})
	for name, q := range map[string]sqlsafe.Query{"update": anyBill, "delete": dropBills} {
		if err := as(eve, affected(q)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, q := range map[string]sqlsafe.Query{"a bill for Ada": addBill.With(4, ada[:], 99), "one of hers given to Ada": giveAway.With(ada[:])} {
		if err := as(eve, affected(q)); err == nil || !strings.Contains(err.Error(), "row-level security") {
			t.Errorf("Eve makes %s: %v, want a refusal by the policy", name, err)
		}
	}
	// The pool is used by many: what one transaction was told, the next does not know.
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if i%2 == 0 {
				_ = as(ada, func(tx *sqlsafe.Tx) error { _ = seen(tx); return nil })
			} else if n := count(t, app, allBills); n != 0 {
				t.Errorf("outside of BeginAs %d bills are seen, want none", n)
			}
		})
	}
	wg.Wait()
	if _, err := app.BeginAs(t.Context(), identity.Subject{}); !errors.Is(err, sqlsafe.ErrNoSubject) {
		t.Errorf("BeginAs for nobody = %v, want ErrNoSubject", err)
	}
}

// A layer that does not hold must not look as if it did.
func TestCheckRowSecurityNamesWhatIsMissing(t *testing.T) {
	database := testdb.Empty(t)
	owner, app := sqlsafe.WrapPostgres(open(t, "pgx", database.OwnerDSN)), sqlsafe.WrapPostgres(open(t, "pgx", database.DSN))
	admin := sqlsafe.WrapPostgres(open(t, "pgx", database.AdminDSN))
	check := func(name string, db *sqlsafe.DB, want string) {
		t.Helper()
		err := db.CheckRowSecurity(t.Context(), "bills")
		if want == "" && err != nil || want != "" && (!errors.Is(err, sqlsafe.ErrRowSecurity) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q in it", name, err, want)
		}
	}
	check("no table", app, "no table bills")
	run(t, owner, makeBills, useBills)
	check("a bare table", app, "ENABLE ROW LEVEL SECURITY")
	run(t, owner, guard)
	check("no policy", app, "CREATE POLICY")
	run(t, owner, policy)
	check("all of it", app, "")
	check("the owner", owner, "FORCE ROW LEVEL SECURITY")
	check("a member of the owner", memberOfOwner(t, database), "FORCE ROW LEVEL SECURITY")
	run(t, owner, force)
	check("the owner, forced", owner, "")
	check("a superuser", admin, "BYPASSRLS")
	check("a database without it", sqlsafe.Wrap(open(t, "sqlite", t.TempDir()+"/notes.db")), "only PostgreSQL")
}

// memberOfOwner is a connection with a role that inherits the rights of the owner, to whom PostgreSQL shows every row as it does
// to the owner. Roles are of all databases together, so this one has a name of its own and is dropped with the test.
func memberOfOwner(t *testing.T, database testdb.DB) *sqlsafe.DB {
	t.Helper()
	raw := open(t, "pgx", database.AdminDSN)
	raw.SetMaxOpenConns(1) // SET ROLE is of the connection
	member, ada, role := sqlsafe.WrapPostgres(raw), identity.NewRandomID(), "ringwall_test_"+rand.Text()
	run(t, member, addBill.With(1, ada[:], 10))
	for _, statement := range []string{`CREATE ROLE "` + role + `"`, `GRANT ` + testdb.OwnerRole + ` TO "` + role + `"`, `SET ROLE "` + role + `"`} {
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, statement := range []string{`RESET ROLE`, `DROP ROLE "` + role + `"`} {
			if _, err := raw.ExecContext(context.Background(), statement); err != nil {
				t.Error(err)
			}
		}
	})
	if n := count(t, member, allBills); n != 1 {
		t.Errorf("a member of the owner sees %d bills without BeginAs; if the policy holds, the check need not look at members", n)
	}
	return member
}

// On SQLite BeginAs is a transaction like any other: the owner in the statement is the layer there.
func TestBeginAsWithoutRowSecurity(t *testing.T) {
	db := openNotes(t, "a")
	tx, err := db.BeginAs(t.Context(), identity.SubjectOf(identity.NewRandomID()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), insertNote.With("b", "", nil)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, countNotes); n != 2 {
		t.Errorf("%d notes, want 2", n)
	}
	if _, err := db.BeginAs(t.Context(), identity.Subject{}); !errors.Is(err, sqlsafe.ErrNoSubject) {
		t.Errorf("BeginAs for nobody = %v, want ErrNoSubject", err)
	}
}
