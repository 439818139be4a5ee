package sqlsafe

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ringwall/ringwall/internal/identity"
)

// ErrRowSecurity says that row-level security of a table does not hold for the role that is connected.
var ErrRowSecurity = errors.New("sqlsafe: row-level security does not hold")

// WrapPostgres is [Wrap] for PostgreSQL: [DB.BeginAs] tells it whose rows the transaction may touch, as the setting
// ringwall.subject, and the policies of your tables hold it to that:
//
//	ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;
//	ALTER TABLE invoices FORCE ROW LEVEL SECURITY;
//	CREATE POLICY own ON invoices
//		USING (owner_id = decode(replace(current_setting('ringwall.subject', TRUE), '-', ''), 'hex'));
//
// owner_id is the BYTEA of 16 bytes that [OwnedStatement.For] binds; for a UUID column it is
//
//	USING (owner_id = NULLIF(current_setting('ringwall.subject', TRUE), '')::uuid);
//
// Outside of BeginAs the setting is empty, and no row is anybody's. Superusers and roles with BYPASSRLS pass every policy: ask
// [DB.CheckRowSecurity] at the start.
func WrapPostgres(db *sql.DB) *DB { return &DB{db: db, postgres: true} }

// The setting ends with its transaction, so a pool or a pooler in between never hands it on.
var setSubject = New(`SELECT set_config('ringwall.subject', $1, TRUE)`)

// BeginAs starts a transaction for one person. Whatever it runs stays a statement of this package; on PostgreSQL
// ([WrapPostgres]) the policies of the tables bound it besides, also where a statement forgot the owner. Other databases
// have no policies: there the statement is the one layer. For the zero Subject it returns [ErrNoSubject].
func (db *DB) BeginAs(ctx context.Context, owner identity.Subject) (*Tx, error) {
	if owner.IsZero() {
		return nil, ErrNoSubject
	}
	tx, err := db.Begin(ctx)
	if err != nil || !db.postgres {
		return tx, err
	}
	if _, err := tx.Exec(ctx, setSubject.With(owner.ID().String())); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

var tableSecurity = New(`
	SELECT c.relrowsecurity, c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE'), r.rolsuper OR r.rolbypassrls,
		EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)
	FROM pg_class c, pg_roles r
	WHERE c.oid = to_regclass($1) AND r.rolname = current_user`)

// CheckRowSecurity returns an [ErrRowSecurity] that says what to mend, unless each of the tables has policies and the role
// that is connected is held to them. On a database that is not PostgreSQL it always does. Call it once, at the start.
func (db *DB) CheckRowSecurity(ctx context.Context, tables ...string) error {
	if !db.postgres {
		return fmt.Errorf("%w: this database has none; only PostgreSQL does", ErrRowSecurity)
	}
	for _, table := range tables {
		var enabled, bound, bypasses, policies bool
		err := db.QueryRow(ctx, tableSecurity.With(table)).Scan(&enabled, &bound, &bypasses, &policies)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("%w: there is no table %s", ErrRowSecurity, table)
		case err != nil:
			return fmt.Errorf("row-level security of %s: %w", table, err)
		case bypasses:
			return fmt.Errorf("%w: the role that is connected is a superuser or has BYPASSRLS; connect as one that is neither", ErrRowSecurity)
		case !enabled:
			return fmt.Errorf("%w: ALTER TABLE %s ENABLE ROW LEVEL SECURITY", ErrRowSecurity, table)
		case !bound:
			return fmt.Errorf("%w: the role that is connected owns %s, or has the rights of its owner; ALTER TABLE %s FORCE ROW LEVEL SECURITY, or connect as another", ErrRowSecurity, table, table)
		case !policies:
			return fmt.Errorf("%w: %s has no policy, so that nobody sees a row: CREATE POLICY", ErrRowSecurity, table)
		}
	}
	return nil
}
