package authz_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/session"
)

var morning = time.Date(2026, time.March, 12, 9, 41, 0, 0, time.UTC)

// as is a context that the chain has put somebody into, who proved their identity so long ago.
func as(proved time.Duration, address string, roles ...string) context.Context {
	granted := identity.Granted{Roles: roles, ByRole: map[string][]string{"auditor": {"ledger.read"}, "admin": {"everything"}}}
	by := identity.NewPerson(identity.SubjectOf(identity.NewRandomID()), identity.NewRandomID(), morning.Add(-proved), granted, identity.Request{Address: netip.MustParseAddr(address)})
	return session.With(context.Background(), session.Session{UserID: by.Subject().ID(), Roles: roles}, session.Proof{Actor: by, At: morning})
}

func anonymous() context.Context {
	by := identity.NewAnonymous(identity.Request{Address: netip.MustParseAddr("10.0.0.1")})
	return session.With(context.Background(), session.Session{}, session.Proof{Actor: by, At: morning})
}

// everyRule is a mux with a route for each kind of rule. A handler that is reached says so with 204 and its pattern.
func everyRule() *authz.Mux {
	office := netip.MustParsePrefix("10.0.0.0/8")
	mux := authz.NewMux()
	for _, r := range []authz.Route{
		{"GET /public", authz.Public()},
		{"/nobody", authz.Rule{}},
		{"/signed-in", authz.SignedIn()},
		{"/fresh", authz.Fresh(5 * time.Minute)},
		{"/role", authz.Role("admin")},
		{"/permission", authz.Permission("ledger.read")},
		{"/from", authz.From(office)},
		{"/when/{who}", authz.When("own", func(r *http.Request) bool {
			s, ok := session.From(r.Context())
			return ok && slices.Contains(s.Roles, r.PathValue("who"))
		})},
		{"/all", authz.All(authz.Permission("ledger.read"), authz.Fresh(5*time.Minute))},
		{"/any", authz.Any(authz.Role("admin"), authz.Permission("ledger.read"))},
		{"/admin", authz.Admin(office)},
	} {
		mux.HandleFunc(r.Pattern, r.Rule, func(w http.ResponseWriter, got *http.Request) {
			w.Header().Set("X-Reached", got.Pattern)
			w.WriteHeader(http.StatusNoContent)
		})
	}
	return mux
}

// ask sends a request and says what came: the status and, for a problem, its code.
func ask(t *testing.T, mux http.Handler, ctx context.Context, method, path string) (int, string, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(method, path, nil).WithContext(ctx))
	var doc struct{ Type string }
	if w.Code >= 300 && (w.Header().Get("Content-Type") != "application/problem+json" || json.Unmarshal(w.Body.Bytes(), &doc) != nil) {
		t.Fatalf("%s %s = %d, which is no problem document: %s", method, path, w.Code, w.Body)
	}
	return w.Code, doc.Type[strings.LastIndex(doc.Type, "/")+1:], w.Header()
}

// S058, S063-S068, S070, C191: who reaches which rule's route. Where nothing is set they do not.
func TestMuxAdmitsByRule(t *testing.T) {
	const in, out, no, old = "", "unauthenticated", "forbidden", "fresh-required"
	who := []struct {
		name string
		ctx  context.Context
	}{
		{"unproved", context.Background()}, // outside of Protect
		{"anonymous", anonymous()},
		{"member", as(time.Minute, "203.0.113.9", "member")},
		{"auditor", as(time.Minute, "203.0.113.9", "auditor")},
		{"stale auditor", as(time.Hour, "203.0.113.9", "auditor")},
		{"administrator", as(time.Minute, "10.0.0.1", "admin")},
		{"stale administrator", as(time.Hour, "10.0.0.1", "admin")},
		{"administrator elsewhere", as(time.Minute, "203.0.113.9", "admin")},
	}
	mux := everyRule()
	for path, want := range map[string][]string{
		//               unproved anon member auditor stale admin stale elsewhere
		"/public":       {in, in, in, in, in, in, in, in},
		"/nobody":       {no, no, no, no, no, no, no, no},
		"/signed-in":    {out, out, in, in, in, in, in, in},
		"/fresh":        {out, out, in, in, old, in, old, in},
		"/role":         {out, out, no, no, no, in, in, in},
		"/permission":   {out, out, no, in, in, no, no, no},
		"/from":         {no, in, no, no, no, in, in, no},
		"/when/auditor": {out, out, no, in, in, no, no, no},
		"/all":          {out, out, no, in, old, no, no, no},
		"/any":          {out, out, no, in, in, in, in, in},
		"/admin":        {out, out, no, no, no, in, old, no},
	} {
		for i, w := range who {
			status, code, header := ask(t, mux, w.ctx, "GET", path)
			if code != want[i] || (code == in) != (status == 204) || (header.Get("X-Reached") != "") != (code == in) {
				t.Errorf("%s at %s = %d %q, want %q", w.name, path, status, code, want[i])
			}
			if (status == 401) != (header.Get("WWW-Authenticate") != "") {
				t.Errorf("%s at %s = %d with WWW-Authenticate %q", w.name, path, status, header.Get("WWW-Authenticate"))
			}
		}
	}
}

// Where there is no route, those who are not signed in learn of what is public, and of nothing else.
func TestMuxTellsStrangersNothing(t *testing.T) {
	mux := authz.NewMux()
	reached := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }
	mux.HandleFunc("GET /about", authz.Public(), reached)
	mux.HandleFunc("PUT /about", authz.Role("editor"), reached)
	mux.HandleFunc("POST /ledger", authz.SignedIn(), reached)
	mux.HandleFunc("/files/", authz.SignedIn(), reached)
	for _, tt := range []struct {
		name, method, path string
		stranger, member   int
		allow, toMember    string
	}{
		{"no such path", "GET", "/nothing", 401, 404, "", ""},
		{"another method of a closed path", "GET", "/ledger", 401, 405, "", "POST"},
		{"another method of an open path", "DELETE", "/about", 405, 405, "GET, HEAD", "GET, HEAD, PUT"},
		{"the head of an open path", "HEAD", "/about", 204, 204, "", ""},
		{"a folder without its slash", "GET", "/files", 401, 404, "", ""},
		{"CONNECT", "CONNECT", "/files/", 401, 405, "", "GET, HEAD, POST, PUT"},
		{"CONNECT of an open path", "CONNECT", "/about", 405, 405, "GET, HEAD", "GET, HEAD, PUT"},
		{"options", "OPTIONS", "/about", 405, 405, "GET, HEAD", "GET, HEAD, PUT"},
		{"a method of nobody's", "get", "/about", 405, 405, "GET, HEAD", "GET, HEAD, PUT"},
	} {
		status, _, header := ask(t, mux, anonymous(), tt.method, tt.path)
		if status != tt.stranger || header.Get("Allow") != tt.allow {
			t.Errorf("%s: a stranger gets %d with Allow %q, want %d with %q", tt.name, status, header.Get("Allow"), tt.stranger, tt.allow)
		}
		status, _, header = ask(t, mux, as(0, "203.0.113.9", "member"), tt.method, tt.path)
		if status != tt.member || header.Get("Allow") != tt.toMember {
			t.Errorf("%s: a member gets %d with Allow %q, want %d with %q", tt.name, status, header.Get("Allow"), tt.member, tt.toMember)
		}
	}
}

// A path that two programs could read differently has no route, though a wildcard of net/http would take it: what stands behind
// (a proxy, a file, another router) must not read another path than the one whose rule was asked.
func TestMuxTakesPlainPathsAlone(t *testing.T) {
	mux := authz.NewMux()
	for _, pattern := range []string{"GET /u/{id}", "GET /files/{path...}", "GET /u/{id}/{$}"} {
		mux.HandleFunc(pattern, authz.SignedIn(), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	}
	for path, want := range map[string]int{
		"/u/a": 204, "/u/a%20b": 204, "/u/%C3%A4": 204, "/files/a/b": 204, "/u/a/": 204,
		"/u/a%2fb": 404, "/u/a%2Fb": 404, "/u/%2f": 404, "/u/a%5cb": 404, "/u/%00": 404, "/u/%0a": 404, "/u/%ff": 404, "/u/%2e%2e": 404, "/u/%2e": 404, "/u/..": 404, "/u//": 404,
		"/files/a%2f..%2f..%2fadmin": 404, "/files/%2e%2e/admin": 404, "/files/a//b": 404, "/files/..\\admin": 404,
	} {
		if status, _, header := ask(t, mux, as(0, "10.0.0.1", "admin"), "GET", path); status != want || header.Get("Location") != "" {
			t.Errorf("GET %s = %d to %q, want %d", path, status, header.Get("Location"), want)
		}
	}
}

// S063: a group is covered wholesale, with what is not in it yet.
func TestMuxAsAGroupOfAnother(t *testing.T) {
	reached := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }
	group, mux := authz.NewMux(), authz.NewMux()
	group.HandleFunc("GET /admin/users", authz.SignedIn(), reached)
	group.HandleFunc("GET /admin/keys", authz.Fresh(5*time.Minute), reached)
	mux.Handle("/admin/", authz.Role("admin"), group)
	for _, tt := range []struct {
		path                     string
		anonymous, member, stale int
	}{
		{"/admin/users", 401, 403, 204},
		{"/admin/keys", 401, 403, 403},
		{"/admin/new", 401, 403, 404},
		{"/admin/", 401, 403, 404},
	} {
		for i, ctx := range []context.Context{anonymous(), as(0, "10.0.0.1", "member"), as(time.Hour, "10.0.0.1", "admin")} {
			want := []int{tt.anonymous, tt.member, tt.stale}[i]
			if status, _, _ := ask(t, mux, ctx, "GET", tt.path); status != want {
				t.Errorf("GET %s of the group = %d as number %d, want %d", tt.path, status, i, want)
			}
		}
	}
}

// A rule that panics admits nobody.
func TestMuxWithARuleThatPanics(t *testing.T) {
	mux := authz.NewMux()
	mux.HandleFunc("/", authz.Any(authz.When("broken", func(*http.Request) bool { panic("broken") }), authz.SignedIn()), func(http.ResponseWriter, *http.Request) {
		t.Error("the handler is reached")
	})
	defer func() {
		if recover() == nil {
			t.Error("the panic is gone: the server would not know of it")
		}
	}()
	_, _, _ = ask(t, mux, as(0, "10.0.0.1"), "GET", "/")
}

// What cannot be registered is told at start.
func TestMuxRefusesBadRoutes(t *testing.T) {
	h := func(http.ResponseWriter, *http.Request) {}
	for name, register := range map[string]func(*authz.Mux){
		"no pattern":       func(m *authz.Mux) { m.HandleFunc("", authz.Public(), h) },
		"a bad pattern":    func(m *authz.Mux) { m.HandleFunc("GET about", authz.Public(), h) },
		"an unclean one":   func(m *authz.Mux) { m.HandleFunc("GET /a//b", authz.Public(), h) },
		"one of two alike": func(m *authz.Mux) { m.HandleFunc("GET /here", authz.Public(), h) },
		"two that collide": func(m *authz.Mux) { m.HandleFunc("/{x}", authz.Public(), h) },
		"no function":      func(m *authz.Mux) { m.HandleFunc("GET /x", authz.Public(), nil) },
		"no handler":       func(m *authz.Mux) { m.Handle("GET /x", authz.Public(), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			mux := authz.NewMux()
			mux.HandleFunc("GET /here", authz.SignedIn(), h)
			mux.HandleFunc("GET /{x}/{$}", authz.SignedIn(), h)
			mux.HandleFunc("POST /{y}", authz.SignedIn(), h)
			before := mux.Routes()
			if name == "two that collide" {
				mux.HandleFunc("/here/{x}/{$}", authz.SignedIn(), h)
				before = mux.Routes()
				register = func(m *authz.Mux) { m.HandleFunc("/{x}/there/{$}", authz.SignedIn(), h) }
			}
			defer func() {
				if recover() == nil {
					t.Error("it was taken")
				}
				if got := mux.Routes(); len(got) != len(before) {
					t.Errorf("routes are %v afterwards", got)
				}
			}()
			register(mux)
		})
	}
}

// Routes are listed as they were registered, and the list is the caller's.
func TestMuxListsItsRoutes(t *testing.T) {
	mux := everyRule()
	list := mux.Routes()
	if len(list) != 11 || list[0].Pattern != "GET /public" || list[0].Rule.String() != "public" || list[1].Rule.String() != "nobody" {
		t.Errorf("Routes() = %v", list)
	}
	list[1].Rule = authz.Public()
	if status, _, _ := ask(t, mux, anonymous(), "GET", "/nobody"); status != 403 {
		t.Errorf("after a change to the list GET /nobody = %d, want 403", status)
	}
	if mux.Routes()[1].Rule.String() != "nobody" {
		t.Error("the list that was changed is the mux's own")
	}
}
