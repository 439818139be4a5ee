package web_test

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

var (
	update = flag.Bool("update", false, "write the golden files anew")
	pages  = flag.String("pages", "", "also write every state of every page into this folder, to look at")
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// state is one thing that a page can show.
type state struct {
	name   string
	status int
	show   func(h *house) *http.Response
}

func noteOf(email string) string {
	return "__Host-ringwall-note=" + base64.RawURLEncoding.EncodeToString([]byte(`{"email":"`+email+`"}`))
}

var (
	errLogin  = problem.New(problem.Unauthenticated, "login-failed", "x")
	errWait   = problem.New(problem.TooMany, "too-many-requests", "x").After(5 * time.Minute)
	errBusy   = problem.New(problem.Unavailable, "busy", "x").After(2 * time.Second)
	errProof  = problem.New(problem.Forbidden, "password-required", "x")
	errLink   = problem.New(problem.Invalid, "link-invalid", "x")
	errReset  = problem.New(problem.Forbidden, "reset-required", "x")
	errGoing  = problem.New(problem.Forbidden, "deletion-pending", "x")
	errLast   = problem.New(problem.Conflict, "last-administrator", "x")
	errSolve  = problem.New(problem.Forbidden, "challenge-required", "x").Extend("challenge", map[string]any{"algorithm": "SHA-256", "salt": `"><script>&`})
	errWeak   = problem.New(problem.Invalid, "password-weak", "x").With(problem.Field{Name: "password", Code: "too-short", Detail: "x"})
	errClosed = problem.New(problem.Forbidden, "signup-closed", "x")
)

// failing makes the next call of the accounts fail.
func failing(h *house, err error) *house {
	h.people.err = err
	return h
}

// states are all of them, in the order of somebody's way through.
func states() []state {
	login := []string{"email", "ada@example.org", "password", "correct horse battery"}
	all := []state{
		{"login", 200, func(h *house) *http.Response { return h.get("/auth/login?return_to=/invoices") }},
		{"login-signed-out", 200, func(h *house) *http.Response { return h.get("/auth/login?done=signed-out") }},
		{"login-confirmed", 200, func(h *house) *http.Response { return h.get("/auth/login?done=email-confirmed") }},
		{"login-reset", 200, func(h *house) *http.Response { return h.get("/auth/login?done=password-reset") }},
		{"login-empty", 422, func(h *house) *http.Response { return h.post("/auth/login") }},
		{"login-failed", 401, func(h *house) *http.Response {
			return failing(h, errLogin).post("/auth/login", append(login, "remember", "1", "return_to", "/invoices")...)
		}},
		{"login-wait", 429, func(h *house) *http.Response { return failing(h, errWait).post("/auth/login", login...) }},
		{"login-challenge", 403, func(h *house) *http.Response {
			return failing(h, errSolve).post("/auth/login", append(login, "remember", "1", "return_to", "/invoices")...)
		}},
		{"login-asked", 200, func(h *house) *http.Response {
			h.Challenge = func(context.Context, identity.Actor, string, string) any {
				return map[string]any{"algorithm": "SHA-256"}
			}
			return h.get("/auth/login")
		}},
		{"signup-challenge", 403, func(h *house) *http.Response {
			return failing(h, errSolve).post("/auth/signup", "display_name", "Ada", "email", "ada@example.org", "password", "correct horse battery")
		}},
		{"forgot-challenge", 403, func(h *house) *http.Response {
			return failing(h, errSolve).post("/auth/forgot-password", "email", "ada@example.org")
		}},
		{"login-busy", 503, func(h *house) *http.Response { return failing(h, errBusy).post("/auth/login", login...) }},
		{"signup", 200, func(h *house) *http.Response { return h.get("/auth/signup") }},
		{"signup-faults", 422, func(h *house) *http.Response {
			return h.post("/auth/signup", "display_name", "<Ada>", "email", "ada", "password", "")
		}},
		{"signup-weak", 422, func(h *house) *http.Response {
			return failing(h, errWeak).post("/auth/signup", "display_name", "Ada", "email", "ada@example.org", "password", "short")
		}},
		{"signup-closed", 403, func(h *house) *http.Response {
			h.people.closed = errClosed
			return h.get("/auth/signup")
		}},
		{"login-closed", 200, func(h *house) *http.Response {
			h.people.closed = errClosed
			return h.get("/auth/login")
		}},
		{"signup-domain", 403, func(h *house) *http.Response {
			return failing(h, errClosed).post("/auth/signup", "email", "ada@example.com", "password", "correct horse battery")
		}},
		{"invitation", 200, func(h *house) *http.Response {
			h.people.closed = errClosed
			return h.get("/auth/signup?invitation=good")
		}},
		{"invitation-weak", 422, func(h *house) *http.Response {
			return failing(h, errWeak).post("/auth/signup/invitation", "token", "good", "display_name", "Ada", "password", "short")
		}},
		{"invitation-spent", 422, func(h *house) *http.Response { return h.get("/auth/signup?invitation=spent") }},
		{"login-invited", 200, func(h *house) *http.Response { return h.get("/auth/login?done=invitation-accepted") }},
		{"check-mail", 200, func(h *house) *http.Response {
			return h.get("/auth/check-mail", "Cookie", noteOf("ada@example.org"))
		}},
		{"check-mail-unknown", 200, func(h *house) *http.Response { return h.get("/auth/check-mail") }},
		{"resend-challenge", 403, func(h *house) *http.Response {
			return failing(h, errSolve).post("/auth/check-mail/resend", "email", "ada@example.org")
		}},
		{"resend-asked", 200, func(h *house) *http.Response {
			h.Challenge = func(context.Context, identity.Actor, string, string) any {
				return map[string]any{"algorithm": "SHA-256"}
			}
			return h.get("/auth/check-mail")
		}},
		{"check-mail-resent", 200, func(h *house) *http.Response {
			return h.get("/auth/check-mail?done=mail-sent", "Cookie", noteOf("ada@example.org"))
		}},
		{"check-mail-wrong", 422, func(h *house) *http.Response {
			return failing(h, errLink).post("/auth/check-mail", "email", "ada@example.org", "code", "AAAA-BBBB")
		}},
		{"check-mail-password", 403, func(h *house) *http.Response {
			return failing(h, errProof).post("/auth/check-mail", "email", "ada@example.org", "code", "ABCD-EFGH")
		}},
		{"verify-email", 200, func(h *house) *http.Response { return h.get("/auth/verify-email?token=good") }},
		{"verify-email-password", 200, func(h *house) *http.Response {
			h.people.pending.NeedsPassword = true
			return h.get("/auth/verify-email?token=good")
		}},
		{"verify-email-wrong", 401, func(h *house) *http.Response {
			h.people.pending.NeedsPassword = true
			return failing(h, errLogin).post("/auth/verify-email", "token", "good", "password", "wrong")
		}},
		{"verify-email-spent", 422, func(h *house) *http.Response { return h.get("/auth/verify-email?token=spent") }},
		{"forgot-password", 200, func(h *house) *http.Response { return h.get("/auth/forgot-password") }},
		{"forgot-password-fault", 422, func(h *house) *http.Response { return h.post("/auth/forgot-password", "email", "ada@") }},
		{"forgot-password-sent", 200, func(h *house) *http.Response {
			return h.get("/auth/forgot-password/sent", "Cookie", noteOf("ada@example.org"))
		}},
		{"reset-password", 200, func(h *house) *http.Response { return h.get("/auth/reset-password?token=good") }},
		{"reset-password-weak", 422, func(h *house) *http.Response {
			return failing(h, errWeak).post("/auth/reset-password", "token", "good", "password", "short")
		}},
		{"reset-password-spent", 422, func(h *house) *http.Response { return h.get("/auth/reset-password?token=spent") }},
		{"login-reset-required", 403, func(h *house) *http.Response { return failing(h, errReset).post("/auth/login", login...) }},
		{"login-deletion-pending", 403, func(h *house) *http.Response { return failing(h, errGoing).post("/auth/login", login...) }},
		{"login-secured", 200, func(h *house) *http.Response { return h.get("/auth/login?done=account-secured") }},
		{"login-kept", 200, func(h *house) *http.Response { return h.get("/auth/login?done=account-kept") }},
		{"login-going", 200, func(h *house) *http.Response { return h.get("/auth/login?done=deletion-scheduled") }},
		{"not-me", 200, func(h *house) *http.Response { return h.get("/auth/not-me?token=good") }},
		{"not-me-spent", 422, func(h *house) *http.Response { return h.get("/auth/not-me?token=spent") }},
		{"not-me-late", 422, func(h *house) *http.Response { return failing(h, errLink).post("/auth/not-me", "token", "good") }},
		{"keep-account", 200, func(h *house) *http.Response { return h.get("/auth/keep-account?token=good") }},
		{"keep-account-spent", 422, func(h *house) *http.Response { return h.get("/auth/keep-account?token=spent") }},
	}
	return append(all, append(signedInStates(), otherStates()...)...)
}

// history is an event of every kind that there is, over a few days.
func history() []account.Activity {
	list := []account.Activity{
		{Event: audit.LoginSuccess, Address: "203.0.113.7", UserAgent: chromeAndroid, Current: true, Count: 1},
		{Event: audit.LoginFail, Count: 120},
		{Event: audit.LoginLock, Reason: "other", Operator: true, Count: 1},
		{Event: audit.SessionLogout, Reason: "all, by operator", Operator: true, Count: 1},
		{Event: "no_such_event", Count: 1},
	}
	for _, entry := range audit.Vocabulary() {
		list = append(list, account.Activity{Event: entry.Name, Address: "2001:db8:85a3::8a2e:370:7334", UserAgent: firefoxLinux, Count: 1})
	}
	for i := range list {
		list[i].AtMicros = now.Add(-time.Duration(i) * 5 * time.Hour).UnixMicro()
	}
	return list
}

func signedInStates() []state {
	return []state{
		{"account", 200, func(h *house) *http.Response { return h.signIn().get("/auth/account") }},
		{"account-alone", 200, func(h *house) *http.Response {
			h.people.sessions = h.people.sessions[:1]
			return h.signIn().get("/auth/account?done=devices-signed-out")
		}},
		{"account-profile-saved", 200, func(h *house) *http.Response { return h.signIn().get("/auth/account?done=profile-saved") }},
		{"account-profile-faults", 422, func(h *house) *http.Response {
			wrong := problem.New(problem.Invalid, "invalid", "x").With(problem.Field{Name: "display_name", Code: "characters"}, problem.Field{Name: "language", Code: "unavailable"})
			return failing(h.signIn(), wrong).post("/auth/account/profile", "display_name", "<Ada>", "language", "tlh")
		}},
		{"account-email-waits", 200, func(h *house) *http.Response {
			h.people.me.Pending = &account.EmailChange{Email: "ada.lovelace@example.net", ApprovedMicros: 1, ExpiresMicros: now.UnixMicro()}
			return h.signIn().get("/auth/account?done=email-asked")
		}},
		{"account-email", 200, func(h *house) *http.Response { return h.signIn().get("/auth/account/email") }},
		{"account-email-faults", 422, func(h *house) *http.Response {
			return h.signIn().post("/auth/account/email", "email", "ada at example")
		}},
		{"account-email-wrong", 401, func(h *house) *http.Response {
			return failing(h.signIn(), errLogin).post("/auth/account/email", "email", "new@example.org", "password", "wrong")
		}},
		{"account-email-wait", 429, func(h *house) *http.Response {
			return failing(h.signIn(), errWait).post("/auth/account/email", "email", "new@example.org", "password", "right")
		}},
		{"change-email-approve", 200, func(h *house) *http.Response { return h.get("/auth/change-email?token=good") }},
		{"change-email-confirm", 200, func(h *house) *http.Response {
			h.people.link.Approves = false
			return h.signIn().get("/auth/change-email?token=good")
		}},
		{"change-email-password", 200, func(h *house) *http.Response {
			h.people.link = account.EmailLink{New: "ada.lovelace@example.net", NeedsPassword: true}
			return h.get("/auth/change-email?token=good")
		}},
		{"change-email-no-password", 422, func(h *house) *http.Response {
			h.people.link = account.EmailLink{New: "ada.lovelace@example.net", NeedsPassword: true}
			return failing(h, errProof).post("/auth/change-email", "token", "good")
		}},
		{"change-email-wrong", 401, func(h *house) *http.Response {
			h.people.link = account.EmailLink{New: "ada.lovelace@example.net", NeedsPassword: true}
			return failing(h, errLogin).post("/auth/change-email", "token", "good", "password", "wrong")
		}},
		{"change-email-other", 403, func(h *house) *http.Response { return h.signIn().get("/auth/change-email?token=other") }},
		{"change-email-spent", 422, func(h *house) *http.Response { return h.get("/auth/change-email?token=spent") }},
		{"account-wrong", 401, func(h *house) *http.Response {
			return failing(h.signIn(), errLogin).post("/auth/account/password", "current_password", "wrong", "new_password", "correct horse battery staple")
		}},
		{"account-weak", 422, func(h *house) *http.Response {
			return failing(h.signIn(), errWeak).post("/auth/account/password", "current_password", "right", "new_password", "short")
		}},
		{"device", 200, func(h *house) *http.Response { return h.signIn().get("/auth/account/devices/" + id(2).String()) }},
		{"other-devices", 200, func(h *house) *http.Response { return h.signIn().get("/auth/account/other-devices") }},
		{"activity", 200, func(h *house) *http.Response {
			h.people.activity, h.people.next = history(), "more"
			return h.signIn().get("/auth/account/activity?cursor=before")
		}},
		{"activity-empty", 200, func(h *house) *http.Response { return h.signIn().get("/auth/account/activity") }},
		{"activity-cursor", 422, func(h *house) *http.Response {
			return failing(h.signIn(), errLink).get("/auth/account/activity?cursor=bent")
		}},
		{"secure", 200, func(h *house) *http.Response { return h.signIn().get("/auth/account/secure") }},
		{"data", 200, func(h *house) *http.Response { return h.signIn().get("/auth/account/data") }},
		{"data-wait", 429, func(h *house) *http.Response { return failing(h.signIn(), errWait).post("/auth/account/data/export") }},
		{"data-wrong", 401, func(h *house) *http.Response {
			return failing(h.signIn(), errLogin).post("/auth/account/data/deletion", "password", "wrong")
		}},
		{"data-empty", 422, func(h *house) *http.Response { return h.signIn().post("/auth/account/data/deletion") }},
		{"data-last", 409, func(h *house) *http.Response {
			return failing(h.signIn(), errLast).post("/auth/account/data/deletion", "password", "right")
		}},
		{"reauthenticate", 200, func(h *house) *http.Response {
			return h.signIn().get("/auth/reauthenticate?return_to=/auth/account/other-devices")
		}},
		{"reauthenticate-wrong", 401, func(h *house) *http.Response {
			return failing(h.signIn(), errLogin).post("/auth/reauthenticate", "password", "wrong", "return_to", "/auth/account")
		}},
	}
}

func otherStates() []state {
	all := []state{
		{"dev-mail", 200, func(h *house) *http.Response { return h.get("/auth/dev/mail") }},
		{"dev-mail-empty", 200, func(h *house) *http.Response {
			h.mails = nil
			return h.get("/auth/dev/mail")
		}},
		{"docs", 200, func(h *house) *http.Response { return h.get("/auth/docs") }},
		{"problem", 200, func(h *house) *http.Response { return h.get("/auth/problems/csrf") }},
		{"error-signed-in", 404, func(h *house) *http.Response { return h.signIn().get("/auth/problems/none") }},
		{"error-unforeseen", 500, func(h *house) *http.Response {
			return failing(h, errors.New("dial tcp 10.0.0.5:5432: refused")).post("/auth/forgot-password", "email", "ada@example.org")
		}},
	}
	for _, entry := range problem.Catalogue() {
		all = append(all, state{"error-" + entry.Code, entry.Kind.Status(), func(h *house) *http.Response {
			return h.fail(httptest.NewRequest(http.MethodPost, "/auth/login", nil), problem.New(entry.Kind, entry.Code, "x"))
		}})
	}
	return all
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// render shows a state in a language.
func render(t *testing.T, s state, lang string) (*http.Response, string) {
	t.Helper()
	h := newHouse(t)
	h.lang = lang
	res := s.show(h)
	return res, bodyOf(t, res)
}

func TestEveryStateIsAWholePageWithItsStatus(t *testing.T) {
	for _, s := range states() {
		for _, lang := range []string{"en", "de"} {
			t.Run(s.name+"-"+lang, func(t *testing.T) {
				res, body := render(t, s, lang)
				if res.StatusCode != s.status {
					t.Fatalf("status = %d, want %d\n%s", res.StatusCode, s.status, body)
				}
				if got := res.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
					t.Errorf("Content-Type = %q", got)
				}
				checkPage(t, body)
				if *pages != "" {
					writePage(t, s.name+"-"+lang, body)
				}
			})
		}
	}
}

// Pages are read when they are first shown: one that cannot be read would be found by a person.
func TestEveryPageCanBeRead(t *testing.T) {
	files, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	read, err := newHouse(t).ReadPages()
	if err != nil || read != 2*len(files) || read == 0 {
		t.Errorf("%d pages can be read (%v), want %d", read, err, 2*len(files))
	}
}

func writePage(t *testing.T, name, body string) {
	t.Helper()
	body = strings.ReplaceAll(body, `"/auth/static/`, `"static/`)
	if err := os.WriteFile(filepath.Join(*pages, name+".html"), []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	for _, name := range []string{"style.css", "script.js", "challenge.js", "icon.svg"} {
		address := h.Asset(name)
		file := filepath.Join(*pages, "static", filepath.Base(address))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(bodyOf(t, h.get(address))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// hashes are in the names of static files, and change with them.
var hashes = regexp.MustCompile(`\.[0-9a-f]{16}\.`)

func TestGoldenPages(t *testing.T) {
	golden := map[string]bool{"login-failed": true, "signup-faults": true, "check-mail": true, "account": true, "device": true, "error-not-found": true}
	for _, s := range states() {
		if !golden[s.name] {
			continue
		}
		for _, lang := range []string{"en", "de"} {
			t.Run(s.name+"-"+lang, func(t *testing.T) {
				_, body := render(t, s, lang)
				body = hashes.ReplaceAllString(body, ".HASH.")
				file := filepath.Join("testdata", fmt.Sprintf("%s.%s.golden", s.name, lang))
				if *update {
					if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), body); diff != "" {
					t.Errorf("the page differs from %s (-update writes it anew): -want +got\n%s", file, diff)
				}
			})
		}
	}
}
