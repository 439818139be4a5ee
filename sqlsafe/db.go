package sqlsafe

import (
	"context"
	"database/sql"
)

// DB is a database that runs nothing but statements of this package.
type DB struct {
	db       *sql.DB
	postgres bool // has row-level security
}

// Wrap puts a DB around an open database, which the caller still closes. For PostgreSQL see [WrapPostgres].
func Wrap(db *sql.DB) *DB { return &DB{db: db} }

// Unsafe is the database itself, for what cannot be constant: migrations, drivers' own features.
func (db *DB) Unsafe() *sql.DB { return db.db }

// Exec runs a statement that returns no rows.
func (db *DB) Exec(ctx context.Context, q Query) (sql.Result, error) { return exec(ctx, db.db, q) }

// Query runs a statement that returns rows, which the caller closes.
func (db *DB) Query(ctx context.Context, q Query) (*sql.Rows, error) { return query(ctx, db.db, q) }

// QueryRow runs a statement that returns at most one row.
func (db *DB) QueryRow(ctx context.Context, q Query) Row { return queryRow(ctx, db.db, q) }

// Begin starts a transaction. It is rolled back when ctx ends before [Tx.Commit].
func (db *DB) Begin(ctx context.Context) (*Tx, error) {
	tx, err := db.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &Tx{tx: tx}, nil
}

// Prepare parses a statement once for many runs. Each connection of the pool prepares it on its first use.
func (db *DB) Prepare(ctx context.Context, s Statement) (*Prepared, error) {
	text, _, err := s.build()
	if err != nil {
		return nil, err
	}
	stmt, err := db.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return &Prepared{stmt: stmt}, nil
}

// Tx is a transaction that runs nothing but statements of this package.
type Tx struct{ tx *sql.Tx }

// Exec runs a statement that returns no rows.
func (tx *Tx) Exec(ctx context.Context, q Query) (sql.Result, error) { return exec(ctx, tx.tx, q) }

// Query runs a statement that returns rows, which the caller closes before the next statement.
func (tx *Tx) Query(ctx context.Context, q Query) (*sql.Rows, error) { return query(ctx, tx.tx, q) }

// QueryRow runs a statement that returns at most one row.
func (tx *Tx) QueryRow(ctx context.Context, q Query) Row { return queryRow(ctx, tx.tx, q) }

// Commit ends the transaction and keeps what it did.
func (tx *Tx) Commit() error { return tx.tx.Commit() }

// Rollback ends the transaction and undoes what it did. After Commit it does nothing and returns [sql.ErrTxDone].
func (tx *Tx) Rollback() error { return tx.tx.Rollback() }

// Prepared is a [Statement] that was parsed beforehand.
type Prepared struct{ stmt *sql.Stmt }

// QueryRow runs the statement, which returns at most one row.
func (p *Prepared) QueryRow(ctx context.Context, args ...any) Row {
	return Row{row: p.stmt.QueryRowContext(ctx, args...)}
}

// Close frees the statement.
func (p *Prepared) Close() error { return p.stmt.Close() }

// Row is the result of a QueryRow.
type Row struct {
	row *sql.Row
	err error
}

// Scan copies the columns into dest. It returns [sql.ErrNoRows] if there is no row, and the error of the statement.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.row.Scan(dest...)
}

type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func exec(ctx context.Context, on runner, q Query) (sql.Result, error) {
	text, args, err := q.build()
	if err != nil {
		return nil, err
	}
	return on.ExecContext(ctx, text, args...)
}

func query(ctx context.Context, on runner, q Query) (*sql.Rows, error) {
	text, args, err := q.build()
	if err != nil {
		return nil, err
	}
	return on.QueryContext(ctx, text, args...)
}

func queryRow(ctx context.Context, on runner, q Query) Row {
	text, args, err := q.build()
	if err != nil {
		return Row{err: err}
	}
	return Row{row: on.QueryRowContext(ctx, text, args...)}
}
