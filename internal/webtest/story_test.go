package webtest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

// start runs a server with an application behind it.
func start(t *testing.T) *ringwalltest.Server {
	t.Helper()
	return ringwalltest.StartApp(t, ringwall.Options{}, application, "GET /{$}", "GET /favicon.ico")
}

var application = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/favicon.ico" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<!doctype html><html lang=en><title>Invoices</title><h1>Invoices</h1>"))
})

const (
	ann      = "ann@example.org"
	first    = "seven quiet otters swim"
	second   = "nine loud geese are walking"
	third    = "eleven tired badgers rest"
	shortOne = "too short"
)

// The way of somebody who has never been here, from sign-up to a new password, as a person goes it: by what is written
// on the pages. With script and without.
func TestStory(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		noScript bool
	}{{"with script", false}, {"without script", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			b := open(t, s.URL, as{noScript: tt.noScript})
			signsUp(b)
			s.Mail(ann, 1)
			confirmsByLink(b)
			b.fill("Email address", ann)
			b.fill("Password", first)
			b.press("Sign in")
			b.at("/auth/account")
			b.sees("Ann Example", ann, "Chrome on Linux", "This device", "You are signed in on this device only.")
			revokesOne(b, open(t, s.URL, as{agent: onAndroid, noScript: tt.noScript}))
			revokesAll(b, open(t, s.URL, as{agent: onWindows, noScript: tt.noScript}), open(t, s.URL, as{agent: onPhone, noScript: tt.noScript}))
			changesPassword(b, open(t, s.URL, as{agent: onMac, noScript: tt.noScript}))
			asksForNewPassword(b)
			resets(b, path(t, s, "Choose a new password"))
			b.signIn(ann, third)
		})
	}
}

func signsUp(b *browser) {
	b.t.Helper()
	b.visit("/auth/login")
	b.press("Create an account")
	b.at("/auth/signup")
	b.fill("Your name", "Ann Example")
	b.fill("Email address", ann)
	b.fill("Password", shortOne)
	if status := b.press("Create account"); status != http.StatusUnprocessableEntity {
		b.t.Errorf("a short password is answered %d, want 422", status)
	}
	b.sees("There is a problem", "at least 15 characters")
	b.fill("Password", first)
	b.press("Create account")
	b.at("/auth/check-mail")
	b.sees("Check your mail", ann, "spam")
}

func confirmsByLink(b *browser) {
	b.t.Helper()
	b.visit("/auth/dev/mail")
	b.sees(ann)
	b.press("Open the link")
	b.at("/auth/verify-email")
	b.sees("Confirm your address", ann)
	if b.count("input[type=password]") != 0 {
		b.t.Error("the browser that signed up is asked for the password")
	}
	b.press("Confirm this address")
	b.at("/auth/login")
	b.sees("Your address is confirmed")
	if got := b.value("email"); got != ann {
		b.t.Errorf("after confirming, the sign-in page holds the address %q, want the confirmed one", got)
	}
}

func revokesOne(b, other *browser) {
	b.t.Helper()
	other.signIn(ann, first)
	other.sees("Chrome on Android")
	b.visit("/auth/account")
	b.sees("Chrome on Android", "Sign out all other devices")
	if here := b.of(".device.here"); !strings.Contains(here, "Chrome on Linux") || !strings.Contains(here, "This device") {
		b.t.Errorf("the device in use is not marked: %s", here)
	}
	b.pressNth("Sign out", 1) // the first signs out this device
	b.sees("Sign out this device?", "Chrome on Android")
	b.press("Keep it signed in")
	b.sees("Chrome on Android")
	b.pressNth("Sign out", 1)
	b.press("Sign out this device")
	b.at("/auth/account")
	b.sees("The device is signed out.")
	b.seesNot("Chrome on Android")
	other.visit("/auth/account") // its very next request
	other.at("/auth/login")
	other.seesNot("Ann Example")
}

func revokesAll(b, one, two *browser) {
	b.t.Helper()
	one.signIn(ann, first)
	two.signIn(ann, first)
	b.visit("/auth/account")
	b.sees("Firefox on Windows", "Safari on iOS")
	b.press("Sign out all other devices")
	b.sees("Sign out all other devices?", "2 devices", "Firefox on Windows", "Safari on iOS")
	b.press("Sign out all other devices")
	b.sees("All other devices are signed out.", "You are signed in on this device only.")
	for _, out := range []*browser{one, two} {
		out.visit("/")
		if status := out.visit("/invoices"); status != http.StatusOK || !strings.HasPrefix(out.url(), "/auth/login") {
			out.t.Errorf("a device that was signed out reaches %s (%d)", out.url(), status)
		}
	}
}

func changesPassword(b, other *browser) {
	b.t.Helper()
	other.signIn(ann, first)
	b.visit("/auth/account")
	b.fill("Current password", "this is not my password")
	b.fill("New password", second)
	b.press("Change password")
	b.sees("There is a problem", "This is not your password")
	if b.value("current_password")+b.value("new_password") != "" {
		b.t.Error("the page gives passwords back")
	}
	b.fill("Current password", first)
	b.fill("New password", second)
	b.press("Change password")
	b.at("/auth/account")
	b.sees("Your password is changed", "Last changed today")
	other.visit("/auth/account")
	other.at("/auth/login")
	b.press("Sign out")
	b.at("/auth/login")
	b.sees("You are signed out.")
}

func asksForNewPassword(b *browser) {
	b.t.Helper()
	b.fill("Email address", ann)
	b.fill("Password", first) // the old one
	b.press("Sign in")
	b.sees("Wrong address or password")
	b.press("Forgot your password?")
	b.fill("Email address", ann)
	b.press("Send the link")
	b.sees("Check your mail", ann)
}

func resets(b *browser, mailed string) {
	b.t.Helper()
	b.visit(mailed)
	b.at("/auth/reset-password")
	b.sees("Choose a new password", ann)
	link := b.url()
	b.fill("New password", third)
	b.press("Change password")
	b.at("/auth/login")
	b.sees("Sign in with the new password")
	b.visit(link)
	b.sees("This link no longer works", "Send a new link")
}
