package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/testdb"
)

// Every route, as a stranger, as whose it is, as another member, and as an accountant. A route without a row fails.
func TestWhoMayCallWhat(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		ada, ben, eve := s.person("ada@example.org"), s.person("ben@example.org"), s.accountant("eve@example.org")
		path := ada.invoice("A-1", "Secret Customer", "10")
		id := strings.TrimPrefix(path, "/invoices/")
		none := s.person("none@example.org")
		rows := []struct {
			pattern, target                   string
			stranger, owner, other, allReader int
		}{
			{"GET /{$}", "/", 200, 200, 200, 200},
			{"GET /assets/{name}", "/assets/none.css", 404, 404, 404, 404},
			{"GET /invoices", "/invoices", 401, 200, 200, 200},
			{"GET /invoices/new", "/invoices/new", 401, 200, 200, 200},
			{"POST /invoices", "/invoices", 401, 422, 422, 422},
			{"GET /invoices/export", "/invoices/export", 401, 200, 200, 200},
			{"GET /invoices/{id}", path, 401, 200, 404, 404},
			{"POST /invoices/{id}", path, 401, 422, 404, 404},
			{"GET /invoices/{id}/export", path + "/export", 401, 200, 404, 404},
			{"POST /invoices/{id}/comments", path + "/comments", 401, 422, 404, 404},
			{"GET /search", "/search", 401, 200, 200, 200},
			{"GET /transfers", "/transfers", 401, 200, 200, 200},
			{"POST /transfers", "/transfers", 401, 400, 400, 400},
			{"GET /reports", "/reports", 401, 200, 200, 200},
			{"POST /reports", "/reports", 401, 422, 422, 422},
			{"GET /webhook-target", "/webhook-target", 401, 200, 200, 200},
			{"POST /webhook-target", "/webhook-target", 401, 422, 422, 422},
			{"GET /profile", "/profile", 401, 200, 200, 200},
			{"POST /profile", "/profile", 401, 422, 422, 422},
			{"POST /profile/avatar", "/profile/avatar", 401, 415, 415, 415},
			{"GET /avatars/{id}", "/avatars/" + id, 401, 404, 404, 404},
			{"GET /go", "/go?to=/invoices", 401, 303, 303, 303},
			{"GET /admin/invoices", "/admin/invoices", 401, 403, 403, 200},
			{"GET /admin/invoices/{id}", "/admin" + path, 401, 403, 403, 200},
		}
		named := map[string]bool{}
		for _, row := range rows {
			named[row.pattern] = true
			method, _, _ := strings.Cut(row.pattern, " ")
			var body any
			if method == http.MethodPost {
				body = url.Values{}
			}
			stranger := s.Client()
			for name, want := range map[string]int{"stranger": row.stranger, "owner": row.owner, "other": row.other, "accountant": row.allReader} {
				client := map[string]*person{"stranger": {stranger, s}, "owner": ada, "other": ben, "accountant": eve}[name]
				client.Header.Set("Accept", "application/json")
				client.Get("/auth/v1/session") // for the token
				got := client.Do(method, row.target, body)
				if name == "stranger" && method == http.MethodPost && got.Status == 403 {
					got.Status = 401 // no session, so no token either
				}
				if got.Status != want {
					t.Errorf("%s as %s = %d, want %d\n%s", row.pattern, name, got.Status, want, got.Body)
				}
				if name == "other" && strings.Contains(string(got.Body), "Secret Customer") {
					t.Errorf("%s tells another member of the customer", row.pattern)
				}
			}
		}
		for _, route := range s.app.Mux().Routes() {
			if !named[route.Pattern] {
				t.Errorf("%s has no row", route.Pattern)
			}
		}
		// Not yours and not there are the same answer, but for the id of the request.
		none.Header.Set("Accept", "application/json")
		mine, nowhere := none.Get(path), none.Get("/invoices/00000000-0000-4000-8000-000000000000")
		if mine.Status != nowhere.Status || string(mine.Body) != string(nowhere.Body) {
			t.Errorf("somebody else's = %d %s\nnobody's = %d %s", mine.Status, mine.Body, nowhere.Status, nowhere.Body)
		}
		if got := ben.Do("POST", path, url.Values{"status": {"paid"}}); got.Status != 404 {
			t.Errorf("mark somebody else's as paid = %d, want 404", got.Status)
		}
	})
}
