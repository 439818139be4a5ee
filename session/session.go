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

	actor identity.Actor
}

// Subject is the person, for owner-scoped statements.
func (s *Session) Subject() Subject { return s.actor.Subject() }

// HasRole reports whether the person holds the role.
func (s *Session) HasRole(role string) bool { return s.actor.HasRole(role) }

type key struct{}

// From is the session of a request that passed Protect. It is nil and false on a public route without a session.
func From(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(key{}).(*Session)
	return s, ok
}

// With puts a session into a context, together with the actor that the engine proved. Request input cannot make
// an [identity.Actor], so nothing outside of Ringwall can call With to any effect.
func With(ctx context.Context, s *Session, actor identity.Actor) context.Context {
	s.actor = actor
	return context.WithValue(ctx, key{}, s)
}
