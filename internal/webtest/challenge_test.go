package webtest_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

// flooded is a server whose ceiling is tripped, and which Ann has an account with. Its clock stands still.
func flooded(t *testing.T) (*ringwalltest.Server, *atomic.Int64) {
	t.Helper()
	spring, later := time.Date(2026, time.March, 12, 9, 41, 0, 0, time.UTC), new(atomic.Int64)
	s := ringwalltest.StartApp(t, ringwall.Options{
		LimitGlobal: 60, Now: func() time.Time { return spring.Add(time.Duration(later.Load())) },
	}, application, "GET /{$}", "GET /favicon.ico")
	before := len(s.Mails(ann))
	if got := s.Client().Post("/auth/v1/signup", map[string]any{"email": ann, "password": first}); got.Status != http.StatusAccepted {
		t.Fatalf("sign up = %d\n%s", got.Status, got.Body)
	}
	token := s.Mail(ann, before+1).Token()
	if got := s.Client().Post("/auth/v1/email/verify", map[string]any{"token": token, "password": first}); got.Status != http.StatusNoContent {
		t.Fatalf("confirm = %d\n%s", got.Status, got.Body)
	}
	flood(t, s)
	return s, later
}

// flood guesses until the ceiling trips.
func flood(t *testing.T, s *ringwalltest.Server) {
	t.Helper()
	for n := range 100 {
		got := s.Client().Post("/auth/v1/login", map[string]any{"email": fmt.Sprintf("flood-%d@example.org", n), "password": "not the password, surely"})
		if got.Code() == "challenge-required" {
			return
		}
	}
	t.Fatal("a hundred guesses did not trip the ceiling")
}

const solved = `document.querySelector("[data-puzzle]").value !== ""`

// Where the ceiling is tripped, pages solve its challenge by themselves: before a form is sent, and after one was refused.
func TestChallengeIsSolvedByThePage(t *testing.T) {
	t.Parallel()
	s, later := flooded(t)

	// The page asks at once, and the person goes on typing. Sent too soon, the form waits.
	b := open(t, s.URL, as{})
	b.visit("/auth/login")
	b.sees("your browser does a small calculation")
	b.fill("Email address", ann)
	b.fill("Password", first)
	b.until(solved)
	b.sees("Done. You can go on.")
	b.press("Sign in")
	b.at("/auth/account")

	// A browser in which she has signed in before is asked nothing.
	b.press("Sign out")
	b.seesNot("calculation")
	b.signIn(ann, first)
	b.at("/auth/account")

	// Somebody pressed before it was solved: the form waits for the number, and goes by itself.
	b = open(t, s.URL, as{})
	b.visit("/auth/login")
	eval[any](b, `(() => {
		document.getElementById("email").value = "ann@example.org";
		document.getElementById("password").value = "seven quiet otters swim";
		document.querySelector("button.act").click();
	})(), 0`)
	b.until(`location.pathname === "/auth/account"`)

	// The other forms.
	b = open(t, s.URL, as{})
	b.visit("/auth/forgot-password")
	b.fill("Email address", ann)
	b.until(solved)
	b.press("Send the link")
	b.at("/auth/forgot-password/sent")
	b.visit("/auth/signup")
	b.fill("Email address", "new@example.org")
	b.fill("Password", first)
	b.until(solved)
	b.press("Create account")
	b.at("/auth/check-mail")

	// It trips between the page and the form: what was typed stays, but for the password, and one without goes by itself.
	later.Add(int64(3 * time.Minute))
	b = open(t, s.URL, as{})
	other := open(t, s.URL, as{})
	b.visit("/auth/login")
	other.visit("/auth/forgot-password")
	b.seesNot("calculation")
	flood(t, s)
	b.fill("Email address", ann)
	b.fill("Password", first)
	if status := b.press("Sign in"); status != http.StatusForbidden {
		t.Errorf("a form without a solution is answered %d, want 403", status)
	}
	b.sees("one more step", "your browser does a small calculation")
	if b.value("email") != ann || b.value("password") != "" {
		t.Errorf("the page holds %q and %q, want the address and no password", b.value("email"), b.value("password"))
	}
	b.fill("Password", first)
	b.until(solved)
	b.press("Sign in")
	b.at("/auth/account")
	other.fill("Email address", ann)
	other.press("Send the link")
	other.until(`location.pathname === "/auth/forgot-password/sent"`)
}

// Without script the page tells what else there is to do, and a known device needs nothing.
func TestChallengeWithoutScript(t *testing.T) {
	t.Parallel()
	s, later := flooded(t)
	b := open(t, s.URL, as{noScript: true})
	b.visit("/auth/login")
	b.sees("Without JavaScript", "Use a browser in which you have signed in before", "come back in a few minutes")
	b.fill("Email address", ann)
	b.fill("Password", first)
	if status := b.press("Sign in"); status != http.StatusForbidden {
		t.Errorf("without a solution = %d, want 403", status)
	}
	b.sees("Without JavaScript")
	later.Add(int64(3 * time.Minute))
	b.signIn(ann, first)
	b.press("Sign out")
	flood(t, s)
	b.visit("/auth/login")
	b.seesNot("Without JavaScript")
	b.signIn(ann, first)
	b.at("/auth/account")
}

// mailFlooded is a server where half of the mails of strangers is spent, and which Ann has an account with. Its clock stands still.
func mailFlooded(t *testing.T) (*ringwalltest.Server, *atomic.Int64) {
	t.Helper()
	spring, later := time.Date(2026, time.March, 12, 9, 41, 0, 0, time.UTC), new(atomic.Int64)
	s := ringwalltest.StartApp(t, ringwall.Options{
		LimitMails: 20, LimitGlobal: -1, Now: func() time.Time { return spring.Add(time.Duration(later.Load())) },
	}, application, "GET /{$}", "GET /favicon.ico")
	s.SignUp(ann)
	floodMails(t, s)
	return s, later
}

// floodMails asks for mails until a challenge comes first.
func floodMails(t *testing.T, s *ringwalltest.Server) {
	t.Helper()
	for n := range 100 {
		got := s.Client().Post("/auth/v1/password/forgot", map[string]any{"email": fmt.Sprintf("flood-%d@example.org", n)})
		if got.Code() == "challenge-required" {
			return
		}
	}
	t.Fatal("a hundred mails did not spend half of the budget")
}

// resend presses the button that sends the mail again, and does not wait the half minute that it counts down.
func resend(b *browser) {
	b.t.Helper()
	eval[any](b, `(button => { button.disabled = false; Object.defineProperty(button, "disabled", {set() {}}); })(document.querySelector("button[data-wait]")), 0`)
	b.goes("resend", clickOn(b, `button[data-wait]`))
}

// Where half of the mails is spent, the pages that ask for one solve the challenge by themselves, before the form is sent and
// after one was refused; sign-in, which mails nothing, asks for nothing.
func TestMailChallengeIsSolvedByThePage(t *testing.T) {
	t.Parallel()
	s, later := mailFlooded(t)
	b := open(t, s.URL, as{})
	b.visit("/auth/login")
	b.seesNot("calculation")

	// A sign-up, and its mail once more.
	b.visit("/auth/signup")
	b.sees("your browser does a small calculation")
	b.fill("Email address", "new@example.org")
	b.fill("Password", first)
	b.until(solved)
	b.sees("Done. You can go on.")
	b.press("Create account")
	b.at("/auth/check-mail")
	s.Mail("new@example.org", 1)
	b.sees("your browser does a small calculation")
	b.until(solved)
	resend(b)
	b.sees("A new mail is on its way")
	s.Mail("new@example.org", 2)

	// A forgotten password.
	b.visit("/auth/forgot-password")
	b.fill("Email address", ann)
	b.until(solved)
	b.press("Send the link")
	b.at("/auth/forgot-password/sent")

	// The half is spent between the page and the form: a password is typed once more, all else goes by itself.
	later.Add(int64(3 * time.Minute))
	b = open(t, s.URL, as{})
	other := open(t, s.URL, as{})
	b.visit("/auth/signup")
	other.visit("/auth/signup")
	b.seesNot("calculation")
	other.fill("Email address", "other@example.org")
	other.fill("Password", first)
	other.press("Create account")
	other.at("/auth/check-mail")
	s.Mail("other@example.org", 1)
	other.seesNot("calculation")
	floodMails(t, s)
	b.fill("Email address", "late@example.org")
	b.fill("Password", first)
	if status := b.press("Create account"); status != http.StatusForbidden {
		t.Errorf("a form without a solution is answered %d, want 403", status)
	}
	b.sees("one more step", "your browser does a small calculation")
	if b.value("email") != "late@example.org" || b.value("password") != "" {
		t.Errorf("the page holds %q and %q, want the address and no password", b.value("email"), b.value("password"))
	}
	b.fill("Password", first)
	b.until(solved)
	b.press("Create account")
	b.at("/auth/check-mail")
	s.Mail("late@example.org", 1)
	resend(other)
	other.until(`location.search.includes("done=mail-sent")`)
	s.Mail("other@example.org", 2)
}

// Without script the page tells what else there is to do, and a minute later nothing is asked.
func TestMailChallengeWithoutScript(t *testing.T) {
	t.Parallel()
	s, later := mailFlooded(t)
	b := open(t, s.URL, as{noScript: true})
	b.visit("/auth/forgot-password")
	b.sees("Without JavaScript", "Use a browser in which you have signed in before")
	b.visit("/auth/signup")
	b.sees("Without JavaScript", "Switch JavaScript on for this page", "come back in a few minutes")
	b.fill("Email address", "new@example.org")
	b.fill("Password", first)
	if status := b.press("Create account"); status != http.StatusForbidden {
		t.Errorf("without a solution = %d, want 403", status)
	}
	b.sees("Switch JavaScript on for this page")
	later.Add(int64(time.Minute))
	b.fill("Password", first)
	b.press("Create account")
	b.at("/auth/check-mail")
	b.seesNot("Without JavaScript")
}
