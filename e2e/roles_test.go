package e2e_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// may changes what the role auditor allows.
func may(t *testing.T, s *ringwalltest.Server, command, permission string) {
	t.Helper()
	operate(t, s, command, object{"role": "auditor", "permission": permission, "reason": "a test"})
}

// startLedger is a server with the ledger behind it.
func startLedger(t *testing.T, db testdb.DB) *ringwalltest.Server {
	return ringwalltest.StartApp(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Roles: map[string][]string{"boss": {"ledger.read"}}}, ledger())
}

// S063, S069, D13: what a role allows acts on the next request, and so does the role; the log tells who changed what, and why.
func TestWhatARoleAllowsActsOnTheNextRequest(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		s := startLedger(t, db)
		c := s.SignIn("auditor@example.org")
		check := func(when string, status int) {
			t.Helper()
			for range 2 { // from the database, and from what was kept of it
				if got := c.Get("/ledger"); got.Status != status {
					t.Errorf("%s: GET /ledger = %d %q, want %d", when, got.Status, got.Code(), status)
				}
			}
		}
		check("without a role", 403)
		operate(t, s, "user.grant", object{"user": "auditor@example.org", "role": "auditor"})
		check("with a role that allows nothing", 403)
		for range 10 {
			may(t, s, "role.allow", "ledger.read")
			check("allowed", 200)
			may(t, s, "role.deny", "ledger.read")
			check("denied", 403)
		}
		may(t, s, "role.allow", "ledger.reader")
		check("allowed something that begins like it", 403)
		may(t, s, "role.allow", "ledger.read")
		check("allowed again", 200)
		operate(t, s, "user.revoke", object{"user": "auditor@example.org", "role": "auditor"})
		check("without the role", 403)
		operate(t, s, "user.grant", object{"user": "auditor@example.org", "role": "boss"})
		check("with a role of the options", 200)
		if _, err := s.Ringwall.Operate(t.Context(), "tester", "role.deny", []byte(`{"role":"boss","permission":"ledger.read","reason":"x"}`)); err == nil || !strings.Contains(err.Error(), "conflict") {
			t.Errorf("role.deny of what the options allow = %v, want a conflict", err)
		}

		changes := 0
		for _, e := range tail(t, s, 0) {
			if e.Event == "privilege_permissions_changed" {
				changes++
				if e.Actor != "operator:tester" || e.Private["role"] != "auditor" || e.Private["reason"] != "a test" || !strings.HasPrefix(e.Private["permission"].(string), "ledger.read") {
					t.Errorf("the log has %+v", e)
				}
			}
		}
		if changes != 22 {
			t.Errorf("the log has %d changes of what roles allow, want 22", changes)
		}
	})
}

// The same on another node: it has no memory of its own that could be late.
func TestTwoNodesAllowForEachOther(t *testing.T) {
	t.Parallel()
	db := testdb.Postgres(t)
	one, other := startLedger(t, db), startLedger(t, db)
	c := one.SignIn("auditor@example.org")
	operate(t, one, "user.grant", object{"user": "auditor@example.org", "role": "auditor"})
	away := at(other, c)
	for round := range 20 {
		may(t, one, "role.allow", "ledger.read")
		want(t, "allowed at one, asked at the other", away.Get("/ledger"), 200, "")
		may(t, other, "role.deny", "ledger.read")
		want(t, "denied at the other, asked at one", c.Get("/ledger"), 403, "forbidden")
		if got := away.Get("/ledger"); got.Status != 403 {
			t.Errorf("round %d: denied and asked at the other = %d", round, got.Status)
		}
	}
}

// With fifty requests beside it, a permission that was acknowledged as gone lets nobody in who asks afterwards.
func TestALostPermissionWinsAgainstParallelRequests(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		s := startLedger(t, db)
		c := s.SignIn("auditor@example.org")
		operate(t, s, "user.grant", object{"user": "auditor@example.org", "role": "auditor"})
		for round := range 5 {
			may(t, s, "role.allow", "ledger.read")
			var gone atomic.Bool
			var wg sync.WaitGroup
			var late, in atomic.Int64
			for range 8 {
				wg.Go(func() {
					for range 25 {
						after := gone.Load()
						got, err := c.Try("GET", "/ledger", nil)
						switch {
						case err != nil:
							t.Error(err)
							return
						case got.Status == 200 && after:
							late.Add(1)
						case got.Status == 200:
							in.Add(1)
						}
					}
				})
			}
			for in.Load() == 0 {
				if _, err := c.Try("GET", "/healthy", nil); err != nil { // give way
					t.Fatal(err)
				}
			}
			may(t, s, "role.deny", "ledger.read")
			gone.Store(true)
			wg.Wait()
			if late.Load() > 0 {
				t.Errorf("round %d: %d requests were let in after the permission was acknowledged as gone", round, late.Load())
			}
		}
	})
}

// C190: a permission is no role, whatever it is called: the routes of administrators stay closed.
func TestNoPermissionOpensTheRoutesOfAdministrators(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{Roles: map[string][]string{"member": {"admin", "ringwall.admin"}, "admin": {"ledger.read"}}}, ledger())
	operate(t, s, "user.create", object{"email": "member@example.org", "password": ringwalltest.Password, "roles": []string{"member"}})
	operate(t, s, "user.create", object{"email": "admin@example.org", "password": ringwalltest.Password, "roles": []string{"admin"}})
	operate(t, s, "role.allow", object{"role": "member", "permission": "admin", "reason": "x"})
	c, admin := s.Client(), s.Client()
	c.SignIn("member@example.org", ringwalltest.Password)
	admin.SignIn("admin@example.org", ringwalltest.Password)
	for _, r := range s.Ringwall.Routes() {
		if strings.HasPrefix(r.Path, "/auth/v1/admin") {
			got := c.Do(r.Method, strings.NewReplacer("{id}", "0198c5f2-7a10-7c3e-9d52-3f1b6a8e4c70").Replace(r.Path), nil)
			want(t, r.Method+" "+r.Path+" with the permission admin", got, 403, "forbidden")
		}
	}
	want(t, "the application's own route for the role", c.Get("/admin/invoices"), 403, "forbidden")
	if got := admin.Get("/ledger"); got.Status != 200 {
		t.Errorf("an administrator with a permission of the role = %d", got.Status)
	}
	if got := admin.Get("/auth/v1/admin/users"); got.Status != 200 {
		t.Errorf("an administrator = %d", got.Status)
	}
}

// The listing of the running program has the routes of Ringwall and of the application, with their rules.
func TestRoutesListTheApplication(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, ledger())
	found := map[string]string{}
	for _, r := range s.Ringwall.Routes() {
		if r.Application {
			found[strings.TrimSpace(r.Method+" "+r.Path)] = r.Rule
		}
	}
	for route, rule := range map[string]string{
		"GET /{$}": "public", "/forgotten": "nobody", "GET /ledger": "permission ledger.read", "POST /transfers": "signed in, fresh within 5m",
		"GET /either": "(role admin or permission ledger.read)", "GET /own/{address}": "when own address",
	} {
		if found[route] != rule {
			t.Errorf("%s is listed with the rule %q, want %q", route, found[route], rule)
		}
	}
	if len(found) != len(ledger().Routes()) {
		t.Errorf("%d routes of the application are listed, want %d", len(found), len(ledger().Routes()))
	}
	plain := ringwalltest.StartApp(t, ringwall.Options{}, application, "GET /about")
	list := plain.Ringwall.Routes()
	if about, rest := list[len(list)-2], list[len(list)-1]; about.Path != "/about" || about.Rule != "public" || rest.Path != "/" || rest.Method != "" || rest.Rule != "signed in" {
		t.Errorf("without a mux the application is listed as %+v and %+v", about, rest)
	}
	policy := operate(t, s, "policy.show", object{})["routes"].([]any)
	if len(policy) != len(s.Ringwall.Routes()) {
		t.Errorf("policy.show lists %d routes, Routes %d", len(policy), len(s.Ringwall.Routes()))
	}
}

// S069: whom a rule refuses stands in the log, with the pattern of the route and never the path; also where only the mux has refused them.
func TestWhomAMuxRefusesStandsInTheLog(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		s := startLedger(t, db)
		c := s.SignIn("member@example.org")
		rows := func(where string) int {
			return count(t, onDatabase(t, db), `SELECT COUNT(*) FROM ringwall_audit WHERE name = 'authz_fail' AND reason = 'rule' AND user_id IS NOT NULL AND `+where)
		}
		want(t, "another's page", c.Get("/own/auditor@example.org/details"), 403, "forbidden")
		want(t, "the ledger", c.Get("/ledger"), 403, "forbidden")
		if rows(`route = 'GET /own/{address}/details'`) != 1 || rows(`route = 'GET /ledger'`) != 1 || rows(`route LIKE '%auditor%'`) != 0 {
			t.Error("the log has no row for a refusal of the chain, or a row with a path")
		}
		mux := ledger()
		wrapped := ringwalltest.StartApp(t, ringwall.Options{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(w, r) }))
		other := wrapped.SignIn("member@example.org")
		want(t, "the ledger, of a mux that the chain does not know", other.Get("/ledger"), 403, "forbidden")
		want(t, "no route of it", other.Get("/nothing"), 404, "not-found")
		found := 0
		for _, e := range tail(t, wrapped, 0) {
			if e.Event == "authz_fail" && e.Reason == "rule" && e.User != "" {
				found++
			}
		}
		if found != 1 {
			t.Errorf("the log has %d refusals of the mux, want 1", found)
		}
	})
}
