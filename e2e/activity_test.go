package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

type happened struct {
	At, Event, Description, Device, IP, By string
	Count                                  int
	Current                                bool
}

// activity reads a whole list, page by page.
func activity(t *testing.T, c *ringwalltest.Client, limit string) (all []happened) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Activity []happened
			Next     string
		}
		got := c.Get("/auth/v1/me/activity?limit=" + limit + "&cursor=" + cursor)
		want(t, "a page of activity", got, 200, "")
		got.Into(t, &page)
		all = append(all, page.Activity...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

func named(list []happened, event string) (found []happened) {
	for _, h := range list {
		if h.Event == event {
			found = append(found, h)
		}
	}
	return found
}

// S069: people see what happened to their account: what they did, what others tried, and that an administrator acted.
func TestOwnActivity(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		ada, eve := s.SignIn("ada@example.org"), s.SignIn("eve@example.org")
		for range 3 {
			s.Clock.Advance(61 * time.Second) // the first refusal of a minute has a row of its own
			c := s.Client()
			c.Header.Set("User-Agent", androidAgent)
			login(c, "ada@example.org", "not the password, surely")
		}
		operate(t, s, "user.grant", object{"user": "ada@example.org", "role": "editor"})
		s.Clock.Advance(time.Second)
		ada.CSRF = ""
		ada.Get("/auth/v1/session")
		want(t, "prove again", ada.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")

		list := activity(t, ada, "100")
		for i := 1; i < len(list); i++ {
			if list[i].At > list[i-1].At {
				t.Errorf("%s stands after %s", list[i].At, list[i-1].At)
			}
		}
		if fails := named(list, "authn_login_fail"); len(fails) != 1 || fails[0].Count != 3 || fails[0].Device != "Chrome on Android" || fails[0].IP != "127.0.0.1" {
			t.Errorf("failed sign-ins are %+v, want one line for three", fails)
		}
		if roles := named(list, "authz_change"); len(roles) != 1 || roles[0].By != "an administrator" || roles[0].IP != "" || strings.Contains(roles[0].By, "tester") {
			t.Errorf("the change of roles is %+v, want it by an administrator, without a name or place", roles)
		}
		if in := named(list, "authn_login_success"); len(in) != 1 || in[0].Device != "Chrome on Linux" || in[0].IP != "127.0.0.1" {
			t.Errorf("sign-ins are %+v", in)
		}
		if len(named(list, "user_created")) != 1 || len(named(list, "session_created")) != 0 {
			t.Errorf("the list is %+v", list)
		}
		if paged := activity(t, ada, "1"); len(named(paged, "authn_login_fail")) != 3 || len(paged) != len(list)+2 {
			t.Errorf("one by one there are %d lines, want %d with each failure", len(paged), len(list)+2)
		}
		if other := activity(t, eve, "100"); len(named(other, "authn_login_fail"))+len(named(other, "authz_change")) != 0 {
			t.Errorf("eve sees %+v", other)
		}

		// A cursor belongs to its owner, and is not to be guessed.
		var page struct{ Next string }
		ada.Get("/auth/v1/me/activity?limit=1").Into(t, &page)
		for name, query := range map[string]string{
			"somebody else's": "cursor=" + page.Next, "a bent one": "cursor=" + bend(page.Next), "a number": "cursor=12", "no limit": "limit=0", "too much": "limit=101", "no number": "limit=ten",
		} {
			want(t, name, eve.Get("/auth/v1/me/activity?"+query), 422, "invalid")
		}
		want(t, "nobody", s.Client().Get("/auth/v1/me/activity"), 401, "unauthenticated")
		body := string(ada.Get("/auth/account/activity").Body)
		for _, part := range []string{"Wrong passwords were typed: 3 times", "Your roles were changed", "an administrator", "127.0.0.1", "UTC"} {
			if !strings.Contains(body, part) {
				t.Errorf("the page lacks %q", part)
			}
		}
	})
}

// What somebody else did from a new place asks whether it was not you, and leads to the act.
func TestSuspiciousActivityLeadsToTheAct(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		ada := s.SignIn("ada@example.org")
		if body := string(ada.Get("/auth/account/activity").Body); strings.Contains(body, "Was this not you?") {
			t.Error("the own sign-in is doubted")
		}
		thief := s.Client()
		thief.Header.Set("User-Agent", androidAgent)
		thief.SignIn("ada@example.org", ringwalltest.Password)
		body := string(ada.Get("/auth/account/activity").Body)
		if strings.Count(body, "Was this not you?") != 1 || !strings.Contains(body, `href="/auth/account/secure"`) {
			t.Errorf("the other sign-in is not doubted:\n%s", body)
		}
	})
}
