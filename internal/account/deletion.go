package account

import (
	"context"
	"errors"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
)

// DeletionTx deletes people.
type DeletionTx interface {
	SetDeletion(ctx context.Context, user identity.ID, deleteMicros int64) error // zero keeps the account; [ErrMissing]
	// EraseUser deletes every row of a person, and empties the key that opens what the audit log holds of them.
	EraseUser(ctx context.Context, user User) error
}

var (
	errDeletion = problem.New(problem.Forbidden, "deletion-pending", "This account waits to be deleted. The link that we have mailed keeps it.")
)

// RequestDeletion begins the delay after which the account of the person who asks is deleted. All sessions end at once, and
// nobody signs in meanwhile; the mailed link undoes it until the end. It needs a link and not a sign-in, so that a password
// that leaked neither undoes a deletion nor shows the account, and no program undoes one unasked.
// Problems: unauthenticated, login-failed, last-administrator, too-many-requests, busy.
func (s *Service) RequestDeletion(ctx context.Context, by identity.Actor, typed, deviceCookie, lang string) (due time.Time, err error) {
	user, try, err := s.prove(ctx, by, typed, deviceCookie)
	if err != nil {
		return due, err
	}
	due = s.Now().Add(s.DeletionDelay)
	return due, s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		err := s.keepAdministrator(ctx, tx, user.ID)
		if err == nil {
			err = s.stillProved(ctx, tx, by, user)
		}
		if err == nil {
			err = tx.ClearAttempts(ctx, try.key)
		}
		if err != nil {
			return audit.Event{}, err
		}
		return s.schedule(ctx, by, tx, user.ID, due, lang)
	})
}

// ScheduleDeletion does for an operator what [Service.RequestDeletion] does for a person. Problems: last-administrator.
func (s *Service) ScheduleDeletion(ctx context.Context, by identity.Actor, user User) error {
	if err := operator(by); err != nil {
		return err
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		return s.schedule(ctx, by, tx, user.ID, s.Now().Add(s.DeletionDelay), user.Language)
	})
}

func (s *Service) schedule(ctx context.Context, by identity.Actor, tx Tx, id identity.ID, due time.Time, lang string) (audit.Event, error) {
	event := audit.Event{Name: audit.UserArchived, User: id}
	if err := s.keepAdministrator(ctx, tx, id); err != nil {
		return event, err
	}
	user, err := tx.UserByID(ctx, id)
	if errors.Is(err, ErrMissing) {
		err = errNotFound
	}
	if err == nil && user.DeleteMicros != 0 {
		err = problem.New(problem.Conflict, "conflict", "The deletion of this account was asked for already.")
	}
	if err == nil {
		err = tx.SetDeletion(ctx, id, due.UnixMicro())
	}
	if err == nil {
		_, err = tx.EndSessions(ctx, identity.SubjectOf(id), identity.ID{})
	}
	if err == nil {
		err = endLinks(ctx, tx, id)
	}
	if err == nil {
		err = tx.DeleteInvitationsBy(ctx, id)
	}
	if err != nil {
		return event, err
	}
	user.DeleteMicros = due.UnixMicro()
	return event, s.mailDeletion(ctx, by, tx, user, lang)
}

// mailDeletion tells when the account will be deleted, with the link that keeps it.
func (s *Service) mailDeletion(ctx context.Context, by identity.Actor, tx Tx, user User, lang string) error {
	due := identity.Time(user.DeleteMicros)
	link, err := s.addLink(ctx, tx, user.ID, LinkKeep, due)
	if err != nil {
		return err
	}
	data := s.mailData(by, user.Email, user.DisplayName)
	data.Link, data.LinkExpires, data.Until = link, due, due
	return tx.Enqueue(ctx, compose(mail.DeletionPending, user, lang, data))
}

// KeepByToken is for the page behind the link that undoes a deletion: whose it is. It changes nothing. Problems: link-invalid.
func (s *Service) KeepByToken(ctx context.Context, token string) (Pending, error) {
	user, err := s.linkUser(ctx, LinkKeep, token)
	return Pending{Email: user.Email}, err
}

// Keep undoes a deletion by its link, once. Nobody is signed in by it. Problems: link-invalid.
func (s *Service) Keep(ctx context.Context, by identity.Actor, token string) error {
	user, err := s.linkUser(ctx, LinkKeep, token)
	if err == nil {
		err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
			event := audit.Event{Name: audit.UserRestored, User: user.ID}
			taken, err := tx.TakeLink(ctx, s.linkMAC(LinkKeep, token), s.Now().UnixMicro())
			if err == nil && !taken {
				err = errLink
			}
			if err != nil {
				return event, err
			}
			return event, s.keep(ctx, tx, user)
		})
	}
	if errors.Is(err, errLink) {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.SequenceFail, Reason: "keep-account link"})
	}
	return err
}

func (s *Service) keep(ctx context.Context, tx Tx, user User) error {
	if err := tx.SetDeletion(ctx, user.ID, 0); err != nil {
		return err
	}
	return tx.DeleteLinks(ctx, user.ID, LinkKeep)
}

// Delete deletes somebody at once, for an operator. Problems: last-administrator.
func (s *Service) Delete(ctx context.Context, by identity.Actor, user User) error {
	if err := operator(by); err != nil {
		return err
	}
	return s.erase(ctx, by, user.ID, func(User) bool { return true })
}

// DeleteDue deletes those whose delay is over, a hundred at most, and tells how many. One who cannot be deleted keeps
// nobody else waiting.
func (s *Service) DeleteDue(ctx context.Context, by identity.Actor) (deleted int, err error) {
	now := s.Now().UnixMicro()
	ids, err := s.Store.DueDeletions(ctx, now)
	for _, id := range ids {
		failed := s.erase(ctx, by, id, func(user User) bool { return user.DeleteMicros != 0 && user.DeleteMicros <= now })
		if failed == nil {
			deleted++
		}
		err = errors.Join(err, failed)
	}
	return deleted, err
}

// erase deletes a person in one transaction, with the last mail. The audit log keeps its rows, whole and unreadable where
// they were personal.
func (s *Service) erase(ctx context.Context, by identity.Actor, id identity.ID, due func(User) bool) error {
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.UserDeleted, User: id}
		err := s.keepAdministrator(ctx, tx, id)
		if err != nil && !errors.Is(err, ErrMissing) {
			return event, err
		}
		user, err := tx.UserByID(ctx, id)
		if errors.Is(err, ErrMissing) || err == nil && !due(user) {
			return audit.Event{Name: audit.Unrecorded}, nil
		}
		if err == nil {
			_, err = tx.EndSessions(ctx, identity.SubjectOf(id), identity.ID{})
		}
		if err == nil {
			err = tx.DeleteInvitationsBy(ctx, id)
		}
		if err == nil {
			err = tx.DeleteSignups(ctx, user.EmailCanonical)
		}
		if err == nil {
			err = tx.EraseUser(ctx, user)
		}
		if err != nil {
			return event, err
		}
		return event, tx.Enqueue(ctx, compose(mail.AccountDeleted, user, "", s.mailData(by, user.Email, user.DisplayName)))
	})
}
