package session_test

import (
	"testing"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/session"
)

// Whoever fills in a Session by hand, or puts one into a context without a proof, is nobody: no rows, no role, no permission.
func TestAValueMadeByHandOwnsNothing(t *testing.T) {
	victim := identity.NewID()
	byHand := session.Session{ID: identity.NewID(), UserID: victim, Roles: []string{"admin"}}
	if !byHand.Subject().IsZero() || byHand.HasRole("admin") || byHand.HasPermission("users.delete") {
		t.Error("a session that was filled in by hand owns something")
	}
	planted := session.With(t.Context(), byHand, session.Proof{})
	if s, ok := session.From(planted); ok {
		t.Errorf("a session without a proof is that of %s", s.UserID)
	}
	if _, ok := session.From(t.Context()); ok {
		t.Error("a bare context has a session")
	}
	proof := session.Proof{Actor: identity.NewPerson(identity.SubjectOf(victim), identity.NewID(), identity.Time(0), identity.Granted{Roles: []string{"admin"}, Permissions: "users.delete"}, identity.Request{})}
	s, ok := session.From(session.With(t.Context(), byHand, proof))
	if !ok || s.Subject().ID() != victim || !s.HasRole("admin") || !s.HasPermission("users.delete") {
		t.Error("a proved session lacks its subject, its role or its permission")
	}
}
