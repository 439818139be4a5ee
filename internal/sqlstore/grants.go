package sqlstore

import (
	"context"
	"fmt"

	"github.com/ringwall/ringwall/sqlsafe"
)

// grantText gives a role what the server needs: of the audit log, its seals, the keys and the facts only reading and
// adding; of what the owner alone writes only reading. It takes back first, so that what was too much goes. The role's
// name reaches the block as a setting of the transaction, and the statements through format's %I.
const grantText = `
	DO $$
	DECLARE
		runtime TEXT := current_setting('ringwall.runtime_role');
		named TEXT;
		allowed TEXT;
	BEGIN
		EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), runtime);
		EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM %I', current_schema(), runtime);
		FOR named IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename LIKE 'ringwall\_%' LOOP
			allowed := CASE
				WHEN named IN ('ringwall_migrations', 'ringwall_audit_shift') THEN 'SELECT'
				WHEN named IN ('ringwall_audit', 'ringwall_audit_seals', 'ringwall_keys', 'ringwall_facts') THEN 'SELECT, INSERT'
				WHEN named = 'ringwall_session_epoch' THEN 'SELECT, UPDATE'
				ELSE 'SELECT, INSERT, UPDATE, DELETE' END;
			EXECUTE format('REVOKE ALL ON TABLE %I FROM PUBLIC, %I', named, runtime);
			EXECUTE format('GRANT ' || allowed || ' ON TABLE %I TO %I', named, runtime);
		END LOOP;
	END
	$$`

var (
	grantRights    = sqlsafe.New(grantText)
	oneAtATime     = sqlsafe.New(`SELECT pg_advisory_xact_lock(8244241983541963884)`) // "ringwall"
	setRuntimeRole = sqlsafe.New(`SELECT set_config('ringwall.runtime_role', $1, TRUE)`)
	roleExists     = sqlsafe.New(`SELECT COUNT(*) FROM pg_roles WHERE rolname = $1 AND rolname <> current_user`)
	// After a restore to another cluster the numbers of transactions begin lower than the audit log's.
	shiftNumbers = sqlsafe.New(`
		UPDATE ringwall_audit_shift
		SET shift = shift + (SELECT MAX(tx) FROM ringwall_audit) + 1 - ringwall_tx()
		WHERE ringwall_tx() <= (SELECT MAX(tx) FROM ringwall_audit)`)
	runtimeRole = sqlsafe.New(`
		SELECT current_user, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls,
			(SELECT COUNT(*) FROM pg_tables
				WHERE schemaname = current_schema() AND tablename LIKE 'ringwall\_%' AND pg_has_role(current_user, tableowner, 'MEMBER')),
			has_schema_privilege(current_user, current_schema(), 'CREATE'),
			(SELECT COUNT(*) FROM pg_tables
				WHERE schemaname = current_schema() AND tablename IN ('ringwall_audit', 'ringwall_audit_seals')
				AND has_table_privilege(current_user, quote_ident(schemaname) || '.' || quote_ident(tablename), 'UPDATE, DELETE, TRUNCATE'))
		FROM pg_roles
		WHERE rolname = current_user`)
)

func grant(ctx context.Context, db *sqlsafe.DB, role string) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	t := &turn{tx: tx}
	if _, err := t.exec(ctx, oneAtATime); err != nil {
		return fmt.Errorf("wait for another migration: %w", err)
	}
	if _, err := t.exec(ctx, shiftNumbers); err != nil {
		return fmt.Errorf("number the audit log on: %w", err)
	}
	if role == "" {
		return tx.Commit()
	}
	there, err := one(ctx, t, scanNumber, roleExists.With(role))
	if err != nil {
		return err
	}
	if there == 0 {
		return fmt.Errorf("the runtime role %q does not exist or is the owner itself: CREATE ROLE … LOGIN PASSWORD …, without any other right", role)
	}
	if _, err := one(ctx, t, scanText, setRuntimeRole.With(role)); err != nil {
		return err
	}
	if _, err := t.exec(ctx, grantRights); err != nil {
		return fmt.Errorf("grant to the runtime role: %w", err)
	}
	return tx.Commit()
}

// Role is what the role of the server may do in PostgreSQL. On SQLite it is zero.
type Role struct {
	Name          string
	Superuser     bool
	CreatesRoles  bool // or databases
	BypassesRows  bool // row-level security
	OwnsTables    bool // of ringwall, itself or through a role it is a member of
	MayCreate     bool // in the schema
	ChangesTheLog bool // UPDATE, DELETE or TRUNCATE on the audit log or its seals
}

// Faults names each right that a server must not have; empty if the role is fit for production.
func (r Role) Faults() []string {
	var faults []string
	for _, right := range []struct {
		held bool
		text string
	}{
		{r.Superuser, "is a superuser"},
		{r.CreatesRoles, "may create roles or databases"},
		{r.BypassesRows, "bypasses row-level security"},
		{r.OwnsTables, "owns tables of ringwall, or is a member of the role that does"},
		{r.MayCreate, "may create tables in the schema"},
		{r.ChangesTheLog, "may change or delete rows of the audit log"},
	} {
		if right.held {
			faults = append(faults, right.text)
		}
	}
	return faults
}

// RuntimeRole reports what the role may do as which the store is connected.
func (s *Store) RuntimeRole(ctx context.Context) (Role, error) {
	if s.engine.exact() {
		return Role{}, nil
	}
	return one(ctx, s.q, func(row scanner) (r Role, err error) {
		var createsDatabases bool
		var owned, changeable int64
		err = row.Scan(&r.Name, &r.Superuser, &r.CreatesRoles, &createsDatabases, &r.BypassesRows, &owned, &r.MayCreate, &changeable)
		r.CreatesRoles = r.CreatesRoles || createsDatabases
		r.OwnsTables, r.ChangesTheLog = owned > 0, changeable > 0
		return r, err
	}, runtimeRole)
}
