package app

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// listing is what the list of invoices shows.
type listing struct {
	Invoices  []Invoice
	Open, All Cents
}

func newListing(list []Invoice) listing {
	l := listing{Invoices: list}
	for _, v := range list {
		l.All += v.Amount
		if !v.Paid {
			l.Open += v.Amount
		}
	}
	return l
}

// listInvoices answers GET /invoices.
func (a *App) listInvoices(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	list, err := a.invoices(r.Context(), s)
	if err != nil {
		return err
	}
	a.show(w, r, view{page: "invoices", Title: "Your invoices", Nav: "/invoices", Body: newListing(list)})
	return nil
}

// newInvoice answers GET /invoices/new.
func (a *App) newInvoice(w http.ResponseWriter, r *http.Request, _ *session.Session) error {
	a.show(w, r, blankInvoice())
	return nil
}

func blankInvoice() view { return view{page: "invoice_new", Title: "New invoice", Nav: "/invoices"} }

type invoiceForm struct {
	Number   string            `form:"number" required:"true" maxLength:"30"`
	Customer input.DisplayName `form:"customer" required:"true"`
	Amount   Cents             `form:"amount" required:"true"`
	Due      Day               `form:"due" required:"true"`
}

// createInvoice answers POST /invoices. Whose it is, the session says.
func (a *App) createInvoice(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	in, err := input.DecodeForm[invoiceForm](r)
	if err != nil {
		return a.again(w, r, blankInvoice(), err)
	}
	id := uuid.NewString() // nobody can guess the next one
	err = a.as(r.Context(), s.Subject(), func(tx *sqlsafe.Tx) error {
		_, err := tx.Exec(r.Context(), insertInvoice.For(s.Subject(), id, in.Number, string(in.Customer), int64(in.Amount), string(in.Due), a.config.Now().UnixMicro()))
		return err
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/invoices/"+id+"?done=created", http.StatusSeeOther)
	return nil
}

// opened is what the page of an invoice shows.
type opened struct {
	Invoice
	Comments []comment
	Foreign  bool // an accountant looks on
}

// showInvoice answers GET /invoices/{id}.
func (a *App) showInvoice(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	v, err := a.openInvoice(r, s)
	if err == nil {
		a.show(w, r, v)
	}
	return err
}

func (a *App) openInvoice(r *http.Request, s *session.Session) (view, error) {
	v, err := a.invoice(r.Context(), s, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	comments, err := a.comments(r.Context(), s.Subject(), v.ID)
	return view{page: "invoice", Title: "Invoice " + v.Number, Nav: "/invoices", Body: opened{Invoice: v, Comments: comments}}, err
}

type markForm struct {
	Status string `form:"status" required:"true" enum:"paid,open"`
}

// markInvoice answers POST /invoices/{id}: paid, or open again.
func (a *App) markInvoice(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	v, err := a.invoice(r.Context(), s, r.PathValue("id"))
	if err != nil {
		return err
	}
	in, err := input.DecodeForm[markForm](r)
	if err != nil {
		return err
	}
	err = a.as(r.Context(), s.Subject(), func(tx *sqlsafe.Tx) error {
		_, err := tx.Exec(r.Context(), markOwnInvoice.For(s.Subject(), v.ID, in.Status == "paid"))
		return err
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/invoices/"+v.ID+"?done="+in.Status, http.StatusSeeOther)
	return nil
}
