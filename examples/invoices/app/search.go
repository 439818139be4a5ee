package app

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// term is what one can search for: letters, digits, spaces and a few marks. No quote gets through, no wildcard, no markup.
type term string

// UnmarshalText reads a term. The error is an [*input.Fault].
func (t *term) UnmarshalText(text []byte) error {
	typed := strings.ReplaceAll(string(text), "'", "’") // O'Brien has friends
	strange := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" .-&’", r)
	}
	if utf8.RuneCountInString(typed) > 60 || strings.ContainsFunc(typed, strange) {
		return &input.Fault{Code: "characters", Detail: "Search for letters, digits and spaces, up to 60 of them."}
	}
	*t = term(typed)
	return nil
}

type searchQuery struct {
	Text term    `query:"q"`
	Sort sorting `query:"sort"`
}

// sorting is one of the orders that a search has.
type sorting string

// UnmarshalText takes their names alone.
func (s *sorting) UnmarshalText(text []byte) error {
	switch string(text) {
	case "", "due", "amount", "customer":
		*s = sorting(text)
		return nil
	default:
		return &input.Fault{Code: "order", Detail: "Sort by due, amount or customer."}
	}
}

// found is what the search shows.
type found struct {
	listing
	Asked bool
	Text  string
}

// search answers GET /search?q=&sort=.
func (a *App) search(w http.ResponseWriter, r *http.Request, s *session.Session) error {
	v := view{page: "search", Title: "Search", Nav: "/search", Body: found{}}
	if r.URL.RawQuery == "" {
		a.show(w, r, v)
		return nil
	}
	q, err := a.readSearch(r)
	if err != nil {
		return a.again(w, r, v, err) // without what was typed: it is not a term
	}
	list, err := a.find(r.Context(), s.Subject(), q)
	if list, err = a.checked(s, list, err); err != nil {
		return err
	}
	v.Values = map[string]string{"q": string(q.Text), "sort": string(q.Sort)}
	v.Body = found{newListing(list), true, string(q.Text)}
	a.show(w, r, v)
	return nil
}

var invoiceList = sqlsafe.List(`
	SELECT id, number, customer, amount_cents, due, paid, owner_id
	FROM invoices
	WHERE TRUE`)

// searchInvoices looks among somebody's invoices. The request chooses among orders that stand here, and never writes one.
func (a *App) searchInvoices(ctx context.Context, who session.Subject, q searchQuery) (list []Invoice, err error) {
	owner, like := who.ID(), "%"+strings.ToLower(string(q.Text))+"%"
	query := invoiceList.And(`owner_id = ?`, owner[:]).And(`LOWER(REPLACE(customer, '''', '’')) LIKE ? OR LOWER(number) LIKE ?`, like, like).Limit(100)
	switch q.Sort {
	case "amount":
		query = query.OrderBy(`amount_cents DESC, id`)
	case "customer":
		query = query.OrderBy(`customer, id`)
	default:
		query = query.OrderBy(`due DESC, id`)
	}
	err = a.as(ctx, who, func(tx *sqlsafe.Tx) error {
		list, err = scanInvoices(tx.Query(ctx, query))
		return err
	})
	return list, err
}
