package account

import (
	"context"
	"errors"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
)

// Sessions are the live sessions of the person who asks, the one of the request first, then by last seen.
func (s *Service) Sessions(ctx context.Context, by identity.Actor) ([]sessions.Session, error) {
	if by.Subject().IsZero() {
		return nil, errSignIn
	}
	list, err := s.liveSessions(ctx, by.Subject())
	for i, session := range list {
		if session.ID == by.Session() {
			copy(list[1:i+1], list[:i])
			list[0] = session
		}
	}
	return list, err
}

func (s *Service) liveSessions(ctx context.Context, owner identity.Subject) ([]sessions.Session, error) {
	list, err := s.Store.Sessions(ctx, owner)
	if err != nil {
		return nil, err
	}
	live := list[:0]
	for _, session := range list {
		session.LastSeenMicros = s.Engine.LastSeen(session)
		if session.Live(s.Now().UnixMicro()) {
			live = append(live, session)
		}
	}
	return live, nil
}

// RevokeSession ends a session of the person who asks. Somebody else's is the same as none: not-found.
func (s *Service) RevokeSession(ctx context.Context, by identity.Actor, id identity.ID) error {
	if by.Subject().IsZero() {
		return errSignIn
	}
	err := s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		ended, err := tx.EndSession(ctx, by.Subject(), id)
		if err == nil && !ended {
			err = errNotFound
		}
		return audit.Event{Name: audit.SessionLogout, User: by.Subject().ID(), Session: id, Reason: "revoked"}, err
	})
	if errors.Is(err, errNotFound) {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.AuthzFail, User: by.Subject().ID(), Reason: "session"})
	}
	return err
}

// RevokeOtherSessions ends all sessions of the person who asks but the one of the request.
func (s *Service) RevokeOtherSessions(ctx context.Context, by identity.Actor) error {
	if by.Subject().IsZero() {
		return errSignIn
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		_, err := tx.EndSessions(ctx, by.Subject(), by.Session())
		return audit.Event{Name: audit.SessionLogout, User: by.Subject().ID(), Session: by.Session(), Reason: "others revoked"}, err
	})
}

// FreshFor is how long the proof of a session still counts as recent; zero or less: no longer.
func (s *Service) FreshFor(session sessions.Session) time.Duration {
	return time.UnixMicro(session.FreshMicros).Sub(s.Now())
}

// SignOut ends the session of the request. Ending it twice is no error.
func (s *Service) SignOut(ctx context.Context, by identity.Actor) error {
	if by.Subject().IsZero() {
		return nil
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		_, err := tx.EndSession(ctx, by.Subject(), by.Session())
		return audit.Event{Name: audit.SessionLogout, User: by.Subject().ID(), Session: by.Session()}, err
	})
}
