package e2e_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

// D13: a change of address gives the session another id, for browsers and for programs, and makes it no fresher than it was.
func TestChangeOfAddressRenewsTheSession(t *testing.T) {
	type answer struct {
		Session struct {
			ID         string
			FreshUntil string `json:"fresh_until"`
		}
		Token string
	}
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		for _, kind := range []string{"cookie", "page", "bearer"} {
			old := kind + "@example.org"
			c := s.SignIn(old)
			secret := func() string { return c.Cookie("__Host-ringwall") }
			if kind == "bearer" {
				c = s.Client()
				c.Header.Set("Authorization", "Basic none") // a program, which sends nothing of a browser
				var got answer
				c.Post("/auth/v1/login", object{"email": old, "password": ringwalltest.Password, "bearer": true}).Into(t, &got)
				c.Header.Set("Authorization", "Bearer "+got.Token)
				secret = func() string { return strings.TrimPrefix(c.Header.Get("Authorization"), "Bearer ") }
			}
			var before, after answer
			c.Get("/auth/v1/session").Into(t, &before)
			approve, confirm := asks(t, s, c, old, "new."+old)
			s.Clock.Advance(time.Minute)
			want(t, "one link", use(c, approve), 200, "")
			stolen := secret()
			got, status := ringwalltest.Answer{}, 200
			if kind == "page" {
				got, status = c.Post("/auth/change-email", url.Values{"token": {confirm}}), 303
			} else {
				got = use(c, confirm)
			}
			want(t, "the other link", got, status, "")
			if kind == "bearer" {
				var sent answer
				got.Into(t, &sent)
				c.Header.Set("Authorization", "Bearer "+sent.Token)
			} else if strings.Contains(string(got.Body), `"token"`) {
				t.Errorf("a browser is told its token: %s", got.Body)
			}
			c.Get("/auth/v1/session").Into(t, &after)
			if after.Session.ID == before.Session.ID || after.Session.FreshUntil != before.Session.FreshUntil || secret() == stolen {
				t.Errorf("%s: the session was %+v, and is %+v", kind, before, after)
			}
			want(t, "the token of the reply", c.Do("PATCH", "/auth/v1/me", object{"display_name": "Zoë"}), 200, "")
			thief := s.Client()
			if kind == "bearer" {
				thief.Header.Set("Authorization", "Bearer "+stolen)
			} else {
				thief.Header.Set("Cookie", "__Host-ringwall="+stolen)
			}
			want(t, "the token before", thief.Get("/auth/v1/session"), 401, "unauthenticated")
		}
	})
}
