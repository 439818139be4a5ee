package e2e_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/ringwalltest"
)

type me struct {
	ID                string   `json:"id"`
	Email             string   `json:"email"`
	DisplayName       string   `json:"display_name"`
	Language          string   `json:"language"`
	Roles             []string `json:"roles"`
	PasswordChangedAt string   `json:"password_changed_at"`
}

func myself(t *testing.T, c *ringwalltest.Client) (out me) {
	t.Helper()
	got := c.Get("/auth/v1/me")
	want(t, "GET me", got, 200, "")
	got.Into(t, &out)
	return out
}

func TestProfile(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("profile@example.org")
		before := myself(t, c)
		if before.Email != "profile@example.org" || before.Language != "" || before.Roles == nil || before.PasswordChangedAt == "" {
			t.Errorf("GET me = %+v", before)
		}
		want(t, "name and language", c.Do("PATCH", "/auth/v1/me", object{"display_name": "  Zoë ", "language": "de"}), 200, "")
		want(t, "nothing", c.Do("PATCH", "/auth/v1/me", object{}), 200, "")
		want(t, "the name alone", c.Do("PATCH", "/auth/v1/me", object{"display_name": "Zoë Z."}), 200, "")
		if got := myself(t, c); got.DisplayName != "Zoë Z." || got.Language != "de" {
			t.Errorf("after changes: %+v", got)
		}
		// The next request of another session knows it too.
		if got := myself(t, signedIn(s, "profile@example.org")); got.DisplayName != "Zoë Z." {
			t.Errorf("another session sees %+v", got)
		}
		changes := 0
		for _, e := range events(t, s, "user_updated") {
			if e["reason"] != "profile" || e["actor"] != "person:"+before.ID || e["user"] != before.ID {
				t.Errorf("the event is %v", e)
			}
			changes++
		}
		if changes != 2 {
			t.Errorf("%d events of changed profiles, want 2: changing nothing is none", changes)
		}
	})
}

// signedIn is another browser of somebody who has an account.
func signedIn(s *ringwalltest.Server, address string) *ringwalltest.Client {
	c := s.Client()
	c.SignIn(address, ringwalltest.Password)
	return c
}

// events are the rows of the audit log with a name, newest last.
func events(t *testing.T, s *ringwalltest.Server, name string) (found []object) {
	t.Helper()
	for _, row := range operate(t, s, "audit.tail", object{"limit": 1000})["events"].([]any) {
		if row := row.(object); row["event"] == name {
			found = append(found, row)
		}
	}
	return found
}

// Advisory 20: a profile takes what its owner may choose, and nothing else.
func TestProfileTakesNoRightsAndNoProofs(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c, other := s.SignIn("mass@example.org"), s.SignIn("other@example.org")
		before := myself(t, c)
		for name, value := range map[string]any{
			"email_verified": true, "verified": true, "role": "admin", "roles": []string{"admin"}, "tenant": "x", "mfa": true, "email": "new@example.org",
			"id": myself(t, other).ID, "user_id": myself(t, other).ID, "password": newPassword, "created_at": "2020-01-01T00:00:00Z", "locked": false,
			"Display_Name": "x", "language ": "de", "__proto__": object{"role": "admin"},
		} {
			want(t, name, c.Do("PATCH", "/auth/v1/me", object{"display_name": "Mallory", name: value}), 422, "invalid")
		}
		for _, body := range []object{{"language": "fr"}, {"language": "de-AT"}, {"language": nil}, {"display_name": nil}, {"display_name": "<b>"}, {"display_name": strings.Repeat("é", 101)}, {"display_name": []string{"x"}}} {
			if got := c.Do("PATCH", "/auth/v1/me", body); got.Code() != "invalid" {
				t.Errorf("%v = %d %q, want 422", body, got.Status, got.Code())
			}
		}
		if after := myself(t, c); after.DisplayName != before.DisplayName || after.Email != before.Email || len(after.Roles) != 0 {
			t.Errorf("the account is %+v, and was %+v", after, before)
		}
		if len(events(t, s, "malicious_extraneous")) == 0 {
			t.Error("what no client of ours sends left no event")
		}
		if len(events(t, s, "user_updated")) != 0 {
			t.Error("a refused change left an event of a change")
		}
		want(t, "without a session", s.Client().Do("PATCH", "/auth/v1/me", object{"display_name": "x"}), 401, "unauthenticated")
		forged := signedIn(s, "mass@example.org")
		forged.CSRF = ""
		want(t, "without a token", forged.Do("PATCH", "/auth/v1/me", object{"display_name": "x"}), 403, "csrf")
		forged.Header.Set("Origin", "https://evil.test")
		want(t, "from a foreign page", forged.Do("PATCH", "/auth/v1/me", object{"display_name": "x"}), 403, "csrf")
	})
}

// What somebody has chosen decides pages and mails, whoever causes them: an operator asks for no language, a stranger
// for theirs.
func TestChosenLanguageDecidesPagesAndMails(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "sprache@example.org"
		c := s.SignIn(address)
		c.Header.Set("Accept-Language", "en")
		c.Header.Set("Accept", "text/html")
		page := c.Get("/auth/account")
		if !strings.Contains(string(page.Body), `<html lang="en">`) {
			t.Errorf("before the choice the page is not in the browser's language:\n%.300s", page.Body)
		}
		form := url.Values{"csrf_token": {formToken(t, page)}, "display_name": {"Änne"}, "language": {"de"}}
		if got := c.Do("POST", "/auth/account/profile", form); got.Status != 303 {
			t.Fatalf("the form = %d\n%s", got.Status, got.Body)
		}
		if page := c.Get("/auth/account"); !strings.Contains(string(page.Body), `<html lang="de">`) || !strings.Contains(string(page.Body), "Änne") {
			t.Errorf("after the choice the page is not German:\n%.300s", page.Body)
		}
		stranger := s.Client()
		stranger.Header.Set("Accept-Language", "en")
		stranger.Header.Set("Accept", "text/html")
		if page := stranger.Get("/auth/login"); !strings.Contains(string(page.Body), `<html lang="en">`) {
			t.Error("before sign-in the browser decides no more")
		}
		stranger.Header.Set("Accept", "application/json")
		mails := len(s.Mails(address))
		german := func(what, subject string) {
			t.Helper()
			mails++
			if got := s.Mail(address, mails); !strings.Contains(got.Subject, subject) || !strings.Contains(got.HTML, `<html lang="de">`) {
				t.Errorf("%s: the mail is %q, want %q", what, got.Subject, subject)
			}
		}
		want(t, "forgot", stranger.Post("/auth/v1/password/forgot", object{"email": address}), 202, "")
		german("a stranger asks for a link", "Wählen Sie ein neues Passwort")
		want(t, "sign up", signUp(stranger, address, ringwalltest.Password), 202, "")
		german("a stranger signs up", "Sie haben schon ein Konto")
		operate(t, s, "user.lock", object{"user": address, "reason": "x"})
		german("an operator locks", "ist gesperrt")
		if user := operate(t, s, "user.show", object{"user": address})["user"].(object); user["language"] != "de" {
			t.Errorf("user.show = %v", user)
		}
	})
}
