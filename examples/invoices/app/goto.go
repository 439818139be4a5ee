package app

import (
	"net/http"
	"net/url"

	"github.com/ringwall/ringwall/session"
)

// place is a page where somebody can be sent.
type place struct{ Path, Name, About string }

// places are all of them.
var places = []place{
	{"/invoices", "Invoices", "Write invoices, see what is open, take them along as CSV."},
	{"/search", "Search", "Find one among your invoices."},
	{"/transfers", "Transfers", "Send play money to somebody here. Sent twice is done once."},
	{"/reports", "Report", "Your invoices in an order that a program makes."},
	{"/webhook-target", "Webhook", "Try the address of a webhook and see what it answers."},
	{"/profile", "Profile", "Your name, a few words and a picture."},
}

// goTo answers GET /go?to=: to a page of ours and nowhere else.
func (a *App) goTo(w http.ResponseWriter, r *http.Request, _ *session.Session) error {
	to, err := a.pageOf(a.stay(r.URL.Query().Get("to")))
	if err != nil {
		return err
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// pageOf is the page that an address means, as it stands in the list: nothing of the address itself is given on.
func pageOf(to string) (string, error) {
	u, err := url.Parse(to)
	if err != nil {
		return "", errMissing
	}
	for _, p := range places {
		if p.Path == u.Path {
			return p.Path, nil
		}
	}
	return "", errMissing
}
