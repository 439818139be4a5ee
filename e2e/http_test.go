package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

// S086, I067, I071: every header on every status, the errors of the mux included.
func TestHeadersStandOnEveryAnswer(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, application)
	c := s.SignIn("headers@example.org")
	alone := ringwalltest.Start(t)
	form := func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, got := range map[string]ringwalltest.Answer{
		"200 json":     c.Get("/auth/v1/session"),
		"200 page":     s.Client().Get("/auth/login"),
		"204":          c.Delete("/auth/v1/sessions"),
		"303":          s.Client().Get("/auth/account"),
		"303 well":     s.Client().Get("/.well-known/change-password"),
		"400":          raw(t, s, "POST", "/auth/v1/password/forgot", []byte("{"), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }),
		"401":          s.Client().Get("/auth/v1/session"),
		"401 app":      s.Client().Get("/anything"),
		"200 app":      c.Get("/anything"),
		"403":          raw(t, s, "POST", "/auth/v1/logout", []byte("{}"), func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") }),
		"403 form":     raw(t, s, "POST", "/auth/login", []byte("email=a&password=b"), form),
		"404":          c.Get("/auth/nothing"),
		"404 v1":       c.Get("/auth/v1/nothing"),
		"404 path":     c.Get("/auth//v1/session"),
		"404 well":     alone.Client().Get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"),
		"405":          c.Do("PUT", "/auth/v1/login", object{}),
		"405 page":     c.Do("DELETE", "/auth/login", nil),
		"405 trace":    c.Do("TRACE", "/auth/login", nil),
		"413":          c.Post("/auth/v1/password/forgot", object{"email": strings.Repeat("a", 70_000)}),
		"415":          raw(t, s, "POST", "/auth/v1/login", []byte("{}"), func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }),
		"421":          raw(t, s, "GET", "/auth/login", nil, func(r *http.Request) { r.Host = "evil.test" }),
		"422":          c.Post("/auth/v1/password/forgot", object{}),
		"the document": c.Get("/auth/openapi.json"),
	} {
		t.Run(name, func(t *testing.T) {
			if status := fmt.Sprint(got.Status); name[0] >= '0' && name[0] <= '9' && !strings.HasPrefix(name, status) {
				t.Errorf("status %s\n%s", status, got.Body)
			}
			for header, wanted := range map[string]string{
				"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
				"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := got.Header.Values(header); len(got) != 1 || got[0] != wanted {
					t.Errorf("%s = %q, want %q once", header, got, wanted)
				}
			}
			csp := got.Header.Get("Content-Security-Policy")
			if !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "base-uri 'none'") || strings.Contains(csp, "unsafe") {
				t.Errorf("Content-Security-Policy = %q", csp)
			}
			if len(got.Header.Values("Permissions-Policy")) != 1 || len(got.Header.Values("Referrer-Policy")) != 1 {
				t.Errorf("Permissions-Policy or Referrer-Policy missing: %v", got.Header)
			}
			if got.Header.Get("Server") != "" || got.Header.Get("X-Powered-By") != "" {
				t.Errorf("the answer names its software: %v", got.Header)
			}
			if got.Status == 401 && got.Header.Get("WWW-Authenticate") == "" {
				t.Error("a 401 without WWW-Authenticate")
			}
			if got.Status == 405 && got.Header.Get("Allow") == "" {
				t.Error("a 405 without Allow")
			}
			if got.Header.Get("Location") != "" && !strings.HasPrefix(got.Header.Get("Location"), "/auth/") {
				t.Errorf("Location = %q", got.Header.Get("Location"))
			}
		})
	}
}

// D06: the source of every request that changes something.
func TestForeignPagesChangeNothing(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, application)
	c := s.SignIn("csrf@example.org")
	cookie, token := "__Host-ringwall="+c.Cookie("__Host-ringwall"), c.CSRF
	other := s.SignIn("other@example.org")
	for _, tt := range []struct {
		name   string
		header map[string]string
		pass   bool
	}{
		{"a page of ours", map[string]string{"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": token}, true},
		{"typed by the person", map[string]string{"Sec-Fetch-Site": "none", "X-CSRF-Token": token}, true},
		{"a listed origin, an old browser", map[string]string{"Origin": s.URL, "X-CSRF-Token": token}, true},
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site", "X-CSRF-Token": token}, false},
		{"a sibling host", map[string]string{"Sec-Fetch-Site": "same-site", "X-CSRF-Token": token}, false},
		{"a foreign origin", map[string]string{"Origin": "https://evil.test", "X-CSRF-Token": token}, false},
		{"an origin that begins like ours", map[string]string{"Origin": s.URL + ".evil.test", "X-CSRF-Token": token}, false},
		{"our host without TLS", map[string]string{"Origin": strings.Replace(s.URL, "https", "http", 1), "X-CSRF-Token": token}, false},
		{"origin null", map[string]string{"Origin": "null", "X-CSRF-Token": token}, false},
		{"origin null from our own page", map[string]string{"Origin": "null", "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": token}, false},
		{"neither header, with cookies", map[string]string{"X-CSRF-Token": token}, false},
		{"no token", map[string]string{"Sec-Fetch-Site": "same-origin"}, false},
		{"another session's token", map[string]string{"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": other.CSRF}, false},
		{"a bent token", map[string]string{"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": "A" + token[1:]}, false},
		{"an empty token", map[string]string{"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": ""}, false},
	} {
		if token[0] == 'A' && tt.name == "a bent token" {
			tt.header["X-CSRF-Token"] = "B" + token[1:]
		}
		for _, path := range []string{"/auth/v1/sessions", "/application"} { // ours and the application's
			got := raw(t, s, "DELETE", path, nil, func(r *http.Request) {
				r.Header.Set("Cookie", cookie)
				for name, value := range tt.header {
					r.Header.Set(name, value)
				}
			})
			if passed := got.Status == 204 || got.Status == 200; passed != tt.pass || !passed && got.Code() != "csrf" {
				t.Errorf("%s: DELETE %s = %d %q, want passing %v", tt.name, path, got.Status, got.Code(), tt.pass)
			}
		}
	}
	found := false
	for _, e := range operate(t, s, "audit.tail", object{"limit": 100})["events"].([]any) {
		found = found || e.(object)["event"] == "malicious_csrf"
	}
	if !found {
		t.Error("no event malicious_csrf")
	}
}

// Advisory 15, 16: a path has one meaning, or none.
func TestPathTricksReachNothing(t *testing.T) {
	s := ringwalltest.Start(t)
	c := s.SignIn("path@example.org")
	for _, path := range []string{
		"/auth//v1/session", "/auth/./v1/session", "/auth/x/../v1/session", "/auth/v1/session/", "/auth/V1/session", "/AUTH/v1/session",
		"/auth/v1%2fsession", "/auth%2Fv1/session", "/auth/v1/%2e/session", "/auth/v1/..%2fsession", "/auth/v1/session%00", "/auth/v1/session;x", "/auth\\v1\\session", "/auth/v1/session%5c",
	} {
		got := raw(t, s, "GET", "/", nil, func(r *http.Request) {
			r.URL.Opaque = path
			r.Header.Set("Cookie", "__Host-ringwall="+c.Cookie("__Host-ringwall"))
		})
		if got.Status != 404 {
			t.Errorf("GET %s = %d, want 404", path, got.Status)
		}
	}
	for _, path := range []string{"/%2e%2e/secret", "/x//secret", "/a/../secret", "/secret%2f..", "/./secret"} {
		got := raw(t, s, "GET", "/", nil, func(r *http.Request) { r.URL.Opaque = path })
		if got.Status != 404 && got.Status != 401 {
			t.Errorf("anonymous GET %s = %d, want 404 or 401", path, got.Status)
		}
	}
}

// Everything that can be wrong with a body: the right status, nothing changed, nothing repeated, no 5xx.
func TestBadBodies(t *testing.T) {
	s := ringwalltest.Start(t)
	const canary = "canary-7f3a91"
	deep := strings.Repeat(`{"email":`, 100_000) + strings.Repeat("}", 100_000)
	for _, tt := range []struct {
		name, body string
		status     int
	}{
		{"nothing", ``, 400},
		{"no JSON", canary, 400},
		{"half of it", `{"email":"` + canary, 400},
		{"a list", `["` + canary + `"]`, 422},
		{"null", `null`, 422},
		{"more after it", `{"email":"a@example.org"} {"email":"` + canary + `"}`, 400},
		{"a member twice", `{"email":"a@example.org","email":"` + canary + `"}`, 400},
		{"a member in another case", `{"Email":"` + canary + `@example.org"}`, 422},
		{"an unknown member", `{"email":"a@example.org","` + canary + `":1}`, 422},
		{"a role that nobody asked for", `{"email":"a@example.org","role":"admin"}`, 422},
		{"a number for a text", `{"email":7}`, 422},
		{"a list for a text", `{"email":["` + canary + `"]}`, 422},
		{"an object for a text", `{"email":{"$ne":""}}`, 422},
		{"a byte order mark", "\ufeff" + `{"email":"a@example.org"}`, 400},
		{"bytes that are no UTF-8", "{\"email\":\"\xff\xfe\"}", 400},
		{"nested a hundred thousand deep", deep, 413},
		{"nested twenty deep", strings.Repeat(`[`, 20) + strings.Repeat(`]`, 20), 400},
		{"ten megabytes", `{"email":"` + strings.Repeat("a", 10<<20) + `"}`, 413},
		{"a NUL", `{"email":"a\u0000@example.org"}`, 422},
	} {
		got := raw(t, s, "POST", "/auth/v1/password/forgot", []byte(tt.body), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") })
		if got.Status != tt.status || got.Code() == "" {
			t.Errorf("%s = %d %q, want %d\n%.300s", tt.name, got.Status, got.Code(), tt.status, got.Body)
		}
		if bytes.Contains(got.Body, []byte(canary)) {
			t.Errorf("%s: the answer repeats the input: %s", tt.name, got.Body)
		}
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/jsonx"} {
		got := raw(t, s, "POST", "/auth/v1/password/forgot", []byte(`{"email":"a@example.org"}`), func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if kind != "" {
				r.Header.Set("Content-Type", kind)
			}
		})
		if got.Status != 415 || got.Code() != "unsupported-media-type" {
			t.Errorf("Content-Type %q = %d %q, want 415", kind, got.Status, got.Code())
		}
	}
}

// S001: what is reachable without a proof of identity is a list, and this is it.
func TestOnlyTheListedRoutesAreOpen(t *testing.T) {
	s := ringwalltest.Start(t)
	open := map[string]bool{}
	for _, r := range s.Ringwall.Routes() {
		if r.Rule == "public" {
			open[r.Method+" "+r.Path] = true
		} else if r.Rule != "signed in" && r.Rule != "signed in, fresh within 5m" && r.Rule != "role admin, from listed networks, signed in, fresh within 5m" {
			t.Errorf("%s %s has the rule %q", r.Method, r.Path, r.Rule)
		}
		path := strings.NewReplacer("{id}", "0", "{code}", "internal", "{file}", "x", "{name}", "x", "{$}", "").Replace(r.Path)
		got := raw(t, s, r.Method, strings.Replace(path, "ANY", "GET", 1), nil, nil)
		if r.Rule != "public" && got.Status != 401 && got.Status != 303 && got.Status != 403 {
			t.Errorf("anonymous %s %s = %d, want 401, or 303 to sign in", r.Method, path, got.Status)
		}
		if got.Status == 404 && path == strings.TrimSuffix(r.Path, "{$}") {
			t.Errorf("%s %s is listed, and is not there", r.Method, r.Path)
		}
	}
	for _, closed := range []string{"GET /auth/v1/session", "GET /auth/v1/sessions", "DELETE /auth/v1/sessions", "DELETE /auth/v1/sessions/{id}", "GET /auth/v1/me", "PATCH /auth/v1/me", "POST /auth/v1/me/email", "DELETE /auth/v1/me/email", "POST /auth/v1/password", "POST /auth/v1/session/reauthenticate", "GET /auth/account"} {
		if open[closed] {
			t.Errorf("%s is public", closed)
		}
	}
}

// I029-I032: a refusal is a problem document whose type resolves.
func TestAnswersAreProblems(t *testing.T) {
	s := ringwalltest.Start(t)
	got := s.Client().Get("/auth/v1/session")
	var doc struct {
		Type, Title, Detail, Instance string
		Status                        int
	}
	got.Into(t, &doc)
	if doc.Status != got.Status || doc.Title == "" || doc.Detail == "" || !strings.HasPrefix(doc.Instance, "urn:uuid:") {
		t.Errorf("the problem is %+v", doc)
	}
	c := s.Client()
	c.Header.Set("Accept", "text/html")
	want(t, "its type resolves", c.Get(doc.Type), 200, "")
}

// A program finds the member that it sent by the pointer, whoever refused it: decoding or the accounts.
func TestRefusalsPointAtTheMember(t *testing.T) {
	s := ringwalltest.Start(t)
	c, admin := s.SignIn("pointer@example.org"), administrator(t, s, "admin@example.org")
	strangers, browser := s.Client(), s.Client()
	browser.Header.Set("Origin", s.URL)
	for _, tt := range []struct {
		c            *ringwalltest.Client
		method, path string
		body         any
		field        string
	}{
		{strangers, "POST", "/auth/v1/signup", object{"email": "a@example.org"}, "/password"},
		{strangers, "POST", "/auth/v1/signup", object{"email": "a@example.org", "password": "short"}, "/password"},
		{strangers, "POST", "/auth/v1/signup", object{"email": "nobody", "password": newPassword}, "/email"},
		{strangers, "POST", "/auth/v1/signup", object{"email": "a@example.org", "password": newPassword, "display_name": "<b>"}, "/display_name"},
		{strangers, "POST", "/auth/v1/email/verify", object{}, "/token"},
		{browser, "POST", "/auth/v1/login", object{"email": "a@example.org", "password": newPassword, "bearer": true}, "/bearer"},
		{c, "PATCH", "/auth/v1/me", object{"language": "xx"}, "/language"},
		{c, "PATCH", "/auth/v1/me", object{"metadata": object{"own": object{"a": 1}}}, "/metadata/own"},
		{c, "POST", "/auth/v1/me/email", object{"email": "pointer@example.org", "password": ringwalltest.Password}, "/email"},
		{c, "POST", "/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": "short"}, "/new_password"},
		{c, "GET", "/auth/v1/me/activity?limit=0", nil, "limit"},
		{c, "GET", "/auth/v1/me/activity?limt=1", nil, ""},
		{c, "GET", "/auth/v1/me/activity?limit=1&limit=2", nil, "limit"},
		{c, "GET", "/auth/v1/me/activity?limit=101", nil, "limit"},
		{admin, "GET", "/auth/v1/admin/users?limit=0", nil, "limit"},
		{admin, "GET", "/auth/v1/admin/users?limit=x", nil, "limit"},
		{admin, "GET", "/auth/v1/admin/limits?who=nonsense", nil, "who"},
		{admin, "POST", "/auth/v1/admin/limits/clear", object{"who": "nonsense", "reason": "x"}, "/who"},
		{admin, "POST", "/auth/v1/admin/invitations", object{"email": "nobody", "reason": "x"}, "/email"},
	} {
		got := tt.c.Do(tt.method, tt.path, tt.body)
		var out struct{ Errors []struct{ Field string } }
		got.Into(t, &out)
		if got.Status != 422 || len(out.Errors) != 1 || out.Errors[0].Field != tt.field {
			t.Errorf("%s %s %v = %d %s, want a fault of %q", tt.method, tt.path, tt.body, got.Status, got.Body, tt.field)
		}
	}
}
