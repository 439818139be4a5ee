package account

import (
	"context"
	"errors"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
)

// LinkPurpose is the one thing that a link does. It is part of the token's MAC, so a link does nothing else.
type LinkPurpose string

// The purposes.
const (
	LinkNotMe LinkPurpose = "not-me"       // locks the account down
	LinkKeep  LinkPurpose = "keep-account" // undoes a deletion
)

// Link is a mailed link that does one thing for a person, once.
type Link struct {
	ID            identity.ID
	User          identity.ID
	Purpose       LinkPurpose
	TokenMAC      []byte
	CreatedMicros int64
	ExpiresMicros int64
}

// notMeLife is how long "This was not me" works. A mail is read within days, so a week; longer would leave a power over
// the account in old mail boxes, though only that to close it: nobody gets in by such a link.
const notMeLife = 7 * 24 * time.Hour

// LinkReader finds links.
type LinkReader interface {
	LinkByToken(ctx context.Context, tokenMAC []byte) (Link, error) // [ErrMissing]
}

// LinkTx changes links. TakeLink deletes and reports whether it was it that deleted: of fifty parallel calls exactly one is true.
type LinkTx interface {
	InsertLink(ctx context.Context, link Link) error // the oldest beyond fifty of a person and purpose go
	TakeLink(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error)
	DeleteLinks(ctx context.Context, user identity.ID, purpose LinkPurpose) error
}

// errReset answers a right password that opens nothing until another one is chosen.
var errReset = problem.New(problem.Forbidden, "reset-required", "Choose a new password first. We have mailed you a link.")

func (s *Service) linkMAC(purpose LinkPurpose, token string) []byte {
	return s.Keys.MAC(secret.Links, []byte(purpose), []byte(token))
}

// addLink stores a link to the page of its purpose and returns it.
func (s *Service) addLink(ctx context.Context, tx Tx, user identity.ID, purpose LinkPurpose, expires time.Time) (string, error) {
	token := newToken()
	err := tx.InsertLink(ctx, Link{
		ID: identity.NewRandomID(), User: user, Purpose: purpose, TokenMAC: s.linkMAC(purpose, token),
		CreatedMicros: s.Now().UnixMicro(), ExpiresMicros: expires.UnixMicro(),
	})
	return s.link(string(purpose), token), err
}

// tell queues a mail that tells of a change, with the link "This was not me".
func (s *Service) tell(ctx context.Context, tx Tx, kind mail.Kind, user User, lang string, data mail.Data) (err error) {
	data.LinkExpires = s.Now().Add(notMeLife)
	if data.Link, err = s.addLink(ctx, tx, user.ID, LinkNotMe, data.LinkExpires); err != nil {
		return err
	}
	return tx.Enqueue(ctx, compose(kind, user, lang, data))
}

// linkUser is whose link a token is. Problems: link-invalid.
func (s *Service) linkUser(ctx context.Context, purpose LinkPurpose, token string) (User, error) {
	link, err := s.Store.LinkByToken(ctx, s.linkMAC(purpose, token))
	if errors.Is(err, ErrMissing) || err == nil && s.Now().UnixMicro() >= link.ExpiresMicros {
		return User{}, errLink
	}
	if err != nil {
		return User{}, err
	}
	user, err := s.Store.UserByID(ctx, link.User)
	if errors.Is(err, ErrMissing) {
		return User{}, errLink
	}
	return user, err
}

// NotMeByToken is for the page behind the link "This was not me": whose it is. It changes nothing. Problems: link-invalid.
func (s *Service) NotMeByToken(ctx context.Context, token string) (Pending, error) {
	user, err := s.linkUser(ctx, LinkNotMe, token)
	return Pending{Email: user.Email}, err
}

// NotMe locks the account down whose link this is, as [Service.Secure] does, and undoes a deletion that somebody has asked
// for. The link works once. Problems: link-invalid.
func (s *Service) NotMe(ctx context.Context, by identity.Actor, token, lang string) error {
	user, err := s.linkUser(ctx, LinkNotMe, token)
	if err == nil {
		err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
			event := audit.Event{Name: audit.SessionLogout, User: user.ID, Reason: "not me"}
			taken, err := tx.TakeLink(ctx, s.linkMAC(LinkNotMe, token), s.Now().UnixMicro())
			if err == nil && !taken {
				err = errLink
			}
			if err != nil {
				return event, err
			}
			current, err := tx.UserByID(ctx, user.ID)
			if err == nil && current.DeleteMicros != 0 {
				if err = s.keep(ctx, tx, current); err == nil {
					err = tx.Record(ctx, audit.Event{Name: audit.UserRestored, User: user.ID, Reason: "not me"})
				}
			}
			if err != nil {
				return event, err
			}
			return event, s.lockDown(ctx, by, tx, current, mail.AccountSecured, lang)
		})
	}
	if errors.Is(err, errLink) {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.SequenceFail, Reason: "not-me link"})
	}
	return err
}

// Secure locks the account of the person who asks down: every session ends, also the one of the request, no device is known
// any more, and the password opens nothing until a new one is chosen through a link that is mailed.
func (s *Service) Secure(ctx context.Context, by identity.Actor, lang string) error {
	if by.Subject().IsZero() {
		return errSignIn
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.SessionLogout, User: by.Subject().ID(), Session: by.Session(), Reason: "secured"}
		user, err := tx.UserByID(ctx, by.Subject().ID())
		if errors.Is(err, ErrMissing) {
			err = errSignIn
		}
		if err == nil {
			err = stillSignedIn(ctx, tx, by)
		}
		if err != nil {
			return event, err
		}
		return event, s.lockDown(ctx, by, tx, user, mail.AccountSecured, lang)
	})
}

// lockDown takes away whatever somebody else may hold: sessions, known devices, links of all mails and the use of the
// password. The owner gets a link to choose a new one; not while the account is locked, when it would open nothing.
func (s *Service) lockDown(ctx context.Context, by identity.Actor, tx Tx, user User, kind mail.Kind, lang string) error {
	_, err := tx.EndSessions(ctx, identity.SubjectOf(user.ID), identity.ID{})
	if err == nil {
		err = tx.ForgetDevices(ctx, user.ID)
	}
	if err == nil {
		err = tx.DemandReset(ctx, user.ID, s.Now().UnixMicro())
	}
	if err == nil {
		err = endLinks(ctx, tx, user.ID)
	}
	if err == nil {
		err = tx.DeleteInvitationsBy(ctx, user.ID) // whoever used the account may have left some
	}
	if err == nil {
		err = tx.DeleteLinks(ctx, user.ID, LinkNotMe)
	}
	if err != nil || user.LockedAt(s.Now()) {
		return err
	}
	return s.mailReset(ctx, by, tx, user, kind, lang)
}

// mailReset queues a mail with a new link to choose a password.
func (s *Service) mailReset(ctx context.Context, by identity.Actor, tx Tx, user User, kind mail.Kind, lang string) error {
	token := newToken()
	if err := tx.InsertReset(ctx, s.newReset(user.ID, token)); err != nil {
		return err
	}
	data := s.mailData(by, user.Email, user.DisplayName)
	if by.Kind() == identity.Person && by.Subject().ID() != user.ID {
		data.Device, data.Address = "", "" // of the administrator
	}
	data.Link, data.LinkExpires = s.link("reset-password", token), s.Now().Add(resetLife)
	return tx.Enqueue(ctx, compose(kind, user, lang, data))
}

// wayOutPolicy admits one mail an hour to somebody whose right password opens nothing.
var wayOutPolicy = AttemptPolicy{Max: 1, WindowMicros: time.Hour.Microseconds(), LockMicros: time.Hour.Microseconds(), MaxMicros: time.Hour.Microseconds()}

// barred says why a right password opens nothing: a new one is demanded, or the account waits for its deletion. The way
// out is mailed and not offered here, so that whoever knows the password alone gets no further. The try stays counted.
func (s *Service) barred(ctx context.Context, by identity.Actor, user User, lang string) error {
	var refusal *problem.Error
	switch {
	case user.ResetDemandedMicros != 0:
		refusal = errReset
	case user.DeleteMicros != 0:
		refusal = errDeletion
	default:
		return nil
	}
	_, attempt, err := s.count(ctx, wayOutPolicy, "way out", user.ID.String(), refusal.Code)
	if err != nil {
		return err
	}
	if !attempt.Admitted {
		return refusal
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.ResetRequested, User: user.ID, Reason: "demanded"}
		current, err := tx.UserByID(ctx, user.ID)
		switch {
		case errors.Is(err, ErrMissing):
			return audit.Event{Name: audit.Unrecorded}, nil
		case err != nil:
			return event, err
		case current.ResetDemandedMicros != 0:
			return event, s.mailReset(ctx, by, tx, current, mail.ResetDemanded, lang)
		case current.DeleteMicros != 0:
			return audit.Event{Name: audit.ResetRequested, User: user.ID, Reason: "deletion pending"}, s.mailDeletion(ctx, by, tx, current, lang)
		}
		return audit.Event{Name: audit.Unrecorded}, nil
	})
	if err != nil {
		return err
	}
	return refusal
}

// proof is the password that somebody must know who holds a mailed link and is not signed in.
type proof struct {
	user     identity.ID // whose account it is about; zero while there is none
	email    string      // canonical
	row      identity.ID // the row that the password stands in, sealed
	password []byte
	what     string // for the counter and the audit log
	wrong    error  // the answer to another password
}

// proveHolder checks the password. A right one costs no try.
func (s *Service) proveHolder(ctx context.Context, by identity.Actor, p proof, typed string) error {
	try, err := s.reserve(ctx, by, p.user, p.what, p.email, p.row.String())
	if err == nil {
		err = s.admit(ctx, by, proven(by, p.row), &try)
	}
	if err != nil {
		return err
	}
	phc, err := s.openPassword(ctx, by, p.row, p.password)
	if err != nil {
		s.abandon(ctx, try)
		return err
	}
	ok, _, err := s.verify(ctx, try, false, phc, typed)
	if err != nil {
		return err
	}
	if !ok {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.LoginFail, User: p.user, Reason: p.what})
		return p.wrong
	}
	s.giveBack(ctx, try)
	return nil
}
