package account

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
)

// emailChangeLife is how long both links of a change of address work.
const emailChangeLife = 24 * time.Hour

// emailChangesAnHour is how many changes of address one person may ask for, whatever the addresses: each mails a stranger.
var emailChangesAnHour = AttemptPolicy{Max: 5, WindowMicros: time.Hour.Microseconds(), LockMicros: time.Hour.Microseconds(), MaxMicros: time.Hour.Microseconds()}

var (
	errSame     = problem.New(problem.Invalid, "invalid", "This is the address that the account has.").With(problem.Field{Name: "email", Code: "same", Detail: "This is the address that the account has."})
	errNotTheir = problem.New(problem.Forbidden, "forbidden", "This link belongs to another account. Sign out first, then use it again.")
	errProof    = problem.New(problem.Forbidden, "password-required", "Enter the password of the account, or sign in to it first.")
)

// RequestEmailChange asks for another address, after a proof of the current password (C062). Both addresses get a link;
// the change happens when both have been used. It takes the place of an earlier one. For an address that has an account
// the work and the answer are the same, the mail there tells its owner, and the change never happens.
// Problems: unauthenticated, invalid, login-failed, too-many-requests, busy.
func (s *Service) RequestEmailChange(ctx context.Context, by identity.Actor, typed, current, deviceCookie, lang string) error {
	address, err := input.ParseEmail(typed)
	if err != nil {
		return wrongField("email", err)
	}
	user, try, err := s.prove(ctx, by, current, deviceCookie)
	if err != nil {
		return err
	}
	if address.Key() == user.EmailCanonical {
		return errSame
	}
	quiet, err := s.reserveEmailChange(ctx, by, address.Key())
	if err != nil {
		return err
	}
	now, approve, confirm := s.Now(), newToken(), newToken()
	wanted := EmailChange{
		User: user.ID, Email: address.String(), EmailCanonical: address.Key(), ApproveMAC: s.mac(secret.Links, approve), ConfirmMAC: s.mac(secret.Links, confirm),
		CreatedMicros: now.UnixMicro(), ExpiresMicros: now.Add(emailChangeLife).UnixMicro(),
	}
	data := s.mailData(by, user.Email, user.DisplayName)
	data.NewEmail, data.Link, data.LinkExpires = wanted.Email, s.link("change-email", approve), now.Add(emailChangeLife)
	toOld := compose(mail.ApproveAddress, user, lang, data)
	data.To, data.Link = wanted.Email, s.link("change-email", confirm)
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := addressEvent(audit.Event{Name: audit.UserUpdated, Reason: "address change requested"}, by, user, wanted)
		if err := s.stillProved(ctx, tx, by, user); err != nil {
			return event, err
		}
		kind, data, row, reader := mail.ConfirmAddress, data, wanted, user
		owner, err := tx.UserByEmail(ctx, row.EmailCanonical)
		switch {
		case err == nil:
			// The row stays, with a link that nobody holds: the same statements, and nothing to confirm.
			kind, reader, row.ConfirmMAC = mail.AddressTaken, owner, noSecret()
			data.Link, data.LinkExpires = s.Origin+s.Prefix+"/login", time.Time{}
		case !errors.Is(err, ErrMissing):
			return event, err
		}
		toNew := compose(kind, reader, lang, data)
		toNew.Decoy = quiet
		err = tx.PutEmailChange(ctx, by.Subject(), row)
		if err == nil {
			err = tx.ClearAttempts(ctx, try.key)
		}
		if err == nil {
			err = tx.Enqueue(ctx, toOld)
		}
		if err != nil {
			return event, err
		}
		return event, tx.Enqueue(ctx, toNew)
	})
}

// reserveEmailChange counts what a change of address mails, against the person who asks and against the new address.
func (s *Service) reserveEmailChange(ctx context.Context, by identity.Actor, address string) (quiet bool, err error) {
	_, attempt, err := s.count(ctx, emailChangesAnHour, "change address of", by.Subject().ID().String())
	if err != nil {
		return false, err
	}
	if !attempt.Admitted {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.RateLimitExceeded, User: by.Subject().ID(), Session: by.Session(), Reason: "change address"})
		return false, problem.New(problem.TooMany, "too-many-requests", "Too many changes of address were asked for. Wait a while.").After(s.coarse(attempt))
	}
	wish := proven(by, by.Subject().ID())
	return s.reserveMail(ctx, by, &wish, "change address", address)
}

// stillProved reports, inside of a transaction, whether what [Service.prove] found holds: the same password, no lock, and
// the session of the request. So nobody goes on who was put out meanwhile.
func (s *Service) stillProved(ctx context.Context, tx Tx, by identity.Actor, user User) error {
	current, err := tx.UserByID(ctx, user.ID)
	if err == nil && (current.LockedAt(s.Now()) || !bytes.Equal(current.Password, user.Password)) {
		return errSignIn
	}
	if err == nil {
		return stillSignedIn(ctx, tx, by)
	}
	if errors.Is(err, ErrMissing) {
		return errSignIn
	}
	return err
}

// stillSignedIn refuses what a session asked for that has ended since: the body of a request may come long after its head.
func stillSignedIn(ctx context.Context, tx Tx, by identity.Actor) error {
	_, err := tx.SessionOwner(ctx, by.Session())
	if errors.Is(err, ErrMissing) {
		return errSignIn
	}
	return err
}

// addressEvent adds to an event whose address it is about.
func addressEvent(event audit.Event, by identity.Actor, user User, wanted EmailChange) audit.Event {
	event.User, event.Private = user.ID, map[string]string{"old_email": user.Email, "new_email": wanted.Email}
	if by.Subject().ID() == user.ID {
		event.Session = by.Session()
	}
	return event
}

// CancelEmailChange ends the change of address that the person who asks has begun. That there is none is no error.
func (s *Service) CancelEmailChange(ctx context.Context, by identity.Actor) error {
	if by.Subject().IsZero() {
		return errSignIn
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		user, err := tx.UserByID(ctx, by.Subject().ID())
		if err != nil {
			return audit.Event{}, err
		}
		wanted, err := tx.EmailChange(ctx, by.Subject())
		if errors.Is(err, ErrMissing) {
			return audit.Event{Name: audit.Unrecorded}, nil
		}
		if err == nil {
			_, err = tx.DeleteEmailChange(ctx, by.Subject())
		}
		return addressEvent(audit.Event{Name: audit.UserUpdated, Reason: "address change cancelled"}, by, user, wanted), err
	})
}

// endLinks ends what was mailed to somebody and what waits for a click of theirs. So whoever recovers an account ends
// what a thief has begun.
func endLinks(ctx context.Context, tx Tx, user identity.ID) error {
	err := tx.DeleteResets(ctx, user)
	if err == nil {
		_, err = tx.DeleteEmailChange(ctx, identity.SubjectOf(user))
	}
	return err
}
