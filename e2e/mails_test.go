package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

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
