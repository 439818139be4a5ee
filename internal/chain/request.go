package chain

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/csrf"
	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
)

// Route is one line of the one table that feeds the mux, the rules, the listing and the OpenAPI document.
type Route struct {
	Method  string
	Path    string     // below the prefix, as a net/http pattern: "/v1/sessions/{id}"; a path that begins with "/.well-known/" stands at the root
	Rule    authz.Rule // the zero rule denies
	Summary string
	Handler http.Handler

	// Open lets anybody send it from anywhere: nobody is asked who they are, nor for a token. Its handler must change
	// nothing that is somebody's, and insist on a content type that no form has.
	Open bool

	// AnyHost says which requests are answered under hosts that are not listed too; nil: none. Their answers must be the same for
	// everybody, byte for byte, and name no host: whoever leads a name of theirs here (DNS rebinding), or a cache that forgets the
	// host, gains nothing.
	AnyHost func(*http.Request) bool

	// What the API says and takes; empty for pages.
	Page   bool         // answers HTML, errors included
	Params reflect.Type // of path and query; nil: those of In, if it has any
	In     reflect.Type // nil: no body
	Kinds  []string     // content types of a body that is not In in JSON
	Out    reflect.Type // nil: no body
	Status int          // of success
	Errors []string     // problem codes beside those every route can answer
}

// Pattern is the whole path at which a route stands, where ours live below prefix.
func (r Route) Pattern(prefix string) string {
	if strings.HasPrefix(r.Path, "/.well-known/") {
		return r.Path
	}
	return prefix + r.Path
}

// Ordinary reports whether a route counts against what one person may ask of the API, and tells how much is left (D11): it
// needs to know who asks, answers JSON, and has no counter of its own, which routes that prove something have and tell in
// their own words. Checks are left out: an application asks one for each of its own requests, and they cost next to nothing.
func (r Route) Ordinary() bool {
	_, isCheck := r.Handler.(Check)
	return !r.Page && !isCheck && r.Rule.Needs() && !slices.Contains(r.Errors, "too-many-requests")
}

// Request is what the chain proved and prepared for a handler of ours.
type Request struct {
	ID       string // of the request, a UUID
	Actor    identity.Actor
	SignedIn bool
	Session  sessions.Session // zero unless SignedIn
	Person   sessions.Person  // zero unless SignedIn
	Device   string           // the known-device cookie as sent
	Flow     string           // the flow cookie as sent
	Bearer   bool             // the session came in an Authorization header
	Browser  bool             // the request carries Origin or a Sec-Fetch header

	page  bool
	asked string // Accept-Language
	route string
	csrf  func() string
}

// CSRFToken is a new token for a form or for X-CSRF-Token, bound to the session or, before sign-in, to the pre cookie.
// On an answer that the chain itself gave before it knew who asks, there is none.
func (r *Request) CSRFToken() string {
	if r.csrf == nil {
		return ""
	}
	return r.csrf()
}

// Lang is the language of pages and mails: "en" or "de", as the person has chosen, else by Accept-Language.
func (r *Request) Lang() string {
	if r.SignedIn && r.Person.Language != "" {
		return r.Person.Language
	}
	return input.Language(r.asked, "en", "de")
}

// Proved is what a [Check] learns of a request: who asks.
type Proved struct {
	Session sessions.Session
	Person  sessions.Person

	guard   *csrf.Guard
	binding csrf.Binding
}

// AppendCSRFToken is [Request.CSRFToken], for a buffer.
func (p Proved) AppendCSRFToken(text []byte) []byte { return p.guard.AppendToken(text, p.binding) }

// Check is a handler that asks nothing but who is signed in, which is what most requests to Ringwall want to know.
// No [Request] and no context are made for it.
type Check func(http.ResponseWriter, Proved)

// ServeHTTP panics: only the chain can call a Check.
func (Check) ServeHTTP(http.ResponseWriter, *http.Request) {
	panic("chain: a Check that is not a route's handler")
}

type key struct{}

// From is the prepared request of a handler behind the chain, and nil anywhere else.
func From(ctx context.Context) *Request {
	r, _ := ctx.Value(key{}).(*Request)
	return r
}
