package app

import (
	"context"
	"database/sql"
	"errors"

	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// Invoice is one invoice.
type Invoice struct {
	ID, Number, Customer string
	Amount               Cents
	Due                  Day
	Paid                 bool
	Owner                string // the address of its owner, where accountants look

	owner []byte
}

// The owner stands in each statement. $1 is a Subject, which nothing in a request can become.
var (
	ownInvoice = sqlsafe.Owned(`
		SELECT id, number, customer, amount_cents, due, paid, owner_id
		FROM invoices
		WHERE owner_id = $1 AND id = $2`)
	ownInvoices = sqlsafe.Owned(`
		SELECT id, number, customer, amount_cents, due, paid, owner_id
		FROM invoices
		WHERE owner_id = $1
		ORDER BY due DESC, id
		LIMIT 1000`)
	insertInvoice = sqlsafe.Owned(`
		INSERT INTO invoices (owner_id, id, number, customer, amount_cents, due, paid, created_micros)
		VALUES ($1, $2, $3, $4, $5, $6, FALSE, $7)`)
	markOwnInvoice = sqlsafe.Owned(`UPDATE invoices SET paid = $3 WHERE owner_id = $1 AND id = $2`)
)

// ownInvoice is an invoice of somebody's. What is not theirs is as missing as what is not there.
func (a *App) ownInvoice(ctx context.Context, who session.Subject, id string) (v Invoice, err error) {
	err = a.as(ctx, who, func(tx *sqlsafe.Tx) error {
		v, err = scanInvoice(tx.QueryRow(ctx, ownInvoice.For(who, id)))
		return err
	})
	return v, missing(err)
}

func (a *App) allOwnInvoices(ctx context.Context, who session.Subject) (list []Invoice, err error) {
	err = a.as(ctx, who, func(tx *sqlsafe.Tx) error {
		list, err = scanInvoices(tx.Query(ctx, ownInvoices.For(who)))
		return err
	})
	return list, err
}

// invoice is one that a person may see: found among theirs, and held against the session once more.
func (a *App) invoice(ctx context.Context, s *session.Session, id string) (Invoice, error) {
	v, err := a.findInvoice(ctx, s.Subject(), id)
	if err == nil {
		err = a.isOwn(s.Subject(), v)
	}
	if err != nil {
		return Invoice{}, err
	}
	return v, nil
}

// invoices are all that a person may see.
func (a *App) invoices(ctx context.Context, s *session.Session) ([]Invoice, error) {
	list, err := a.allOwnInvoices(ctx, s.Subject())
	return a.checked(s, list, err)
}

// checked refuses a list with as much as one row of somebody else's.
func (a *App) checked(s *session.Session, list []Invoice, err error) ([]Invoice, error) {
	for i := 0; i < len(list) && err == nil; i++ {
		err = a.isOwn(s.Subject(), list[i])
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// isOwn is the second look, at what was read. It never fails while the statements are right.
func isOwn(who session.Subject, v Invoice) error {
	if id := who.ID(); who.IsZero() || string(v.owner) != string(id[:]) {
		return errMissing
	}
	return nil
}

type scanner interface{ Scan(...any) error }

func scanInvoice(row scanner) (v Invoice, err error) {
	err = row.Scan(&v.ID, &v.Number, &v.Customer, &v.Amount, &v.Due, &v.Paid, &v.owner)
	return v, err
}

func scanInvoices(rows *sql.Rows, err error) (list []Invoice, _ error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		v, err := scanInvoice(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// missing is the one answer for what is not there and what is not yours.
func missing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return errMissing
	}
	return err
}
