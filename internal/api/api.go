// Package api is the JSON door: one table of routes over the account service.
//
// A handler reads, calls one method, writes. [handle] alone does what every handler needs: strict decoding, errors,
// answers. Identity, rules, CSRF, limits and headers are the chain's, before a handler runs.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/problem"
)

// API makes the JSON routes.
type API struct {
	accounts *account.Service
	chain    *chain.Chain
	buffers  sync.Pool // of *[]byte, for the hot route
}

// New makes an API.
func New(accounts *account.Service, c *chain.Chain) *API {
	return &API{accounts: accounts, chain: c, buffers: sync.Pool{New: func() any { return new([]byte) }}}
}

// none is a body without members.
type none struct{}

// reply is what a handler answers with: a body, or none, and the cookies that go with it.
type reply[Out any] struct {
	body    *Out
	cookies func(http.ResponseWriter)
}

// Routes is the table.
func (a *API) Routes() []chain.Route {
	public, in, fresh := authz.Public(), authz.SignedIn(), authz.Fresh(5*time.Minute)
	return append([]chain.Route{
		route(a, "POST", "/v1/signup", public, 202, a.signUp, "Sign up. The answer is the same for a taken address; the mail tells its owner.", "signup-closed", "password-weak", "challenge-required", "too-many-requests", "busy"),
		route(a, "POST", "/v1/signup/invitation", public, 204, a.acceptInvitation, "Sign up by a mailed invitation. The address is confirmed by it; nobody is signed in.", "signup-closed", "link-invalid", "password-weak", "busy"),
		route(a, "POST", "/v1/email/verify", public, 204, a.verifyEmail, "Confirm a sign-up by the mailed link's token, or by address and code. A client that did not sign up shows the password too.", "signup-closed", "link-invalid", "password-required", "login-failed", "too-many-requests", "busy"),
		route(a, "POST", "/v1/email/resend", public, 202, a.resendEmail, "Mail a new link and code for a pending sign-up.", "challenge-required", "too-many-requests"),
		route(a, "POST", "/v1/login", public, 200, a.login, "Sign in. Browsers get a cookie; with `bearer` another client gets the token in the body, once.", "login-failed", "reset-required", "deletion-pending", "challenge-required", "too-many-requests", "busy"),
		route(a, "POST", "/v1/logout", public, 204, a.logout, "Sign out. Without a session it does nothing."),
		{Method: "GET", Path: "/v1/session", Rule: in, Status: 200, Out: reflect.TypeFor[sessionReply](), Handler: chain.Check(a.session), Summary: "Who is signed in, and a CSRF token for this session."},
		route(a, "POST", "/v1/session/reauthenticate", in, 200, a.reauthenticate, "Prove the password once more: a new session id, fresh for five minutes.", "login-failed", "reset-required", "too-many-requests", "busy"),
		route(a, "GET", "/v1/sessions", in, 200, a.listSessions, "The devices that are signed in, this one first."),
		route(a, "DELETE", "/v1/sessions", fresh, 204, a.revokeOthers, "Sign out all other devices.", "fresh-required"),
		route(a, "DELETE", "/v1/sessions/{id}", fresh, 204, a.revokeSession, "Sign out one device; its next request fails.", "not-found", "fresh-required"),
		route(a, "GET", "/v1/me", in, 200, a.me, "The own account: profile, roles, age of the password, metadata."),
		route(a, "PATCH", "/v1/me", in, 200, a.changeMe, "Change the own name, language or metadata; what is left out stays."),
		route(a, "POST", "/v1/me/email", in, 202, a.requestEmail, "Ask for another address. Both addresses get a link; the answer is the same for a taken one, whose owner the mail tells.", "login-failed", "too-many-requests", "busy"),
		route(a, "DELETE", "/v1/me/email", in, 204, a.cancelEmail, "Cancel the change of address. That there is none is no error."),
		route(a, "POST", "/v1/email/change", public, 200, a.useEmailLink, "Use one of the two links of a change of address. The second one changes it and ends all other sessions.", "link-invalid", "forbidden", "password-required", "login-failed", "too-many-requests", "busy"),
		route(a, "POST", "/v1/password/forgot", public, 202, a.forgotPassword, "Mail a link to choose a new password. The answer is the same for an unknown address.", "challenge-required", "too-many-requests"),
		route(a, "POST", "/v1/password/reset", public, 204, a.resetPassword, "Choose a new password by a mailed link. All sessions end; nobody is signed in.", "link-invalid", "password-weak", "too-many-requests", "busy"),
		route(a, "POST", "/v1/password", in, 200, a.changePassword, "Change the password. Other sessions end, this one gets a new id.", "login-failed", "reset-required", "password-weak", "too-many-requests", "busy"),
		route(a, "POST", "/v1/not-me", public, 204, a.notMe, "Say by a mailed link that it was not you: all sessions end, and the password opens nothing until another is chosen.", "link-invalid"),
		route(a, "POST", "/v1/me/secure", fresh, 204, a.secure, "Sign out everywhere, this session too, and demand a new password, for which a link is mailed.", "fresh-required"),
		route(a, "GET", "/v1/me/activity", in, 200, a.activity, "What happened to the account, newest first.", "invalid"),
		{Method: "GET", Path: "/v1/me/export", Rule: fresh, Status: 200, Out: reflect.TypeFor[exportReply](), Handler: http.HandlerFunc(a.export), Errors: []string{"fresh-required", "too-many-requests"}, Summary: "Everything that is held about the person, as a file. Three times a day."},
		route(a, "DELETE", "/v1/me", fresh, 202, a.deleteMe, "Delete the account after a delay. All sessions end at once; the mailed link undoes it.", "login-failed", "fresh-required", "conflict", "last-administrator", "too-many-requests", "busy"),
		route(a, "POST", "/v1/keep-account", public, 204, a.keepAccount, "Undo a deletion by the mailed link. Nobody is signed in.", "link-invalid"),
		{Method: "POST", Path: chain.ReportsPath, Rule: authz.Public(), Open: true, Status: 204, Kinds: []string{"application/csp-report", "application/reports+json"}, Handler: a.chain.Reports(), Summary: "Take what browsers report of pages that broke their Content-Security-Policy."},
	}, a.adminRoutes()...)
}

// route is one line of the table, with what its body and answer look like.
func route[In, Out any](a *API, method, path string, rule authz.Rule, status int, h func(context.Context, *chain.Request, In) (reply[Out], error), summary string, errors ...string) chain.Route {
	r := chain.Route{Method: method, Path: path, Rule: rule, Summary: summary, Status: status, Errors: errors, Handler: handle(a, status, h)}
	t := reflect.TypeFor[In]()
	if b, ok := reflect.New(t).Interface().(fromBoth); ok {
		r.Params, r.In = b.types()
	} else if t.NumField() > 0 {
		r.In = t
	}
	if t := reflect.TypeFor[Out](); t.NumField() > 0 {
		r.Out = t
	}
	return r
}

// fromPath is an input that is read from the path or the query, and not from a body.
type fromPath interface{ readPath(*http.Request) error }

// fromBoth is an input that has a body besides.
type fromBoth interface {
	fromPath
	readBody(*http.Request) error
	types() (params, body reflect.Type)
}

// withBody is what a path or a query says, and a body.
type withBody[Path, Body any] struct {
	Path Path
	Body Body
}

func (in *withBody[Path, Body]) readPath(r *http.Request) error {
	return any(&in.Path).(fromPath).readPath(r)
}

func (in *withBody[Path, Body]) readBody(r *http.Request) (err error) {
	in.Body, err = input.DecodeJSON[Body](r, input.MaxBodyBytes)
	return err
}

func (in *withBody[Path, Body]) types() (params, body reflect.Type) {
	return reflect.TypeFor[Path](), reflect.TypeFor[Body]()
}

func handle[In, Out any](a *API, status int, h func(context.Context, *chain.Request, In) (reply[Out], error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := decode[In](r)
		if err != nil {
			a.chain.Fail(w, r, err)
			return
		}
		out, err := h(r.Context(), chain.From(r.Context()), in)
		if err != nil {
			a.chain.Fail(w, r, pointed[In](err))
			return
		}
		if out.cookies != nil {
			out.cookies(w)
		}
		if out.body == nil {
			w.WriteHeader(status)
			return
		}
		write(w, status, out.body)
	})
}

// pointed names members of the body by JSON pointer, as decoding does; the accounts call them by their names.
func pointed[In any](err error) error {
	e, ok := errors.AsType[*problem.Error](err)
	_, path := any(new(In)).(fromPath)
	_, both := any(new(In)).(fromBoth)
	if !ok || path && !both {
		return err
	}
	fields := slices.Clone(e.Fields)
	for i, f := range fields {
		if f.Name != "" && f.Name[0] != '/' {
			fields[i].Name = "/" + f.Name
		}
	}
	return e.With(fields...)
}

func decode[In any](r *http.Request) (in In, err error) {
	if p, ok := any(&in).(fromPath); ok {
		err = p.readPath(r)
		if b, ok := any(&in).(fromBoth); ok && err == nil {
			err = b.readBody(r)
		}
		return in, err
	}
	if r.Method == http.MethodGet || r.Method == http.MethodDelete && reflect.TypeFor[In]().NumField() == 0 {
		return in, nil
	}
	return input.DecodeJSON[In](r, input.MaxBodyBytes)
}

func write(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // cannot happen: our own types marshal
		text, status = []byte("{}"), http.StatusInternalServerError
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Cache-Control"] = noStore
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client is gone: nobody to tell
}

// Shared by all answers, never changed.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
)

func at(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339) }

var errBearer = problem.New(problem.Invalid, "invalid", "Browsers cannot ask for `bearer`: a token that a script can read can be stolen. Leave it out and use the cookie.").
	With(problem.Field{Name: "bearer", Code: "browser", Detail: "Leave it out: this request comes from a browser."})
