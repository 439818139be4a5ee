// Package session tells a handler who is signed in.
//
// Use [From] behind ringwall's Protect:
//
//	s, ok := session.From(r.Context())
//
// A session here is a proven fact about one request: it was looked up in the store when the request arrived.
// It is not a handle to change anything, and it carries no data of the application: keep that in your own tables,
// under the user's id.
package session

import (
	"context"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
)

// ID is the name of a session or a person: a UUID. It is no secret.
type ID = identity.ID

// Subject is the person whose data a statement may touch. Only a proven session has one; it cannot be made from input.
type Subject = identity.Subject

// Session is who is signed in on this request.
type Session struct {
	ID          ID
	UserID      ID
	Email       string
	DisplayName string
	Roles       []string // sorted; do not change it
	CreatedAt   time.Time
	ExpiresAt   time.Time // the absolute end
	FreshUntil  time.Time // the last proof of identity counts as recent until then

	proof Proof
}

// Subject is the person, for owner-scoped statements.
func (s *Session) Subject() Subject { return s.proof.Actor.Subject() }

// HasRole reports whether the person holds the role.
func (s *Session) HasRole(role string) bool { return s.proof.Actor.HasRole(role) }

// HasPermission reports whether the person holds a role that maps to the permission. Ask for permissions, not for
// roles: which role may do what is then decided in one place, and may change while the program runs.
func (s *Session) HasPermission(name string) bool { return s.proof.Actor.HasPermission(name) }

// Proof is what the chain found out about a request, for rules that are checked again at the point of access.
type Proof struct {
	Actor  identity.Actor                                  // who asks, and from where; anonymous without a session
	At     time.Time                                       // when it was found out
	Refuse func(http.ResponseWriter, *http.Request, error) // answers as the chain does; nil outside of it
}

type key struct{}

// From is the session of a request that passed Protect. It is nil and false on a public route without a session.
func From(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(key{}).(*Session)
	if !ok || s.proof.Actor.Kind() != identity.Person {
		return nil, false
	}
	return s, true
}

// ProofOf is the proof of a request that passed Protect, and zero of any other: its actor may do nothing.
func ProofOf(ctx context.Context) Proof {
	if s, ok := ctx.Value(key{}).(*Session); ok {
		return s.proof
	}
	return Proof{}
}

// With puts a session into a context, together with what the engine proved; that of an anonymous request is empty.
// Request input cannot make an [identity.Actor], so nothing outside of Ringwall can call With to any effect.
func With(ctx context.Context, s Session, proof Proof) *Context {
	c := new(Context)
	c.Hold(ctx, s, proof)
	return c
}

// Context is a context with its session in one piece of memory, which may be a part of a larger one.
type Context struct {
	context.Context
	session Session
}

// Hold is [With] for a Context that is there already.
func (c *Context) Hold(ctx context.Context, s Session, proof Proof) {
	c.Context, c.session = ctx, s
	c.session.proof = proof
}

// Value is the session under its key, and whatever the context around it has under others.
func (c *Context) Value(k any) any {
	if k == (key{}) {
		return &c.session
	}
	return c.Context.Value(k)
}

// String tells nothing of the person, wherever a context is printed.
func (c *Context) String() string { return "session.Context" }

// GoString is String.
func (c *Context) GoString() string { return c.String() }
