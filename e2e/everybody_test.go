package e2e_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

const everySession = "/auth/v1/admin/sessions"

// V7.4.5: an administrator ends the sessions of everybody, of other administrators and of programs, and their own. Nobody else does.
func TestAdministratorsEndTheSessionsOfEverybody(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		admin, other := administrator(t, s, "admin@example.org"), administrator(t, s, "other@example.org")
		stale, member := administrator(t, s, "stale@example.org"), s.SignIn("ann@example.org")
		operate(t, s, "user.grant", object{"user": "stale@example.org", "role": "support"}) // takes freshness away
		var bearer struct{ Token string }
		program(t, s, "POST", "/auth/v1/login", "", object{"email": "ann@example.org", "password": ringwalltest.Password, "bearer": true}).Into(t, &bearer)
		everybody := map[string]*ringwalltest.Client{"the administrator": admin, "another": other, "a stale one": stale, "a member": member}
		device := member.Cookie("__Host-ringwall-device")

		good := object{"whose": "everybody", "reason": "a backup was stolen"}
		want(t, "by nobody", s.Client().Do("DELETE", everySession, good), 401, "unauthenticated")
		want(t, "by a member", member.Do("DELETE", everySession, good), 403, "forbidden")
		want(t, "by a program of a member", program(t, s, "DELETE", everySession, bearer.Token, good), 403, "forbidden")
		want(t, "without a recent proof", stale.Do("DELETE", everySession, good), 403, "fresh-required")
		for name, body := range map[string]object{
			"a lost id": {"reason": "x"}, "somebody's": {"whose": "ann@example.org", "reason": "x"}, "nobody's": {"whose": "", "reason": "x"},
			"no reason": {"whose": "everybody"}, "an empty reason": {"whose": "everybody", "reason": "  "},
		} {
			want(t, name, admin.Do("DELETE", everySession, body), 422, "invalid")
		}
		want(t, "an empty id", admin.Do("DELETE", everySession+"/", good), 404, "not-found")
		for name, c := range everybody {
			want(t, name+" after the refusals", c.Get("/"), 200, "")
		}
		want(t, "the program after the refusals", program(t, s, "GET", "/", bearer.Token, nil), 200, "")

		events := tail(t, s, 0)
		got := admin.Do("DELETE", everySession, good)
		want(t, "by the administrator", got, 200, "")
		var out struct{ Ended int }
		if got.Into(t, &out); out.Ended != len(everybody)+1 {
			t.Errorf("ended = %d, want %d", out.Ended, len(everybody)+1)
		}
		if left := admin.Cookie("__Host-ringwall"); left != "" {
			t.Error("the administrator keeps the cookie of a session that is none")
		}
		for name, c := range everybody {
			want(t, "the next request of "+name, c.Get("/"), 401, "unauthenticated")
		}
		want(t, "the next request of the program", program(t, s, "GET", "/", bearer.Token, nil), 401, "unauthenticated")
		var told []string
		for _, e := range tail(t, s, events[len(events)-1].Seq) {
			if e.Reason == "everybody signed out" {
				told = append(told, e.Event+": "+e.Private["reason"].(string)+", "+e.Private["ended"].(string))
			}
		}
		if len(told) != 1 || told[0] != "authz_admin: a backup was stolen, "+strconv.Itoa(out.Ended) {
			t.Errorf("the audit log tells %q", told)
		}

		member.CSRF = ""
		member.SignIn("ann@example.org", ringwalltest.Password)
		want(t, "signed in anew", member.Get("/"), 200, "")
		if len(devices(t, member)) != 1 || device == "" || member.Cookie("__Host-ringwall-device") != device {
			t.Error("an old session is listed, or the device is not known any more")
		}
	})
}

// Fifty clients ask all the time: whatever begins after the acknowledgement is refused, from the mirror and from the database.
func TestNoCheckOutlivesTheEndOfAll(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		first := s.SignIn("ann@example.org")
		clients := []*ringwalltest.Client{first}
		for range 4 {
			c := s.Client()
			c.SignIn("ann@example.org", ringwalltest.Password)
			clients = append(clients, c)
		}
		var over atomic.Bool
		var asked sync.WaitGroup
		asked.Add(50)
		var ends sync.WaitGroup
		ends.Go(func() {
			asked.Wait() // every one of them has been let in
			var err error
			for range 20 { // a database that so many ask may have no room for one more
				if _, err = s.Ringwall.Operate(t.Context(), "tester", "session.revoke", []byte(`{"everybody":true,"reason":"x"}`)); err == nil {
					break
				}
			}
			if err != nil {
				t.Errorf("session.revoke: %v", err)
			}
			over.Store(true)
		})
		late := fifty(func(i int) bool {
			told := false
			for {
				before := over.Load()
				got, err := clients[i%len(clients)].Try("GET", "/", nil)
				if err != nil {
					t.Errorf("GET /: %v", err)
				}
				if !told {
					told = true
					asked.Done()
				}
				if before || err != nil {
					return got.Status == 200
				}
				time.Sleep(50 * time.Millisecond) // the others want to ask as well
			}
		})
		ends.Wait()
		if late != 0 {
			t.Errorf("%d of fifty were let in after the end of all", late)
		}
	})
}

// Who signs in meanwhile has a session that lives or none, and the same at every request; who signed in before has none.
func TestSignInsBesideTheEndOfAll(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		before := s.SignIn("ann@example.org")
		var both sync.WaitGroup
		during := []*ringwalltest.Client{s.Client(), s.Client(), s.Client(), s.Client()}
		for _, c := range during {
			both.Go(func() {
				if got, err := c.Try("POST", "/auth/v1/login", object{"email": "ann@example.org", "password": ringwalltest.Password}); err != nil || got.Status != 200 && got.Status != 503 { // 503: no room to hash
					t.Errorf("a sign-in meanwhile = %d, %v", got.Status, err)
				}
			})
		}
		operate(t, s, "session.revoke", object{"everybody": true, "reason": "x"})
		both.Wait()
		want(t, "who signed in before", before.Get("/"), 401, "unauthenticated")
		alive := 0
		for _, c := range during {
			first := c.Get("/").Status
			for range 3 {
				if again := c.Get("/").Status; again != first {
					t.Errorf("a session that answers %d and then %d", first, again)
				}
			}
			if first == 200 {
				alive++
			}
		}
		list := operate(t, s, "session.list", object{"user": "ann@example.org"})["sessions"].([]any)
		if len(list) != alive {
			t.Errorf("%d sessions are listed, and %d are let in", len(list), alive)
		}
	})
}

// What one node ends is over on the other one's very next request.
func TestTwoNodesEndTheSessionsOfEverybody(t *testing.T) {
	t.Parallel()
	db := testdb.Postgres(t)
	o := ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey)}
	one, other := ringwalltest.StartApp(t, o, application), ringwalltest.StartApp(t, o, application)
	someone(t, one, "ann@example.org")
	for range 5 {
		c := one.Client()
		c.SignIn("ann@example.org", ringwalltest.Password)
		want(t, "at the other", at(other, c).Get("/"), 200, "")
		operate(t, one, "session.revoke", object{"everybody": true, "reason": "x"})
		want(t, "the next request at the other", at(other, c).Get("/"), 401, "unauthenticated")
		want(t, "the next request at one", c.Get("/"), 401, "unauthenticated")
		one.Clock.Advance(time.Minute)
		other.Clock.Advance(time.Minute)
	}
}
