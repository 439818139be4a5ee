package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

const frontend = "https://app.example.org"

// S078: a frontend elsewhere calls with a bearer token and reads; a cookie from there changes nothing, and no other origin is answered.
func TestFrontendsOfOtherOrigins(t *testing.T) {
	changes := 0
	s := ringwalltest.StartApp(t, ringwall.Options{CORS: []string{frontend}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" {
			changes++
		}
		_, _ = w.Write([]byte("the orders"))
	}), "GET /open")
	c := s.SignIn("cors@example.org")
	cookie := "__Host-ringwall=" + c.Cookie("__Host-ringwall")
	var signedIn struct{ Token string }
	got := program(t, s, "POST", "/auth/v1/login", "", object{"email": "cors@example.org", "password": ringwalltest.Password, "bearer": true})
	got.Into(t, &signedIn)
	bearer := "Bearer " + signedIn.Token
	if len(bearer) < 40 {
		t.Fatalf("no token in %s", got.Body)
	}
	for _, tt := range []struct {
		name, method, path string
		head               map[string]string
		status             int
		readable, changed  bool
	}{
		{"a preflight", "OPTIONS", "/orders/7", map[string]string{"Origin": frontend, "Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}, 204, true, false},
		{"reading with a token", "GET", "/orders", map[string]string{"Origin": frontend, "Sec-Fetch-Site": "cross-site", "Authorization": bearer}, 200, true, false},
		{"changing with a token", "DELETE", "/orders/7", map[string]string{"Origin": frontend, "Sec-Fetch-Site": "cross-site", "Authorization": bearer}, 200, true, true},
		{"what is public", "GET", "/open", map[string]string{"Origin": frontend}, 200, true, false},
		{"nobody, who is told so", "GET", "/orders", map[string]string{"Origin": frontend, "Sec-Fetch-Site": "cross-site"}, 401, true, false},
		{"our own page", "POST", "/orders", map[string]string{"Origin": s.URL, "Sec-Fetch-Site": "same-origin", "Cookie": cookie, "X-CSRF-Token": c.CSRF}, 200, false, true},

		{"a cookie from there, with its token", "POST", "/orders", map[string]string{"Origin": frontend, "Sec-Fetch-Site": "cross-site", "Cookie": cookie, "X-CSRF-Token": c.CSRF}, 403, true, false},
		{"a cookie from there, of a sibling", "POST", "/orders", map[string]string{"Origin": frontend, "Sec-Fetch-Site": "same-site", "Cookie": cookie}, 403, true, false},
		{"a token beside some cookie", "POST", "/orders", map[string]string{"Origin": frontend, "Sec-Fetch-Site": "cross-site", "Authorization": bearer, "Cookie": "a=b"}, 403, true, false},
		{"a token that is none", "POST", "/orders", map[string]string{"Origin": frontend, "Sec-Fetch-Site": "cross-site", "Authorization": "Bearer none"}, 403, true, false},
		{"no proof", "POST", "/orders", map[string]string{"Origin": frontend, "Sec-Fetch-Site": "cross-site"}, 403, true, false},
		{"another origin", "POST", "/orders", map[string]string{"Origin": frontend + ".evil.test", "Authorization": bearer}, 403, false, false},
		{"another origin's preflight", "OPTIONS", "/orders", map[string]string{"Origin": "null", "Access-Control-Request-Method": "POST"}, 403, false, false},
		{"another origin reads", "GET", "/orders", map[string]string{"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site", "Cookie": cookie}, 200, false, false},
		{"a route of Ringwall's", "GET", "/auth/v1/session", map[string]string{"Origin": frontend, "Authorization": bearer}, 200, false, false},
		{"a preflight of Ringwall's", "OPTIONS", "/auth/v1/login", map[string]string{"Origin": frontend, "Access-Control-Request-Method": "POST"}, 405, false, false},
	} {
		before := changes
		got := raw(t, s, tt.method, tt.path, nil, func(r *http.Request) {
			for name, value := range tt.head {
				r.Header.Set(name, value)
			}
		})
		allowed := got.Header.Get("Access-Control-Allow-Origin")
		if got.Status != tt.status || (allowed == frontend) != tt.readable || !tt.readable && allowed != "" || (changes > before) != tt.changed {
			t.Errorf("%s = %d, readable by %q, %d changes\n%s", tt.name, got.Status, allowed, changes-before, got.Body)
		}
		if got.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: cookies are let in", tt.name)
		}
		if vary := strings.Join(got.Header.Values("Vary"), ", "); !strings.Contains(vary, "Origin") || got.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: Vary %q, X-Frame-Options %q", tt.name, vary, got.Header.Get("X-Frame-Options"))
		}
	}
	if len(events(t, s, "malicious_csrf")) == 0 {
		t.Error("no event malicious_csrf")
	}
	want(t, "a preflight where no frontend is listed", raw(t, start(t, ringwall.Options{}), "OPTIONS", "/", nil, func(r *http.Request) {
		r.Header.Set("Origin", frontend)
		r.Header.Set("Access-Control-Request-Method", "POST")
	}), 401, "unauthenticated")
}
