package app_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/examples/invoices/app"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

var sheet = regexp.MustCompile(`/assets/style\.[0-9a-f]+\.css`)

// Every route, as everybody. A route without a row fails.
func TestWhoMayCallWhat(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		ringwalltest.Matrix(t, s.Server, func(p ringwalltest.People) []ringwalltest.Row {
			path := (&person{p.Member, s}).invoice("A-1", "Secret Customer", "10")
			p.Member.Get("/auth/v1/session") // for the token, which the form above had in it
			mine := func(status int) ringwalltest.Statuses {
				w := ringwalltest.OwnerOnly(status)
				w.Roles = map[string]int{app.AccountantRole: 404} // who reads it elsewhere, and never as its owner
				return w
			}
			accountants := ringwalltest.AdministratorsOnly(403) // administrators are none, until they give themselves the role
			accountants.Roles = map[string]int{app.AccountantRole: 200}
			all, signedIn := ringwalltest.Public, ringwalltest.SignedIn
			return []ringwalltest.Row{
				{Pattern: "GET /{$}", Path: "/", Want: all(200)},
				{Pattern: "GET /assets/{name}", Path: sheet.FindString(string(p.Anonymous.Get("/").Body)), Want: all(200)},
				{Pattern: "GET /assets/{name}", Path: "/assets/style.css", Want: all(404)},
				{Pattern: "GET /invoices", Want: signedIn(200)},
				{Pattern: "GET /invoices/new", Want: signedIn(200)},
				{Pattern: "POST /invoices", Body: url.Values{"number": {"1"}, "customer": {"a"}, "amount": {"1"}, "due": {"2026-12-01"}}, Want: signedIn(303)},
				{Pattern: "GET /invoices/export", Want: signedIn(200)},
				{Pattern: "GET /invoices/{id}", Path: path, Want: mine(200)},
				{Pattern: "POST /invoices/{id}", Path: path, Body: url.Values{"status": {"paid"}}, Want: mine(303)},
				{Pattern: "POST /invoices/{id}", Path: path, Body: url.Values{"status": {"lost"}}, Want: mine(422)},
				{Pattern: "GET /invoices/{id}/export", Path: path + "/export", Want: mine(200)},
				{Pattern: "POST /invoices/{id}/comments", Path: path + "/comments", Body: url.Values{"text": {"mine"}}, Want: mine(303)},
				{Pattern: "GET /search", Want: signedIn(200)},
				{Pattern: "GET /transfers", Want: signedIn(200)},
				{Pattern: "POST /transfers", Body: url.Values{"to": {"a@example.org"}, "amount": {"1"}}, Want: signedIn(400)}, // no key
				{Pattern: "GET /reports", Want: signedIn(200)},
				{Pattern: "POST /reports", Body: url.Values{"by": {"due"}}, Want: signedIn(200)},
				{Pattern: "GET /webhook-target", Want: signedIn(200)},
				{Pattern: "POST /webhook-target", Body: url.Values{"url": {"https://127.0.0.1/"}}, Want: signedIn(422)},
				{Pattern: "GET /profile", Want: signedIn(200)},
				{Pattern: "POST /profile", Body: url.Values{"display_name": {"Me"}}, Want: signedIn(303)},
				{Pattern: "POST /profile", Body: url.Values{"display_name": {"Me"}, "balance_cents": {"1"}}, Want: signedIn(422)},
				{Pattern: "POST /profile/avatar", Body: url.Values{"picture": {"x"}}, Want: signedIn(415)},
				{Pattern: "GET /avatars/{id}", Path: "/avatars/00000000-0000-4000-8000-000000000000", Want: signedIn(404)},
				{Pattern: "GET /go", Path: "/go?to=/invoices", Want: signedIn(303)},
				{Pattern: "GET /admin/invoices", Want: accountants},
				{Pattern: "GET /admin/invoices/{id}", Path: "/admin" + path, Want: accountants},
			}
		})
	})
}

// Not yours and not there are one answer, and what others are told names no customer.
func TestSomebodyElsesIsNotThere(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		path := s.person("ada@example.org").invoice("A-1", "Secret Customer", "10")
		ben := s.person("ben@example.org")
		ben.Header.Set("Accept", "application/json")
		nowhere := "/invoices/00000000-0000-4000-8000-000000000000"
		for _, suffix := range []string{"", "/export"} {
			theirs, nobodys := ben.Get(path+suffix), ben.Get(nowhere+suffix)
			if theirs.Status != 404 || theirs.Status != nobodys.Status || string(theirs.Body) != string(nobodys.Body) {
				t.Errorf("somebody else's = %d %s\nnobody's = %d %s", theirs.Status, theirs.Body, nobodys.Status, nobodys.Body)
			}
		}
		for _, list := range []string{"/invoices", "/invoices/export", "/search?q=secret"} {
			if got := ben.Get(list); got.Status != 200 || strings.Contains(string(got.Body), "Secret Customer") {
				t.Errorf("GET %s as another member = %d\n%s", list, got.Status, got.Body)
			}
		}
	})
}
