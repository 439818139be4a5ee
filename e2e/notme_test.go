package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

// mailAbout is the newest mail whose subject has the words; it waits until there are as many as count.
func mailAbout(t *testing.T, s *ringwalltest.Server, to, words string, count int) ringwalltest.Mail {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		var found []ringwalltest.Mail
		for _, m := range s.Mails(to) {
			if strings.Contains(m.Subject, words) {
				found = append(found, m)
			}
		}
		if len(found) >= count {
			return found[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d mails about %q to %s after a minute, want %d", len(found), words, to, count)
		}
	}
}

// mailsAbout counts the mails whose subject has the words, once everything queued before has been sent.
func mailsAbout(t *testing.T, s *ringwalltest.Server, to, words string) (count int) {
	t.Helper()
	want(t, "a mail to wait for", s.Client().Post("/auth/v1/signup", object{"email": "last-" + to, "password": ringwalltest.Password}), 202, "")
	s.Mail("last-"+to, 1)
	for _, m := range s.Mails(to) {
		if strings.Contains(m.Subject, words) {
			count++
		}
	}
	return count
}

// S010: a sign-in from a device not used before is told by mail; one from a known device, and the first of all, are not.
func TestNewDevicesAreTold(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		laptop := s.SignIn("new@example.org")
		want(t, "sign out", laptop.Post("/auth/v1/logout", object{}), 204, "")
		laptop.CSRF = ""
		laptop.SignIn("new@example.org", ringwalltest.Password)
		if n := mailsAbout(t, s, "new@example.org", "New sign-in"); n != 0 {
			t.Fatalf("%d mails about the known device, want none", n)
		}
		phone := s.Client()
		phone.Header.Set("User-Agent", androidAgent)
		phone.SignIn("new@example.org", ringwalltest.Password)
		mail := mailAbout(t, s, "new@example.org", "New sign-in", 1)
		for _, part := range []string{"Chrome on Android", "127.0.0.1", "UTC", s.URL + "/auth/not-me?token="} {
			if !strings.Contains(mail.Text, part) {
				t.Errorf("the mail lacks %q:\n%s", part, mail.Text)
			}
		}
		phone.SignIn("new@example.org", ringwalltest.Password)
		login(s.Client(), "new@example.org", "not the password, surely")
		if n := mailsAbout(t, s, "new@example.org", "New sign-in"); n != 1 {
			t.Errorf("%d mails about new devices, want 1", n)
		}
	})
}

// A program has no cookie to be known by: it is told of once, not every hour.
func TestProgramsAreToldOnce(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		s.SignIn("script@example.org")
		ask := object{"email": "script@example.org", "password": ringwalltest.Password, "bearer": true}
		for range 3 {
			s.Clock.Advance(2 * time.Hour)
			want(t, "a program signs in", program(t, s, "POST", "/auth/v1/login", "", ask), 200, "")
		}
		if n := mailsAbout(t, s, "script@example.org", "New sign-in"); n != 1 {
			t.Errorf("%d mails about three sign-ins of one program, want 1", n)
		}
	})
}

// S010: the link in the mail shuts everybody out and leads the owner back in, and nobody else.
func TestThisWasNotMe(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "victim@example.org"
		owner := s.SignIn(address)
		thief := s.Client()
		thief.SignIn(address, ringwalltest.Password)
		mail := mailAbout(t, s, address, "New sign-in", 1)
		want(t, "the thief asks for a reset", s.Client().Post("/auth/v1/password/forgot", object{"email": address}), 202, "")
		stolen := resetToken(t, s, address)

		stranger := s.Client()
		for range 2 {
			want(t, "the page behind the link", stranger.Get("/auth/not-me?token="+url.QueryEscape(mail.Token())), 200, "")
		}
		want(t, "looking has changed nothing", thief.Get("/"), 200, "")
		for _, token := range []string{"", "used", stolen, strings.ToUpper(mail.Token())} {
			want(t, "another token", stranger.Post("/auth/v1/not-me", object{"token": token + " "}), 422, "link-invalid")
		}
		want(t, "a link to choose a password is no such link", stranger.Post("/auth/v1/password/reset", object{"token": mail.Token(), "password": newPassword}), 422, "link-invalid")
		want(t, "not me", stranger.Post("/auth/v1/not-me", object{"token": mail.Token()}), 204, "")
		want(t, "once more", stranger.Post("/auth/v1/not-me", object{"token": mail.Token()}), 422, "link-invalid")
		want(t, "the thief", thief.Get("/"), 401, "unauthenticated")
		want(t, "the owner's session", owner.Get("/"), 401, "unauthenticated")
		want(t, "the pending reset link", stranger.Post("/auth/v1/password/reset", object{"token": stolen, "password": newPassword}), 422, "link-invalid")
		thief.CSRF, owner.CSRF = "", ""
		want(t, "the thief with the right password", login(thief, address, ringwalltest.Password), 403, "reset-required")
		sameAnswer(t, "a wrong password", login(s.Client(), address, "not the password, surely"), login(s.Client(), "nobody@example.org", "not the password, surely"))

		reset := mailAbout(t, s, address, "is secured", 1)
		again := owner.Post("/auth/v1/password/reset", object{"token": reset.Token(), "password": ringwalltest.Password})
		want(t, "the owner chooses the password that the thief knows", again, 422, "password-weak")
		if !strings.Contains(string(again.Body), `"field":"/password","code":"same"`) {
			t.Errorf("the old password again: %s", again.Body)
		}
		want(t, "the thief, still", login(thief, address, ringwalltest.Password), 403, "reset-required")
		want(t, "the owner chooses a password", owner.Post("/auth/v1/password/reset", object{"token": reset.Token(), "password": newPassword}), 204, "")
		want(t, "the old password", login(thief, address, ringwalltest.Password), 401, "login-failed")
		want(t, "the owner", login(owner, address, newPassword), 200, "")
	})
}

func TestFiftyParallelNotMeAreOne(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "fifty@example.org"
		s.SignIn(address)
		s.Client().SignIn(address, ringwalltest.Password)
		token := mailAbout(t, s, address, "New sign-in", 1).Token()
		c := s.Client()
		wins := fifty(func(int) bool {
			got, err := c.Try("POST", "/auth/v1/not-me", object{"token": token})
			return err == nil && got.Status == 204
		})
		if n := mailsAbout(t, s, address, "is secured"); wins != 1 || n != 1 {
			t.Errorf("fifty parallel uses of one link: %d succeeded with %d mails, want 1 and 1", wins, n)
		}
	})
}

func TestNotMeEndsAfterAWeek(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "week@example.org"
		s.SignIn(address)
		s.Client().SignIn(address, ringwalltest.Password)
		token := mailAbout(t, s, address, "New sign-in", 1).Token()
		s.Clock.Advance(7 * 24 * time.Hour)
		want(t, "after a week", s.Client().Post("/auth/v1/not-me", object{"token": token}), 422, "link-invalid")
		want(t, "the page after a week", s.Client().Get("/auth/not-me?token="+token), 422, "")
	})
}

// S010: whoever is signed in can do the same without a mail, if they have just proved who they are.
func TestSecureMyself(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "self@example.org"
		c := s.SignIn(address)
		other := s.Client()
		other.SignIn(address, ringwalltest.Password)
		want(t, "without a session", s.Client().Post("/auth/v1/me/secure", object{}), 401, "unauthenticated")
		forged := raw(t, s, "POST", "/auth/v1/me/secure", []byte("{}"), func(r *http.Request) {
			r.Header.Set("Cookie", "__Host-ringwall="+c.Cookie("__Host-ringwall"))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Origin", "https://evil.test")
		})
		want(t, "from another site", forged, 403, "csrf")
		s.Clock.Advance(6 * time.Minute)
		want(t, "not fresh", c.Post("/auth/v1/me/secure", object{}), 403, "fresh-required")
		want(t, "prove again", c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")
		want(t, "secure", c.Post("/auth/v1/me/secure", object{}), 204, "")
		want(t, "this session", c.Get("/"), 401, "unauthenticated")
		want(t, "the other", other.Get("/"), 401, "unauthenticated")
		c.CSRF = ""
		want(t, "the old password", login(c, address, ringwalltest.Password), 403, "reset-required")
		mailAbout(t, s, address, "is secured", 1)
	})
}

// A demanded reset: the right password says so and mails the way out once an hour, a wrong one says nothing.
func TestDemandedReset(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "demand@example.org"
		c := s.SignIn(address)
		operate(t, s, "user.demand-reset", object{"user": address})
		want(t, "the session", c.Get("/"), 401, "unauthenticated")
		mailAbout(t, s, address, "Choose a new password", 1)
		for range 2 {
			want(t, "the right password", login(s.Client(), address, ringwalltest.Password), 403, "reset-required")
		}
		sameAnswer(t, "a wrong one", login(s.Client(), address, "not the password, surely"), login(s.Client(), "nobody@example.org", "not the password, surely"))
		if n := mailsAbout(t, s, address, "Choose a new password"); n != 2 {
			t.Errorf("%d mails with a way out, want that of the operator and one for two sign-ins", n)
		}
		got := s.Client()
		want(t, "the page", got.Get("/auth/login"), 200, "")
		token := mailAbout(t, s, address, "Choose a new password", 2).Token()
		want(t, "choose", c.Post("/auth/v1/password/reset", object{"token": token, "password": newPassword}), 204, "")
		c.CSRF = ""
		want(t, "sign in", login(c, address, newPassword), 200, "")
	})
}

// S069: each of these acts leaves its event about the person, and no other.
func TestActsOfSafetyLeaveTheirEvents(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "acts@example.org"
		c := s.SignIn(address)
		s.Client().SignIn(address, ringwalltest.Password)
		notMe := mailAbout(t, s, address, "New sign-in", 1).Token()
		after := 0.0
		for range 2 { // the second for the event that the log was read
			for _, e := range tail(t, s, after) {
				after = e.Seq
			}
		}
		signIn := func() ringwalltest.Answer { return login(c, address, ringwalltest.Password) }
		for _, tt := range []struct {
			act    string
			do     func() ringwalltest.Answer
			status int
			events []string
		}{
			{"activity", func() ringwalltest.Answer { return c.Get("/auth/v1/me/activity") }, 200, nil},
			{"export", func() ringwalltest.Answer { return c.Get("/auth/v1/me/export") }, 200, []string{"user_exported person "}},
			{"delete", func() ringwalltest.Answer { return deletes(c, ringwalltest.Password) }, 202, []string{"user_archived person "}},
			{"sign in", func() ringwalltest.Answer { c.CSRF = ""; return signIn() }, 403, []string{"sensitive_read anonymous deletion pending"}},
			{"sign in again", signIn, 403, nil},
			{"keep", func() ringwalltest.Answer {
				return c.Post("/auth/v1/keep-account", object{"token": mailAbout(t, s, address, "will be deleted", 2).Token()})
			}, 204, []string{"user_restored anonymous "}},
			{"not me", func() ringwalltest.Answer { return c.Post("/auth/v1/not-me", object{"token": notMe}) }, 204, []string{"session_logout anonymous not me"}},
			{"the used link", func() ringwalltest.Answer { return c.Post("/auth/v1/not-me", object{"token": notMe}) }, 422, []string{"sequence_fail anonymous not-me link"}},
			{"sign in while a reset is demanded", signIn, 403, []string{"sensitive_read anonymous demanded"}},
			{"a command", func() ringwalltest.Answer {
				operate(t, s, "user.demand-reset", object{"user": address})
				return ringwalltest.Answer{}
			}, 0, []string{"authz_admin operator reset demanded"}},
		} {
			got := tt.do()
			if got.Status != tt.status {
				t.Fatalf("%s = %d, want %d\n%s", tt.act, got.Status, tt.status, got.Body)
			}
			var have []string
			for _, e := range tail(t, s, after) {
				after = e.Seq
				kind, _, _ := strings.Cut(e.Actor, ":")
				have = append(have, e.Event+" "+kind+" "+e.Reason)
				if e.Event != "sequence_fail" && e.User == "" || kind != "operator" && e.IP != "127.0.0.1" {
					t.Errorf("%s: the event is about %q, from %q", tt.act, e.User, e.IP)
				}
			}
			if strings.Join(have, "; ") != strings.Join(tt.events, "; ") {
				t.Errorf("%s left %q, want %q", tt.act, have, tt.events)
			}
		}
	})
}

// A demanded reset is the way out also where the old password cannot be read any more.
func TestADemandedResetReplacesWhatCannotBeRead(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "broken@example.org"
		s.SignUp(address)
		operate(t, s, "user.demand-reset", object{"user": address})
		link := mailAbout(t, s, address, "password", 1)
		if _, err := openDatabase(t, s).ExecContext(t.Context(), `UPDATE ringwall_users SET password = id`); err != nil {
			t.Fatal(err)
		}
		want(t, "a reset", s.Client().Post("/auth/v1/password/reset", object{"token": link.Token(), "password": newPassword}), 204, "")
		want(t, "a sign-in", login(s.Client(), address, newPassword), 200, "")
	})
}
