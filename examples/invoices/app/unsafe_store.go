package app

import (
	"context"

	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

var unsafeInvoice = sqlsafe.New(`
	SELECT id, number, customer, amount_cents, due, paid, owner_id
	FROM invoices
	WHERE id = $1`)

// unsafeFindInvoice finds anybody's invoice: the owner does not stand in the statement.
func (a *App) unsafeFindInvoice(ctx context.Context, who session.Subject, id string) (v Invoice, err error) {
	err = a.as(ctx, who, func(tx *sqlsafe.Tx) error {
		v, err = scanInvoice(tx.QueryRow(ctx, unsafeInvoice.With(id)))
		return err
	})
	return v, missing(err)
}

// unsafeIsOwn does not look.
func unsafeIsOwn(session.Subject, Invoice) error { return nil }

// unsafeMayReadAll relies on the rule of the route.
func unsafeMayReadAll(*session.Session) error { return nil }

// unsafeBegin opens everybody's rows to a transaction of somebody's.
func (a *App) unsafeBegin(ctx context.Context, who session.Subject) (*sqlsafe.Tx, error) {
	tx, err := a.db.BeginAs(ctx, who)
	if err != nil || a.config.Dialect != Postgres {
		return tx, err
	}
	_, err = tx.Exec(ctx, asAccountant)
	return tx, err
}
