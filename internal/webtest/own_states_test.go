package webtest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

// path is the link of the newest mail whose subject has the words, as a path.
func path(t *testing.T, s *ringwalltest.Server, words string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for _, m := range s.Mails(ann) {
			if strings.Contains(m.Subject, words) {
				return strings.TrimPrefix(m.Links[0], s.URL)
			}
		}
	}
	t.Fatalf("no mail about %q after %v", words, patience)
	return ""
}

// owning signs Ann in, and goes on with that.
func owning(then func(s *ringwalltest.Server, b *browser)) func(*testing.T) *browser {
	return func(t *testing.T) *browser {
		s, _ := picturesque(t, "")
		s.SignUp(ann)
		b := open(t, s.URL, as{address: home})
		b.signIn(ann, ringwalltest.Password)
		then(s, b)
		return b
	}
}

// intruder signs in as Ann from elsewhere.
func intruder(t *testing.T, s *ringwalltest.Server) {
	t.Helper()
	c := s.Client()
	c.Header.Set("User-Agent", onAndroid)
	c.Header.Set("X-Forwarded-For", "198.51.100.7")
	c.SignIn(ann, ringwalltest.Password)
}

func ownStates() []state {
	return []state{
		{"activity", household(func(b *browser) {
			b.visit("/auth/account/activity")
			b.sees("Activity", "Signed in", "Was this not you?")
		})},
		{"secure", owning(func(_ *ringwalltest.Server, b *browser) {
			b.visit("/auth/account/secure")
			b.sees("Sign out everywhere?")
		})},
		{"data", owning(func(_ *ringwalltest.Server, b *browser) {
			b.visit("/auth/account/data")
			b.sees("Download my data", "14 days")
		})},
		{"data-error", owning(func(_ *ringwalltest.Server, b *browser) {
			b.visit("/auth/account/data")
			b.fill("Password", second)
			b.press("Delete my account")
			b.sees("This is not your password")
		})},
		{"not-me", owning(func(s *ringwalltest.Server, b *browser) {
			intruder(b.t, s)
			b.visit(path(b.t, s, "New sign-in"))
			b.sees("This was not you?", ann)
		})},
		{"not-me-done", owning(func(s *ringwalltest.Server, b *browser) {
			intruder(b.t, s)
			b.visit(path(b.t, s, "New sign-in"))
			b.press("Secure the account")
			b.sees("Every device is signed out")
		})},
		{"not-me-spent", visiting("/auth/not-me?token=used", answered(http.StatusUnprocessableEntity))},
		{"login-reset-required", owning(func(_ *ringwalltest.Server, b *browser) {
			b.visit("/auth/account/secure")
			b.press("Sign out everywhere")
			b.fill("Email address", ann)
			b.fill("Password", ringwalltest.Password)
			b.press("Sign in")
			b.sees("Your password no longer works")
		})},
		{"keep-account", owning(func(s *ringwalltest.Server, b *browser) {
			b.visit("/auth/account/data")
			b.fill("Password", ringwalltest.Password)
			b.press("Delete my account")
			b.sees("waits to be deleted")
			b.visit(path(b.t, s, "will be deleted"))
			b.sees("Keep your account?", ann)
		})},
		{"login-deletion-pending", owning(func(_ *ringwalltest.Server, b *browser) {
			b.visit("/auth/account/data")
			b.fill("Password", ringwalltest.Password)
			b.press("Delete my account")
			b.fill("Email address", ann)
			b.fill("Password", ringwalltest.Password)
			b.press("Sign in")
			b.sees("waits to be deleted")
		})},
	}
}
