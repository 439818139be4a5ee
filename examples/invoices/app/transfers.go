package app

import (
	"net/http"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/session"
)

// purse is what the page of transfers shows.
type purse struct {
	Balance   Cents
	Transfers []Transfer
}

// listTransfers answers GET /transfers.
func (a *App) listTransfers(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	v, err := a.openPurse(r, s)
	if err == nil {
		a.show(w, r, v)
	}
	return err
}

func (a *App) openPurse(r *http.Request, s *session.Session) (view, error) {
	p, err := a.purseOf(r.Context(), s.Subject())
	return view{page: "transfers", Title: "Transfers", Nav: "/transfers", Body: p}, err
}

type transferForm struct {
	To     input.Email `form:"to" required:"true"`
	Amount Cents       `form:"amount" required:"true"`
	Key    string      `form:"idempotency_key"` // read by keyFromForm
}

// makeTransfer answers POST /transfers. It stands behind once, so a request that comes again is answered and not done again.
func (a *App) makeTransfer(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	in, err := input.DecodeForm[transferForm](r)
	if err == nil {
		err = a.transfer(r.Context(), s.Subject(), order{to: in.To.String(), amount: in.Amount, key: a.transferKey(r)})
	}
	if err != nil {
		again, broken := a.openPurse(r, s)
		if broken != nil {
			return broken
		}
		return a.again(w, r, again, err)
	}
	http.Redirect(w, r, "/transfers?done=sent", http.StatusSeeOther)
	return nil
}

// keyFromForm lets a page without script send its key: as a hidden field, since a form cannot set a header.
func keyFromForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key := r.PostForm.Get("idempotency_key"); key != "" && r.Header.Get("Idempotency-Key") == "" {
			r = r.Clone(r.Context())
			r.Header.Set("Idempotency-Key", `"`+key+`"`)
		}
		next.ServeHTTP(w, r)
	})
}

// keyOf is what the database remembers the transfer by.
func keyOf(r *http.Request) string { return r.Header.Get("Idempotency-Key") }
