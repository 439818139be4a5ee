package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/ringwalltest"
)

type device struct {
	ID, Device, IP string
	UserAgent      string `json:"user_agent"`
	CreatedAt      string `json:"created_at"`
	LastSeenAt     string `json:"last_seen_at"`
	ExpiresAt      string `json:"expires_at"`
	Current        bool
}

func devices(t *testing.T, c *ringwalltest.Client) []device {
	t.Helper()
	var list struct{ Sessions []device }
	c.Get("/auth/v1/sessions").Into(t, &list)
	return list.Sessions
}

const androidAgent = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36"

// S003, S004: three devices are listed, one is thrown out, and is out on its very next request.
func TestDevicesAreListedAndRevoked(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		laptop := s.SignIn("dev@example.org")
		phone, evil := s.Client(), s.Client()
		phone.Header.Set("User-Agent", androidAgent)
		phone.SignIn("dev@example.org", ringwalltest.Password)
		evil.Header.Set("User-Agent", "<script>alert(1)</script>")
		evil.SignIn("dev@example.org", ringwalltest.Password)

		list := devices(t, laptop)
		if len(list) != 3 || !list[0].Current || list[1].Current || list[2].Current {
			t.Fatalf("the list is %+v, want three devices, the current one first", list)
		}
		labels := map[string]string{}
		for _, d := range list {
			labels[d.Device] = d.ID
			if _, err := identity.ParseID(d.ID); err != nil || d.IP != "127.0.0.1" || d.CreatedAt == "" || d.LastSeenAt == "" || d.ExpiresAt == "" {
				t.Errorf("a device lacks something: %+v", d)
			}
		}
		if labels["Chrome on Android"] == "" || labels["Chrome on Linux"] == "" || labels["Unknown device"] == "" {
			t.Errorf("the devices are called %v", labels)
		}
		want(t, "the phone before", phone.Get("/"), 200, "")
		want(t, "revoke the phone", laptop.Delete("/auth/v1/sessions/"+labels["Chrome on Android"]), 204, "")
		want(t, "the phone's next request", phone.Get("/"), 401, "unauthenticated")
		want(t, "revoke it again", laptop.Delete("/auth/v1/sessions/"+labels["Chrome on Android"]), 404, "not-found")
		want(t, "revoke all others", laptop.Delete("/auth/v1/sessions"), 204, "")
		want(t, "the other's next request", evil.Get("/"), 401, "unauthenticated")
		want(t, "this one", laptop.Get("/"), 200, "")
		if n := len(devices(t, laptop)); n != 1 {
			t.Errorf("%d devices left, want 1", n)
		}
	})
}

// S059, S061, D12: somebody else's session is the same as none, byte for byte.
func TestAnothersSessionIsNoSession(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		alice, bob := s.SignIn("alice@example.org"), s.SignIn("bob@example.org")
		id := devices(t, bob)[0].ID
		foreign, missing := alice.Delete("/auth/v1/sessions/"+id), alice.Delete("/auth/v1/sessions/"+identity.NewRandomID().String())
		want(t, "bob's session by alice", foreign, 404, "not-found")
		sameAnswer(t, "foreign and missing", foreign, missing)
		sameAnswer(t, "no id at all", missing, alice.Delete("/auth/v1/sessions/1"))
		sameAnswer(t, "a quote", missing, alice.Delete("/auth/v1/sessions/'%20OR%201=1"))
		want(t, "bob", bob.Get("/"), 200, "")
	})
}

// S009: idle and absolute limits are the server's.
func TestTimeouts(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("time@example.org")
		s.Clock.Advance(29 * time.Minute)
		want(t, "after 29 idle minutes", c.Get("/"), 200, "")
		s.Clock.Advance(29 * time.Minute)
		want(t, "after 29 more", c.Get("/"), 200, "")
		s.Clock.Advance(30 * time.Minute)
		want(t, "after 30 idle minutes", c.Get("/"), 401, "unauthenticated")
		c.CSRF = ""
		c.SignIn("time@example.org", ringwalltest.Password)
		for range 26 {
			s.Clock.Advance(27 * time.Minute)
			want(t, "while busy", c.Get("/"), 200, "")
		}
		s.Clock.Advance(27 * time.Minute)
		want(t, "after twelve busy hours", c.Get("/"), 401, "unauthenticated")
	})
}

// S011, D13: the twenty-first session ends the least recently used one, with mail.
func TestOneSessionTooMany(t *testing.T) {
	eachWith(t, func(o *ringwall.Options) { o.SessionMax = 3 }, func(t *testing.T, s *ringwalltest.Server) {
		first := s.SignIn("max@example.org")
		clients := []*ringwalltest.Client{first}
		for range 2 {
			s.Clock.Advance(time.Minute)
			c := s.Client()
			c.SignIn("max@example.org", ringwalltest.Password)
			clients = append(clients, c)
		}
		s.Clock.Advance(time.Minute)
		want(t, "the first is used", first.Get("/"), 200, "")
		s.Clock.Advance(time.Minute)
		s.Client().SignIn("max@example.org", ringwalltest.Password)
		want(t, "the least recently used", clients[1].Get("/"), 401, "unauthenticated")
		want(t, "the first", first.Get("/"), 200, "")
		want(t, "the third", clients[2].Get("/"), 200, "")
		mailAbout(t, s, "max@example.org", "was signed out", 1)
		events := operate(t, s, "audit.tail", object{"limit": 100})["events"].([]any)
		found := false
		for _, e := range events {
			found = found || e.(object)["event"] == "excess_sessions_exceeded"
		}
		if !found {
			t.Error("no event excess_sessions_exceeded")
		}
	})
}

// C079, D13: a new id at every proof; the old one is worth nothing.
func TestProofsRotateTheSession(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("rotate@example.org")
		old, oldCSRF, oldID := c.Cookie("__Host-ringwall"), c.CSRF, devices(t, c)[0].ID
		want(t, "a wrong password", c.Post("/auth/v1/session/reauthenticate", object{"password": "not the password, surely"}), 401, "login-failed")
		want(t, "prove again", c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")
		if c.Cookie("__Host-ringwall") == old || devices(t, c)[0].ID == oldID {
			t.Error("the session kept its token or its id")
		}
		thief := s.Client()
		thief.Header.Set("Cookie", "__Host-ringwall="+old)
		want(t, "the old token", thief.Get("/auth/v1/session"), 401, "unauthenticated")
		fresh := c.CSRF
		c.CSRF = oldCSRF
		want(t, "the old session's CSRF token", c.Delete("/auth/v1/sessions"), 403, "csrf")
		c.CSRF = fresh
		want(t, "the new one", c.Delete("/auth/v1/sessions"), 204, "")
	})
}

func TestSigningInAgainEndsTheSessionBefore(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("again@example.org")
		old := c.Cookie("__Host-ringwall")
		c.SignIn("again@example.org", ringwalltest.Password)
		thief := s.Client()
		thief.Header.Set("Cookie", "__Host-ringwall="+old)
		want(t, "the session before", thief.Get("/"), 401, "unauthenticated")
		if n := len(devices(t, c)); n != 1 {
			t.Errorf("%d devices after signing in twice in one browser, want 1", n)
		}
	})
}

// Everything that must end sessions ends them, and a role acts on the next request (D13).
func TestOperatorsActsReachTheNextRequest(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("op@example.org")
		roles := func() (r struct{ User struct{ Roles []string } }) { c.Get("/auth/v1/session").Into(t, &r); return }
		operate(t, s, "user.grant", object{"user": "op@example.org", "role": "support"})
		if got := roles().User.Roles; len(got) != 1 || got[0] != "support" {
			t.Errorf("roles after the grant = %v", got)
		}
		operate(t, s, "user.revoke", object{"user": "op@example.org", "role": "support"})
		if got := roles().User.Roles; len(got) != 0 {
			t.Errorf("roles after the revocation = %v", got)
		}
		operate(t, s, "session.revoke", object{"session": devices(t, c)[0].ID})
		want(t, "after the session was revoked", c.Get("/"), 401, "unauthenticated")
		c.CSRF = ""
		c.SignIn("op@example.org", ringwalltest.Password)
		operate(t, s, "user.lock", object{"user": "op@example.org", "reason": "reported"})
		want(t, "after the lock", c.Get("/"), 401, "unauthenticated")
		want(t, "sign in while locked", login(s.Client(), "op@example.org", ringwalltest.Password), 401, "login-failed")
		operate(t, s, "user.unlock", object{"user": "op@example.org"})
		c.CSRF = ""
		c.SignIn("op@example.org", ringwalltest.Password)
	})
}

// A role change takes freshness away: what was proved was proved by somebody with other rights.
func TestRoleChangeTakesFreshnessAway(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("fresh@example.org")
		var before, after struct {
			Session struct {
				FreshUntil time.Time `json:"fresh_until"`
			}
		}
		c.Get("/auth/v1/session").Into(t, &before)
		operate(t, s, "user.grant", object{"user": "fresh@example.org", "role": "editor"})
		c.Get("/auth/v1/session").Into(t, &after)
		if !before.Session.FreshUntil.After(time.Now()) || after.Session.FreshUntil.After(time.Now()) {
			t.Errorf("fresh until %v before and %v after the role change, want a time to come and one gone by", before.Session.FreshUntil, after.Session.FreshUntil)
		}
	})
}

func TestRevocationWinsAgainstParallelRequests(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		laptop := s.SignIn("race@example.org")
		phone := s.Client()
		phone.SignIn("race@example.org", ringwalltest.Password)
		var id string
		for _, d := range devices(t, laptop) {
			if !d.Current {
				id = d.ID
			}
		}
		revoked := make(chan struct{})
		go func() {
			laptop.Try("DELETE", "/auth/v1/sessions/"+id, nil)
			close(revoked)
		}()
		late := fifty(func(int) bool {
			for {
				select {
				case <-revoked:
					got, err := phone.Try("GET", "/", nil)
					return err == nil && got.Status != http.StatusUnauthorized
				default:
					phone.Try("GET", "/", nil)
				}
			}
		})
		if late != 0 {
			t.Errorf("%d of fifty requests passed after the revocation was answered", late)
		}
	})
}
