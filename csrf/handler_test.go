package csrf_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/csrf"
)

// The one call holds both layers, and each stops a foreign form without the other.
func TestHandlerHoldsBothLayers(t *testing.T) {
	g := guard(t)
	changed := 0
	handler := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.Header.Get("Upgrade") != "" {
			changed++
		}
		_, _ = w.Write([]byte(r.PostFormValue("note")))
	}), func(r *http.Request) csrf.Binding {
		c, err := r.Cookie("session")
		if err != nil {
			return csrf.Binding{}
		}
		return csrf.Session(c.Value)
	})
	mine, other := g.Token(csrf.Session("s1")), g.Token(csrf.Session("s2"))
	const own, ann = "https://id.example.org", "session=s1"
	for _, tt := range []struct {
		name, method, body string
		head               []string
		status             int
	}{
		{"a page is read", "GET", "", []string{"Cookie", ann}, 200},
		{"our form", "POST", "note=hello&csrf_token=" + mine, []string{origin, own, "Cookie", ann}, 200},
		{"our script", "DELETE", "", []string{origin, own, "Cookie", ann, csrf.Header, mine}, 200},
		{"a program with bearer and no cookies", "POST", "", []string{"Authorization", "Bearer abc"}, 200},

		{"a foreign form, though it has the token", "POST", "note=hello&csrf_token=" + mine, []string{origin, "https://evil.test", "Cookie", ann}, 403},
		{"a form of ours without the token", "POST", "note=hello", []string{origin, own, "Cookie", ann}, 403},
		{"another session's token", "POST", "note=hello&csrf_token=" + other, []string{origin, own, "Cookie", ann}, 403},
		{"a token and no session", "POST", "csrf_token=" + mine, []string{origin, own}, 403},
		{"no browser, no bearer", "POST", "note=hello", nil, 403},
		{"a bearer beside cookies", "POST", "note=hello", []string{origin, own, "Authorization", "Bearer abc", "Cookie", ann}, 403},
		{"a WebSocket of another site", "GET", "", []string{site, "cross-site", origin, "https://evil.test", "Upgrade", "websocket", "Cookie", ann}, 403},
		{"a form without an end", "POST", "csrf_token=" + mine + "&x=" + strings.Repeat("a", 1<<20), []string{origin, own, "Cookie", ann}, 413},
	} {
		r := httptest.NewRequest(tt.method, own+"/notes", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i+1 < len(tt.head); i += 2 {
			r.Header.Add(tt.head[i], tt.head[i+1])
		}
		before := changed
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != tt.status || tt.status != 200 && changed != before {
			t.Errorf("%s = %d with %d changes, want %d", tt.name, w.Code, changed-before, tt.status)
		}
		if tt.name == "our form" && w.Body.String() != "hello" {
			t.Errorf("%s: the handler reads %q of the form", tt.name, w.Body)
		}
		if got := w.Header().Get("Vary"); got != "Origin, Sec-Fetch-Site" { // C145
			t.Errorf("%s: Vary = %q", tt.name, got)
		}
	}
}

// A WebSocket is opened by a GET, which no browser asks leave for: where it comes from is all that is known of it.
func TestAnUpgradeIsNoSafeRequest(t *testing.T) {
	g := guard(t)
	for _, tt := range []struct {
		head []string
		pass bool
	}{
		{[]string{origin, "https://id.example.org", "Cookie", "a=b"}, true},
		{[]string{site, "same-origin", origin, "https://id.example.org", "Cookie", "a=b"}, true},
		{[]string{"Authorization", "Bearer abc"}, true},
		{[]string{origin, "https://evil.test", "Cookie", "a=b"}, false},
		{[]string{site, "cross-site", "Cookie", "a=b"}, false},
		{[]string{origin, "null"}, false},
		{[]string{"Cookie", "a=b"}, false},
	} {
		r := request("GET", append(tt.head, "Connection", "Upgrade", "Upgrade", "websocket")...)
		if err := g.Check(r); (err == nil) != tt.pass {
			t.Errorf("Check of an upgrade with %q = %v, want passing %v", tt.head, err, tt.pass)
		}
	}
}
