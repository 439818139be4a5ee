package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/sqlsafe"
)

// A querier runs statements, on the pool or in a transaction. Its errors are problems already.
type querier interface {
	// exec returns how many rows were changed.
	exec(ctx context.Context, q sqlsafe.Query) (int64, error)
	// each calls row for every row.
	each(ctx context.Context, q sqlsafe.Query, row func(scanner) error) error
}

type scanner interface{ Scan(dest ...any) error }

// one reads one row; [sql.ErrNoRows] if there is none.
func one[T any](ctx context.Context, on querier, scan func(scanner) (T, error), q sqlsafe.Query) (T, error) {
	var found T
	err := sql.ErrNoRows
	failed := on.each(ctx, q, func(s scanner) (scanned error) {
		found, scanned = scan(s)
		err = nil
		return scanned
	})
	if failed != nil {
		err = failed
	}
	return found, err
}

// many reads all rows.
func many[T any](ctx context.Context, on querier, scan func(scanner) (T, error), q sqlsafe.Query) ([]T, error) {
	var found []T
	err := on.each(ctx, q, func(s scanner) error {
		value, err := scan(s)
		found = append(found, value)
		return err
	})
	return found, err
}

func scanText(s scanner) (text string, err error)    { return text, s.Scan(&text) }
func scanNumber(s scanner) (number int64, err error) { return number, s.Scan(&number) }
func scanBytes(s scanner) (bytes []byte, err error)  { return bytes, s.Scan(&bytes) }

func scanID(s scanner) (id identity.ID, err error) { return id, s.Scan(&id) }

// pool is a querier outside of transactions.
type pool struct {
	db      *sqlsafe.DB
	patient time.Duration // zero: as long as it takes
}

func (p pool) exec(ctx context.Context, q sqlsafe.Query) (int64, error) {
	ctx, cancel := within(ctx, p.patient)
	defer cancel()
	result, err := p.db.Exec(ctx, q)
	return affected(result, err)
}

func (p pool) each(ctx context.Context, q sqlsafe.Query, row func(scanner) error) error {
	ctx, cancel := within(ctx, p.patient)
	defer cancel()
	return walk(row)(p.db.Query(ctx, q))
}

func within(ctx context.Context, patient time.Duration) (context.Context, context.CancelFunc) {
	if patient == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, patient)
}

// turn is a querier inside of one transaction, and what that will make untrue once it is committed. After an error it
// runs nothing more: PostgreSQL would refuse, and SQLite may have rolled back without being asked.
type turn struct {
	tx     *sqlsafe.Tx
	lock   bool // reading a person locks them
	steady bool // statements must not be interrupted
	err    error
	effects
}

// effects are what a transaction makes untrue, and whom it wakes.
type effects struct {
	hashes       []sessions.Hash
	users        []identity.ID
	people       bool // all of them
	all          bool
	mail, events bool
	webhook      bool
}

func (t *turn) exec(ctx context.Context, q sqlsafe.Query) (int64, error) {
	ctx, err := t.ready(ctx)
	if err != nil {
		return 0, err
	}
	result, err := t.tx.Exec(ctx, q)
	n, err := affected(result, err)
	t.err = err
	return n, err
}

func (t *turn) each(ctx context.Context, q sqlsafe.Query, row func(scanner) error) error {
	ctx, err := t.ready(ctx)
	if err != nil {
		return err
	}
	t.err = walk(row)(t.tx.Query(ctx, q))
	return t.err
}

func (t *turn) ready(ctx context.Context) (context.Context, error) {
	if t.err == nil {
		t.err = fault(ctx.Err())
	}
	if t.steady { // an interrupt rolls back the whole transaction, in which others have their part
		ctx = context.WithoutCancel(ctx)
	}
	return ctx, t.err
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, fault(err)
	}
	n, err := result.RowsAffected()
	return n, fault(err)
}

func walk(row func(scanner) error) func(*sql.Rows, error) error {
	return func(rows *sql.Rows, err error) error {
		if err != nil {
			return fault(err)
		}
		defer func() { _ = rows.Close() }() // Err tells what went wrong
		for rows.Next() {
			if err := row(rows); err != nil {
				return fault(err)
			}
		}
		return fault(rows.Err())
	}
}

// ref is an id that may be NULL.
func ref(id identity.ID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

// key is an id that is never NULL, not even if it is zero.
func key(id identity.ID) []byte { return id[:] }

// blob is bytes that are never NULL.
func blob(bytes []byte) []byte {
	if bytes == nil {
		return []byte{}
	}
	return bytes
}
