package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

func signUp(c *ringwalltest.Client, address, password string) ringwalltest.Answer {
	return c.Post("/auth/v1/signup", object{"email": address, "password": password})
}

func TestSignUpToSignOut(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.Client()
		want(t, "sign up", c.Post("/auth/v1/signup", object{"email": "Ann@Example.org", "password": ringwalltest.Password, "display_name": "Ann O'Neil"}), 202, "")
		want(t, "sign in before confirming", c.Post("/auth/v1/login", object{"email": "ann@example.org", "password": ringwalltest.Password}), 401, "login-failed")
		mail := s.Mail("ann@example.org", 1)
		if !strings.HasPrefix(mail.Links[0], s.URL+"/auth/verify-email?token=") {
			t.Errorf("the link is %q, want one of %s", mail.Links[0], s.URL)
		}
		want(t, "look at the link", c.Get("/auth/verify-email?token="+mail.Token()), 200, "")
		want(t, "look again: a GET uses nothing up", c.Get("/auth/verify-email?token="+mail.Token()), 200, "")
		want(t, "confirm", c.Post("/auth/v1/email/verify", object{"token": mail.Token()}), 204, "")
		want(t, "confirm again", c.Post("/auth/v1/email/verify", object{"token": mail.Token()}), 422, "link-invalid")
		c.SignIn("ANN@example.ORG", ringwalltest.Password)
		var who struct {
			User struct {
				Email       string
				DisplayName string `json:"display_name"`
			}
		}
		c.Get("/auth/v1/session").Into(t, &who)
		if who.User.DisplayName != "Ann O'Neil" || !strings.EqualFold(who.User.Email, "ann@example.org") {
			t.Errorf("signed in as %+v", who.User)
		}
		want(t, "the application", c.Get("/"), 200, "")
		out := c.Post("/auth/v1/logout", object{})
		want(t, "sign out", out, 204, "")
		if got := out.Header.Get("Clear-Site-Data"); got != `"cache"` || c.Cookie("__Host-ringwall") != "" {
			t.Errorf("sign out clears %q, and leaves the cookie %q", got, c.Cookie("__Host-ringwall"))
		}
		want(t, "the application after sign-out", c.Get("/"), 401, "unauthenticated")
	})
}

// D22: nobody can sign up somebody else and wait for the click.
func TestClickOnAStrangersSignUpNeedsItsPassword(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		attacker, victim := s.Client(), s.Client()
		want(t, "attacker signs the victim up", signUp(attacker, "victim@example.org", "the attacker knows this one"), 202, "")
		token := s.Mail("victim@example.org", 1).Token()
		want(t, "victim clicks", victim.Post("/auth/v1/email/verify", object{"token": token}), 403, "password-required")
		want(t, "victim guesses", victim.Post("/auth/v1/email/verify", object{"token": token, "password": ringwalltest.Password}), 401, "login-failed")
		want(t, "attacker signs in", attacker.Post("/auth/v1/login", object{"email": "victim@example.org", "password": "the attacker knows this one"}), 401, "login-failed")
		// The victim signs up too, and only that sign-up counts.
		want(t, "victim signs up", signUp(victim, "victim@example.org", ringwalltest.Password), 202, "")
		want(t, "victim confirms", victim.Post("/auth/v1/email/verify", object{"token": s.Mail("victim@example.org", 2).Token()}), 204, "")
		want(t, "the attacker's link", attacker.Post("/auth/v1/email/verify", object{"token": token}), 422, "link-invalid")
		want(t, "attacker signs in again", attacker.Post("/auth/v1/login", object{"email": "victim@example.org", "password": "the attacker knows this one"}), 401, "login-failed")
		victim.SignIn("victim@example.org", ringwalltest.Password)
	})
}

func TestClientWithoutCookiesConfirmsWithPassword(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		want(t, "sign up", signUp(s.Client(), "cli@example.org", ringwalltest.Password), 202, "")
		mail := s.Mail("cli@example.org", 1)
		want(t, "confirm by code", s.Client().Post("/auth/v1/email/verify", object{"email": "cli@example.org", "code": strings.ToLower(mail.Code), "password": ringwalltest.Password}), 204, "")
	})
}

func TestCodeHasFiveTriesThenOnlyTheLinkWorks(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.Client()
		want(t, "sign up", signUp(c, "code@example.org", ringwalltest.Password), 202, "")
		mail := s.Mail("code@example.org", 1)
		for range 5 {
			want(t, "a wrong code", c.Post("/auth/v1/email/verify", object{"email": "code@example.org", "code": "AAAA-AAAA"}), 422, "link-invalid")
		}
		s.Clock.Advance(6 * time.Minute) // past the counter of the address, within the life of the code
		want(t, "the right code at the sixth try", c.Post("/auth/v1/email/verify", object{"email": "code@example.org", "code": mail.Code}), 422, "link-invalid")
		want(t, "the link", c.Post("/auth/v1/email/verify", object{"token": mail.Token()}), 204, "")
	})
}

func TestCodeEndsAfterTenMinutesAndLinkAfterADay(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.Client()
		want(t, "sign up", signUp(c, "late@example.org", ringwalltest.Password), 202, "")
		mail := s.Mail("late@example.org", 1)
		s.Clock.Advance(10 * time.Minute)
		want(t, "the code after ten minutes", c.Post("/auth/v1/email/verify", object{"email": "late@example.org", "code": mail.Code}), 422, "link-invalid")
		want(t, "resend", c.Post("/auth/v1/email/resend", object{"email": "late@example.org"}), 202, "")
		again := s.Mail("late@example.org", 2)
		want(t, "the first link after a resend", c.Post("/auth/v1/email/verify", object{"token": mail.Token()}), 422, "link-invalid")
		s.Clock.Advance(24 * time.Hour)
		want(t, "the link after a day", c.Post("/auth/v1/email/verify", object{"token": again.Token()}), 422, "link-invalid")
		want(t, "the page of it", c.Get("/auth/verify-email?token="+again.Token()), 422, "")
	})
}

// S056, D17: the answer to a sign-up is the same for a free and a taken address; the mail tells the owner.
func TestSignUpTellsNobodyWhoHasAnAccount(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("taken@example.org")
		free, taken := signUp(s.Client(), "free@example.org", ringwalltest.Password), signUp(s.Client(), "taken@example.org", "another password entirely")
		sameAnswer(t, "sign-up", free, taken)
		mail := s.Mail("taken@example.org", 2)
		if mail.Token() != "" || mail.Code != "" {
			t.Errorf("the mail about a taken address holds a way in: %+v", mail)
		}
		sameAnswer(t, "resend", s.Client().Post("/auth/v1/email/resend", object{"email": "free@example.org"}), s.Client().Post("/auth/v1/email/resend", object{"email": "taken@example.org"}))
		sameAnswer(t, "resend to nobody", s.Client().Post("/auth/v1/email/resend", object{"email": "free@example.org"}), s.Client().Post("/auth/v1/email/resend", object{"email": "nobody@example.org"}))
		want(t, "the old password", s.Client().Post("/auth/v1/login", object{"email": "taken@example.org", "password": ringwalltest.Password}), 200, "")
		want(t, "the other password", s.Client().Post("/auth/v1/login", object{"email": "taken@example.org", "password": "another password entirely"}), 401, "login-failed")
	})
}

func TestFiftyParallelUsesOfALinkMakeOneAccount(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.Client()
		want(t, "sign up", signUp(c, "many@example.org", ringwalltest.Password), 202, "")
		token := s.Mail("many@example.org", 1).Token()
		wins := fifty(func(int) bool {
			got, err := c.Try("POST", "/auth/v1/email/verify", object{"token": token})
			return err == nil && got.Status == 204
		})
		if wins != 1 {
			t.Errorf("fifty parallel uses of one link: %d succeeded, want 1", wins)
		}
		c.SignIn("many@example.org", ringwalltest.Password)
	})
}

func TestThreePendingSignUpsAnAddress(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		var tokens []string
		for i := range 4 {
			want(t, "sign up", signUp(s.Client(), "p@example.org", ringwalltest.Password), 202, "")
			tokens = append(tokens, s.Mail("p@example.org", i+1).Token())
			s.Clock.Advance(time.Second)
		}
		want(t, "the oldest of four", s.Client().Post("/auth/v1/email/verify", object{"token": tokens[0], "password": ringwalltest.Password}), 422, "link-invalid")
		want(t, "the second", s.Client().Post("/auth/v1/email/verify", object{"token": tokens[1], "password": ringwalltest.Password}), 204, "")
		want(t, "the third, after the second", s.Client().Post("/auth/v1/email/verify", object{"token": tokens[2], "password": ringwalltest.Password}), 422, "link-invalid")
	})
}

func TestPasswordRulesAreToldAndEchoNothing(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		for _, tt := range []struct{ name, password string }{
			{"too short", "14 characters!"},
			{"too long", strings.Repeat("ab ", 86)},
			{"one character", strings.Repeat("a", 20)},
			{"the address", "weak.person@example.org"},
			{"a common one, doubled", "passwordpassword"},
		} {
			got := signUp(s.Client(), "weak.person@example.org", tt.password)
			want(t, tt.name, got, 422, "password-weak")
			if strings.Contains(string(got.Body), tt.password) {
				t.Errorf("%s: the answer repeats the password", tt.name)
			}
		}
		if n := len(s.Mails("weak.person@example.org")); n != 0 {
			t.Errorf("%d mails after refused sign-ups, want none", n)
		}
		// Any character counts, none is cut: 256 code points of any script, with spaces and a NUL.
		long := " " + strings.Repeat("ж漢é🙂", 63) + "\x00 z"
		c := s.Client()
		want(t, "256 code points", signUp(c, "long@example.org", long), 202, "")
		want(t, "confirm", c.Post("/auth/v1/email/verify", object{"token": s.Mail("long@example.org", 1).Token()}), 204, "")
		want(t, "one character less", c.Post("/auth/v1/login", object{"email": "long@example.org", "password": long[:len(long)-1]}), 401, "login-failed")
		c.SignIn("long@example.org", long)
	})
}

// D16: NFC before hashing, so that two keyboards that spell é differently open the same account.
func TestPasswordIsNormalised(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.Client()
		want(t, "sign up", signUp(c, "nfc@example.org", "caf\u00e9 caf\u00e9 caf\u00e9 ol\u00e9"), 202, "")
		want(t, "confirm", c.Post("/auth/v1/email/verify", object{"token": s.Mail("nfc@example.org", 1).Token()}), 204, "")
		c.SignIn("nfc@example.org", "cafe\u0301 cafe\u0301 cafe\u0301 ole\u0301")
	})
}
