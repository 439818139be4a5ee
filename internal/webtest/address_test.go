package webtest_test

import (
	"testing"

	"github.com/ringwall/ringwall/ringwalltest"
)

// Somebody says how they are called, asks for another address, thinks again, and moves after all: by what is written on
// the pages, with script and without.
func TestProfileAndAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		noScript bool
	}{{"with script", false}, {"without script", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.SignUp(ann)
			b := open(t, s.URL, as{noScript: tt.noScript})
			b.signIn(ann, ringwalltest.Password)
			b.fill("Your name", "Ann of the Otters")
			b.press("Save profile")
			b.sees("Your name and language are saved.", "Ann of the Otters")
			asksForAddress(b)
			b.press("Cancel this change")
			b.sees("The change of address is cancelled.", "Change address")
			b.seesNot(newAnn)
			asksForAddress(b)
			s.Mail(ann, 3)
			s.Mail(newAnn, 2)
			b.visit(link(s))
			b.sees("Approve your new address", ann, newAnn)
			b.press("Approve the new address")
			b.at("/auth/account")
			b.sees("This address agrees.", "Agreed")
			elsewhere := open(t, s.URL, as{agent: onPhone, noScript: tt.noScript})
			elsewhere.visit(linkTo(s, newAnn))
			elsewhere.press("Confirm this address")
			elsewhere.sees("Enter your password.")
			elsewhere.fill("Password of that account", ringwalltest.Password)
			elsewhere.press("Confirm this address")
			elsewhere.at("/auth/login")
			elsewhere.sees("Your address is changed, and every device is signed out.")
			elsewhere.signIn(newAnn, ringwalltest.Password)
			elsewhere.sees("Ann of the Otters", newAnn)
			elsewhere.seesNot(ann)
			b.visit("/auth/account") // its very next request
			b.at("/auth/login")
		})
	}
}

func asksForAddress(b *browser) {
	b.t.Helper()
	b.press("Change address")
	b.at("/auth/account/email")
	b.fill("New email address", newAnn)
	b.fill("Current password", ringwalltest.Password)
	b.press("Send both links")
	b.at("/auth/account")
	b.sees("Check both mailboxes", "Waiting to become your address", newAnn)
}
