package webtest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/ringwalltest"
)

// forgeries are requests that a page of an attacker sends in the name of whoever opens it.
func forgeries(server, token string) map[string]string {
	form := func(path string, fields ...string) string {
		out := fmt.Sprintf(`<form method="post" action="%s%s">`, server, path)
		for i := 0; i+1 < len(fields); i += 2 {
			out += fmt.Sprintf(`<input name="%s" value="%s">`, fields[i], fields[i+1])
		}
		return out + `</form><script>document.forms[0].submit()</script>`
	}
	return map[string]string{
		"change the password":         form("/auth/account/password", "current_password", ringwalltest.Password, "new_password", second, "csrf_token", token),
		"sign out":                    form("/auth/logout", "csrf_token", token),
		"sign out all other devices":  form("/auth/account/other-devices", "csrf_token", token),
		"sign in as the attacker":     form("/auth/login", "email", "eve@example.org", "password", ringwalltest.Password, "csrf_token", token),
		"sign up":                     form("/auth/signup", "email", "mallory@example.org", "password", second, "csrf_token", token),
		"without a token":             form("/auth/logout"),
		"by an image":                 `<img src="` + server + `/auth/logout">`,
		"text that looks like JSON":   `<form method="post" enctype="text/plain" action="` + server + `/auth/v1/logout"><input name='{"a":"' value='"}'></form><script>document.forms[0].submit()</script>`,
		"from an origin called null":  `<iframe sandbox="allow-scripts allow-forms" srcdoc='` + form("/auth/logout", "csrf_token", token) + `'></iframe>`,
		"without a referrer":          `<meta name="referrer" content="no-referrer">` + form("/auth/account/other-devices", "csrf_token", token),
		"by fetch with cookies":       `<script>fetch("` + server + `/auth/v1/logout", {method: "POST", mode: "no-cors", credentials: "include"})</script>`,
		"by fetch with our own kind":  `<script>fetch("` + server + `/auth/v1/sessions", {method: "DELETE", credentials: "include"}).catch(() => 0)</script>`,
		"by beacon":                   `<script>navigator.sendBeacon("` + server + `/auth/logout", new URLSearchParams({csrf_token: "` + token + `"}))</script>`,
		"reading what only Ann sees":  `<script>fetch("` + server + `/auth/v1/session", {credentials: "include"}).then(r => r.text()).then(t => document.title = "stolen " + t, () => 0)</script>`,
		"loading a page as a script":  `<script src="` + server + `/auth/account"></script><script src="` + server + `/auth/v1/session"></script>`,
		"opening and reading a page":  `<script>const w = window.open("` + server + `/auth/account"); setTimeout(() => { try { document.title = "stolen " + w.document.body.innerText } catch { } }, 300)</script>`,
		"reading a page in a frame":   `<iframe src="` + server + `/auth/account" onload="try { document.title = 'stolen ' + this.contentDocument.body.innerText } catch { }"></iframe>`,
		"getting what wants a method": `<meta http-equiv="refresh" content="0;url=` + server + `/auth/logout">`,
	}
}

// Whatever another page sends in Ann's name changes nothing, reads nothing, and does not sign her in as somebody else
// (S076, S077). The attacker has a valid token, of a visit of their own.
func TestForgedRequestsChangeNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp("eve@example.org")
	phone := s.SignIn(ann)
	eve := open(t, s.URL, as{})
	eve.visit("/auth/login")
	token := eval[string](eve, `document.querySelector("[name=csrf_token]").value`)
	for _, site := range sites {
		t.Run(site.name, func(t *testing.T) {
			b := open(t, s.URL, as{})
			b.signIn(ann, ringwalltest.Password)
			for name, body := range forgeries(s.URL, token) {
				b.visit(evil(t, site.host, func(http.ResponseWriter) string { return body }) + "/")
				b.settle()
				// A window that has not gone anywhere yet is the opener's own, and empty.
				if title := eval[string](b, `document.title`); strings.TrimSpace(title) != "stolen" && strings.Contains(title, "stolen") {
					t.Errorf("%s, %s: the attacker reads %s", site.name, name, title)
				}
				_ = b.complained() // the browser may well complain of such pages
				b.visit("/auth/account")
				if b.url() != "/auth/account" || !strings.Contains(b.of(".person"), ann) {
					t.Fatalf("%s, %s: afterwards Ann is at %s:\n%s", site.name, name, b.url(), b.text())
				}
				if got := phone.Get("/auth/v1/session"); got.Status != http.StatusOK {
					t.Fatalf("%s, %s: Ann's phone is out (%d)", site.name, name, got.Status)
				}
			}
			b.press("Sign out")
			b.signIn(ann, ringwalltest.Password) // it is still her password
			if n := len(s.Mails("mallory@example.org")); n != 0 {
				t.Errorf("%s signed somebody up", site.name)
			}
		})
	}
}

// Somebody who is not signed in cannot be signed in by another page as the attacker, who would then read what they enter.
func TestNobodyIsSignedInByAnotherPage(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp("eve@example.org")
	for _, site := range sites {
		b := open(t, s.URL, as{})
		b.visit("/auth/login")
		eve := open(t, s.URL, as{})
		eve.visit("/auth/login")
		attack := forgeries(s.URL, eval[string](eve, `document.querySelector("[name=csrf_token]").value`))["sign in as the attacker"]
		b.visit(evil(t, site.host, func(http.ResponseWriter) string { return attack }) + "/")
		b.until(`location.pathname === "/auth/login"`)
		answered(http.StatusForbidden)(b)
		b.sees("This form is no longer valid")
		b.visit("/auth/account")
		b.at("/auth/login")
	}
}
