package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/web"
)

const (
	chromeAndroid = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
	firefoxLinux  = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
	safariMac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15"
	curl          = "curl/8.10.1"
)

var now = time.Date(2026, 11, 21, 14, 3, 0, 0, time.UTC)

// people is a fake of the accounts that renders states: every call answers err, or what it holds.
type people struct {
	err      error
	pending  account.Pending
	me       account.Me
	link     account.EmailLink
	sessions []sessions.Session
	calls    []string
	activity []account.Activity
	next     string
	closed   error // to strangers
}

func (p *people) did(call ...string) error {
	p.calls = append(p.calls, strings.Join(call, " "))
	return p.err
}

func (p *people) SignUp(_ context.Context, _ identity.Actor, in account.SignUp) (secret.Text, error) {
	return secret.NewText("flow"), p.did("SignUp", in.Email, in.Lang)
}
func (p *people) PendingByToken(_ context.Context, token, _ string) (account.Pending, error) {
	if token == "spent" {
		return account.Pending{}, problem.New(problem.Invalid, "link-invalid", "x")
	}
	return p.pending, nil
}
func (p *people) ConfirmByToken(_ context.Context, _ identity.Actor, token, flow, _ string) error {
	return p.did("ConfirmByToken", token, flow)
}
func (p *people) ConfirmByCode(_ context.Context, _ identity.Actor, email, code, flow, _ string) error {
	return p.did("ConfirmByCode", email, code, flow)
}
func (p *people) ResendConfirmation(_ context.Context, _ identity.Actor, in account.Resend) error {
	return p.did("ResendConfirmation", in.Email)
}
func (p *people) SignIn(_ context.Context, _ identity.Actor, in account.SignIn) (account.SignedIn, error) {
	return account.SignedIn{Token: secret.NewText("session")}, p.did("SignIn", in.Email, in.DeviceCookie)
}
func (p *people) ForgotPassword(_ context.Context, _ identity.Actor, in account.Forgotten) error {
	return p.did("ForgotPassword", in.Email)
}
func (p *people) ResetByToken(ctx context.Context, token string) (account.Pending, error) {
	return p.PendingByToken(ctx, token, "")
}
func (p *people) ResetPassword(_ context.Context, _ identity.Actor, token, _, _, _ string) (secret.Text, error) {
	return secret.NewText("device"), p.did("ResetPassword", token)
}
func (p *people) SignUpOpen() error { return p.closed }
func (p *people) InvitationByToken(ctx context.Context, token string) (account.Pending, error) {
	return p.PendingByToken(ctx, token, "")
}
func (p *people) AcceptInvitation(_ context.Context, _ identity.Actor, in account.Accept) (string, error) {
	return "ada@example.org", p.did("AcceptInvitation", in.Token, in.DisplayName)
}
func (p *people) SignOut(context.Context, identity.Actor) error { return p.did("SignOut") }
func (p *people) Reauthenticate(context.Context, identity.Actor, string, string) (account.SignedIn, error) {
	return account.SignedIn{Token: secret.NewText("session")}, p.did("Reauthenticate")
}
func (p *people) ChangePassword(context.Context, identity.Actor, string, string, string, string) (account.SignedIn, error) {
	return account.SignedIn{Token: secret.NewText("session")}, p.did("ChangePassword")
}
func (p *people) Sessions(context.Context, identity.Actor) ([]sessions.Session, error) {
	return p.sessions, nil
}
func (p *people) RevokeSession(_ context.Context, _ identity.Actor, id identity.ID) error {
	return p.did("RevokeSession", id.String())
}
func (p *people) Me(context.Context, identity.Actor) (account.Me, error) { return p.me, nil }
func (p *people) ChangeProfile(_ context.Context, _ identity.Actor, in account.Profile) (account.Me, error) {
	return p.me, p.did("ChangeProfile", *in.DisplayName, *in.Language)
}
func (p *people) RequestEmailChange(_ context.Context, _ identity.Actor, email, _, _, _ string) error {
	return p.did("RequestEmailChange", email)
}
func (p *people) CancelEmailChange(context.Context, identity.Actor) error {
	return p.did("CancelEmailChange")
}
func (p *people) EmailLinkByToken(_ context.Context, _ identity.Actor, token string) (account.EmailLink, error) {
	switch token {
	case "spent":
		return account.EmailLink{}, problem.New(problem.Invalid, "link-invalid", "x")
	case "other":
		return account.EmailLink{}, problem.New(problem.Forbidden, "forbidden", "x")
	}
	return p.link, nil
}
func (p *people) UseEmailLink(_ context.Context, _ identity.Actor, token, _, _ string) (account.EmailUsed, error) {
	return account.EmailUsed{Changed: token == "last"}, p.did("UseEmailLink", token)
}
func (p *people) RevokeOtherSessions(context.Context, identity.Actor) error {
	return p.did("RevokeOtherSessions")
}

func (p *people) NotMeByToken(ctx context.Context, token string) (account.Pending, error) {
	return p.PendingByToken(ctx, token, "")
}
func (p *people) NotMe(_ context.Context, _ identity.Actor, token, _ string) error {
	return p.did("NotMe", token)
}
func (p *people) Secure(context.Context, identity.Actor, string) error { return p.did("Secure") }
func (p *people) RequestDeletion(context.Context, identity.Actor, string, string, string) (time.Time, error) {
	return now.Add(14 * 24 * time.Hour), p.did("RequestDeletion")
}
func (p *people) KeepByToken(ctx context.Context, token string) (account.Pending, error) {
	return p.PendingByToken(ctx, token, "")
}
func (p *people) Keep(_ context.Context, _ identity.Actor, token string) error {
	return p.did("Keep", token)
}
func (p *people) Activity(context.Context, identity.Actor, string, int) ([]account.Activity, string, error) {
	return p.activity, p.next, p.err
}
func (p *people) Export(context.Context, identity.Actor) (*account.Export, error) {
	return nil, p.did("Export")
}

// jar writes cookies as the chain's would be seen: by name.
type jar struct{}

func (jar) StartSession(w http.ResponseWriter, in account.SignedIn) {
	w.Header().Add("Set-Cookie", "session="+in.Token.Reveal())
}
func (jar) EndSession(w http.ResponseWriter) { w.Header().Add("Set-Cookie", "session=; Max-Age=0") }
func (jar) SetFlow(w http.ResponseWriter, flow secret.Text) {
	w.Header().Add("Set-Cookie", "flow="+flow.Reveal())
}
func (jar) RememberDevice(w http.ResponseWriter, device secret.Text) {
	w.Header().Add("Set-Cookie", "device="+device.Reveal())
}
func (jar) ClearFlow(w http.ResponseWriter) { w.Header().Add("Set-Cookie", "flow=; Max-Age=0") }

// house is the pages of a service with one person and a few devices.
type house struct {
	*web.Web
	people *people
	ask    chain.Request
	mails  []mail.Message
	lang   string // of the reader
	mux    *http.ServeMux
}

func id(n byte) identity.ID { return identity.ID{6: 0x40, 8: 0x80, 15: n} }

func newHouse(t *testing.T) *house {
	t.Helper()
	return newHouseOf(t)
}

func newHouseOf(t testing.TB) *house {
	t.Helper()
	session := func(n byte, userAgent, address string, ago time.Duration) sessions.Session {
		return sessions.Session{ID: id(n), UserAgent: userAgent, Address: address,
			CreatedMicros: now.Add(-ago - 72*time.Hour).UnixMicro(), LastSeenMicros: now.Add(-ago).UnixMicro()}
	}
	h := &house{people: &people{
		pending: account.Pending{Email: "ada@example.org"},
		me:      account.Me{User: account.User{ID: id(100), Email: "ada@example.org", DisplayName: "Ada Lovelace"}},
		link:    account.EmailLink{Approves: true, Old: "ada@example.org", New: "ada.lovelace@example.net"},
		sessions: []sessions.Session{
			session(1, chromeAndroid, "203.0.113.7", 0),
			session(2, firefoxLinux, "2001:db8:85a3::8a2e:370:7334", 3*time.Hour),
			session(3, safariMac, "198.51.100.23", 50*time.Hour),
			session(4, curl, "192.0.2.200", 190*time.Hour),
		},
	}}
	h.mails = []mail.Message{{
		ID: id(9), To: "ada@example.org", Subject: "Confirm your address for Invoices",
		Text: "Hello Ada,\n\nConfirm this address:\nhttps://id.example.org/auth/verify-email?token=MTIz\n\nOr type this code:\n\n    ABCD-EFGH\n\n-- \nhttps://id.example.org\n",
		HTML: "<!DOCTYPE html><html><body><h1>Hello Ada</h1></body></html>",
	}, {ID: id(8), To: "nobody@invalid.invalid", Decoy: true}}
	type body struct {
		Email string `json:"email"`
		Name  string `json:"display_name,omitempty"`
	}
	pages, err := web.New(web.Config{
		Seal: plainly, Open: openly,
		Accounts: h.people, Cookies: jar{}, Service: "Invoices", Development: true,
		Mails:           func(context.Context) ([]mail.Message, error) { return h.mails, nil },
		PasswordChanged: func(context.Context, identity.Actor) (time.Time, error) { return now.Add(-45 * 24 * time.Hour), nil },
		Operations: func() []web.Operation {
			return []web.Operation{web.OperationOf(chain.Route{Method: "POST", Path: "/v1/signup", Rule: authz.Public(), Summary: "Sign up",
				In: typeOf[body](), Out: typeOf[body](), Status: 202, Errors: []string{"invalid", "busy"}}, "/auth")}
		},
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Web = pages
	h.ask = chain.Request{ID: "01936b6e-0000-7000-8000-000000000001", Flow: "flow", Device: "known"}
	pages.Behind(func() *chain.Request { return &h.ask })
	h.mux = http.NewServeMux()
	for _, r := range pages.Routes() {
		path := "/auth" + r.Path
		if strings.HasPrefix(r.Path, "/.well-known/") {
			path = r.Path
		}
		h.mux.Handle(r.Method+" "+path, r.Handler)
	}
	return h
}

// signIn makes the request one of Ada's, from her phone.
func (h *house) signIn() *house {
	h.ask.SignedIn = true
	h.ask.Session = h.people.sessions[0]
	h.ask.Person = sessions.Person{ID: id(100), Email: "ada@example.org", DisplayName: "Ada Lovelace"}
	return h
}

func (h *house) serve(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	if h.lang != "" {
		r.Header.Set("Accept-Language", h.lang)
	}
	h.mux.ServeHTTP(w, r)
	return w.Result()
}

// fail is the answer to r when err has come up.
func (h *house) fail(r *http.Request, err error) *http.Response {
	w := httptest.NewRecorder()
	if h.lang != "" {
		r.Header.Set("Accept-Language", h.lang)
	}
	h.Error(w, r, err)
	return w.Result()
}

func (h *house) get(path string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return h.serve(r)
}

func (h *house) post(path string, pairs ...string) *http.Response {
	form := url.Values{"csrf_token": {"csrf-token"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return h.serve(r)
}

// plainly and openly stand for the keyring, which is not the matter of these tests.
func plainly(plain []byte) []byte          { return plain }
func openly(sealed []byte) ([]byte, error) { return sealed, nil }
