package web_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/web"
)

// payloads break out of text, attributes, URLs, comments, raw text and templates, in the ways that browsers have shown.
var payloads = []string{
	`<script>alert(1)</script>`, `"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, `"><svg/onload=alert(1)>`,
	`" autofocus onfocus=alert(1) x="`, `' onmouseover='alert(1)`, `</title><script>alert(1)</script>`, `</textarea><script>alert(1)</script>`,
	`--><script>alert(1)</script><!--`, `javascript:alert(1)`, `JaVaScRiPt:alert(1)//`, "java\tscript:alert(1)", `data:text/html,<script>alert(1)</script>`,
	`<iframe srcdoc="<script>alert(1)</script>">`, `<base href=//evil.example>`, `<meta http-equiv=refresh content="0;url=//evil.example">`,
	`<form action=//evil.example><input name=password>`, `<a href=//evil.example>here</a>`, `<style>@import '//evil.example'</style>`,
	`{{.CSRF}}`, `{{template "token" .}}`, `${alert(1)}`, `&lt;script&gt;alert(1)&lt;/script&gt;`, "\u2028<script>alert(1)</script>",
	`<math><mtext></p><style><img src=x onerror=alert(1)>`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, "\xc0\xbcscript\xc0\xbe",
}

// skeleton is a page's elements and attribute names, in order: what markup in a value would change.
func skeleton(t *testing.T, body string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			continue
		}
		b.WriteString(n.Data)
		for _, a := range n.Attr {
			b.WriteString(" " + a.Key)
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				if u, err := url.Parse(a.Val); err != nil || u.Scheme != "" || u.Host != "" {
					t.Errorf("an address became %q", a.Val)
				}
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// places are where a value that somebody else chose comes into a page.
func places() map[string]func(h *house, payload string) *http.Response {
	return map[string]func(h *house, payload string) *http.Response{
		"activity": func(h *house, p string) *http.Response {
			h.people.activity = []account.Activity{{Event: audit.LoginFail, Reason: p, Address: p, UserAgent: p, Count: 2}}
			return h.signIn().get("/auth/account/activity")
		},
		"user agent": func(h *house, p string) *http.Response {
			h.people.sessions[1].UserAgent = p
			return h.signIn().get("/auth/account")
		},
		"user agent, asked about": func(h *house, p string) *http.Response {
			h.people.sessions[1].UserAgent = p
			return h.signIn().get("/auth/account/devices/" + id(2).String())
		},
		"address of a device": func(h *house, p string) *http.Response {
			h.people.sessions[1].Address = p
			return h.signIn().get("/auth/account")
		},
		"display name": func(h *house, p string) *http.Response {
			h.signIn().ask.Person.DisplayName = p
			return h.get("/auth/account")
		},
		"address of the account": func(h *house, p string) *http.Response {
			h.signIn().ask.Person.Email = p
			return h.get("/auth/account")
		},
		"address behind a link": func(h *house, p string) *http.Response {
			h.people.pending.Email = p
			return h.get("/auth/verify-email?token=good")
		},
		"token": func(h *house, p string) *http.Response {
			return h.get("/auth/reset-password?token=" + url.QueryEscape("x"+p))
		},
		"typed address": func(h *house, p string) *http.Response {
			return failing(h, errLogin).post("/auth/login", "email", "x"+strings.ToValidUTF8(p, ""), "password", "x")
		},
		"typed code": func(h *house, p string) *http.Response {
			return failing(h, errLink).post("/auth/check-mail", "email", "a@example.org", "code", "x"+strings.ToValidUTF8(p, ""))
		},
		"noted address": func(h *house, p string) *http.Response {
			raw, _ := json.Marshal(map[string]string{"email": "x" + strings.ReplaceAll(p, "\t", "")})
			return h.get("/auth/check-mail", "Cookie", "__Host-ringwall-note="+base64.RawURLEncoding.EncodeToString(raw))
		},
		"notice": func(h *house, p string) *http.Response {
			return h.get("/auth/login?done=" + url.QueryEscape(p))
		},
		"what the accounts say": func(h *house, p string) *http.Response {
			return failing(h, problem.New(problem.Invalid, "new-code", p).With(problem.Field{Name: "email", Code: "new", Detail: p})).
				post("/auth/login", "email", "a@example.org", "password", "x")
		},
		"field of a fault": func(h *house, p string) *http.Response {
			return failing(h, problem.New(problem.Invalid, "invalid", "x").With(problem.Field{Name: p, Code: "required", Detail: "x"})).
				post("/auth/login", "email", "a@example.org", "password", "x")
		},
	}
}

func TestValuesNeverBecomeMarkup(t *testing.T) {
	for name, show := range places() {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			plain := skeleton(t, bodyOf(t, show(h, "plain")))
			for _, payload := range payloads {
				body := bodyOf(t, show(h, payload))
				checkPage(t, body)
				if got := skeleton(t, body); got != plain {
					t.Errorf("%q changes the page:\n%s", payload, body)
				}
			}
		})
	}
}

func TestMailsCannotActOnTheirPage(t *testing.T) {
	for _, payload := range payloads {
		h := newHouse(t)
		h.mails = []mail.Message{{ID: id(9), To: payload, Subject: "x" + payload, Text: "Open javascript:alert(1) or https://id.example.org/auth/x?" + payload, HTML: payload}}
		body := bodyOf(t, h.get("/auth/dev/mail"))
		root, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "srcdoc" || a.Key == "href" && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "https://id.example.org/") {
					t.Errorf("%q became <%s %s=%q>", payload, n.Data, a.Key, a.Val)
				}
			}
			if n.Data == "script" && n.FirstChild != nil || n.Data == "base" || n.Data == "style" {
				t.Errorf("%q became a <%s>", payload, n.Data)
			}
		}
	}
	res := newHouse(t).get("/auth/dev/mail/" + id(9).String())
	csp := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{"sandbox;", "default-src 'none'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'self'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy of a mail's HTML lacks %q: %s", want, csp)
		}
	}
	if strings.Contains(csp, "allow-") || strings.Contains(csp, "script-src") {
		t.Errorf("a mail's HTML may act: %s", csp)
	}
	if res := newHouse(t).get("/auth/dev/mail/" + id(8).String()); res.StatusCode != http.StatusNotFound {
		t.Error("a decoy is shown")
	}
}

func TestNoPageOfMailsOutsideOfDevelopment(t *testing.T) {
	h := newHouse(t)
	pages, err := web.New(web.Config{Accounts: h.people, Cookies: jar{}, Seal: plainly, Open: openly, Mails: h.Mails})
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range pages.Routes() {
		if strings.Contains(route.Path, "dev") && !strings.Contains(route.Path, "devices") || route.Path == "/docs" {
			t.Errorf("there is a route %s", route.Path)
		}
	}
}

func TestOnlyDevicesOfOnesOwnAreNamed(t *testing.T) {
	// Somebody else's and one that does not exist get the same answer, byte for byte.
	h := newHouse(t).signIn()
	foreign, none := h.get("/auth/account/devices/"+id(77).String()), h.get("/auth/account/devices/none")
	if foreign.StatusCode != http.StatusNotFound || bodyOf(t, foreign) != bodyOf(t, none) {
		t.Error("a device that is not one's own can be told from none")
	}
	failing(h, problem.New(problem.Missing, "not-found", "x"))
	foreign, none = h.post("/auth/account/devices/"+id(77).String()), h.post("/auth/account/devices/none")
	if foreign.StatusCode != http.StatusNotFound || bodyOf(t, foreign) != bodyOf(t, none) {
		t.Error("ending a device that is not one's own can be told from ending none")
	}
}

func TestAnswersDoNotTellWhetherAnAccountExists(t *testing.T) {
	// Whatever the reason, sign-in fails with one text; the reasons come as the same problem with other causes.
	form := []string{"email", "ada@example.org", "password", "x"}
	one := failing(newHouse(t), errLogin.Because(errors.New("no such user"))).post("/auth/login", form...)
	other := failing(newHouse(t), errLogin.Because(errors.New("locked"))).post("/auth/login", form...)
	if one.StatusCode != other.StatusCode || bodyOf(t, one) != bodyOf(t, other) {
		t.Error("a failed sign-in tells its reason")
	}
}

func TestFormsAreReadStrictly(t *testing.T) {
	for _, tt := range []struct {
		name, kind, body string
		status           int
	}{
		{"JSON", "application/json", `{"email":"a@example.org","password":"x"}`, 415},
		{"no type", "", "email=a%40example.org&password=x", 415},
		{"multipart", "multipart/form-data; boundary=x", "--x--", 415},
		{"a field twice", "application/x-www-form-urlencoded", "email=a%40example.org&email=b%40example.org&password=x", 400},
		{"an unknown field", "application/x-www-form-urlencoded", "email=a%40example.org&password=x&user_id=1", 422},
		{"not UTF-8", "application/x-www-form-urlencoded", "email=%ff&password=x", 400},
		{"NUL", "application/x-www-form-urlencoded", "email=a%00%40example.org&password=x", 422},
		{"broken encoding", "application/x-www-form-urlencoded", "email=%zz&password=x", 400},
		{"too large", "application/x-www-form-urlencoded", "email=a&password=" + strings.Repeat("x", 65<<10), 413},
		{"fields in the query only", "application/x-www-form-urlencoded", "", 422},
	} {
		h := newHouse(t)
		r := httptest.NewRequest(http.MethodPost, "/auth/login?email=a%40example.org&password=x", strings.NewReader(tt.body))
		if tt.kind != "" {
			r.Header.Set("Content-Type", tt.kind)
		}
		if res := h.serve(r); res.StatusCode != tt.status || len(h.people.calls) != 0 {
			t.Errorf("%s: %d, and called %q; want %d and nothing", tt.name, res.StatusCode, h.people.calls, tt.status)
		}
	}
}

func FuzzReturnTo(f *testing.F) {
	for _, seed := range []string{"/invoices", "//evil.example", `/\evil.example`, "https://evil.example", "/%2f/evil.example", "/\tevil", "///evil.example", "javascript:alert(1)",
		"/auth/../..//evil.example", "/a?b=//evil.example", "\x00/", "/ä", "/.//evil.example", "/%09/evil.example", "\\\\evil.example", "http:evil.example", "/#//evil"} {
		f.Add(seed)
	}
	h := newHouseOf(f)
	f.Fuzz(func(t *testing.T, raw string) {
		h.ask.SignedIn = true
		for _, res := range []*http.Response{
			h.get("/auth/login?return_to=" + url.QueryEscape(raw)),
			h.post("/auth/login", "email", "a@example.org", "password", "x", "return_to", raw),
		} {
			location := res.Header.Get("Location")
			if res.StatusCode != http.StatusSeeOther {
				if res.StatusCode == 400 || res.StatusCode == 422 || res.StatusCode == 413 {
					continue // not readable as a form
				}
				t.Fatalf("%q answers %d", raw, res.StatusCode)
			}
			base, _ := url.Parse("https://id.example.org/auth/login")
			target, err := base.Parse(location)
			if err != nil || target.Host != base.Host || target.Scheme != "https" || !strings.HasPrefix(location, "/") || strings.HasPrefix(location, "//") || strings.Contains(location, `\`) {
				t.Errorf("return_to %q leads to %q", raw, location)
			}
		}
	})
}
