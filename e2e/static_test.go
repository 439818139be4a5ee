package e2e_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

func elsewhere(r *http.Request) { r.Host = "evil.test" }

// Static files are the same for everybody and under every host: the page of 421 needs them, and a cache that keeps them for
// all keeps nothing that a forged host has put in, and nobody's cookie (it once kept the one that tokens are bound to).
func TestStaticFilesAreAlikeForAll(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, application)
	ann := s.SignIn("ann@example.org")
	paths := regexp.MustCompile(`/auth/static/[^"]+`).FindAllString(string(raw(t, s, "GET", "/auth/login", nil, elsewhere).Body), -1)
	if len(paths) != 3 {
		t.Fatalf("the page of 421 asks for %q, want style sheet, icon and script", paths)
	}
	for _, path := range paths {
		hers := ann.Get(path)
		if hers.Status != 200 || len(hers.Body) == 0 || hers.Header.Get("Set-Cookie") != "" || hers.Header.Get("Vary") != "" {
			t.Errorf("%s = %d, %d bytes, %v", path, hers.Status, len(hers.Body), hers.Header)
		}
		for name, change := range map[string]func(*http.Request){
			"nobody":           nil,
			"an unlisted host": elsewhere,
			"a proxy's host":   func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.test") },
			"another site":     func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") },
			"two sessions":     func(r *http.Request) { r.Header.Set("Cookie", "__Host-ringwall=a; __Host-ringwall=b") },
			"a German":         func(r *http.Request) { r.Header.Set("Accept-Language", "de") },
		} {
			sameAnswer(t, path+" for "+name, raw(t, s, "GET", path, nil, change), hers)
		}
		if got := raw(t, s, "POST", path, nil, elsewhere); got.Status != 421 {
			t.Errorf("POST %s under an unlisted host = %d, want 421", path, got.Status)
		}
	}
}

// All other routes, and the application, are refused there.
func TestUnlistedHostsGetNothingElse(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, application, "GET /{$}")
	for _, path := range []string{"/", "/nowhere", "/auth/nowhere", "/auth/static", "/auth/static/", "/auth/static/nope"} {
		if got := raw(t, s, "GET", path, nil, elsewhere); got.Status != 421 {
			t.Errorf("GET %s = %d, want 421", path, got.Status)
		}
	}
	for _, r := range s.Ringwall.Routes() {
		path := strings.NewReplacer("{id}", "0", "{code}", "internal", "{file}", "x", "{$}", "").Replace(r.Path)
		method := strings.Replace(r.Method, "ANY", "GET", 1)
		if got := raw(t, s, method, path, nil, elsewhere); got.Status != 421 {
			t.Errorf("%s %s = %d, want 421", method, path, got.Status)
		}
	}
}
