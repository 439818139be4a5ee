package input_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/input"
)

// routes names the pattern that serves a path, so that what the mux sees can be compared with what a prefix check sees.
func routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, pattern := range []string{"/{$}", "/admin", "/admin/{rest...}", "POST /v1/login", "GET /v1/users/{id}", "/files/"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, pattern) })
	}
	return mux
}

var plainPaths = []string{"/", "/admin", "/admin/x", "/admin/", "/v1/users/a%20b", "/v1/users/%C3%B6", "/...", "/.well-known/x", "/a..b", "/a%252fb", "/%61dmin/x", "/a;b", "/a@b", "/files/a.b"}

var doubtfulPaths = []string{"//", "//v1/login", "/v1//login", "/v1/./login", "/v1/../v1/login", "/..", "/.", "/admin/..", "/admin/.", "/x/../admin", "/%2e%2e/admin", "/x/%2E%2e/admin", "/x/.%2e/admin", "/%2fadmin", "/x%2Fadmin", "/x%5cadmin",
	"/x%5Cadmin", `/x\admin`, "/admin%00", "/%00", "/x%0d%0ay", "/x%7f", "/x%ff", "/%c0%ae%c0%ae/admin", "/%c0%af", "//evil.test/x", "/x//", "/files//a"}

func TestPathGuard(t *testing.T) {
	server := httptest.NewServer(input.PathGuard(routes(), nil))
	defer server.Close()
	// Spoken by hand: clients clean paths before they send them.
	ask := func(method, target string) (status string, body string) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", method, target); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 4096)
		n := 0
		for {
			m, err := conn.Read(answer[n:])
			n += m
			if err != nil {
				break
			}
		}
		head, body, _ := strings.Cut(string(answer[:n]), "\r\n\r\n")
		return strings.Fields(head + " - -")[1], body
	}
	for _, path := range plainPaths {
		if status, body := ask("GET", path); strings.HasPrefix(status, "3") || strings.Contains(body, "/problems/") {
			t.Errorf("GET %s = %s %s, want the mux to answer", path, status, body)
		}
	}
	for _, path := range doubtfulPaths {
		for _, target := range []string{path, "http://a.example" + path} {
			if status, body := ask("POST", target); status != "404" || !strings.Contains(body, "/problems/not-found") {
				t.Errorf("POST %s = %s %s, want 404 from the guard", target, status, body)
			}
		}
	}
	if status, body := ask("GET", "http://a.example"); status != "404" || !strings.Contains(body, "not-found") {
		t.Errorf("a target without a path = %s %s, want 404", status, body)
	}
	for path, want := range map[string]string{"/V1/login": "404", "/v1/login/": "404", "/v1/login": "200"} {
		if status, _ := ask("POST", path); status != want {
			t.Errorf("POST %s = %s, want %s", path, status, want)
		}
	}
}

func TestPathGuardLetsItsOwnerAnswer(t *testing.T) {
	guard := input.PathGuard(routes(), func(w http.ResponseWriter, _ *http.Request, err error) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprint(w, face(err))
	})
	w := httptest.NewRecorder()
	guard.ServeHTTP(w, &http.Request{Method: "GET", URL: &url.URL{Path: "//"}})
	if w.Code != http.StatusTeapot || w.Body.String() != "not-found" {
		t.Errorf("refused with %d %s", w.Code, w.Body)
	}
}

// FuzzPathGuard: whatever the guard passes, the mux does not clean, adds at most the slash of a subtree, and a check of
// the prefix and the mux agree on what is admin.
// (Better Auth GHSA-x732-6j76-qmhm and Clerk CVE-2026-41248 were disagreements of this kind.)
func FuzzPathGuard(f *testing.F) {
	for _, path := range append(plainPaths, doubtfulPaths...) {
		f.Add(path)
	}
	mux := routes()
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		input.PathGuard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, pattern := mux.Handler(r)
			mux.ServeHTTP(w, r)
			if recorder := w.(*httptest.ResponseRecorder); recorder.Code >= 300 && recorder.Code < 400 {
				to, err := url.Parse(recorder.Header().Get("Location"))
				if err != nil || to.Host != "" || to.Path != r.URL.Path+"/" {
					t.Errorf("%q passes, and the mux redirects it to %q", target, recorder.Header().Get("Location"))
				}
			}
			isAdmin := r.URL.Path == "/admin" || strings.HasPrefix(r.URL.Path, "/admin/")
			if isAdmin != strings.HasPrefix(pattern, "/admin") {
				t.Errorf("%q passes as path %q, and the mux chooses %q", target, r.URL.Path, pattern)
			}
		}), nil).ServeHTTP(httptest.NewRecorder(), &http.Request{Method: "GET", URL: u, Host: "a.example"})
	})
}

func TestReturnPath(t *testing.T) {
	for _, good := range []string{"/", "/invoices", "/invoices/7?tab=a&x=//y#top", "/@ann", "/a:b", "/a%20b", "/auth/account?return_to=https://evil.test"} {
		if got := input.ReturnPath(good, "/home"); got != good {
			t.Errorf("ReturnPath(%q) = %q, want it kept", good, got)
		}
	}
	for _, evil := range []string{"", "https://evil.test", "https:evil.test", "https:/evil.test", "//evil.test", "///evil.test", "////evil.test", `/\evil.test`, `\\evil.test`, `\/evil.test`, `/\/evil.test`, `//\evil.test`, "/\t/evil.test", "/\n/evil.test", "\t//evil.test", " //evil.test", "/\r\nSet-Cookie: a=b",
		"https://good@evil.test", "//good@evil.test", "@evil.test", "good.evil.test", "evil.test/", "javascript:alert(1)", "data:text/html,x", "JaVaScRiPt:alert(1)", "/%2fevil.test", "/%2Fevil.test", "%2f%2fevil.test", "/%5cevil.test", "/%5Cevil.test", "/x/..//evil.test", "/..//evil.test", "/./x", "/x/../y", "/%2e%2e//evil.test", "/.//evil.test",
		"/%00", "/%0d%0aX:y", "/\u3002evil", "/\uff0fevil.test", "/\u2028", "?next=//evil.test", "#x", ".", "..", "x", "/%", "/%zz", "/" + strings.Repeat("a", 2048), "/\x00", "/\x7f", "http://127.0.0.1", "//127.1", "//%65vil.test", "/a b"} {
		if got := input.ReturnPath(evil, "/home"); got != "/home" {
			t.Errorf("ReturnPath(%q) = %q, want the fallback", evil, got)
		}
	}
	for _, tt := range []struct {
		raw    string
		within []string
		want   string
	}{
		{"/app", []string{"/app"}, "/app"}, {"/app/x", []string{"/app/"}, "/app/x"}, {"/app?x", []string{"/app"}, "/app?x"}, {"/b", []string{"/app", "/b"}, "/b"}, {"/x", []string{"/"}, "/x"},
		{"/apple", []string{"/app"}, "/home"}, {"/APP", []string{"/app"}, "/home"}, {"/app/../x", []string{"/app"}, "/home"}, {"/app%2fx", []string{"/app"}, "/home"},
	} {
		if got := input.ReturnPath(tt.raw, "/home", tt.within...); got != tt.want {
			t.Errorf("ReturnPath(%q, within %q) = %q, want %q", tt.raw, tt.within, got, tt.want)
		}
	}
}

// FuzzReturnPath: as the standard library reads the result, and as browsers do (which drop tabs and line breaks, and take a backslash for
// a slash), it stays on the host.
func FuzzReturnPath(f *testing.F) {
	for _, seed := range []string{"/ok?x=1#y", "//evil.test", `/\evil.test`, "/\t/evil.test", "https://good@evil.test", "/%2f%2fevil.test", "/x/..//evil.test", "javascript:alert(1)", "/%5cevil.test", "\u0001//evil.test"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://good.example/auth/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := input.ReturnPath(raw, "/home")
		if got != raw && got != "/home" {
			t.Fatalf("ReturnPath(%q) = %q, neither of the two", raw, got)
		}
		browser := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimFunc(got, func(r rune) bool { return r <= ' ' }))
		for _, read := range []string{got, browser} {
			u, err := base.Parse(read)
			if err != nil || u.Scheme != "https" || u.Host != "good.example" || u.User != nil || read[0] != '/' || strings.HasPrefix(read, "//") || strings.HasPrefix(u.Path, "//") {
				t.Errorf("ReturnPath(%q) = %q leads to %v (%v)", raw, got, u, err)
			}
		}
	})
}
