package webtest_test

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// state is a page as somebody comes to see it. Reach leaves a browser in front of it.
type state struct {
	name  string
	reach func(t *testing.T) *browser
}

// states are all pages, each in every form that it has.
func states() []state {
	return append(slicesOf(entranceStates, mailStates, accountStates, addressStates, ownStates), errorStates()...)
}

func slicesOf(lists ...func() []state) (all []state) {
	for _, list := range lists {
		all = append(all, list()...)
	}
	return all
}

// home is where the browser of the pictures is.
const home = "203.0.113.24"

// picturesque runs a server whose clock begins on one day in spring, behind a proxy, so that pictures are the same
// tomorrow and devices have addresses.
func picturesque(t *testing.T, database string) (*ringwalltest.Server, *atomic.Int64) {
	t.Helper()
	began, later := time.Now(), new(atomic.Int64)
	spring := time.Date(2026, time.March, 12, 9, 41, 0, 0, time.UTC)
	o := ringwall.Options{
		Database:       database,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, TrustedProxyHeader: "X-Forwarded-For",
		// Real time goes on, a hundredth as fast, so that no minute turns while a picture is taken.
		Now: func() time.Time { return spring.Add(time.Since(began)/100 + time.Duration(later.Load())) },
	}
	if database != "" {
		o.MasterKey = ringwall.NewSecret("5b1f0a9be7c2d4863f7799aa10e4c3d85612f0be9d3c4a7788e1b2c3d4f5a697")
	}
	return ringwalltest.StartApp(t, o, application, "GET /{$}", "GET /favicon.ico"), later
}

// at visits a page of a new server as somebody who is not signed in.
func visiting(path string, then ...func(b *browser)) func(*testing.T) *browser {
	return func(t *testing.T) *browser {
		s, _ := picturesque(t, "")
		b := open(t, s.URL, as{address: home})
		b.visit(path)
		for _, do := range then {
			do(b)
		}
		return b
	}
}

func entranceStates() []state {
	return []state{
		{"login", visiting("/auth/login")},
		{"login-error", visiting("/auth/login", func(b *browser) {
			b.fill("Email address", ann)
			b.fill("Password", second)
			b.press("Sign in")
			b.sees("Wrong address or password")
		})},
		{"login-empty", visiting("/auth/login", func(b *browser) {
			b.press("Sign in")
			b.sees("Enter your email address.", "Enter your password.")
		})},
		{"login-limited", visiting("/auth/login", func(b *browser) {
			for range 6 {
				b.fill("Email address", ann)
				b.fill("Password", second)
				b.press("Sign in")
			}
			b.sees("too many attempts", "minutes")
		})},
		{"login-challenge", func(t *testing.T) *browser {
			s, _ := flooded(t)
			b := open(t, s.URL, as{address: home})
			b.visit("/auth/login")
			b.fill("Email address", ann)
			b.until(solved)
			return b
		}},
		{"login-challenge-refused", func(t *testing.T) *browser {
			s, later := flooded(t)
			later.Add(int64(3 * time.Minute))
			b := open(t, s.URL, as{address: home})
			b.visit("/auth/login")
			flood(t, s)
			b.fill("Email address", ann)
			b.fill("Password", first)
			b.press("Sign in")
			b.until(solved)
			return b
		}},
		{"signup", visiting("/auth/signup")},
		{"signup-challenge", func(t *testing.T) *browser {
			s, _ := mailFlooded(t)
			b := open(t, s.URL, as{address: home})
			b.visit("/auth/signup")
			b.fill("Email address", ann)
			b.until(solved)
			return b
		}},
		{"signup-typing", visiting("/auth/signup", func(b *browser) {
			b.fill("Your name", "Ann Example")
			b.fill("Email address", ann)
			b.fill("Password", shortOne)
			b.sees("9 of 15 characters")
		})},
		{"signup-errors", visiting("/auth/signup", func(b *browser) {
			b.fill("Your name", "<Ann>")
			b.fill("Email address", "ann at example")
			b.fill("Password", shortOne)
			b.press("Create account")
			b.sees("There is a problem", "Enter an address like", "at least 15 characters")
		})},
		{"signup-closed", admitting("closed", "/auth/signup", answered(http.StatusForbidden))},
		{"signup-domain", admitting("domains", "/auth/signup", func(b *browser) {
			b.fill("Email address", "ann@elsewhere.test")
			b.fill("Password", first)
			b.press("Create account")
			b.sees("open to certain addresses only")
		})},
		{"invitation", invited()},
		{"invitation-error", invited(func(b *browser) {
			b.fill("Your name", "Ann Example")
			b.fill("Password", shortOne)
			b.press("Create account")
			b.sees("There is a problem", "at least 15 characters")
		})},
		{"invitation-accepted", invited(func(b *browser) {
			b.fill("Password", first)
			b.press("Create account")
			b.sees("Your account is ready")
		})},
		{"invitation-spent", visiting("/auth/signup?invitation=used", answered(http.StatusUnprocessableEntity))},
		{"forgot-password", visiting("/auth/forgot-password")},
		{"forgot-password-sent", visiting("/auth/forgot-password", func(b *browser) {
			b.fill("Email address", ann)
			b.press("Send the link")
			b.sees("Check your mail", ann)
		})},
		{"reset-password-spent", visiting("/auth/reset-password?token=used")},
		{"verify-email-spent", visiting("/auth/verify-email?token=used")},
		{"check-mail-unknown", visiting("/auth/check-mail")},
		{"check-mail-challenge", func(t *testing.T) *browser {
			s, _ := mailFlooded(t)
			b := open(t, s.URL, as{address: home})
			b.visit("/auth/signup")
			b.fill("Email address", "new@example.org")
			b.fill("Password", first)
			b.until(solved)
			b.press("Create account")
			b.until(solved)
			return b
		}},
		{"check-mail-mistyped", visiting("/auth/check-mail", func(b *browser) {
			b.fill("Email address", "ann at example.org")
			b.press("Confirm address")
			b.sees("Enter an address like", "Enter the code from the mail.")
		})},
	}
}

// admitting visits a page of a server that does not let everybody sign up.
func admitting(mode, path string, then ...func(b *browser)) func(*testing.T) *browser {
	return func(t *testing.T) *browser {
		o := ringwall.Options{Signup: mode}
		if mode == "domains" {
			o.SignupDomains = []string{"example.org"}
		}
		b := open(t, ringwalltest.StartApp(t, o, application).URL, as{address: home})
		b.visit(path)
		for _, do := range then {
			do(b)
		}
		return b
	}
}

// invited visits the page behind an invitation.
func invited(then ...func(b *browser)) func(*testing.T) *browser {
	return func(t *testing.T) *browser {
		s, _ := picturesque(t, "")
		if _, err := s.Ringwall.Operate(t.Context(), "tester", "user.invite", []byte(`{"email":"`+ann+`"}`)); err != nil {
			t.Fatal(err)
		}
		s.Mail(ann, 1)
		b := open(t, s.URL, as{address: home})
		b.visit(link(s))
		b.sees("You are invited")
		for _, do := range then {
			do(b)
		}
		return b
	}
}

// signingUp signs somebody up in a browser, and goes on with that.
func signingUp(then func(s *ringwalltest.Server, b *browser) *browser) func(*testing.T) *browser {
	return func(t *testing.T) *browser {
		s, _ := picturesque(t, "")
		b := open(t, s.URL, as{address: home})
		signsUp(b)
		s.Mail(ann, 1)
		return then(s, b)
	}
}

// link is the newest mail's link as a path.
func link(s *ringwalltest.Server) string {
	return strings.TrimPrefix(s.Mails(ann)[0].Links[0], s.URL)
}

func mailStates() []state {
	return []state{
		{"check-mail", signingUp(func(_ *ringwalltest.Server, b *browser) *browser { return b })},
		{"check-mail-error", signingUp(func(_ *ringwalltest.Server, b *browser) *browser {
			b.fill("Code from the mail", "ABCD-EFGH")
			b.press("Confirm address")
			b.sees("This code does not work")
			return b
		})},
		{"check-mail-password", signingUp(func(s *ringwalltest.Server, b *browser) *browser {
			other := open(b.t, s.URL, as{address: home})
			other.visit("/auth/check-mail")
			other.fill("Email address", ann)
			other.fill("Code from the mail", s.Mails(ann)[0].Code)
			other.press("Confirm address")
			other.sees("Password that you chose")
			return other
		})},
		{"verify-email", signingUp(func(s *ringwalltest.Server, b *browser) *browser {
			b.visit(link(s))
			b.sees("Confirm your address")
			return b
		})},
		{"verify-email-password", signingUp(func(s *ringwalltest.Server, b *browser) *browser {
			other := open(b.t, s.URL, as{address: home})
			other.visit(link(s))
			other.sees("You signed up in another browser")
			return other
		})},
		{"login-confirmed", signingUp(func(s *ringwalltest.Server, b *browser) *browser {
			b.visit(link(s))
			b.press("Confirm this address")
			return b
		})},
		{"dev-mail", signingUp(func(_ *ringwalltest.Server, b *browser) *browser {
			b.visit("/auth/dev/mail")
			return b
		})},
		{"mail", signingUp(func(s *ringwalltest.Server, b *browser) *browser {
			// As a mail program shows it. Our own page shows it in a sandbox, into which no test can look.
			program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					w.WriteHeader(http.StatusNoContent)
					return
				}
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = w.Write([]byte(s.Mails(ann)[0].HTML))
			}))
			b.t.Cleanup(program.Close)
			b.visit(program.URL + "/")
			return b
		})},
		{"dev-mail-empty", visiting("/auth/dev/mail")},
		{"reset-password", func(t *testing.T) *browser {
			s, _ := picturesque(t, "")
			s.SignUp(ann)
			b := open(t, s.URL, as{address: home})
			before := len(s.Mails(ann))
			b.visit("/auth/forgot-password")
			b.fill("Email address", ann)
			b.press("Send the link")
			s.Mail(ann, before+1)
			b.visit(link(s))
			return b
		}},
	}
}

// household signs Ann in on four devices over three days, and leaves the browser on her account.
func household(then ...func(b *browser)) func(*testing.T) *browser {
	return func(t *testing.T) *browser {
		s, later := picturesque(t, "")
		b := open(t, s.URL, as{address: home})
		signsUp(b)
		s.Mail(ann, 1)
		b.visit(link(s))
		b.press("Confirm this address")
		var others []*ringwalltest.Client
		for _, d := range []struct{ agent, address string }{
			{onWindows, "198.51.100.7"}, {onPhone, "2001:db8:4a::1f"}, {onAndroid, home},
		} {
			c := s.Client()
			c.Header.Set("User-Agent", d.agent)
			c.Header.Set("X-Forwarded-For", d.address)
			if got := c.Post("/auth/v1/login", map[string]any{"email": ann, "password": first, "remember": true}); got.Status != http.StatusOK {
				t.Fatalf("sign in on another device = %d\n%s", got.Status, got.Body)
			}
			later.Add(int64(26*time.Hour + 17*time.Minute))
			others = append(others, c)
		}
		for _, c := range others {
			later.Add(int64(3*time.Hour + 41*time.Minute))
			c.Get("/auth/v1/session")
		}
		later.Add(int64(8 * time.Minute))
		b.signIn(ann, first)
		for _, do := range then {
			do(b)
		}
		return b
	}
}

func accountStates() []state {
	return []state{
		{"account", household()},
		{"account-alone", func(t *testing.T) *browser {
			s, _ := picturesque(t, "")
			s.SignUp(ann)
			b := open(t, s.URL, as{address: home})
			b.signIn(ann, ringwalltest.Password)
			return b
		}},
		{"account-error", household(func(b *browser) {
			b.fill("Current password", "this is not my password")
			b.fill("New password", shortOne)
			b.press("Change password")
			b.sees("There is a problem")
		})},
		{"account-changed", household(func(b *browser) {
			b.fill("Current password", first)
			b.fill("New password", second)
			b.press("Change password")
			b.sees("Your password is changed")
		})},
		{"account-email", household(func(b *browser) {
			b.press("Change address")
			b.sees("Change your address")
		})},
		{"account-email-errors", household(func(b *browser) {
			b.press("Change address")
			b.fill("New email address", "ann at example")
			b.press("Send both links")
			b.sees("Enter an address like", "Enter your password.")
		})},
		{"account-profile-error", household(func(b *browser) {
			b.fill("Your name", "<Ann>")
			b.press("Save profile")
			b.sees("There is a problem")
		})},
		{"account-german", household(func(b *browser) {
			eval[any](b, `document.getElementById("language").value = "de", 0`)
			b.press("Save profile")
			b.sees("Ihr Name und Ihre Sprache sind gespeichert")
		})},
		{"device", household(func(b *browser) {
			b.pressNth("Sign out", 1)
			b.sees("Sign out this device?")
		})},
		{"other-devices", household(func(b *browser) {
			b.press("Sign out all other devices")
			b.sees("3 devices")
		})},
		{"reauthenticate", func(t *testing.T) *browser {
			s, later := picturesque(t, "")
			s.SignUp(ann)
			b := open(t, s.URL, as{address: home})
			b.signIn(ann, ringwalltest.Password)
			later.Add(int64(10 * time.Minute))
			b.visit("/auth/account/other-devices")
			b.sees("Confirm that it is you")
			return b
		}},
	}
}

func errorStates() []state {
	return []state{
		{"docs", visiting("/auth/docs")},
		{"problem", visiting("/auth/problems/too-many-requests")},
		{"error-400", visiting("/auth/login", tamper(`form.insertAdjacentHTML("beforeend", "<input type=hidden name=email value=twice>")`, http.StatusBadRequest))},
		{"error-403", visiting("/auth/login", tamper(`form.elements.csrf_token.value = "forged"`, http.StatusForbidden))},
		{"error-404", visiting("/auth/nowhere", answered(http.StatusNotFound))},
		{"error-405", visiting("/auth/logout", answered(http.StatusMethodNotAllowed))},
		{"error-413", visiting("/auth/login", tamper(`form.elements.email.value = "a".repeat(100000)`, http.StatusRequestEntityTooLarge))},
		{"error-421", func(t *testing.T) *browser {
			s, _ := picturesque(t, "")
			b := open(t, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), as{address: home}) // a name that leads here, and is not listed
			b.visit("/auth/login")
			answered(http.StatusMisdirectedRequest)(b)
			return b
		}},
		{"error-500", broken(tableGone, http.StatusInternalServerError)},
		{"error-503", broken(databaseGone, http.StatusServiceUnavailable)},
	}
}

// tamper changes the form of a page as only somebody with tools can, and sends it.
func tamper(script string, want int) func(*browser) {
	return func(b *browser) {
		eval[any](b, `(form => { `+script+` })(document.querySelector("main form")), 0`)
		b.press("Sign in")
		answered(want)(b)
	}
}

func answered(want int) func(*browser) {
	return func(b *browser) {
		b.t.Helper()
		if b.status != want {
			b.t.Fatalf("%s is answered %d, want %d:\n%s", b.url(), b.status, want, b.text())
		}
	}
}

// broken signs in at a server whose database is out of order.
func broken(breakIt func(t *testing.T, db testdb.DB), want int) func(*testing.T) *browser {
	return func(t *testing.T) *browser {
		db := testdb.Postgres(t)
		s, _ := picturesque(t, db.DSN)
		b := open(t, s.URL, as{address: home})
		b.visit("/auth/login")
		breakIt(t, db)
		b.fill("Email address", ann)
		b.fill("Password", second)
		b.press("Sign in")
		answered(want)(b)
		return b
	}
}

// tableGone renames a table that signing in needs: what nobody foresees.
func tableGone(t *testing.T, db testdb.DB) {
	t.Helper()
	execute(t, db.AdminDSN, "ALTER TABLE ringwall_attempts RENAME TO gone")
}

// databaseGone ends all connections and admits no new ones, as an operator does before a move.
func databaseGone(t *testing.T, db testdb.DB) {
	t.Helper()
	at, err := url.Parse(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	name, server := strings.TrimPrefix(at.Path, "/"), os.Getenv(testdb.Variable)
	execute(t, server, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
	execute(t, server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
}

func execute(t *testing.T, dsn, statement string) {
	t.Helper()
	admin, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	if _, err := admin.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
