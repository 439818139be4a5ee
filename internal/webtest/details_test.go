package webtest_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/ringwalltest"
)

// Whoever opens the link in another browser than the one that signed up must know the password: otherwise somebody could
// sign a stranger up with a password of their own, and wait for the stranger's click.
func TestConfirmingInAnotherBrowserAsksForThePassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.URL, as{})
	signsUp(b)
	s.Mail(ann, 1)
	other := open(t, s.URL, as{agent: onPhone})
	other.visit(link(s))
	other.sees("Confirm your address", ann, "You signed up in another browser")
	other.fill("Password that you chose", second)
	if status := other.press("Confirm this address"); status != http.StatusUnauthorized {
		t.Errorf("the wrong password is answered %d, want 401", status)
	}
	other.sees("There is a problem", "This is not your password")
	if other.value("password") != "" {
		t.Error("the page gives the password back")
	}
	other.fill("Password that you chose", first)
	other.press("Confirm this address")
	other.at("/auth/login")
	other.sees("Your address is confirmed")
	b.signIn(ann, first)
}

func TestUsedLinkSaysSoAndOffersANewOne(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.URL, as{})
	signsUp(b)
	s.Mail(ann, 1)
	older := link(s)
	b.visit("/auth/check-mail")
	eval[any](b, `document.querySelector("[data-wait]").disabled = false, 0`) // half a minute of waiting
	b.goes("resend", clickOn(b, `[data-wait]`))
	b.sees("A new mail is on its way")
	s.Mail(ann, 2)
	b.visit(older)
	b.sees("This link no longer works", "replaced by a newer one")
	b.visit(link(s))
	b.press("Confirm this address")
	b.visit(link(s))
	b.sees("This link no longer works", "If you have confirmed your address before, just sign in.")
	b.fill("Email address", "bob@example.org")
	b.press("Send a new link")
	b.at("/auth/check-mail") // for a stranger as for everybody
	b.sees("A new mail is on its way", "bob@example.org")
}

func TestCodeInPlaceOfTheLink(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.URL, as{})
	signsUp(b)
	code := s.Mail(ann, 1).Code
	b.fill("Code from the mail", "ABCD-EFGH")
	b.press("Confirm address")
	b.sees("This code does not work", ann)
	b.fill("Code from the mail", " "+strings.ToLower(strings.ReplaceAll(code, "-", " "))) // as people type
	b.press("Confirm address")
	b.at("/auth/login")
	b.signIn(ann, first)
}

func TestWrongPasswordKeepsTheAddressAndFocusesTheSummary(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	for _, noScript := range []bool{false, true} {
		b := open(t, s.URL, as{noScript: noScript})
		b.visit("/auth/login")
		b.fill("Email address", ann)
		b.fill("Password", second)
		if status := b.press("Sign in"); status != http.StatusUnauthorized {
			t.Errorf("a wrong password is answered %d, want 401", status)
		}
		b.sees("There is a problem", "Wrong address or password")
		if got := b.value("email"); got != ann {
			t.Errorf("the address is %q, want %q", got, ann)
		}
		if b.value("password") != "" || strings.Contains(eval[string](b, `document.documentElement.outerHTML`), second) {
			t.Error("the page gives the password back")
		}
		b.until(`document.activeElement && document.activeElement.id === "alert"`)
		if title := eval[string](b, `document.title`); !strings.HasPrefix(title, "Error: ") {
			t.Errorf("the title %q does not say that something is wrong", title)
		}
		b.fill("Email address", "no address")
		b.fill("Password", second)
		b.press("Sign in")
	}
}

// An error in the summary leads to its field.
func TestSummaryLinksLeadToTheFields(t *testing.T) {
	t.Parallel()
	b := open(t, start(t).URL, as{})
	b.visit("/auth/signup")
	b.press("Create account")
	b.sees("Enter your email address.", "Enter your password.")
	b.goes("follow the summary", clickOn(b, `.alert a[href="#password"]`))
	if id := eval[string](b, `document.activeElement.id`); id != "password" {
		t.Errorf("the link in the summary leads to %q, want the password", id)
	}
	if described := eval[string](b, `document.getElementById(document.activeElement.getAttribute("aria-describedby").split(" ")[0]).innerText`); described != "Enter your password." {
		t.Errorf("the field is described by %q first, want its error", described)
	}
}

func TestReturnPathIsKeptThroughErrorsAndSignUp(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	b := open(t, s.URL, as{})
	b.visit("/invoices?month=3")
	b.at("/auth/login")
	b.fill("Email address", ann)
	b.fill("Password", second)
	b.press("Sign in")
	b.press("Create an account")
	b.press("Sign in") // back, by the link
	b.fill("Email address", ann)
	b.fill("Password", ringwalltest.Password)
	b.press("Sign in")
	b.at("/invoices?month=3")

	fresh := open(t, s.URL, as{})
	fresh.visit("/invoices?month=4")
	fresh.press("Create an account")
	fresh.fill("Email address", "bea@example.org")
	fresh.fill("Password", first)
	fresh.press("Create account")
	fresh.visit(strings.TrimPrefix(s.Mail("bea@example.org", 1).Links[0], s.URL))
	fresh.press("Confirm this address")
	fresh.fill("Email address", "bea@example.org")
	fresh.fill("Password", first)
	fresh.press("Sign in")
	fresh.at("/invoices?month=4")
}

// Wherever a link tells us to return to, the browser stays on our host.
func TestForeignReturnPathsAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	for _, path := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example/`, `\\evil.example`, "/%09/evil.example", "/\t/evil.example", "https:evil.example",
		"javascript:alert(1)", "JaVaScRiPt://%0aalert(1)", "data:text/html,<script>alert(1)</script>", "/../..//evil.example", "/.//evil.example", s.URL + "@evil.example/",
	} {
		b := open(t, s.URL, as{})
		b.visit("/auth/login?return_to=" + escape(path))
		b.fill("Email address", ann)
		b.fill("Password", ringwalltest.Password)
		b.press("Sign in")
		if b.at("/auth/account"); !strings.HasPrefix(eval[string](b, `location.href`), s.URL+"/") {
			t.Errorf("return_to=%q leads to %s", path, eval[string](b, `location.href`))
		}
		b.visit("/auth/login?return_to=" + escape(path)) // signed in already
		b.at("/auth/account")
	}
}

func TestPagesSpeakGermanToWhoeverAsksForIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.URL, as{language: "de-AT,de,en"})
	b.visit("/auth/login")
	b.sees("Anmelden", "Passwort vergessen?", "Angemeldet bleiben")
	if lang := eval[string](b, `document.documentElement.lang`); lang != "de" {
		t.Errorf("lang = %q, want de", lang)
	}
	b.press("Anmelden")
	b.sees("Geben Sie Ihre E-Mail-Adresse ein.", "Geben Sie Ihr Passwort ein.")
	b.visit("/auth/nowhere")
	b.sees("Hier ist nichts")
	b.visit("/auth/signup")
	b.fill("E-Mail-Adresse", ann)
	b.fill("Passwort", first)
	b.press("Konto anlegen")
	b.at("/auth/check-mail")
	if mail := s.Mail(ann, 1); !strings.Contains(mail.Text, "Bestätigen") {
		t.Errorf("the mail is not German:\n%s", mail.Text)
	}
	french := open(t, s.URL, as{language: "fr"})
	french.visit("/auth/login")
	french.sees("Sign in")
}

// A mail's HTML shows in a frame that can do nothing, on a page whose policy admits no other frame.
func TestMailAsHTMLShowsInItsSandbox(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	b := open(t, s.URL, as{})
	b.visit("/auth/dev/mail")
	b.click("As HTML")
	for end := time.Now().Add(patience); !strings.Contains(b.frames(), s.URL+"/auth/dev/mail/"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no mail in the frame: %s", b.frames())
		}
	}
	if sandbox := eval[string](b, `document.querySelector("iframe").getAttribute("sandbox")`); sandbox != "" {
		t.Errorf("the frame allows %q, want nothing", sandbox)
	}
}

// A dangerous step needs a proof of the last five minutes, asks for it, and then goes on where it was.
func TestDangerousStepsAskForThePasswordAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	phone := s.SignIn(ann)
	b := open(t, s.URL, as{})
	b.signIn(ann, ringwalltest.Password)
	s.Clock.Advance(6 * time.Minute)
	b.visit("/auth/account")
	b.press("Sign out all other devices")
	b.at("/auth/reauthenticate")
	b.fill("Password", second)
	b.press("Continue")
	b.sees("This is not your password")
	b.fill("Password", ringwalltest.Password)
	b.press("Continue")
	b.at("/auth/account/other-devices")
	s.Clock.Advance(6 * time.Minute) // the page stayed open too long
	b.press("Sign out all other devices")
	b.sees("Confirm that it is you", "Nothing was changed yet")
	if got := phone.Get("/auth/v1/session"); got.Status != http.StatusOK {
		t.Errorf("the other device is out (%d) though nobody proved who they are", got.Status)
	}
	b.press("Confirm that it is you")
	b.fill("Password", ringwalltest.Password)
	b.press("Continue")
	b.visit("/auth/account/other-devices")
	b.press("Sign out all other devices")
	b.sees("All other devices are signed out.")
	if got := phone.Get("/auth/v1/session"); got.Status != http.StatusUnauthorized {
		t.Errorf("the other device gets %d after it was signed out, want 401", got.Status)
	}
}

// The script only adds: it shows what is typed, counts it, waits before a mail is sent again, and speaks local time.
func TestScriptAddsComfort(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.SignUp(ann)
	b := open(t, s.URL, as{})
	b.visit("/auth/login")
	b.fill("Password", second)
	b.click("Show")
	if kind := eval[string](b, `document.getElementById("password").type`); kind != "text" || b.value("password") != second {
		t.Errorf("after Show the password is of type %q and holds %q", kind, b.value("password"))
	}
	b.click("Hide")
	if kind := eval[string](b, `document.getElementById("password").type`); kind != "password" {
		t.Errorf("after Hide the password is of type %q", kind)
	}
	b.visit("/auth/signup")
	b.fill("Password", "twelve chars")
	b.sees("12 of 15 characters")
	b.fill("Password", first)
	b.sees("Long enough")
	b.visit("/auth/forgot-password")
	b.fill("Email address", ann)
	b.press("Send the link")
	if !eval[bool](b, `document.querySelector("[data-wait]").disabled`) {
		t.Error("the mail can be sent again at once")
	}
	b.signIn(ann, ringwalltest.Password)
	if clock := b.of(".device.here time"); !strings.Contains(clock, "UTC") {
		t.Errorf("a time without its zone: %q", clock)
	}
}

// `ringwall dev` answers over plain http on loopback. Chromium takes loopback for a safe place, so that __Host- cookies,
// which must be Secure, work there too; without them nobody could sign in.
func TestHostCookiesWorkOverPlainHTTPOnLoopback(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String()
	rw, err := ringwall.New(t.Context(), ringwall.Options{
		Database: "sqlite:" + filepath.Join(t.TempDir(), "ringwall.db"), Origins: []string{base}, Development: true, Log: slog.New(slog.DiscardHandler),
		Argon2id: password.Params{MemoryKiB: 19456, Time: 2, Parallelism: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rw.Close(t.Context()) })
	server.Config.Handler = rw.Handler()
	server.Start()
	t.Cleanup(server.Close)

	b := open(t, base, as{})
	signsUp(b)
	for end := time.Now().Add(patience); b.visit("/auth/dev/mail") == http.StatusOK && b.count("article") == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no mail came")
		}
	}
	b.press("Open the link")
	if b.count("input[type=password]") != 0 {
		t.Error("the browser that signed up is asked for the password: its flow cookie is lost")
	}
	b.press("Confirm this address")
	b.signIn(ann, first)
	b.sees("Ann Example", "This device")
	b.visit("/auth/account")
	b.sees("Ann Example")
	for _, cookie := range must(b, network.GetCookies, network.GetCookiesParams{URLs: []string{base}}).Cookies {
		if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || !cookie.HTTPOnly {
			t.Errorf("cookie %s: secure %v, http only %v", cookie.Name, cookie.Secure, cookie.HTTPOnly)
		}
	}
	b.press("Sign out")
	b.sees("You are signed out.")
}

// The checks of this package find what they look for: a page that breaks every rule fails every check.
func TestTheChecksFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	axe := readAxe(t)
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "script-src 'none'; img-src 'none'")
		fmt.Fprint(w, `<!doctype html><body style="background:#fff"><div style="width:900px;color:#ccc">wide and pale</div><input><button style="width:20px;height:20px"></button><script>alert(1)</script><img src=/x>`)
	}))
	t.Cleanup(bad.Close)
	b := open(t, bad.URL, as{})
	b.visit("/")
	b.lookAt(looks[2])
	if got := b.fits(); !mentions(got, "sideways") || !mentions(got, "too small") {
		t.Errorf("the page does not fit, and the check says: %q", got)
	}
	if got := b.axe(axe); !mentions(got, "color-contrast") || !mentions(got, "label") || !mentions(got, "button-name") || !mentions(got, "target-size") {
		t.Errorf("the page breaks rules, and axe-core says: %q", got)
	}
	if got := b.complained(); !mentions(got, "script-src") || !mentions(got, "img-src") {
		t.Errorf("the page breaks its policy, and the browser says: %q", got)
	}
	b.noDialog("the policy forbids scripts")
	if shot := b.picture(looks[2]); len(shot) == 0 {
		t.Error("there is no picture")
	}
}

func mentions(lines []string, text string) bool {
	return strings.Contains(strings.Join(lines, "\n"), text)
}
