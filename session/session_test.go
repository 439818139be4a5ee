package session_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// Whoever fills in a Session by hand, or copies the fields of another, owns no rows and holds no role.
func TestAValueMadeByHandOwnsNothing(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	own := sqlsafe.Owned(`SELECT $1`)
	victim := identity.NewID()
	for name, ctx := range map[string]context.Context{
		"nobody":  t.Context(),
		"by hand": session.With(t.Context(), &session.Session{ID: identity.NewID(), UserID: victim, Roles: []string{"admin"}}, identity.Actor{}),
	} {
		s, ok := session.From(ctx)
		if ok != (name == "by hand") {
			t.Errorf("%s: From = %v", name, ok)
		}
		if !ok {
			continue
		}
		var row any
		if err := sqlsafe.Wrap(db).QueryRow(ctx, own.For(s.Subject())).Scan(&row); !errors.Is(err, sqlsafe.ErrNoSubject) {
			t.Errorf("%s: a statement about the victim's rows = %v, want ErrNoSubject", name, err)
		}
		if s.HasRole("admin") {
			t.Errorf("%s: holds the role admin", name)
		}
	}
	proved := session.With(t.Context(), &session.Session{UserID: victim}, identity.NewPerson(identity.SubjectOf(victim), identity.NewID(), identity.Time(0), []string{"admin"}, identity.Request{}))
	if s, ok := session.From(proved); !ok || s.Subject().ID() != victim || !s.HasRole("admin") {
		t.Error("a proved session has neither its subject nor its role")
	}
}
