package app

import (
	"context"
	"net/http"

	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

var errNotYours = failure{status: http.StatusForbidden, detail: "You may not do this."}

// everybodysInvoices and its like name no owner, so they run only behind readAll.
var (
	everybodysInvoices = sqlsafe.New(`
		SELECT i.id, i.number, i.customer, i.amount_cents, i.due, i.paid, i.owner_id, COALESCE(p.email, '')
		FROM invoices i JOIN people p ON p.id = i.owner_id
		ORDER BY i.due DESC, i.id
		LIMIT 1000`)
	anybodysInvoice = sqlsafe.New(`
		SELECT i.id, i.number, i.customer, i.amount_cents, i.due, i.paid, i.owner_id, COALESCE(p.email, '')
		FROM invoices i JOIN people p ON p.id = i.owner_id
		WHERE i.id = $1`)
	anybodysComments = sqlsafe.New(`
		SELECT html, created_micros
		FROM comments
		WHERE invoice_id = $1
		ORDER BY created_micros, id
		LIMIT 500`)
	asAccountant = sqlsafe.New(`SELECT set_config('invoices.reader', 'accountant', TRUE)`)
)

// mayReadAll asks once more, where the rows are: a route can be registered under the wrong rule.
func mayReadAll(s *session.Session) error {
	//ringwall:allow rolecheck the second look, behind the rule of the route
	if !s.HasPermission(ReadAll) {
		return errNotYours
	}
	return nil
}

// readAll runs job in a transaction that sees everybody's invoices.
func (a *App) readAll(ctx context.Context, s *session.Session, job func(*sqlsafe.Tx) error) error {
	if err := a.mayReadAll(s); err != nil {
		return err
	}
	return a.as(ctx, s.Subject(), func(tx *sqlsafe.Tx) error {
		if a.config.Dialect == Postgres {
			if _, err := tx.Exec(ctx, asAccountant); err != nil {
				return err
			}
		}
		return job(tx)
	})
}

// listAllInvoices answers GET /admin/invoices.
func (a *App) listAllInvoices(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	var list []Invoice
	err := a.readAll(r.Context(), s, func(tx *sqlsafe.Tx) error {
		rows, err := tx.Query(r.Context(), everybodysInvoices)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			v, err := scanForeign(rows)
			if err != nil {
				return err
			}
			list = append(list, v)
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	a.show(w, r, view{page: "admin", Title: "Everybody’s invoices", Nav: "/admin/invoices", Body: newListing(list)})
	return nil
}

// showAnyInvoice answers GET /admin/invoices/{id}.
func (a *App) showAnyInvoice(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	o := opened{Foreign: true}
	err := a.readAll(r.Context(), s, func(tx *sqlsafe.Tx) (err error) {
		if o.Invoice, err = scanForeign(tx.QueryRow(r.Context(), anybodysInvoice.With(r.PathValue("id")))); err != nil {
			return missing(err)
		}
		o.Comments, err = scanComments(r.Context(), tx, anybodysComments.With(o.ID))
		return err
	})
	if err != nil {
		return err
	}
	a.show(w, r, view{page: "invoice", Title: "Invoice " + o.Number, Nav: "/admin/invoices", Body: o})
	return nil
}

func scanForeign(row scanner) (v Invoice, err error) {
	err = row.Scan(&v.ID, &v.Number, &v.Customer, &v.Amount, &v.Due, &v.Paid, &v.owner, &v.Owner)
	return v, err
}
