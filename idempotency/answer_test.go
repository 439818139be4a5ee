package idempotency_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// I059: a key belongs to one request, whichever part of another one differs.
func TestAnotherRequestIsRefused(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		effects := 0
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { effects++ }))
		if w := send(h, transfer()); w.Code != 200 {
			t.Fatalf("the first = %d %s", w.Code, w.Body)
		}
		for name, change := range map[string]func(*call){
			"another body":         func(c *call) { c.body = `{"cents": 101}` },
			"no body":              func(c *call) { c.body = "" },
			"another method":       func(c *call) { c.method = "PUT" },
			"another path":         func(c *call) { c.target = "/transfer" },
			"another query":        func(c *call) { c.target = "/transfers?to=eve" },
			"another content type": func(c *call) { c.contentType = "text/plain" },
			"a shifted boundary":   func(c *call) { c.target, c.body = "/transfers{", `"cents": 100}` },
		} {
			w := send(h, transfer().with(change))
			if w.Code != 422 || !strings.Contains(w.Body.String(), "/problems/idempotency-key-reused") || effects != 1 {
				t.Errorf("%s = %d %s after %d effects, want 422 and one", name, w.Code, w.Body, effects)
			}
		}
		r, w := transfer().request(), httptest.NewRecorder()
		r.Host = "other.example.org"
		if h.ServeHTTP(w, r); w.Code != 422 || effects != 1 {
			t.Errorf("another host = %d after %d effects, want 422 and one", w.Code, effects)
		}
	})
}

// A route under another prefix is another route, also when the prefix is cut off before the Handler sees it; and a form that
// somebody in front has read counts.
func TestWhatStandsInFrontHidesNothing(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		effects := 0
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { effects++ }))
		mux := http.NewServeMux()
		mux.Handle("/a/", http.StripPrefix("/a", h))
		mux.Handle("/b/", http.StripPrefix("/b", h))
		mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			h.ServeHTTP(w, r)
		})
		for _, target := range []string{"/a/pay", "/b/pay"} {
			want := map[string]int{"/a/pay": 200, "/b/pay": 422}[target]
			if w := send(mux, transfer().with(func(c *call) { c.target = target })); w.Code != want || effects != 1 {
				t.Errorf("%s = %d after %d effects, want %d", target, w.Code, effects, want)
			}
		}
		form := func(body string) call {
			return call{"POST", "/form", "ada", `"another key of ada"`, "application/x-www-form-urlencoded", body}
		}
		if first, other := send(mux, form("cents=1")), send(mux, form("cents=2")); first.Code != 200 || other.Code != 422 || effects != 2 {
			t.Errorf("two forms = %d and %d after %d effects, want 200, 422 and two", first.Code, other.Code, effects)
		}
	})
}

// I062: with the key of another one gets a result of one's own, and never theirs.
func TestKeysOfUsersAreApart(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, "the secret of %s", r.Header.Get("X-Test-User"))
		}))
		for _, user := range []string{"ada", "bob", "ada", "bob", "ada8e03978e"} {
			if w := send(h, transfer().with(func(c *call) { c.user = user })); w.Body.String() != "the secret of "+user {
				t.Errorf("%s with the key of ada got %q", user, w.Body)
			}
		}
		if w := send(h, transfer().with(func(c *call) { c.user, c.body = "eve", "anything" })); w.Code != 200 {
			t.Errorf("the key of another is known: %d", w.Code)
		}
	})
}

// Without Who it is the user of the session, and nobody without one.
func TestWhoIsSignedIn(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		keys, err := idempotency.New(db, idempotency.Options{})
		if err != nil {
			t.Fatal(err)
		}
		effects := 0
		h := keys.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { effects++ }))
		post := func(user identity.ID, id identity.ID) int {
			r, w := transfer().request(), httptest.NewRecorder()
			proof := session.Proof{Actor: identity.NewPerson(identity.SubjectOf(user), id, time.Time{}, identity.Granted{}, identity.Request{})}
			h.ServeHTTP(w, r.WithContext(session.With(r.Context(), session.Session{ID: id, UserID: user}, proof)))
			return w.Code
		}
		ada, bob := identity.NewID(), identity.NewID()
		if a, b, c := post(ada, identity.NewID()), post(ada, identity.NewID()), post(bob, identity.NewID()); a != 200 || b != 200 || c != 200 || effects != 2 {
			t.Errorf("ada, ada in another session, bob = %d %d %d with %d effects, want two", a, b, c, effects)
		}
		if w := send(h, transfer()); w.Code != 401 || effects != 2 {
			t.Errorf("without a session = %d after %d effects, want 401", w.Code, effects)
		}
	})
}

// I062: who reads the database learns neither the key, nor who asked, nor for what, nor the answer; and who changes it
// cannot make an answer up.
func TestTheDatabaseTellsNothing(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "session=token-in-a-cookie")
			w.Header().Set("Location", "/token-in-a-location")
			_, _ = w.Write([]byte(`{"token": "token-in-a-body"}`))
		}))
		send(h, transfer())
		var id, request, claim string
		var answer []byte
		if err := db.QueryRow(t.Context(), sqlsafe.New(`SELECT id, request, claim, answer FROM idempotency_keys`)).Scan(&id, &request, &claim, &answer); err != nil || len(answer) == 0 {
			t.Fatalf("the row: %d bytes, %v", len(answer), err)
		}
		row := slices.Concat([]byte(id+request+claim), answer)
		for _, secret := range []string{bareUUID, "ada", "cents", "100", "token", "Location", "/transfers"} {
			if bytes.Contains(row, []byte(secret)) {
				t.Errorf("the row shows %q", secret)
			}
		}
		if w := send(h, transfer()); w.Body.String() != `{"token": "token-in-a-body"}` || w.Header().Get("Location") != "/token-in-a-location" || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("the answer again = %s %v", w.Body, w.Header())
		}
		// The answer of another row, or a changed one, is no answer.
		send(h, transfer().with(func(c *call) { c.user = "eve" }))
		if _, err := db.Exec(t.Context(), sqlsafe.New(`UPDATE idempotency_keys SET answer = (SELECT answer FROM idempotency_keys WHERE id <> $1) WHERE id = $1`).With(id)); err != nil {
			t.Fatal(err)
		}
		if w := send(h, transfer()); w.Code != 409 || !strings.Contains(w.Body.String(), "idempotency-answer-gone") {
			t.Errorf("with the answer of another row = %d %s, want 409", w.Code, w.Body)
		}
	})
}

// I061: an answer is stored, good or bad, unless it tells who may or when; what failed may run again.
func TestWhichAnswersAreStored(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		runs := 0
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var status int
			_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
			runs++
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(status)
			w.WriteHeader(http.StatusTeapot) // too late
			if status != 204 && status != 304 {
				_, _ = fmt.Fprintf(w, "run %d", runs)
			}
		}))
		for status, stored := range map[int]bool{200: true, 201: true, 202: true, 204: true, 303: true, 304: true, 400: true, 402: true, 404: true, 409: true, 410: true, 422: true, 499: true,
			401: false, 403: false, 408: false, 425: false, 429: false, 500: false, 502: false, 503: false, 599: false} {
			c := transfer().with(func(c *call) {
				c.target, c.key = fmt.Sprint("/", status), fmt.Sprintf(`"the key of status %d"`, status)
			})
			before := runs
			first, again := send(h, c), send(h, c)
			if first.Code != status || again.Code != status || first.Header().Get("Content-Type") != again.Header().Get("Content-Type") {
				t.Errorf("%d = %d, then %d", status, first.Code, again.Code)
			}
			if once := runs == before+1; once != stored || (again.Header().Get("Idempotency-Replayed") != "") != stored || (first.Body.String() == again.Body.String()) != (stored || first.Body.Len() == 0) {
				t.Errorf("%d was run %d times and answered %q, then %q", status, runs-before, first.Body, again.Body)
			}
		}
	})
}

// A panic goes on to whoever recovers, and the key is free.
func TestAPanicGivesTheKeyFree(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		runs := 0
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if runs++; runs == 1 {
				_, _ = w.Write([]byte("half an answer"))
				panic("a slip")
			}
		}))
		func() {
			defer func() {
				if got := recover(); got != "a slip" {
					t.Errorf("recovered %v", got)
				}
			}()
			send(h, transfer())
		}()
		if w := send(h, transfer()); w.Code != 200 || w.Body.Len() != 0 || runs != 2 {
			t.Errorf("after the panic = %d %q in run %d, want it carried out", w.Code, w.Body, runs)
		}
	})
}

// A large answer arrives whole and is not kept: the request is not carried out again for it.
func TestLargeAnswersAreNotKept(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		runs, status := 0, http.StatusOK
		h := newKeys(t, db, idempotency.Options{MaxAnswerBytes: 10}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			runs++
			w.WriteHeader(status)
			for range 11 {
				if n, err := w.Write([]byte("x")); n != 1 || err != nil {
					t.Errorf("Write = %d, %v", n, err)
				}
			}
		}))
		if w := send(h, transfer()); w.Body.String() != strings.Repeat("x", 11) || w.Header().Get("Idempotency-Expires") != "" {
			t.Errorf("the first = %q %v", w.Body, w.Header())
		}
		if w := send(h, transfer()); w.Code != 409 || !strings.Contains(w.Body.String(), "/problems/idempotency-answer-gone") || runs != 1 {
			t.Errorf("again = %d %s after %d runs, want 409 and one", w.Code, w.Body, runs)
		}
		status = http.StatusBadGateway
		failed := transfer().with(func(c *call) { c.key = `"one that fails at length"` })
		for want := range 2 {
			if w := send(h, failed); w.Code != 502 || w.Body.Len() != 11 || runs != want+2 {
				t.Errorf("a long failure = %d with %d bytes after %d runs", w.Code, w.Body.Len(), runs)
			}
		}
	})
}

// Through a real server: the same bytes, information goes ahead, nothing can be streamed or hijacked past the record.
func TestOverHTTP(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			if err := http.NewResponseController(w).Flush(); err == nil {
				t.Error("Flush sent what is not stored")
			}
			if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
				t.Error("Hijack gave the connection away")
			}
			_, _ = w.Write([]byte("<html>"))
			_, _ = w.Write([]byte("as it came</html>"))
		}))
		server := httptest.NewServer(h)
		defer server.Close()
		var first string
		for range 2 {
			r, err := http.NewRequest("POST", server.URL+"/transfers?to=bob", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{"X-Test-User": {"ada"}, "Idempotency-Key": {someKey}}
			answer, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			got := fmt.Sprint(answer.StatusCode, " ", answer.Header.Get("Content-Type"), " ", string(body), err)
			if first == "" {
				first = got
			}
			if got != first || !strings.Contains(got, "200 text/html; charset=utf-8 <html>as it came</html>") {
				t.Errorf("the answer = %s, want %s", got, first)
			}
		}
	})
}
