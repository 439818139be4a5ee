package e2e_test

import (
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

// behindProxy lets a test come from any network.
func behindProxy(o *ringwall.Options) {
	o.TrustedProxies, o.TrustedProxyHeader = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "X-Forwarded-For"
}

func from(s *ringwalltest.Server, address string) *ringwalltest.Client {
	c := s.Client()
	c.Header.Set("X-Forwarded-For", address)
	return c
}

// D05, C104: whatever strangers do, the owner has a way in: a reset is mailed, and its browser signs in at once.
func TestStrangersCannotCloseTheWayBack(t *testing.T) {
	eachWith(t, behindProxy, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("owner@example.org")
		stranger, owner := from(s, "198.51.100.1"), from(s, "203.0.113.1")
		for range 7 {
			login(stranger, "owner@example.org", "not the password, surely")
			stranger.Post("/auth/v1/password/forgot", object{"email": "owner@example.org"})
		}
		want(t, "the owner, without a known device", login(owner, "owner@example.org", ringwalltest.Password), 429, "too-many-requests")
		before := len(s.Mails("owner@example.org"))
		want(t, "the owner forgot", owner.Post("/auth/v1/password/forgot", object{"email": "owner@example.org"}), 202, "")
		token := s.Mail("owner@example.org", before+1).Token()
		stranger.Post("/auth/v1/password/forgot", object{"email": "owner@example.org"}) // does not put the owner's link out
		want(t, "the owner resets", owner.Post("/auth/v1/password/reset", object{"token": token, "password": newPassword}), 204, "")
		for range 7 {
			login(stranger, "owner@example.org", "not the password, surely")
		}
		want(t, "the owner, in the browser of the reset", login(owner, "owner@example.org", newPassword), 200, "")
	})
}

// D22: a stranger's sign-ups of somebody's address do not push out the owner's, nor its resent mail.
func TestStrangersCannotStopASignUp(t *testing.T) {
	eachWith(t, behindProxy, func(t *testing.T, s *ringwalltest.Server) {
		stranger, owner := from(s, "198.51.100.1"), from(s, "203.0.113.1")
		want(t, "the owner signs up", signUp(owner, "new@example.org", ringwalltest.Password), 202, "")
		first := s.Mail("new@example.org", 1).Token()
		for i := range 5 {
			want(t, "a stranger signs the address up", signUp(stranger, "new@example.org", "the stranger knows this one"), 202, "")
			s.Mail("new@example.org", i+2)
		}
		want(t, "the owner asks for the mail again", owner.Post("/auth/v1/email/resend", object{"email": "new@example.org"}), 202, "")
		again := s.Mail("new@example.org", 7).Token()
		want(t, "the link before", owner.Post("/auth/v1/email/verify", object{"token": first}), 422, "link-invalid")
		want(t, "the owner confirms", owner.Post("/auth/v1/email/verify", object{"token": again}), 204, "")
		owner.SignIn("new@example.org", ringwalltest.Password)
	})
}

// Made-up addresses leave no rows behind: the audit log is not a stranger's to fill.
func TestStrangersCannotFillTheLog(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		count := func() float64 {
			events := operate(t, s, "audit.tail", object{"limit": 1})["events"].([]any)
			return events[0].(object)["seq"].(float64)
		}
		before := count()
		c := s.Client()
		for i := range 60 {
			nobody := "nobody" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "@example.org"
			c.Post("/auth/v1/email/verify", object{"email": nobody, "code": "AAAA-AAAA"})
			c.Post("/auth/v1/password/forgot", object{"email": nobody})
			c.Post("/auth/v1/email/resend", object{"email": nobody})
		}
		if left := count() - before; left > 20 { // one row a kind, route and minute, and that the log was read
			t.Errorf("180 requests for nobody left %v rows", left)
		}
	})
}

// A try that nobody looked at is none: a full hash queue does not lock the owner out.
func TestBusyIsNoTry(t *testing.T) {
	eachWith(t, func(o *ringwall.Options) { o.HashSlots = 1 }, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("busy@example.org")
		stop := make(chan struct{})
		var flood sync.WaitGroup
		for range 24 {
			c := s.Client()
			flood.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						c.Try("POST", "/auth/v1/login", object{"email": time.Now().String() + "@example.org", "password": "x"})
					}
				}
			})
		}
		owner, refused := s.Client(), 0
		for range 6 {
			got := login(owner, "busy@example.org", ringwalltest.Password)
			if got.Status == http.StatusServiceUnavailable {
				refused++
				if got.Header.Get("Retry-After") == "" {
					t.Error("a 503 without Retry-After")
				}
				continue
			}
			want(t, "a sign-in in the flood", got, 200, "")
			owner.Post("/auth/v1/logout", object{})
			owner.CSRF = ""
		}
		close(stop)
		flood.Wait()
		want(t, "after the flood", login(s.Client(), "busy@example.org", ringwalltest.Password), 200, "")
		t.Logf("%d of 6 were busy", refused)
	})
}

// Five weak new passwords are no guesses at the current one.
func TestWeakNewPasswordsLockNobody(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("weak@example.org")
		for range 7 {
			want(t, "a weak new password", c.Post("/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": "short"}), 422, "password-weak")
		}
		want(t, "a good one", c.Post("/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": newPassword}), 200, "")
		// And a stolen session that guesses bars itself, not the owner.
		thief := s.Client()
		thief.SignIn("weak@example.org", newPassword)
		for range 6 {
			thief.Post("/auth/v1/session/reauthenticate", object{"password": "not the password, surely"})
		}
		want(t, "the thief", thief.Post("/auth/v1/session/reauthenticate", object{"password": newPassword}), 429, "too-many-requests")
		want(t, "the owner", c.Post("/auth/v1/session/reauthenticate", object{"password": newPassword}), 200, "")
	})
}

// What a mux would redirect is neither public nor ours, and no answer leaves outside of the chain.
func TestRedirectsOfTheMuxAreNoRoutes(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, application, "/static/")
	want(t, "below a public folder", s.Client().Get("/static/a.css"), 200, "")
	want(t, "the folder without its slash", s.Client().Get("/static"), 401, "unauthenticated")
	alone := ringwalltest.Start(t)
	got := alone.Client().Get("/auth")
	if got.Status != 404 || got.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("GET /auth = %d with X-Frame-Options %q, want our own 404", got.Status, got.Header.Get("X-Frame-Options"))
	}
}

// A public page that a cache may keep carries nobody's cookie.
func TestPublicPagesOfTheApplicationSetNoCookie(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write([]byte("hello"))
	})
	s := ringwalltest.StartApp(t, ringwall.Options{}, page, "GET /{$}")
	c := s.Client()
	c.Header.Set("Accept", "text/html")
	if got := c.Get("/"); len(got.Header["Set-Cookie"]) != 0 {
		t.Errorf("a public page sets %v", got.Header["Set-Cookie"])
	}
}

// A WebSocket is opened by a GET: its origin is asked for all the same.
func TestForeignPagesOpenNoSocket(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, application)
	c := s.SignIn("socket@example.org")
	for origin, status := range map[string]int{"https://sibling.example.org": 403, s.URL: 200} {
		got := raw(t, s, "GET", "/socket", nil, func(r *http.Request) {
			r.Header.Set("Cookie", "__Host-ringwall="+c.Cookie("__Host-ringwall"))
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			r.Header.Set("Origin", origin)
		})
		if got.Status != status {
			t.Errorf("a socket from %s = %d, want %d", origin, got.Status, status)
		}
	}
}
