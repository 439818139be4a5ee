package e2e_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/ringwalltest"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// payments is an application whose one route may not be carried out twice.
type payments struct{ effects atomic.Int64 }

func (p *payments) pay(w http.ResponseWriter, r *http.Request) {
	in, err := input.DecodeJSON[struct {
		Cents int `json:"cents" required:"true"`
	}](r, 0)
	if err != nil {
		input.Refuse(w, r, err)
		return
	}
	s, _ := session.From(r.Context())
	w.Header().Set("Set-Cookie", "basket=empty; Secure; HttpOnly")
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, "payment %d of %d cents by %s", p.effects.Add(1), in.Cents, s.Email)
}

func (p *payments) payByForm(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, fmt.Sprintf("/paid?number=%d&cents=%s", p.effects.Add(1), r.PostFormValue("cents")), http.StatusSeeOther)
}

func startPayments(t *testing.T) (*ringwalltest.Server, *payments) {
	t.Helper()
	opened, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "host.db")+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	db := sqlsafe.Wrap(opened)
	if _, err := db.Exec(t.Context(), sqlsafe.New(idempotency.Schema)); err != nil {
		t.Fatal(err)
	}
	keys, err := idempotency.New(db, idempotency.Options{Field: "once"})
	if err != nil {
		t.Fatal(err)
	}
	p, mux := &payments{}, http.NewServeMux()
	mux.Handle("POST /payments", keys.Handler(http.HandlerFunc(p.pay)))
	mux.Handle("POST /form", keys.Handler(http.HandlerFunc(p.payByForm)))
	return ringwalltest.StartApp(t, ringwall.Options{}, mux, "POST /payments"), p
}

// S111: one endpoint behind everything. What is refused on the way in uses no key up, what comes again is answered again.
func TestAReplayedWriteIsOneEffect(t *testing.T) {
	s, p := startPayments(t)
	const key = `"8e03978e-40d5-43dd-bc93-6894a57f9324"`
	ada, bob, stranger := s.SignIn("ada@example.org"), s.SignIn("bob@example.org"), s.Client()
	for _, c := range []*ringwalltest.Client{ada, bob, stranger} {
		c.Header.Set("Idempotency-Key", key)
	}
	pay := object{"cents": 100}
	want(t, "nobody, at a route that is public by mistake", stranger.Post("/payments", pay), 401, "unauthenticated")
	token := ada.CSRF
	ada.CSRF = ""
	want(t, "without the token of the session", ada.Post("/payments", pay), 403, "csrf")
	ada.CSRF = token
	ada.Header.Del("Idempotency-Key")
	want(t, "without a key", ada.Post("/payments", pay), 400, "idempotency-key-missing")
	ada.Header.Set("Idempotency-Key", strings.Trim(key, `"`))
	want(t, "a bare UUID", ada.Post("/payments", pay), 400, "idempotency-key-malformed")
	ada.Header.Set("Idempotency-Key", `"a key for what breaks a rule"`)
	want(t, "an unknown member", ada.Post("/payments", object{"cents": 100, "to": "eve"}), 422, "invalid")
	want(t, "the same again", ada.Post("/payments", object{"cents": 100, "to": "eve"}), 422, "invalid")
	ada.Header.Set("Idempotency-Key", key)

	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if got, err := ada.Try("POST", "/payments", pay); err != nil || got.Status != 201 && got.Code() != "idempotency-key-in-flight" {
				t.Errorf("one of fifty = %d %s, %v", got.Status, got.Body, err)
			}
		})
	}
	group.Wait()
	again := ada.Post("/payments", pay)
	if again.Status != 201 || string(again.Body) != "payment 1 of 100 cents by ada@example.org" || again.Header.Get("Idempotency-Replayed") != "true" || again.Header.Get("Set-Cookie") != "" {
		t.Errorf("again = %d %q %v", again.Status, again.Body, again.Header)
	}
	for _, name := range []string{"X-Content-Type-Options", "Content-Security-Policy", "X-Frame-Options"} {
		if again.Header.Get(name) == "" {
			t.Errorf("an answer that was stored lacks %s", name)
		}
	}
	reused := ada.Post("/payments", object{"cents": 101})
	want(t, "another payload", reused, 422, "idempotency-key-reused")
	if !strings.Contains(string(reused.Body), `"instance":"urn:uuid:`) {
		t.Errorf("the refusal has no request id: %s", reused.Body)
	}
	if got := bob.Post("/payments", pay); string(got.Body) != "payment 2 of 100 cents by bob@example.org" {
		t.Errorf("bob with the key of ada = %d %s", got.Status, got.Body)
	}
	if n := p.effects.Load(); n != 2 {
		t.Errorf("%d effects, want one of each", n)
	}
}

// A form that Protect has read for its token is still compared as it was sent.
func TestAFormThatIsSentTwiceIsOneEffect(t *testing.T) {
	s, p := startPayments(t)
	ada := s.SignIn("ada@example.org")
	form := url.Values{"cents": {"100"}, "once": {"RTZ4XQKJ5WVN3LHD7ABCMS2EYG"}, "csrf_token": {ada.CSRF}}
	ada.CSRF = ""
	for range 2 {
		got := ada.Do("POST", "/form", form)
		if got.Status != 303 || got.Header.Get("Location") != "/paid?number=1&cents=100" {
			t.Errorf("the form = %d to %q, want it carried out once", got.Status, got.Header.Get("Location"))
		}
	}
	form["cents"] = []string{"200"}
	want(t, "another form", ada.Do("POST", "/form", form), 422, "idempotency-key-reused")
	if n := p.effects.Load(); n != 1 {
		t.Errorf("%d effects, want one", n)
	}
}
