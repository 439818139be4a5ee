package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPostsEndInARedirectThatAGetMayFollow(t *testing.T) {
	words := "correct horse battery staple"
	for _, tt := range []struct {
		name     string
		signedIn bool
		path     string
		form     []string
		call     string
		location string
		cookies  string // names, in order
	}{
		{"sign-in returns to where one came from", false, "/auth/login", []string{"email", "ada@example.org", "password", words, "remember", "1", "return_to", "/invoices?page=2"},
			"SignIn ada@example.org known", "/invoices?page=2", "session"},
		{"sign-in without a place leads to the account", false, "/auth/login", []string{"email", "ada@example.org", "password", words},
			"SignIn ada@example.org known", "/auth/account", "session"},
		{"sign-out", true, "/auth/logout", nil, "SignOut", "/auth/login?done=signed-out", "session"},
		{"sign-out of whoever is signed out", false, "/auth/logout", nil, "", "/auth/login?done=signed-out", "session"},
		{"sign-up keeps the address out of the URL", false, "/auth/signup", []string{"display_name", "Ada", "email", "ada@example.org", "password", words, "return_to", "/invoices"},
			"SignUp ada@example.org en", "/auth/check-mail", "flow __Host-ringwall-note"},
		{"code", false, "/auth/check-mail", []string{"email", "ada@example.org", "code", "abcd efgh", "return_to", "/invoices"},
			"ConfirmByCode ada@example.org abcd efgh flow", "/auth/login?done=email-confirmed&return_to=%2Finvoices", "flow __Host-ringwall-note"},
		{"resend", false, "/auth/check-mail/resend", []string{"email", "ada@example.org"}, "ResendConfirmation ada@example.org", "/auth/check-mail?done=mail-sent", "__Host-ringwall-note"},
		{"link", false, "/auth/verify-email", []string{"token", "good"}, "ConfirmByToken good flow", "/auth/login?done=email-confirmed", "flow __Host-ringwall-note"},
		{"forgotten", false, "/auth/forgot-password", []string{"email", "ada@example.org"}, "ForgotPassword ada@example.org", "/auth/forgot-password/sent", "__Host-ringwall-note"},
		{"an invitation signs nobody in", false, "/auth/signup/invitation", []string{"token", "good", "display_name", "Ada", "password", words}, "AcceptInvitation good Ada", "/auth/login?done=invitation-accepted", "__Host-ringwall-note"},
		{"reset signs nobody in", false, "/auth/reset-password", []string{"token", "good", "password", words}, "ResetPassword good", "/auth/login?done=password-reset", "device __Host-ringwall-note"},
		{"change", true, "/auth/account/password", []string{"current_password", "x", "new_password", words}, "ChangePassword", "/auth/account?done=password-changed", "session"},
		{"one device", true, "/auth/account/devices/" + id(2).String(), nil, "RevokeSession " + id(2).String(), "/auth/account?done=device-signed-out", ""},
		{"all others", true, "/auth/account/other-devices", nil, "RevokeOtherSessions", "/auth/account?done=devices-signed-out", ""},
		{"not me", false, "/auth/not-me", []string{"token", "good"}, "NotMe good", "/auth/login?done=account-secured", ""},
		{"secure", true, "/auth/account/secure", nil, "Secure", "/auth/login?done=account-secured", "session"},
		{"deletion", true, "/auth/account/data/deletion", []string{"password", words}, "RequestDeletion", "/auth/login?done=deletion-scheduled", "session"},
		{"keep", false, "/auth/keep-account", []string{"token", "good"}, "Keep good", "/auth/login?done=account-kept", ""},
		{"proof", true, "/auth/reauthenticate", []string{"password", words, "return_to", "/auth/account/other-devices"}, "Reauthenticate", "/auth/account/other-devices", "session"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t)
			if tt.signedIn {
				h.signIn()
			}
			res := h.post(tt.path, tt.form...)
			if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != tt.location {
				t.Errorf("%s answers %d to %q, want 303 to %q", tt.path, res.StatusCode, res.Header.Get("Location"), tt.location)
			}
			if strings.Contains(res.Header.Get("Location"), "@") || strings.Contains(res.Header.Get("Location"), "%40") {
				t.Error("the address is in the URL")
			}
			if got := strings.Join(h.people.calls, "; "); got != tt.call {
				t.Errorf("called %q, want %q", got, tt.call)
			}
			var names []string
			for _, c := range res.Cookies() {
				names = append(names, c.Name)
			}
			if diff := cmp.Diff(tt.cookies, strings.Join(names, " ")); diff != "" {
				t.Errorf("cookies: -want +got\n%s", diff)
			}
			if res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control = %q", res.Header.Get("Cache-Control"))
			}
		})
	}
}

func TestGetsChangeNothing(t *testing.T) {
	// Mail scanners and browsers that look ahead follow every link.
	h := newHouse(t).signIn()
	for _, path := range []string{"/auth/", "/auth/verify-email?token=good", "/auth/reset-password?token=good", "/auth/signup?invitation=good", "/auth/account", "/auth/account/devices/" + id(2).String(),
		"/auth/not-me?token=good", "/auth/keep-account?token=good", "/auth/account/activity", "/auth/account/secure", "/auth/account/data",
		"/auth/account/other-devices", "/auth/reauthenticate", "/auth/check-mail", "/auth/forgot-password/sent", "/.well-known/change-password"} {
		h.get(path)
	}
	if len(h.people.calls) != 0 {
		t.Errorf("GETs called %q", h.people.calls)
	}
}

func TestSmallRedirects(t *testing.T) {
	for _, tt := range []struct {
		path     string
		signedIn bool
		want     string
	}{
		{"/auth/", false, "/auth/login"},
		{"/auth/", true, "/auth/account"},
		{"/.well-known/change-password", false, "/auth/account#password"},
		{"/.well-known/change-password", true, "/auth/account#password"},
		{"/auth/login?return_to=/invoices", true, "/invoices"},
		{"/auth/signup", true, "/auth/account"},
		{"/auth/verify-email", false, "/auth/check-mail"},
		{"/auth/reset-password", false, "/auth/forgot-password"},
	} {
		h := newHouse(t)
		if tt.signedIn {
			h.signIn()
		}
		if res := h.get(tt.path); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != tt.want {
			t.Errorf("GET %s answers %d to %q, want 303 to %q", tt.path, res.StatusCode, res.Header.Get("Location"), tt.want)
		}
	}
	h := newHouse(t).signIn()
	h.people.sessions = h.people.sessions[:1]
	if res := h.get("/auth/account/other-devices"); res.Header.Get("Location") != "/auth/account" {
		t.Error("with no other device there is nothing to ask")
	}
}

func TestTheNextPageKnowsTheAddress(t *testing.T) {
	h := newHouse(t)
	res := h.post("/auth/signup", "email", "ada@example.org", "password", "correct horse battery staple", "return_to", "/invoices")
	var cookie *http.Cookie
	for _, c := range res.Cookies() {
		if c.Name == "__Host-ringwall-note" {
			cookie = c
		}
	}
	if cookie == nil || !cookie.Secure || !cookie.HttpOnly || cookie.MaxAge != 600 || cookie.Path != "/" {
		t.Fatalf("cookie = %v", cookie)
	}
	body := bodyOf(t, h.get("/auth/check-mail", "Cookie", cookie.Name+"="+cookie.Value))
	for _, want := range []string{`<p class="whose">ada@example.org</p>`, `name="email" value="ada@example.org"`, `name="return_to" value="/invoices"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if body := bodyOf(t, h.get("/auth/signup", "Cookie", cookie.Name+"="+cookie.Value)); !strings.Contains(body, `value="ada@example.org"`) {
		t.Error("who comes back to correct the address has to type it again")
	}
}

func TestWhatWasTypedStaysAndPasswordsDoNot(t *testing.T) {
	const canary = "canary-correct-horse-battery"
	for _, s := range []struct {
		path string
		form []string
		keep []string
	}{
		{"/auth/login", []string{"email", "ada@example.org", "password", canary, "remember", "1", "return_to", "/invoices"}, []string{`value="ada@example.org"`, ` checked`, `value="/invoices"`}},
		{"/auth/signup", []string{"display_name", "Ada", "email", "ada@example.org", "password", canary, "return_to", "/invoices"}, []string{`value="Ada"`, `value="ada@example.org"`, `value="/invoices"`}},
		{"/auth/check-mail", []string{"email", "ada@example.org", "code", "ABCD-EFGH", "password", canary, "return_to", "/invoices"}, []string{`value="ada@example.org"`, `value="ABCD-EFGH"`, `value="/invoices"`}},
		{"/auth/verify-email", []string{"token", "good", "password", canary}, []string{`name="token" value="good"`}},
		{"/auth/signup/invitation", []string{"token", "good", "display_name", "Ada", "password", canary}, []string{`name="token" value="good"`, `value="Ada"`}},
		{"/auth/reset-password", []string{"token", "good", "password", canary}, []string{`name="token" value="good"`}},
		{"/auth/account/password", []string{"current_password", canary, "new_password", canary}, nil},
		{"/auth/reauthenticate", []string{"password", canary, "return_to", "/invoices"}, []string{`value="/invoices"`}},
	} {
		for _, err := range []error{errWait, errBusy, errLogin, errWeak} {
			res := failing(newHouse(t).signIn(), err).post(s.path, s.form...)
			body := bodyOf(t, res)
			if strings.Contains(body, canary) {
				t.Errorf("%s gives the password back", s.path)
			}
			for _, want := range s.keep {
				if !strings.Contains(body, want) {
					t.Errorf("%s after %v loses %s", s.path, err, want)
				}
			}
			if res.StatusCode >= 429 && res.Header.Get("Retry-After") == "" {
				t.Errorf("%s answers %d without Retry-After", s.path, res.StatusCode)
			}
			if !strings.Contains(body, `role="alert" tabindex="-1" autofocus`) {
				t.Errorf("%s has no summary that takes the focus", s.path)
			}
		}
	}
}
