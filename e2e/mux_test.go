package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/ringwalltest"
	"github.com/ringwall/ringwall/session"
)

// ledger is an application with a route for every kind of rule. What is reached says so.
func ledger() *authz.Mux {
	mux := authz.NewMux()
	for pattern, rule := range map[string]authz.Rule{
		"GET /{$}":                   authz.Public(),
		"/forgotten":                 {},
		"GET /invoices/{id}":         authz.SignedIn(),
		"POST /invoices/{id}":        authz.SignedIn(),
		"GET /files/":                authz.SignedIn(),
		"POST /transfers":            authz.Fresh(5 * time.Minute),
		"GET /admin/invoices":        authz.Role("admin"),
		"GET /ledger":                authz.Permission("ledger.read"),
		"DELETE /ledger":             authz.All(authz.Permission("ledger.delete"), authz.Fresh(time.Minute)),
		"GET /either":                authz.Any(authz.Role("admin"), authz.Permission("ledger.read")),
		"GET /own/{address}":         authz.When("own address", ownAddress),
		"GET /own/{address}/details": authz.All(authz.SignedIn(), authz.When("own address", ownAddress)),
	} {
		mux.HandleFunc(pattern, rule, func(w http.ResponseWriter, r *http.Request) {
			who := "nobody"
			if s, ok := session.From(r.Context()); ok {
				who = s.Email
			}
			_, _ = fmt.Fprintf(w, "reached %s as %s", r.Pattern, who)
		})
	}
	return mux
}

func ownAddress(r *http.Request) bool {
	s, ok := session.From(r.Context())
	return ok && s.Email == r.PathValue("address")
}

// S058, S063, S067, C190: the rules of a mux hold inside the chain.
func TestMuxBehindProtect(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{Roles: map[string][]string{"auditor": {"ledger.read", "ledger.delete"}}}, ledger())
	anonymous, member, auditor := s.Client(), s.SignIn("member@example.org"), s.SignIn("auditor@example.org")
	operate(t, s, "user.grant", object{"user": "auditor@example.org", "role": "auditor"})
	auditor.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password})
	for _, tt := range []struct {
		method, path               string
		anonymous, member, auditor string
	}{
		{"GET", "/", "", "", ""},
		{"POST", "/", "method-not-allowed", "method-not-allowed", "method-not-allowed"},
		{"GET", "/forgotten", "forbidden", "forbidden", "forbidden"},
		{"GET", "/invoices/1", "unauthenticated", "", ""},
		{"POST", "/invoices/1", "unauthenticated", "", ""},
		{"DELETE", "/invoices/1", "unauthenticated", "method-not-allowed", "method-not-allowed"},
		{"GET", "/files/a/b", "unauthenticated", "", ""},
		{"GET", "/files", "unauthenticated", "not-found", "not-found"},
		{"GET", "/nothing", "unauthenticated", "not-found", "not-found"},
		{"POST", "/transfers", "unauthenticated", "", ""},
		{"GET", "/admin/invoices", "unauthenticated", "forbidden", "forbidden"},
		{"GET", "/ledger", "unauthenticated", "forbidden", ""},
		{"DELETE", "/ledger", "unauthenticated", "forbidden", ""},
		{"GET", "/either", "unauthenticated", "forbidden", ""},
		{"GET", "/own/member@example.org", "unauthenticated", "", "forbidden"},
		{"GET", "/own/auditor@example.org/details", "unauthenticated", "forbidden", ""},
	} {
		for _, who := range []struct {
			name string
			c    *ringwalltest.Client
			want string
		}{{"nobody", anonymous, tt.anonymous}, {"member@example.org", member, tt.member}, {"auditor@example.org", auditor, tt.auditor}} {
			got := who.c.Do(tt.method, tt.path, nil)
			if got.Code() != who.want || (got.Status == 200) != (who.want == "") {
				t.Errorf("%s: %s %s = %d %q, want %q", who.name, tt.method, tt.path, got.Status, got.Code(), who.want)
			}
			if got.Status == 200 && !strings.HasSuffix(string(got.Body), " as "+who.name) {
				t.Errorf("%s: %s %s says %q", who.name, tt.method, tt.path, got.Body)
			}
			if got.Status != 200 && got.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("%s: %s %s = %d without the headers of the chain", who.name, tt.method, tt.path, got.Status)
			}
		}
	}
	s.Clock.Advance(2 * time.Minute)
	want(t, "a proof of two minutes for one minute", auditor.Delete("/ledger"), 403, "fresh-required")
	if got := auditor.Post("/transfers", nil); got.Status != 200 {
		t.Errorf("a proof of two minutes for five minutes = %d", got.Status)
	}
	s.Clock.Advance(3 * time.Minute)
	want(t, "a proof of five minutes for five minutes", auditor.Post("/transfers", nil), 403, "fresh-required")
}

// S065: with the rules of the chain out of the way, because it does not know the mux, the mux still denies, in the same words.
func TestMuxDeniesWithoutTheChainsCheck(t *testing.T) {
	mux := ledger()
	s := ringwalltest.StartApp(t, ringwall.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(w, r) }), "/")
	anonymous, member := s.Client(), s.SignIn("member@example.org")
	want(t, "anonymous at a route for people", anonymous.Get("/invoices/1"), 401, "unauthenticated")
	want(t, "anonymous at a route for a permission", anonymous.Get("/ledger"), 401, "unauthenticated")
	want(t, "anonymous at no route", anonymous.Get("/nothing"), 401, "unauthenticated")
	want(t, "a member at a route for administrators", member.Get("/admin/invoices"), 403, "forbidden")
	want(t, "a member at a route for a permission", member.Get("/ledger"), 403, "forbidden")
	want(t, "a member at somebody's", member.Get("/own/auditor@example.org"), 403, "forbidden")
	want(t, "a member at no route", member.Get("/nothing"), 404, "not-found")
	s.Clock.Advance(6 * time.Minute)
	want(t, "an old proof", member.Post("/transfers", nil), 403, "fresh-required")
	if got := member.Get("/invoices/1"); got.Status != 200 {
		t.Errorf("a member at a route for people = %d", got.Status)
	}
	member.Header.Set("Accept", "text/html")
	if got := member.Get("/admin/invoices"); got.Status != 403 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") || !strings.Contains(got.Header.Get("Content-Security-Policy"), "style-src") {
		t.Errorf("a person at a route for administrators = %d %s %q", got.Status, got.Header.Get("Content-Type"), got.Header.Get("Content-Security-Policy"))
	}
}

// S065: a rule is asked in the chain and again at the handler's door, and either no is enough: here one of the two is made to say yes.
func TestEitherCheckOfARuleIsEnough(t *testing.T) {
	var asked, refuses atomic.Int64
	mux := authz.NewMux()
	mux.HandleFunc("GET /once", authz.When("not the time that refuses", func(*http.Request) bool { return asked.Add(1) != refuses.Load() }), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "reached")
	})
	s := ringwalltest.StartApp(t, ringwall.Options{}, mux)
	c := s.SignIn("member@example.org")
	for _, tt := range []struct {
		name          string
		refuses       int64
		status, asked int64
	}{
		{"both say yes", 0, 200, 2},
		{"the chain says no", 1, 403, 1},
		{"the mux says no", 2, 403, 2},
	} {
		asked.Store(0)
		refuses.Store(tt.refuses)
		if got := c.Get("/once"); int64(got.Status) != tt.status || asked.Load() != tt.asked {
			t.Errorf("%s: %d after %d questions, want %d after %d", tt.name, got.Status, asked.Load(), tt.status, tt.asked)
		}
	}
}

// What would be a second truth, or a route that nobody reaches, is told at start.
func TestProtectRefusesWhatWouldNotHold(t *testing.T) {
	s := ringwalltest.Start(t)
	below := func(pattern string) *authz.Mux {
		mux := authz.NewMux()
		mux.Handle(pattern, authz.SignedIn(), http.NotFoundHandler())
		return mux
	}
	for name, tt := range map[string]struct {
		mux    *authz.Mux
		public []string
		mend   string
	}{
		"patterns beside a mux":              {ledger(), []string{"GET /{$}"}, "authz.Public()"},
		"a route below the prefix":           {below("GET /auth/invoices"), nil, "Options.Prefix"},
		"a route of a host below the prefix": {below("app.example.org/auth/{rest...}"), nil, "Options.Prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, tt.mend) {
					t.Errorf("Protect panics with %q, want the mend %q", text, tt.mend)
				}
			}()
			s.Ringwall.Protect(tt.mux, tt.public...)
		})
	}
	before := len(s.Ringwall.Routes())
	s.Ringwall.Protect(below("/authors/{name}"))
	if after := len(s.Ringwall.Routes()); after != before+1 {
		t.Errorf("%d routes are listed after one more, want %d", after, before+1)
	}
}
