package authz_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/authz"
)

// matches reads a pattern in the plainest way: segment by segment, each of the path decoded once.
func matches(pattern, method, path string) bool {
	if named, rest, ok := strings.Cut(pattern, " "); ok {
		if named != method && (named != "GET" || method != "HEAD") {
			return false
		}
		pattern = rest
	}
	want, got := strings.Split(pattern, "/")[1:], strings.Split(path, "/")[1:]
	for i, segment := range want {
		switch {
		case segment == "{$}":
			return len(got) == i+1 && got[i] == ""
		case segment == "" && i == len(want)-1:
			return len(got) > i
		case i >= len(got) || got[i] == "" || !strings.HasPrefix(segment, "{") && segment != got[i]:
			return false
		}
	}
	return len(got) == len(want)
}

// FuzzMuxPath sends whatever a request line can hold, as the server of net/http reads it. A handler that is reached is one
// whose rule admits who asks, and whose pattern is that of the path, decoded once; nobody is sent elsewhere. Adversary 15, 16.
func FuzzMuxPath(f *testing.F) {
	for _, target := range []string{
		"/", "/about", "/admin", "/admin/", "/admin/users/7", "/files/a/b", "//admin/users/7", "/./admin", "/about/../admin", "/about/..%2fadmin", "/admin%2fusers%2f7",
		"/%61dmin/users/7", "/ADMIN/users/7", "/admin/users/7/", "/admin/users/7;x=1", "/admin/users/7?x=/about", "/admin/users/%2e%2e", "/admin/users/%00", "/admin\\users\\7",
		"/about%3f/admin", "/about#/admin", "http://other.example/admin/users/7", "//other.example/admin/users/7", "/%2561dmin/users/7", "/admin/users/%252f", "*", "other.example:443",
		"/files/../admin/users/7", "/files/%2e%2e/admin", "/admin/%75sers/7", "/admin/users/\xff", "/about/", "/about%20", "/about%09", "/files", "/files/",
	} {
		f.Add("GET", target)
	}
	for _, method := range []string{"POST", "HEAD", "CONNECT", "OPTIONS", "TRACE", "get", "PROPFIND"} {
		f.Add(method, "/admin/users/7")
		f.Add(method, "/about")
	}
	type reached struct {
		pattern, path string
		rule          authz.Rule
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: app.example\r\n\r\n")))
		if err != nil {
			return // net/http answers 400
		}
		method, target = r.Method, r.RequestURI // a line break in what was sent ends them
		var got *reached
		mux := authz.NewMux()
		for _, route := range []authz.Route{
			{Pattern: "GET /{$}", Rule: authz.Public()},
			{Pattern: "GET /about", Rule: authz.Public()},
			{Pattern: "/admin/", Rule: authz.Role("admin")},
			{Pattern: "GET /admin/users/{id}", Rule: authz.Role("admin")},
			{Pattern: "/admin/users/{id}/{what}", Rule: authz.Rule{}},
			{Pattern: "POST /files/", Rule: authz.SignedIn()},
			{Pattern: "GET /files/", Rule: authz.Permission("ledger.read")},
		} {
			mux.HandleFunc(route.Pattern, route.Rule, func(_ http.ResponseWriter, r *http.Request) {
				got = &reached{r.Pattern, r.URL.Path, route.Rule}
				if r.Pattern != route.Pattern {
					t.Errorf("%s %s reached the handler of %q as %q", method, target, route.Pattern, r.Pattern)
				}
			})
		}
		for _, who := range []struct {
			name string
			ctx  context.Context
			open []string
		}{
			{"unproved", context.Background(), []string{"GET /{$}", "GET /about"}},
			{"anonymous", anonymous(), []string{"GET /{$}", "GET /about"}},
			{"member", as(time.Minute, "10.0.0.1", "member"), []string{"GET /{$}", "GET /about", "POST /files/"}},
			{"auditor", as(time.Minute, "10.0.0.1", "auditor"), []string{"GET /{$}", "GET /about", "POST /files/", "GET /files/"}},
			{"administrator", as(time.Minute, "10.0.0.1", "admin"), []string{"GET /{$}", "GET /about", "/admin/", "GET /admin/users/{id}", "POST /files/"}},
		} {
			got = nil
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r.Clone(who.ctx))
			if w.Code != http.StatusOK && w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden && w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %q as %s = %d", method, target, who.name, w.Code)
			}
			if (w.Code == http.StatusOK) != (got != nil) {
				t.Errorf("%s %q as %s = %d, and the handler reached is %v", method, target, who.name, w.Code, got)
			}
			if got == nil {
				continue
			}
			if !slices.Contains(who.open, got.pattern) {
				t.Errorf("%s %q as %s reached %q, whose rule is %q", method, target, who.name, got.pattern, got.rule)
			}
			if !matches(got.pattern, method, got.path) {
				t.Errorf("%s %q reached %q with the path %q", method, target, got.pattern, got.path)
			}
			once, err := url.PathUnescape(pathOf(target))
			if err != nil || once != got.path {
				t.Errorf("%s %q reached %q with the path %q, which is not its path decoded once: %q", method, target, got.pattern, got.path, once)
			}
		}
	})
}

// pathOf is the path of a request target, as it stands there: behind the host of one with a scheme, or behind the scheme if
// there is no host (RFC 3986, 3).
func pathOf(target string) string {
	target, _, _ = strings.Cut(target, "?")
	if strings.HasPrefix(target, "/") {
		return target
	}
	_, target, _ = strings.Cut(target, ":")
	if rest, ok := strings.CutPrefix(target, "//"); ok {
		_, path, _ := strings.Cut(rest, "/")
		return "/" + path
	}
	return target
}
