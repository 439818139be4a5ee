// Package web is what people see: the pages for sign-up, sign-in, the account and its devices, forgotten passwords
// and errors, in English and German.
//
// Make a [Web] with [New], put its [Web.Routes] into the one table of routes, and give [Web.Error] to whatever must
// answer a page with an error. Every handler stands in the file that bears the name of its URL: /login is login.go.
// A handler reads, calls one method of the accounts, and writes; a successful POST answers 303, a faulty one shows the
// same page again with what was typed (never a password) and what to do.
//
// Pages come from html/template and embedded files alone; no text is ever converted to a safe type. Every sentence
// stands in words/en.json and words/de.json. No page needs JavaScript: static/script.js only adds comfort.
//
// The package decides nothing about people or requests: rights, CSRF tokens, headers and limits are the matter of the
// chain in front of it, passwords and links that of the accounts behind it.
package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
)

// Entrance is what somebody may do who is not signed in. [account.Service] is the implementation.
type Entrance interface {
	SignUp(ctx context.Context, by identity.Actor, in account.SignUp) (flow secret.Text, err error)
	PendingByToken(ctx context.Context, token, flow string) (account.Pending, error)
	ConfirmByToken(ctx context.Context, by identity.Actor, token, flow, password string) error
	ConfirmByCode(ctx context.Context, by identity.Actor, email, code, flow, password string) error
	ResendConfirmation(ctx context.Context, by identity.Actor, in account.Resend) error
	SignIn(ctx context.Context, by identity.Actor, in account.SignIn) (account.SignedIn, error)
	ForgotPassword(ctx context.Context, by identity.Actor, in account.Forgotten) error
	ResetByToken(ctx context.Context, token string) (account.Pending, error)
	ResetPassword(ctx context.Context, by identity.Actor, token, password, deviceCookie, lang string) (device secret.Text, err error)
}

// Invited is what somebody may do who was invited. [account.Service] is the implementation.
type Invited interface {
	SignUpOpen() error // without an invitation
	InvitationByToken(ctx context.Context, token string) (account.Pending, error)
	AcceptInvitation(ctx context.Context, by identity.Actor, in account.Accept) (email string, err error)
}

// Household is what a signed-in person may do with their own account. [account.Service] is the implementation.
type Household interface {
	SignOut(ctx context.Context, by identity.Actor) error
	Reauthenticate(ctx context.Context, by identity.Actor, password, deviceCookie string) (account.SignedIn, error)
	ChangePassword(ctx context.Context, by identity.Actor, current, next, deviceCookie, lang string) (account.SignedIn, error)
	Sessions(ctx context.Context, by identity.Actor) ([]sessions.Session, error)
	RevokeSession(ctx context.Context, by identity.Actor, id identity.ID) error
	RevokeOtherSessions(ctx context.Context, by identity.Actor) error
}

// Self is what a signed-in person may read and choose about themselves. [account.Service] is the implementation.
type Self interface {
	Me(ctx context.Context, by identity.Actor) (account.Me, error)
	ChangeProfile(ctx context.Context, by identity.Actor, in account.Profile) (account.Me, error)
	RequestEmailChange(ctx context.Context, by identity.Actor, email, password, deviceCookie, lang string) error
	CancelEmailChange(ctx context.Context, by identity.Actor) error
	EmailLinkByToken(ctx context.Context, by identity.Actor, token string) (account.EmailLink, error)
	UseEmailLink(ctx context.Context, by identity.Actor, token, password, lang string) (account.EmailUsed, error)
}

// Safety is for somebody whose account may be in other hands, or is about to go. [account.Service] is the implementation.
type Safety interface {
	NotMeByToken(ctx context.Context, token string) (account.Pending, error)
	NotMe(ctx context.Context, by identity.Actor, token, lang string) error
	Secure(ctx context.Context, by identity.Actor, lang string) error
	RequestDeletion(ctx context.Context, by identity.Actor, password, deviceCookie, lang string) (due time.Time, err error)
	KeepByToken(ctx context.Context, token string) (account.Pending, error)
	Keep(ctx context.Context, by identity.Actor, token string) error
}

// Records are what is held about somebody. [account.Service] is the implementation.
type Records interface {
	Activity(ctx context.Context, by identity.Actor, cursor string, limit int) (list []account.Activity, next string, err error)
	Export(ctx context.Context, by identity.Actor) (*account.Export, error)
}

// Accounts is all that pages need of the accounts.
type Accounts interface {
	Entrance
	Invited
	Household
	Self
	Safety
	Records
}

// Cookies puts what the accounts hand out into the browser. [chain.Cookies] is the implementation.
type Cookies interface {
	StartSession(w http.ResponseWriter, in account.SignedIn)
	EndSession(w http.ResponseWriter)
	SetFlow(w http.ResponseWriter, flow secret.Text)
	ClearFlow(w http.ResponseWriter)
	RememberDevice(w http.ResponseWriter, device secret.Text)
}

// Config says how the pages are made. Accounts and Cookies are required.
type Config struct {
	Accounts Accounts
	Cookies  Cookies

	// Seal and Open keep what a browser carries over a redirect from being read or written elsewhere. Required.
	Seal func(plain []byte) []byte
	Open func(sealed []byte) ([]byte, error)

	// Prefix is where our routes live. Default: "/auth".
	Prefix string

	// Service is what pages call the service. Default: "Ringwall".
	Service string

	// PasswordMinLength is the rule that the password fields tell, in code points. Default: 15.
	PasswordMinLength int

	// PasswordChanged is when the actor's password was last changed. Nil: the page does not say.
	PasswordChanged func(ctx context.Context, by identity.Actor) (time.Time, error)

	// DeletionDelay is what the page of one's data tells. Default: 14 days.
	DeletionDelay time.Duration
	// Challenge is what the actor would have to solve before they use a form now, so that the page can begin with it before
	// it is sent; nil if nothing. A nil Challenge asks only after the form was sent.
	Challenge func(ctx context.Context, by identity.Actor, form, deviceCookie string) any

	// Development adds the page of mails, which needs Mails.
	Development bool

	// Mails are the mails of a development server, newest first.
	Mails func(ctx context.Context) ([]mail.Message, error)

	// Operations are what the readable page of the API lists. Nil: there is no such page.
	Operations func() []Operation

	// Fail answers with an error page and logs what the page does not tell. Default: [Web.Error], which logs nothing.
	Fail func(w http.ResponseWriter, r *http.Request, err error)

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Web renders pages. It is safe for concurrent use.
type Web struct {
	Config
	files     map[string]file // by hashed name
	addresses map[string]string
	languages []*language // the first is the default
	notes     *headers.Cookie
	request   func(context.Context) *chain.Request
	token     func(*chain.Request) string
}

// New checks the configuration and reads the templates, once for each language.
func New(config Config) (*Web, error) {
	switch {
	case config.Accounts == nil:
		return nil, errors.New("web: Accounts is required")
	case config.Cookies == nil:
		return nil, errors.New("web: Cookies is required")
	case config.Seal == nil || config.Open == nil:
		return nil, errors.New("web: Seal and Open are required")
	case config.Development && config.Mails == nil:
		return nil, errors.New("web: Development needs Mails")
	}
	if config.Prefix == "" {
		config.Prefix = "/auth"
	}
	if !strings.HasPrefix(config.Prefix, "/") || strings.HasSuffix(config.Prefix, "/") {
		return nil, errors.New("web: Prefix must begin with a slash and not end with one")
	}
	if config.Service == "" {
		config.Service = "Ringwall"
	}
	if config.PasswordMinLength == 0 {
		config.PasswordMinLength = 15
	}
	if config.DeletionDelay == 0 {
		config.DeletionDelay = 14 * 24 * time.Hour
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	w := &Web{Config: config, request: chain.From, token: (*chain.Request).CSRFToken}
	if w.Fail == nil {
		w.Fail = w.Error
	}
	var err error
	if w.notes, err = headers.NewCookie("__Host-ringwall-note", headers.CookieOptions{}); err != nil {
		return nil, err
	}
	if err := w.readStatic(); err != nil {
		return nil, err
	}
	if err := w.readLanguages(); err != nil {
		return nil, err
	}
	return w, nil
}
