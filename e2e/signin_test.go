package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ringwalltest"
)

func login(c *ringwalltest.Client, address, password string) ringwalltest.Answer {
	return c.Post("/auth/v1/login", object{"email": address, "password": password})
}

// D17: unknown, unconfirmed, locked and wrong are one answer, to the byte.
func TestEveryFailedSignInIsTheSameAnswer(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("known@example.org")
		s.SignUp("locked@example.org")
		want(t, "sign up, not confirmed", signUp(s.Client(), "pending@example.org", ringwalltest.Password), 202, "")
		operate(t, s, "user.lock", object{"user": "locked@example.org", "reason": "test"})
		wrong := login(s.Client(), "known@example.org", "not the password, surely")
		want(t, "a wrong password", wrong, 401, "login-failed")
		for name, other := range map[string]ringwalltest.Answer{
			"unknown":                    login(s.Client(), "unknown@example.org", ringwalltest.Password),
			"unconfirmed":                login(s.Client(), "pending@example.org", ringwalltest.Password),
			"locked, the right password": login(s.Client(), "locked@example.org", ringwalltest.Password),
			"locked, a wrong password":   login(s.Client(), "locked@example.org", "not the password, surely"),
			"no address at all":          login(s.Client(), "' OR 1=1 --", ringwalltest.Password),
		} {
			sameAnswer(t, name, wrong, other)
		}
	})
}

// S054, D05: five tries in five minutes, then 429; for accounts that do not exist too, and in every spelling.
func TestSixthTryIsRefusedForKnownAndUnknownAlike(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("john@example.org")
		spellings := []string{"john@example.org", "JOHN@example.org", "jOhn@EXAMPLE.org", "ｊohn@example.org", "John@example.ORG"}
		for _, spelling := range spellings {
			want(t, "a wrong password for "+spelling, login(s.Client(), spelling, "not the password, surely"), 401, "login-failed")
			want(t, "a wrong password for nobody", login(s.Client(), "nobody@example.org", "not the password, surely"), 401, "login-failed")
		}
		known, unknown := login(s.Client(), "john@example.org", ringwalltest.Password), login(s.Client(), "nobody@example.org", ringwalltest.Password)
		want(t, "the right password at the sixth try", known, 429, "too-many-requests")
		sameAnswer(t, "the sixth try", known, unknown)
		if got := known.Header.Get("Retry-After"); got != "300" {
			t.Errorf("Retry-After = %q, want whole minutes: 300", got)
		}
		// Locked, but not out: a forgotten password can be reset meanwhile (C104) …
		want(t, "forgot", s.Client().Post("/auth/v1/password/forgot", object{"email": "john@example.org"}), 202, "")
		// … and the lock ends by itself.
		s.Clock.Advance(5*time.Minute + time.Second)
		want(t, "after the lock", login(s.Client(), "john@example.org", ringwalltest.Password), 200, "")
	})
}

func TestLocksGrow(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		for _, wait := range []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute} {
			for range 5 {
				login(s.Client(), "grow@example.org", "not the password, surely")
			}
			want(t, "at the limit", login(s.Client(), "grow@example.org", "x"), 429, "too-many-requests")
			s.Clock.Advance(wait - 2*time.Minute) // the clock goes on by itself, and the machine may be slow
			want(t, fmt.Sprintf("two minutes before %v", wait), login(s.Client(), "grow@example.org", "x"), 429, "too-many-requests")
			s.Clock.Advance(2*time.Minute + time.Second)
		}
	})
}

// LIMIT_ACCOUNT: other numbers do what the default does, and in development none do.
func TestLimitOfAnAccountAsSet(t *testing.T) {
	guess := func(s *ringwalltest.Server) ringwalltest.Answer {
		return login(s.Client(), "set@example.org", "not the password, surely")
	}
	eachWith(t, func(o *ringwall.Options) { o.LimitAccount = ratelimit.Window{Quota: 2, Per: 10 * time.Minute} }, func(t *testing.T, s *ringwalltest.Server) {
		for _, wait := range []time.Duration{10 * time.Minute, 20 * time.Minute} {
			for range 2 {
				want(t, "a guess", guess(s), 401, "login-failed")
			}
			want(t, "one more", guess(s), 429, "too-many-requests")
			s.Clock.Advance(wait + time.Second)
		}
	})
	eachWith(t, func(o *ringwall.Options) { o.NoLimitAccount = true }, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("set@example.org")
		for range 12 {
			want(t, "a guess", guess(s), 401, "login-failed")
		}
		want(t, "the password", login(s.Client(), "set@example.org", ringwalltest.Password), 200, "")
	})
}

// D05, adversary 18: whatever strangers do, the owner's known device signs in at once.
func TestKnownDeviceCannotBeLockedOut(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		owner := s.SignIn("owner@example.org")
		want(t, "sign out", owner.Post("/auth/v1/logout", object{}), 204, "")
		if owner.Cookie("__Host-ringwall-device") == "" {
			t.Fatal("the known device did not survive the sign-out")
		}
		for range 30 {
			login(s.Client(), "owner@example.org", "not the password, surely")
		}
		want(t, "a stranger with the right password", login(s.Client(), "owner@example.org", ringwalltest.Password), 429, "too-many-requests")
		want(t, "the owner from the known device", login(owner, "owner@example.org", ringwalltest.Password), 200, "")

		// A device cookie that was tampered with, or is somebody else's, is worth nothing.
		other := s.SignIn("other@example.org")
		for name, cookie := range map[string]string{
			"somebody else's": other.Cookie("__Host-ringwall-device"),
			"a forged one":    strings.Repeat("00", 16) + "." + strings.Repeat("00", 32),
			"a bent one":      bend(owner.Cookie("__Host-ringwall-device")),
		} {
			c := s.Client()
			c.Header.Set("Cookie", "__Host-ringwall-device="+cookie)
			want(t, name, login(c, "owner@example.org", ringwalltest.Password), 429, "too-many-requests")
		}
		// And it has a limit of its own.
		want(t, "sign out", owner.Post("/auth/v1/logout", object{}), 204, "")
		owner.CSRF = ""
		for range 5 {
			want(t, "the owner mistypes", login(owner, "owner@example.org", "not the password, surely"), 401, "login-failed")
		}
		want(t, "the sixth from the known device", login(owner, "owner@example.org", ringwalltest.Password), 429, "too-many-requests")
	})
}

func bend(text string) string {
	last := byte('0')
	if text[len(text)-1] == '0' {
		last = '1'
	}
	return text[:len(text)-1] + string(last)
}

func TestFiftyParallelTriesAdmitFive(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.Client()
		var admitted, none int
		for none+admitted < 50 { // whom the hash queue had no room for tries again: that was no try
			var refused atomic.Int64
			admitted += fifty(func(int) bool {
				got, err := c.Try("POST", "/auth/v1/login", object{"email": "parallel@example.org", "password": "not the password, surely"})
				if err == nil && got.Status == http.StatusTooManyRequests {
					refused.Add(1)
				}
				return err == nil && got.Status != http.StatusTooManyRequests && got.Code() != "busy"
			})
			none += int(refused.Load())
		}
		if admitted > 5 {
			t.Errorf("of fifty parallel tries and more %d were admitted, want at most 5", admitted)
		}
	})
}

// D19: script in a page can never obtain a token.
func TestBearerIsNotForBrowsers(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("cli@example.org")
		ask := object{"email": "cli@example.org", "password": ringwalltest.Password, "bearer": true}
		for name, header := range map[string]string{"Origin": s.URL, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"} {
			c := s.Client()
			c.Header.Set(name, header)
			got := c.Post("/auth/v1/login", ask)
			want(t, "bearer with "+name, got, 422, "invalid")
			if len(got.Header["Set-Cookie"]) != 0 {
				t.Errorf("a refused sign-in set cookies: %v", got.Header["Set-Cookie"])
			}
		}
		c := s.Client()
		c.Header.Set("Sec-Fetch-Site", "") // a program, not a browser
		c.Header.Del("Sec-Fetch-Site")
		got := program(t, s, "POST", "/auth/v1/login", "", ask)
		want(t, "bearer from a program", got, 200, "")
		if len(got.Header["Set-Cookie"]) != 0 {
			t.Errorf("a bearer sign-in set cookies: %v", got.Header["Set-Cookie"])
		}
		var in struct{ Token string }
		got.Into(t, &in)
		if len(in.Token) != 128 {
			t.Fatalf("the token has %d characters, want 128", len(in.Token))
		}
		want(t, "the session", program(t, s, "GET", "/auth/v1/session", in.Token, nil), 200, "")
		want(t, "a change without a CSRF token", program(t, s, "DELETE", "/auth/v1/sessions", in.Token, nil), 204, "")
		// A bearer token is no cookie, and a cookie is no bearer token.
		thief := s.Client()
		thief.Header.Set("Cookie", "__Host-ringwall="+in.Token)
		want(t, "the bearer token as a cookie", thief.Get("/auth/v1/session"), 401, "unauthenticated")
		browser := s.SignIn("browser@example.org")
		want(t, "the cookie as a bearer token", program(t, s, "GET", "/auth/v1/session", browser.Cookie("__Host-ringwall"), nil), 401, "unauthenticated")
		browser.Header.Set("Authorization", "Bearer "+in.Token)
		want(t, "both at once", browser.Get("/auth/v1/session"), 400, "malformed")
	})
}

// S029: in a browser the token stands in Set-Cookie and nowhere else.
func TestSessionCookie(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignUp("cookie@example.org")
		for _, remember := range []bool{false, true} {
			got := c.Post("/auth/v1/login", object{"email": "cookie@example.org", "password": ringwalltest.Password, "remember": remember})
			want(t, "sign in", got, 200, "")
			token := c.Cookie("__Host-ringwall")
			if len(token) != 128 {
				t.Fatalf("the cookie has %d characters, want 128", len(token))
			}
			if strings.Contains(string(got.Body), token) {
				t.Error("the token stands in the body")
			}
			for name, values := range got.Header {
				if name != "Set-Cookie" && strings.Contains(strings.Join(values, " "), token) {
					t.Errorf("the token stands in the header %s", name)
				}
			}
			for _, line := range got.Header["Set-Cookie"] {
				for _, part := range []string{"; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
					if !strings.Contains(line, part) {
						t.Errorf("Set-Cookie lacks %q: %s", part, line)
					}
				}
				if strings.Contains(line, "Domain") || !strings.HasPrefix(line, "__Host-") {
					t.Errorf("Set-Cookie of more than this host: %s", line)
				}
				if strings.HasPrefix(line, "__Host-ringwall=") && strings.Contains(line, "Max-Age") != remember {
					t.Errorf("remember %v, but the cookie is %s", remember, strings.ReplaceAll(line, token, "…"))
				}
			}
		}
	})
}

// Fixation, adversary 30: what a browser held before sign-in opens nothing afterwards.
func TestPlantedSessionIsNeverAdopted(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("fix@example.org")
		planted := strings.Repeat("ab", 64)
		c := s.Client()
		c.Header.Set("Cookie", "__Host-ringwall="+planted)
		want(t, "with a planted cookie", c.Get("/auth/v1/session"), 401, "unauthenticated")
		want(t, "sign in with it", login(c, "fix@example.org", ringwalltest.Password), 200, "")
		attacker := s.Client()
		attacker.Header.Set("Cookie", "__Host-ringwall="+planted)
		want(t, "the planted cookie afterwards", attacker.Get("/auth/v1/session"), 401, "unauthenticated")
		c.Header.Set("Cookie", "__Host-ringwall="+planted+"; __Host-ringwall="+planted)
		want(t, "the cookie twice", c.Get("/auth/v1/session"), 400, "malformed")
	})
}

// Adversary 25: a token is the whole of it, in its one spelling.
func TestBentTokensOpenNothing(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("bent@example.org")
		token := c.Cookie("__Host-ringwall")
		thief := s.Client()
		for name, value := range map[string]string{
			"shortened": token[:127], "extended": token + "a", "upper case": strings.ToUpper(token), "bent": bend(token), "doubled": token + token, "empty": "",
		} {
			thief.Header.Set("Cookie", "__Host-ringwall="+value)
			want(t, name, thief.Get("/auth/v1/session"), 401, "unauthenticated")
		}
		thief.Header.Set("Cookie", "__host-ringwall="+token)
		want(t, "under a name in another case", thief.Get("/auth/v1/session"), 401, "unauthenticated")
		thief.Header.Del("Cookie")
		want(t, "in the query", thief.Get("/auth/v1/session?access_token="+token+"&session="+token), 401, "unauthenticated")
		thief.Header.Set("X-User-Id", "admin")
		thief.Header.Set("X-Ringwall-User", "admin")
		want(t, "claimed in a header", thief.Get("/auth/v1/session"), 401, "unauthenticated")
	})
}
