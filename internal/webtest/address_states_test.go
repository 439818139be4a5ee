package webtest_test

import (
	"strings"
	"testing"

	"github.com/ringwall/ringwall/ringwalltest"
)

const newAnn = "ann.example@example.net"

// moving signs Ann in, asks for another address and waits for both mails.
func moving(then func(s *ringwalltest.Server, b *browser) *browser) func(*testing.T) *browser {
	return func(t *testing.T) *browser {
		s, _ := picturesque(t, "")
		s.SignUp(ann)
		b := open(t, s.URL, as{address: home})
		b.signIn(ann, ringwalltest.Password)
		asksForAddress(b)
		s.Mail(ann, 2)
		s.Mail(newAnn, 1)
		return then(s, b)
	}
}

func linkTo(s *ringwalltest.Server, address string) string {
	return strings.TrimPrefix(s.Mails(address)[0].Links[0], s.URL)
}

func addressStates() []state {
	return []state{
		{"account-email-asked", moving(func(_ *ringwalltest.Server, b *browser) *browser { return b })},
		{"account-email-half", moving(func(s *ringwalltest.Server, b *browser) *browser {
			b.visit(link(s))
			b.press("Approve the new address")
			b.sees("This address agrees", "Agreed")
			return b
		})},
		{"account-email-cancelled", moving(func(_ *ringwalltest.Server, b *browser) *browser {
			b.press("Cancel this change")
			b.sees("The change of address is cancelled")
			b.seesNot(newAnn)
			return b
		})},
		{"account-email-changed", moving(func(s *ringwalltest.Server, b *browser) *browser {
			b.visit(linkTo(s, newAnn))
			b.press("Confirm this address")
			b.visit(link(s))
			b.press("Approve the new address")
			b.sees("Your address is changed", newAnn)
			return b
		})},
		{"change-email-approve", moving(func(s *ringwalltest.Server, b *browser) *browser {
			b.visit(link(s))
			b.sees("Approve your new address", newAnn)
			return b
		})},
		{"change-email-confirm", moving(func(s *ringwalltest.Server, b *browser) *browser {
			b.visit(linkTo(s, newAnn))
			b.sees("Confirm your new address", ann)
			return b
		})},
		{"change-email-password", moving(func(s *ringwalltest.Server, b *browser) *browser {
			other := open(b.t, s.URL, as{address: home})
			other.visit(linkTo(s, newAnn))
			other.sees("You are not signed in here")
			other.seesNot(ann)
			return other
		})},
		{"change-email-other", moving(func(s *ringwalltest.Server, b *browser) *browser {
			s.SignUp("bob@example.org")
			other := open(b.t, s.URL, as{address: home})
			other.signIn("bob@example.org", ringwalltest.Password)
			other.visit(link(s))
			other.sees("You are signed in to another account")
			return other
		})},
		{"change-email-spent", visiting("/auth/change-email?token=used")},
	}
}
