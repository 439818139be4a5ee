package e2e_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
	"github.com/ringwall/ringwall/session"
)

// notes is an application that believes nothing but the session.
var notes = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	s, ok := session.From(r.Context())
	if !ok {
		_, _ = fmt.Fprint(w, "hello, stranger")
		return
	}
	if s.Subject().IsZero() || s.Subject().ID() != s.UserID {
		http.Error(w, "no subject", 500)
		return
	}
	_, _ = fmt.Fprintf(w, "hello, %s; admin %v; note %q", s.Email, s.HasRole("admin"), r.FormValue("note"))
})

func startNotes(t *testing.T) *ringwalltest.Server {
	return ringwalltest.StartApp(t, ringwall.Options{}, notes, "GET /{$}", "GET /about")
}

// S067: whatever is not named public needs a session.
func TestApplicationIsClosedByDefault(t *testing.T) {
	s := startNotes(t)
	c := s.Client()
	for path, open := range map[string]bool{"/": true, "/about": true, "/about/": false, "/notes": false, "/About": false, "/authx": false} {
		got := c.Get(path)
		if (got.Status == 200) != open {
			t.Errorf("anonymous GET %s = %d, want open %v", path, got.Status, open)
		}
	}
	want(t, "another method of a public path", c.Post("/about", object{}), 401, "unauthenticated")
	c.Header.Set("Accept", "text/html,application/xhtml+xml")
	got := c.Get("/notes?page=2")
	if got.Status != 303 || got.Header.Get("Location") != "/auth/login?return_to="+url.QueryEscape("/notes?page=2") {
		t.Errorf("a person at a closed page = %d to %q, want 303 to sign in and back", got.Status, got.Header.Get("Location"))
	}
}

func TestApplicationSeesWhoIsSignedIn(t *testing.T) {
	s := startNotes(t)
	c := s.SignIn("ann@example.org")
	for range 10 { // S025: no credentials but the cookie
		if got := string(c.Get("/notes").Body); got != `hello, ann@example.org; admin false; note ""` {
			t.Fatalf("the application says %q", got)
		}
	}
	operate(t, s, "user.grant", object{"user": "ann@example.org", "role": "admin"})
	if got := string(c.Get("/notes").Body); !strings.Contains(got, "admin true") {
		t.Errorf("after the grant the application says %q", got)
	}
	stranger := s.Client()
	for _, name := range []string{"X-User-Id", "X-Ringwall-User", "X-Forwarded-User", "Remote-User"} {
		stranger.Header.Set(name, "ann@example.org")
	}
	if got := string(stranger.Get("/").Body); got != "hello, stranger" {
		t.Errorf("claimed in headers, the application says %q", got)
	}
}

// A form's token is looked at, and the form is still there for the application.
func TestApplicationsForms(t *testing.T) {
	s := startNotes(t)
	c := s.SignIn("form@example.org")
	token := c.CSRF
	c.CSRF = ""
	want(t, "a form without a token", c.Do("POST", "/notes", url.Values{"note": {"a"}}), 403, "csrf")
	got := c.Do("POST", "/notes", url.Values{"note": {"bread & butter", "twice"}, "csrf_token": {token}})
	if got.Status != 200 || !strings.Contains(string(got.Body), `note "bread & butter"`) {
		t.Errorf("a form with its token = %d %s", got.Status, got.Body)
	}
	want(t, "the token in the query", c.Do("POST", "/notes?csrf_token="+url.QueryEscape(token), url.Values{"note": {"a"}}), 403, "csrf")
	want(t, "a form that is too large", c.Do("POST", "/notes", url.Values{"note": {strings.Repeat("a", 70_000)}, "csrf_token": {token}}), 413, "too-large")
}

// D23: the client's address comes from the one named header, from the right, and only from a proxy that is named.
func TestClientAddress(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trusted string
		sent    http.Header
		want    string
	}{
		{"believes the named header of a named proxy", "127.0.0.0/8", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, "203.0.113.7"},
		{"takes the first stranger from the right", "127.0.0.0/8", http.Header{"X-Forwarded-For": {"198.51.100.1, 203.0.113.7, 127.0.0.2"}}, "203.0.113.7"},
		{"does not believe other headers", "127.0.0.0/8", http.Header{"X-Real-Ip": {"203.0.113.7"}, "Forwarded": {"for=203.0.113.7"}, "Cf-Connecting-Ip": {"203.0.113.7"}}, "127.0.0.1"},
		{"does not believe a stranger's header", "10.0.0.0/8", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, "127.0.0.1"},
		{"falls back to the peer for nonsense", "127.0.0.0/8", http.Header{"X-Forwarded-For": {"203.0.113.7, <script>"}}, "127.0.0.1"},
		{"knows IPv4 in IPv6's clothes", "127.0.0.0/8", http.Header{"X-Forwarded-For": {"::ffff:203.0.113.7"}}, "203.0.113.7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := ringwalltest.StartApp(t, ringwall.Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix(tt.trusted)}, TrustedProxyHeader: "X-Forwarded-For"}, nil)
			s.SignUp("proxy@example.org")
			c := s.Client()
			for name, values := range tt.sent {
				c.Header[name] = values
			}
			c.SignIn("proxy@example.org", ringwalltest.Password)
			if got := devices(t, c)[0].IP; got != tt.want {
				t.Errorf("the device's address is %s, want %s", got, tt.want)
			}
		})
	}
}
