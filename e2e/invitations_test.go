package e2e_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// invitation waits for an invitation, the newest, and returns the token of its link.
func invitation(t *testing.T, s *ringwalltest.Server, address string, count int) string {
	t.Helper()
	mail := s.Mail(address, count)
	for _, link := range mail.Links {
		if u, err := url.Parse(link); err == nil && u.Path == "/auth/signup" && strings.HasPrefix(link, s.URL+"/") {
			return u.Query().Get("invitation")
		}
	}
	t.Fatalf("the mail to %s holds no invitation:\n%s", address, mail.Text)
	return ""
}

func accept(token string) object {
	return object{"token": token, "password": ringwalltest.Password, "display_name": "Ann"}
}

func TestInvitations(t *testing.T) {
	eachWith(t, func(o *ringwall.Options) { o.Signup = "invite" }, func(t *testing.T, s *ringwalltest.Server) {
		admin := administrator(t, s, "admin@example.org")
		got := admin.Post("/auth/v1/admin/invitations", object{"email": "Ann@Example.org", "role": "support", "reason": "joins the team", "language": "de"})
		want(t, "invite", got, 201, "")
		token := invitation(t, s, "Ann@example.org", 1)
		if strings.Contains(string(got.Body), token) {
			t.Error("the administrator learns the link")
		}
		if mail := s.Mail("Ann@example.org", 1); !strings.Contains(mail.Subject, "eingeladen") || strings.Contains(mail.Text, "127.0.0.1\n") || strings.Contains(mail.Text, "joins") {
			t.Errorf("the mail says %q\n%s", mail.Subject, mail.Text)
		}
		var list struct {
			Invitations []struct{ ID, Email, Role, InvitedBy string }
		}
		listed := admin.Get("/auth/v1/admin/invitations")
		listed.Into(t, &list)
		if len(list.Invitations) != 1 || list.Invitations[0].Email != "Ann@example.org" || list.Invitations[0].Role != "support" || strings.Contains(string(listed.Body), token) {
			t.Errorf("the list of invitations: %s", listed.Body)
		}

		c := s.Client()
		c.Header.Set("Accept", "text/html")
		for range 2 { // looking uses nothing up: mail scanners look
			page := c.Get("/auth/signup?invitation=" + token)
			if page.Status != 200 || !strings.Contains(string(page.Body), "Ann@example.org") {
				t.Fatalf("the page behind the link = %d\n%s", page.Status, page.Body)
			}
		}
		c = s.Client()
		want(t, "a weak password", c.Post("/auth/v1/signup/invitation", object{"token": token, "password": "short"}), 422, "password-weak")
		want(t, "a role of one's own", c.Post("/auth/v1/signup/invitation", object{"token": token, "password": ringwalltest.Password, "role": "admin"}), 422, "invalid")
		want(t, "another address", c.Post("/auth/v1/signup/invitation", object{"token": token, "password": ringwalltest.Password, "email": "eve@example.org"}), 422, "invalid")
		want(t, "accept", c.Post("/auth/v1/signup/invitation", accept(token)), 204, "")
		want(t, "nobody is signed in", c.Get("/auth/v1/session"), 401, "unauthenticated")
		want(t, "accept twice", c.Post("/auth/v1/signup/invitation", accept(token)), 422, "link-invalid")
		var me struct {
			User struct {
				Email, DisplayName string
				Roles              []string
			}
		}
		c.SignIn("ann@example.org", ringwalltest.Password).Into(t, &me)
		if me.User.Email != "Ann@example.org" || !slices.Equal(me.User.Roles, []string{"support"}) {
			t.Errorf("the account is %+v", me.User)
		}
		var events []string
		for _, e := range tail(t, s, 0) {
			if e.Private["role"] != nil || e.Event == "user_created" {
				role, _ := e.Private["role"].(string)
				events = append(events, strings.TrimSpace(e.Event+" "+e.Reason+" "+role))
			}
		}
		if wanted := []string{"user_created by operator", "authz_admin invited support", "authz_change granted support", "user_created invited"}; !slices.Equal(events, wanted) {
			t.Errorf("events %q, want %q", events, wanted)
		}

		// Whoever has an account is granted nothing, and the administrator is told.
		want(t, "invite who is there", admin.Post("/auth/v1/admin/invitations", object{"email": "ANN@example.org", "role": "admin", "reason": "x"}), 409, "conflict")
		if mails := s.Mails("ann@example.org"); len(mails) != 1 {
			t.Errorf("%d mails, want the invitation alone", len(mails))
		}
	})
}

func TestFiftyParallelAcceptancesMakeOneAccount(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		operate(t, s, "user.invite", object{"email": "ann@example.org", "role": "support"})
		token := invitation(t, s, "ann@example.org", 1)
		made := fifty(func(int) bool {
			for {
				got, err := s.Client().Try("POST", "/auth/v1/signup/invitation", accept(token))
				if err != nil {
					t.Error(err)
					return false
				}
				if got.Code() != "busy" { // the queue was full: this try was none
					return got.Status == 204
				}
			}
		})
		if made != 1 {
			t.Errorf("%d of fifty made an account, want 1", made)
		}
	})
}

func TestInvitationsThatWorkNoMore(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		admin, other := administrator(t, s, "admin@example.org"), administrator(t, s, "other@example.org")
		invite := func(by *ringwalltest.Client, address string) (id, token string) {
			t.Helper()
			got := by.Post("/auth/v1/admin/invitations", object{"email": address, "role": "admin", "reason": "x"})
			want(t, "invite "+address, got, 201, "")
			var made struct{ ID string }
			got.Into(t, &made)
			return made.ID, invitation(t, s, address, 1)
		}
		refused := func(what, token string) {
			t.Helper()
			want(t, what, s.Client().Post("/auth/v1/signup/invitation", accept(token)), 422, "link-invalid")
		}
		refused("no token of ours", "AAAA")

		id, token := invite(admin, "revoked@example.org")
		want(t, "revoke", admin.Do("DELETE", "/auth/v1/admin/invitations/"+id, object{"reason": "a mistake"}), 204, "")
		want(t, "revoke twice", admin.Do("DELETE", "/auth/v1/admin/invitations/"+id, object{"reason": "again"}), 404, "not-found")
		refused("revoked", token)

		_, token = invite(admin, "replaced@example.org")
		want(t, "invite again", admin.Post("/auth/v1/admin/invitations", object{"email": "Replaced@example.org", "reason": "x"}), 201, "")
		refused("replaced", token)

		_, token = invite(other, "planted@example.org")
		operate(t, s, "user.revoke", object{"user": "other@example.org", "role": "admin"})
		refused("of somebody who was an administrator", token)
		_, token = invite(admin, "planted2@example.org")
		operate(t, s, "user.grant", object{"user": "other@example.org", "role": "admin"})
		operate(t, s, "user.lock", object{"user": "admin@example.org", "reason": "x"})
		refused("of somebody who is locked", token)
		operate(t, s, "user.unlock", object{"user": "admin@example.org"})
		admin.SignIn("admin@example.org", ringwalltest.Password)
		other.SignIn("other@example.org", ringwalltest.Password)
		_, token = invite(other, "planted3@example.org")
		operate(t, s, "user.delete", object{"user": "other@example.org", "now": true})
		refused("of somebody who is deleted", token)
		_, token = invite(admin, "gone@example.org")
		s.SignUp("gone@example.org")
		operate(t, s, "user.delete", object{"user": "gone@example.org", "now": true})
		refused("of an address whose account came without it and is deleted", token)

		_, token = invite(admin, "signedup@example.org")
		s.SignUp("signedup@example.org")
		refused("of an address that has an account by now", token)
		if roles := operate(t, s, "user.show", object{"user": "signedup@example.org"})["user"].(object)["roles"].([]any); len(roles) != 0 {
			t.Errorf("who signed up has the roles %v, want none", roles)
		}

		_, token = invite(admin, "reset@example.org")
		want(t, "an invitation is no reset", s.Client().Post("/auth/v1/password/reset", object{"token": token, "password": newPassword}), 422, "link-invalid")
		s.Client().Post("/auth/v1/password/forgot", object{"email": "admin@example.org"})
		refused("a reset is no invitation", resetToken(t, s, "admin@example.org"))

		_, token = invite(admin, "late@example.org")
		s.Clock.Advance(73 * time.Hour)
		refused("expired", token)
		if got := operate(t, s, "user.show", object{"user": "signedup@example.org"}); got["user"] == nil {
			t.Error("the others are gone too")
		}

		fresh := administrator(t, s, "fresh@example.org")
		for name, body := range map[string]object{
			"no address":   {"email": "ann at example", "reason": "x"},
			"no reason":    {"email": "ann@example.org", "reason": " "},
			"no role":      {"email": "ann@example.org", "reason": "x", "role": "No Role"},
			"for too long": {"email": "ann@example.org", "reason": "x", "expires_at": s.Clock.Now().Add(31 * 24 * time.Hour).UTC().Format(time.RFC3339)},
			"for nothing":  {"email": "ann@example.org", "reason": "x", "expires_at": "2020-01-01T00:00:00Z"},
			"no time":      {"email": "ann@example.org", "reason": "x", "expires_at": "tomorrow"},
		} {
			want(t, name, fresh.Post("/auth/v1/admin/invitations", body), 422, "invalid")
		}
	})
}

// Closed and by invitation: nobody signs up, whether they have an account or not, by API and by page.
func TestSignUpIsOpenToWhomTheSettingSays(t *testing.T) {
	for _, mode := range []string{"invite", "closed"} {
		t.Run(mode, func(t *testing.T) {
			s := ringwalltest.StartApp(t, ringwall.Options{Signup: mode}, application)
			someone(t, s, "known@example.org")
			before := len(s.Mails("known@example.org"))
			known := s.Client().Post("/auth/v1/signup", object{"email": "known@example.org", "password": ringwalltest.Password})
			unknown := s.Client().Post("/auth/v1/signup", object{"email": "unknown@example.org", "password": ringwalltest.Password})
			want(t, "sign up", known, 403, "signup-closed")
			sameAnswer(t, "sign up", known, unknown)
			c := s.Client()
			c.Header.Set("Accept", "text/html")
			page := c.Get("/auth/signup")
			if page.Status != 403 || !strings.Contains(string(page.Body), "Sign-up is closed") || !strings.Contains(string(page.Body), "invitation") {
				t.Errorf("the page = %d\n%s", page.Status, page.Body)
			}
			if after := len(s.Mails("known@example.org")) + len(s.Mails("unknown@example.org")); after != before {
				t.Errorf("%d mails more", after-before)
			}
			_, err := s.Ringwall.Operate(t.Context(), "tester", "user.invite", []byte(`{"email":"ann@example.org"}`))
			if (err != nil) != (mode == "closed") {
				t.Errorf("an invitation with %s: %v", mode, err)
			}
		})
	}
}

// Only the listed domains sign up, in any spelling of them; nothing that looks like one does.
func TestOnlyListedDomainsSignUp(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{Signup: "domains", SignupDomains: []string{"Example.org", "bücher.example"}}, application)
	for address, admitted := range map[string]bool{
		"a@example.org": true, "b@EXAMPLE.ORG": true, "c@ｅxample.org": true, "d@bücher.example": true, "e@xn--bcher-kva.example": true, "f@BÜCHER.example": true,

		"a@sub.example.org": false, "a@evil-example.org": false, "a@example.org.evil.test": false, "a@example.orgx": false, "a@xexample.org": false, "a@example.com": false,
		"a+@example.org.test": false, "a%40example.org@evil.test": false, "example.org@evil.test": false, "a@example": false, "a@bucher.example": false, "a@xn--bcher-kva.example.org": false,
		"a@exаmple.org":           false, // a Cyrillic а
		"a@evil.test@example.org": false, "a@example.org@evil.test": false, "\"a@evil.test\"@example.org": false, "a@evil.test,b@example.org": false, "a@evil.test\x00@example.org": false,
	} {
		got := s.Client().Post("/auth/v1/signup", object{"email": address, "password": ringwalltest.Password})
		if (got.Status == 202) != admitted || !admitted && got.Code() != "signup-closed" && got.Code() != "invalid" {
			t.Errorf("sign up with %q = %d %q, want admitted: %v", address, got.Status, got.Code(), admitted)
		}
	}
	someone(t, s, "known@evil.test")
	sameAnswer(t, "an address of another domain", s.Client().Post("/auth/v1/signup", object{"email": "known@evil.test", "password": ringwalltest.Password}),
		s.Client().Post("/auth/v1/signup", object{"email": "unknown@evil.test", "password": ringwalltest.Password}))
	operate(t, s, "user.invite", object{"email": "guest@evil.test"}) // an operator may
	want(t, "a guest", s.Client().Post("/auth/v1/signup/invitation", accept(invitation(t, s, "guest@evil.test", 1))), 204, "")
}

// A sign-up that was asked for when it was open is not confirmed after it was closed.
func TestASignUpThatWaitsIsHeldAgainstTheMode(t *testing.T) {
	db := testdb.Postgres(t)
	o := ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey)}
	open := ringwalltest.StartApp(t, o, application)
	c := open.Client()
	want(t, "sign up", c.Post("/auth/v1/signup", object{"email": "ann@example.org", "password": ringwalltest.Password}), 202, "")
	mail := open.Mail("ann@example.org", 1)
	o.Signup = "closed"
	closed := ringwalltest.StartApp(t, o, application)
	body := object{"token": mail.Token(), "password": ringwalltest.Password}
	want(t, "confirm at a node where sign-up is closed", closed.Client().Post("/auth/v1/email/verify", body), 403, "signup-closed")
	body = object{"email": "ann@example.org", "code": mail.Code, "password": ringwalltest.Password}
	want(t, "confirm by code there", closed.Client().Post("/auth/v1/email/verify", body), 403, "signup-closed")
	want(t, "confirm where it is open", c.Post("/auth/v1/email/verify", object{"token": mail.Token()}), 204, "")
}
