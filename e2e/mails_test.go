package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

// fewMails lets strangers cause ten mails a minute.
func fewMails(o *ringwall.Options) {
	behindProxy(o)
	o.LimitMails = 10
}

// Mails of all strangers together have a budget: a hundred who ask at once from everywhere get what it has and no more, the same
// for those who have an account. Whoever has signed in on a device before gets their mail all the same, and a minute later
// everybody does.
func TestMailsOfStrangersHaveABudget(t *testing.T) {
	eachWith(t, fewMails, func(t *testing.T, s *ringwalltest.Server) {
		owner := s.SignIn("owner@example.org")
		s.Clock.Advance(2 * time.Minute)

		var sent atomic.Int64
		var asking sync.WaitGroup
		for i := range 100 {
			asking.Go(func() {
				body := object{"email": fmt.Sprintf("victim-%d@example.org", i)}
				got, err := from(s, fmt.Sprintf("198.51.%d.1", i)).Try("POST", "/auth/v1/password/forgot", body)
				switch {
				case err != nil:
					t.Error(err)
				case got.Status == 202:
					sent.Add(1)
				case got.Status != 429:
					t.Errorf("asking for a mail = %d, want 202 or 429\n%s", got.Status, got.Body)
				}
			})
		}
		asking.Wait()
		if sent.Load() != 10 {
			t.Errorf("%d mails were asked for, want the ten of the budget", sent.Load())
		}

		ask := func(c *ringwalltest.Client, path, address string) ringwalltest.Answer {
			body := object{"email": address}
			if path == "signup" {
				body["password"] = ringwalltest.Password
			}
			return c.Post("/auth/v1/"+path, body)
		}
		for _, path := range []string{"password/forgot", "email/resend", "signup"} {
			known, unknown := ask(from(s, "203.0.113.1"), path, "owner@example.org"), ask(from(s, "203.0.113.2"), path, "nobody@example.org")
			want(t, path, unknown, 429, "too-many-requests")
			sameAnswer(t, path+" for known and unknown", known, unknown)
			if got := unknown.Header.Get("Retry-After"); got != "60" {
				t.Errorf("%s: Retry-After = %q, want the minute", path, got)
			}
		}
		if shown := fmt.Sprint(operate(t, s, "limits.show", object{})["limits"]); !strings.Contains(shown, "layer:mails") || !strings.Contains(shown, "who:strangers") {
			t.Errorf("limits.show = %s", shown)
		}
		mails := len(s.Mails("owner@example.org"))
		want(t, "the owner's device", ask(owner, "password/forgot", "owner@example.org"), 202, "")
		s.Mail("owner@example.org", mails+1)

		alerted := operate(t, s, "alert.list", object{})["alerts"].([]any)
		for deadline := time.Now().Add(10 * time.Second); len(alerted) == 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			alerted = operate(t, s, "alert.list", object{})["alerts"].([]any)
		}
		if len(alerted) != 1 || alerted[0].(object)["kind"] != "mails" {
			t.Errorf("alerts = %v, want one about mails", alerted)
		}

		s.Clock.Advance(time.Minute + time.Second)
		if shown := operate(t, s, "limits.show", object{})["limits"].([]any); len(shown) != 0 {
			t.Errorf("limits.show a minute later = %v", shown)
		}
		want(t, "a minute later", ask(from(s, "203.0.113.3"), "password/forgot", "nobody@example.org"), 202, "")
	})
}

// Pain 23, the budget of one address: strangers everywhere cause at most twenty mails an hour to it, and hear nothing of that.
func TestMailsToOneAddressAreFew(t *testing.T) {
	eachWith(t, behindProxy, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("bombed@example.org")
		before := len(s.Mails("bombed@example.org"))
		for i := range 40 { // each from another network
			want(t, "forgot", from(s, fmt.Sprintf("198.51.%d.9", i)).Post("/auth/v1/password/forgot", object{"email": "bombed@example.org"}), 202, "")
		}
		s.Mail("bombed@example.org", before+20)
		time.Sleep(300 * time.Millisecond)
		if got := len(s.Mails("bombed@example.org")) - before; got != 20 {
			t.Errorf("%d mails, want 20", got)
		}
	})
}

// The budget of one network: what it asks for about one address, and about all of them.
func TestMailsOfOneNetworkAreFew(t *testing.T) {
	eachWith(t, proxied, func(t *testing.T, s *ringwalltest.Server) {
		c := from(s, "203.0.113.9")
		statuses := map[int]int{}
		for range 8 {
			statuses[c.Post("/auth/v1/password/forgot", object{"email": "one@example.org"}).Status]++
		}
		for i := range 20 {
			statuses[c.Post("/auth/v1/password/forgot", object{"email": fmt.Sprintf("other%d@example.org", i)}).Status]++
		}
		if statuses[202] != 17 || statuses[429] != 11 { // five of eight, then until the twenty of a minute are used up
			t.Errorf("the answers are %v", statuses)
		}
	})
}
