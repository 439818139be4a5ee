package webtest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/ringwalltest"
)

// focus is what the keyboard is on, as somebody sees it.
type focus struct {
	Name    string
	Visible bool // it is in the window and has a ring around it
}

// focused describes what has the focus.
func (b *browser) focused() focus {
	b.t.Helper()
	return eval[focus](b, `(() => {
		const e = document.activeElement;
		if (!e || e === document.body) return {Name: "", Visible: true};
		const s = getComputedStyle(e), r = e.getBoundingClientRect();
		const seen = r.top >= 0 && r.bottom <= innerHeight && r.left >= 0 && r.right <= innerWidth;
		return {
			Name: (e.getAttribute("aria-label") || (e.labels && e.labels.length ? e.labels[0].textContent : e.textContent)).trim(),
			Visible: seen && s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2,
		};
	})()`)
}

// tabThrough presses Tab until it comes round, and returns what it stopped at.
func (b *browser) tabThrough() (names []string) {
	b.t.Helper()
	for range 60 {
		b.keys("\t")
		at := b.focused()
		if at.Name == "" || len(names) > 0 && at.Name == names[0] {
			return names
		}
		if !at.Visible {
			b.t.Errorf("at %s one cannot see that %q has the focus", b.url(), at.Name)
		}
		names = append(names, at.Name)
	}
	b.t.Fatalf("Tab never comes round at %s: %q", b.url(), names)
	return nil
}

func TestTabGoesThroughThePageInTheOrderOfReading(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, tt := range []struct {
		path     string
		noScript bool
		want     []string
	}{
		{"/auth/login", false, []string{"Skip to content", "Ringwall", "Email address", "Password", "Show password", "Keep me signed in", "Sign in", "Forgot your password?", "Create an account"}},
		{"/auth/login", true, []string{"Skip to content", "Ringwall", "Email address", "Password", "Keep me signed in", "Sign in", "Forgot your password?", "Create an account"}},
		{"/auth/signup", false, []string{"Skip to content", "Ringwall", "Your name (optional)", "Email address", "Password", "Show password", "Create account", "Sign in"}},
		{"/auth/forgot-password", false, []string{"Skip to content", "Ringwall", "Email address", "Send the link", "Back to sign-in"}},
	} {
		b := open(t, s.URL, as{noScript: tt.noScript})
		b.visit(tt.path)
		if diff := cmp.Diff(tt.want, b.tabThrough()); diff != "" {
			t.Errorf("Tab at %s (no script: %v) stops elsewhere (-want +got):\n%s", tt.path, tt.noScript, diff)
		}
	}
	s.SignIn(ann)
	b := open(t, s.URL, as{})
	b.signIn(ann, ringwalltest.Password)
	names := b.tabThrough()
	for _, want := range []string{"Sign out", "Sign out all other devices", "Current password", "New password", "Change password"} {
		if !slices.Contains(names, want) {
			t.Errorf("the keyboard does not reach %q on the account: %q", want, names)
		}
	}
	if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "Sign out: Chrome on Linux, last seen ") }) {
		t.Errorf("the button of another device does not say which it is: %q", names)
	}
}

// tabTo presses Tab until it is on the thing with this name.
func (b *browser) tabTo(name string) {
	b.t.Helper()
	for range 60 {
		if b.focused().Name == name {
			return
		}
		b.keys("\t")
	}
	b.t.Fatalf("the keyboard does not reach %q at %s", name, b.url())
}

// write types with the keys of a keyboard.
func (b *browser) write(name, text string) {
	b.t.Helper()
	b.tabTo(name)
	b.keys(text)
}

// Everything from sign-in to sign-out without a mouse.
func TestKeyboardAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignIn(ann)
	b := open(t, s.URL, as{})
	b.visit("/auth/login")
	b.write("Email address", ann)
	b.write("Password", "wrong, and long enough")
	b.enter() // in the field
	b.sees("Wrong address or password")
	if !b.focused().Visible {
		t.Error("one cannot see that the summary has the focus")
	}
	b.write("Password", ringwalltest.Password)
	b.tabTo("Keep me signed in")
	b.keys(" ")
	if !eval[bool](b, `document.getElementById("remember").checked`) {
		t.Error("the space bar does not tick the box")
	}
	b.tabTo("Sign in")
	b.enter()
	b.at("/auth/account")
	b.tabTo("Sign out all other devices")
	b.enter()
	b.tabTo("Sign out all other devices")
	b.enter()
	b.sees("All other devices are signed out.")
	b.tabTo("Sign out")
	b.goes("press the space bar", chromedp.KeyEvent(" "))
	b.sees("You are signed out.")
}

func TestSkipLinkLeadsPastTheHeader(t *testing.T) {
	t.Parallel()
	b := open(t, start(t).URL, as{})
	b.visit("/auth/login")
	b.keys("\t")
	if at := b.focused(); at.Name != "Skip to content" || !at.Visible {
		t.Fatalf("the first Tab is on %+v, want the visible skip link", at)
	}
	b.enter()
	if id := eval[string](b, `document.activeElement.id`); id != "main" {
		t.Errorf("the skip link leads to %q", id)
	}
	b.keys("\t")
	if at := b.focused(); at.Name != "Email address" {
		t.Errorf("after the skip link Tab is on %q, want the first field", at.Name)
	}
}

// Passwords and codes can be pasted, and managers find every field by its autocomplete token (C012).
func TestPastingAndPasswordManagersWork(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.URL, as{})
	b.visit("/auth/login")
	b.tabTo("Password")
	must(b, input.InsertText, input.InsertTextParams{Text: "pasted by a manager"})
	if got := b.value("password"); got != "pasted by a manager" {
		t.Errorf("after pasting the password is %q", got)
	}
	if !eval[bool](b, `(e => e.dispatchEvent(new ClipboardEvent("paste", {bubbles: true, cancelable: true})))(document.getElementById("password"))`) {
		t.Error("the page stops pasting")
	}
	tokens := func(path string) string {
		b.visit(path)
		return eval[string](b, `[...document.querySelectorAll("main input:not([type=hidden])")].map(e => e.autocomplete).filter(Boolean).join(" ")`)
	}
	for path, want := range map[string]string{
		"/auth/login": "username current-password", "/auth/signup": "name username new-password", "/auth/forgot-password": "email", "/auth/check-mail": "email one-time-code email",
	} {
		if got := tokens(path); got != want {
			t.Errorf("autocomplete at %s = %q, want %q", path, got, want)
		}
	}
	s.SignUp(ann)
	b.signIn(ann, ringwalltest.Password)
	for path, want := range map[string]string{"/auth/account": "name username current-password new-password", "/auth/account/email": "email username current-password"} {
		if got := tokens(path); got != want {
			t.Errorf("autocomplete at %s = %q, want %q", path, got, want)
		}
	}
}

// tree is what a screen reader is told of a page, by role.
func (b *browser) tree() map[string][]*accessibility.Node {
	b.t.Helper()
	nodes := map[string][]*accessibility.Node{}
	for _, n := range must(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if !n.Ignored {
			nodes[said(n.Role)] = append(nodes[said(n.Role)], n)
		}
	}
	return nodes
}

func said(v *accessibility.Value) string {
	var text any
	if v == nil || json.Unmarshal(v.Value, &text) != nil {
		return ""
	}
	return fmt.Sprint(text)
}

func property(n *accessibility.Node, name string) string {
	for _, p := range n.Properties {
		if string(p.Name) == name {
			return said(p.Value)
		}
	}
	return ""
}

// A screen reader finds one main heading, the landmarks, a name for everything one can use, and errors with their fields.
func TestScreenReader(t *testing.T) {
	t.Parallel()
	for _, s := range states() {
		switch s.name {
		case "login", "login-empty", "signup-errors", "check-mail", "verify-email-password", "account", "account-error", "device", "error-404":
		default:
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			tree := s.reach(t).tree()
			for _, role := range []string{"button", "link", "textbox", "checkbox", "listitem", "img", "meter"} {
				for _, n := range tree[role] {
					if role != "listitem" && role != "img" && said(n.Name) == "" {
						t.Errorf("a %s has no name", role)
					}
				}
			}
			headings := map[string]int{}
			for _, n := range tree["heading"] {
				headings[property(n, "level")]++
			}
			if headings["1"] != 1 {
				t.Errorf("there are %d main headings, want one", headings["1"])
			}
			if len(tree["main"]) != 1 || len(tree["banner"]) != 1 {
				t.Errorf("there are %d main and %d banner landmarks, want one each", len(tree["main"]), len(tree["banner"]))
			}
			if strings.HasPrefix(s.name, "account") && (len(tree["navigation"]) != 1 || len(tree["region"]) < 2 && len(tree["listitem"]) < 4) {
				t.Errorf("the account lacks its navigation, regions or list: %d, %d, %d", len(tree["navigation"]), len(tree["region"]), len(tree["listitem"]))
			}
			hearErrors(t, s.name, tree)
		})
	}
}

func hearErrors(t *testing.T, name string, tree map[string][]*accessibility.Node) {
	t.Helper()
	wrong := strings.Contains(name, "errors") || strings.Contains(name, "-error") || name == "login-empty"
	if name == "error-404" {
		wrong = false
	}
	if !wrong {
		if len(tree["alert"]) != 0 {
			t.Error("an alert where nothing is wrong")
		}
		return
	}
	if len(tree["alert"]) != 1 || property(tree["alert"][0], "live") != "assertive" {
		t.Fatalf("there are %d alerts, want one that is read at once", len(tree["alert"]))
	}
	if got := said(tree["alert"][0].Name); got != "There is a problem" {
		t.Errorf("the alert is called %q", got)
	}
	invalid := 0
	for _, n := range tree["textbox"] {
		if property(n, "invalid") == "true" {
			invalid++
			if said(n.Description) == "" {
				t.Errorf("the field %q is wrong and does not say why", said(n.Name))
			}
		}
	}
	if invalid == 0 {
		t.Error("no field is marked as wrong")
	}
}
