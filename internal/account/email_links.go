package account

import (
	"context"
	"crypto/hmac"
	"errors"
	"slices"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
)

// EmailLink is what a page may say about the holder of one of the two links of a change of address.
type EmailLink struct {
	Approves      bool   // it went to the old address; else to the new one
	Old           string // empty for whoever holds the new address only: they may be a stranger
	New           string
	NeedsPassword bool
}

// EmailLinkByToken is for the page behind a mailed link. It changes nothing. Problems: link-invalid; forbidden for
// somebody who is signed in to another account.
func (s *Service) EmailLinkByToken(ctx context.Context, by identity.Actor, token string) (EmailLink, error) {
	click, err := s.emailClick(ctx, by, token)
	if err != nil {
		return EmailLink{}, err
	}
	link := EmailLink{Approves: click.approves, New: click.wanted.Email, NeedsPassword: click.needsPassword(by)}
	if !link.NeedsPassword {
		link.Old = click.user.Email
	}
	return link, nil
}

// emailClick is a link of a change of address that works, and what it leads to.
type emailClick struct {
	mac      []byte
	approves bool
	wanted   EmailChange
	user     User
}

// needsPassword: a link to the new address proves no more than that mailbox. Without the session that asked, the password
// is needed too; else somebody could ask for a stranger's address and wait for the click (compare D22).
func (c emailClick) needsPassword(by identity.Actor) bool {
	return !c.approves && by.Subject().ID() != c.user.ID
}

func (s *Service) emailClick(ctx context.Context, by identity.Actor, token string) (click emailClick, err error) {
	click.mac = s.mac(secret.Links, token)
	click.wanted, err = s.Store.EmailChangeByToken(ctx, click.mac)
	if err == nil {
		click.user, err = s.Store.UserByID(ctx, click.wanted.User)
	}
	if errors.Is(err, ErrMissing) {
		return click, errLink
	}
	if err != nil {
		return click, err
	}
	click.approves = hmac.Equal(click.wanted.ApproveMAC, click.mac)
	used := click.wanted.ConfirmedMicros != 0
	if click.approves {
		used = click.wanted.ApprovedMicros != 0
	}
	switch {
	case used || s.Now().UnixMicro() >= click.wanted.ExpiresMicros || click.user.LockedAt(s.Now()):
		return click, errLink
	case !by.Subject().IsZero() && by.Subject().ID() != click.user.ID:
		return click, errNotTheir
	}
	return click, nil
}

// EmailUsed is what came of a link of a change of address.
type EmailUsed struct {
	Changed bool     // else the link to the other address must be used too
	Renewed SignedIn // the session of the request under its new id; zero unless the address was changed in one
}

// UseEmailLink uses one of the two links, which work once, in any order. The second one changes the address: every
// session but the one of the request ends, that one gets another id and token (D13), and the links that were mailed to the old
// address end. The link to the new address needs the password too where nobody is signed in.
// Problems: link-invalid, forbidden, password-required, login-failed, too-many-requests, busy.
func (s *Service) UseEmailLink(ctx context.Context, by identity.Actor, token, typed, lang string) (used EmailUsed, err error) {
	click, err := s.emailClick(ctx, by, token)
	switch {
	case errors.Is(err, errLink):
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.SequenceFail, Reason: "address link"})
	case errors.Is(err, errNotTheir):
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.AuthzFail, User: by.Subject().ID(), Session: by.Session(), Reason: "address link"})
	}
	if err != nil {
		return used, err
	}
	if click.needsPassword(by) {
		if typed == "" {
			return used, errProof
		}
		if err := s.proveHolder(ctx, by, proof{user: click.user.ID, email: click.user.EmailCanonical, row: click.user.ID, password: click.user.Password, what: "address", wrong: errWrong}, typed); err != nil {
			return used, err
		}
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		user, wanted, err := s.takeEmailClick(ctx, tx, click)
		used = EmailUsed{Changed: err == nil && wanted.ApprovedMicros != 0 && wanted.ConfirmedMicros != 0}
		switch {
		case err != nil:
			return audit.Event{}, err
		case used.Changed:
			if by.Subject().ID() == user.ID {
				used.Renewed, err = s.renewAt(ctx, by, tx, user, wanted.Email)
			}
			if err == nil {
				err = s.changeEmail(ctx, by, tx, user, wanted, used.Renewed.Session.ID, lang)
			}
			return addressEvent(audit.Event{Name: audit.UserUpdated, Reason: "address changed"}, by, user, wanted), err
		case click.approves:
			return addressEvent(audit.Event{Name: audit.UserUpdated, Reason: "address change approved"}, by, user, wanted), nil
		default:
			return addressEvent(audit.Event{Name: audit.UserUpdated, Reason: "address change confirmed"}, by, user, wanted), nil
		}
	})
	if errors.Is(err, ErrTaken) { // somebody else was first with this address: the change can never be
		err = errors.Join(errLink, s.dropEmailChange(ctx, by, click))
	}
	if err != nil {
		return EmailUsed{}, err
	}
	return used, nil
}

// renewAt puts a session with another id and token in the place of the request's, whose owner has a new address. A click is no
// proof of who they are: it is as fresh as before.
func (s *Service) renewAt(ctx context.Context, by identity.Actor, tx Tx, user User, address string) (SignedIn, error) {
	list, err := tx.Sessions(ctx, by.Subject())
	if err != nil {
		return SignedIn{}, err
	}
	at := slices.IndexFunc(list, func(one sessions.Session) bool { return one.ID == by.Session() })
	if at < 0 {
		return SignedIn{}, errSignIn
	}
	next, token := s.Engine.Renew(list[at], by.Request())
	next.FreshMicros = list[at].FreshMicros
	there, err := tx.RotateSession(ctx, by.Subject(), by.Session(), next)
	if err == nil && !there {
		err = errSignIn
	}
	if err == nil {
		err = tx.Record(ctx, audit.Event{Name: audit.SessionRenewed, User: user.ID, Session: next.ID, Reason: "changed"})
	}
	user.Email = address
	return SignedIn{Session: next, Person: personOf(user), Token: token}, err
}

// takeEmailClick uses the link up. Of fifty parallel calls one succeeds, and a lock or a new password meanwhile lets none.
func (s *Service) takeEmailClick(ctx context.Context, tx Tx, click emailClick) (User, EmailChange, error) {
	user, err := tx.UserByID(ctx, click.user.ID)
	if errors.Is(err, ErrMissing) || err == nil && user.LockedAt(s.Now()) {
		return user, EmailChange{}, errLink
	}
	if err != nil {
		return user, EmailChange{}, err
	}
	take := tx.ConfirmEmailChange
	if click.approves {
		take = tx.ApproveEmailChange
	}
	taken, err := take(ctx, click.mac, s.Now().UnixMicro())
	if err == nil && !taken {
		err = errLink
	}
	if err != nil {
		return user, EmailChange{}, err
	}
	wanted, err := tx.EmailChange(ctx, identity.SubjectOf(user.ID))
	return user, wanted, err
}

// changeEmail gives somebody the address that both links have proved, and ends every session but one, or all for the zero ID.
func (s *Service) changeEmail(ctx context.Context, by identity.Actor, tx Tx, user User, wanted EmailChange, spared identity.ID, lang string) error {
	err := tx.SetEmail(ctx, user.ID, wanted.Email, wanted.EmailCanonical)
	if err == nil {
		err = endLinks(ctx, tx, user.ID)
	}
	if err == nil {
		err = tx.DeleteLinks(ctx, user.ID, LinkNotMe) // they lie in the old mailbox
	}
	if err == nil {
		err = tx.DeleteSignups(ctx, wanted.EmailCanonical)
	}
	if err == nil {
		_, err = tx.EndSessions(ctx, identity.SubjectOf(user.ID), spared)
	}
	if err != nil {
		return err
	}
	data := s.mailData(by, wanted.Email, user.DisplayName)
	data.NewEmail, data.Link = wanted.Email, s.Origin+s.Prefix+"/account"
	if err := tx.Enqueue(ctx, compose(mail.AddressChanged, user, lang, data)); err != nil {
		return err
	}
	data.To, data.Link = user.Email, s.Origin+s.Prefix+"/forgot-password"
	return tx.Enqueue(ctx, compose(mail.AddressLeft, user, lang, data))
}

// SetEmail gives somebody another address without any link: an operator answers for who they are, as for an owner who can
// no longer read mails at the old one. All sessions and links of theirs end, and both addresses are told.
// Problems: forbidden, invalid, conflict.
func (s *Service) SetEmail(ctx context.Context, by identity.Actor, user User, typed, reason string) error {
	if err := operator(by); err != nil {
		return err
	}
	address, err := input.ParseEmail(typed)
	if err != nil {
		return wrongField("email", err)
	}
	if address.Key() == user.EmailCanonical {
		return errSame
	}
	wanted := EmailChange{Email: address.String(), EmailCanonical: address.Key()}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		current, err := tx.UserByID(ctx, user.ID)
		event := addressEvent(audit.Event{Name: audit.UserUpdated, Reason: "address changed by operator"}, by, current, wanted)
		event.Private["reason"] = reason
		if err != nil {
			return event, err
		}
		return event, s.changeEmail(ctx, by, tx, current, wanted, identity.ID{}, "")
	})
	if errors.Is(err, ErrTaken) {
		return problem.New(problem.Conflict, "conflict", "This address has an account already.")
	}
	return err
}

func (s *Service) dropEmailChange(ctx context.Context, by identity.Actor, click emailClick) error {
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		deleted, err := tx.DeleteEmailChange(ctx, identity.SubjectOf(click.user.ID))
		if err != nil || !deleted {
			return audit.Event{Name: audit.Unrecorded}, err
		}
		return addressEvent(audit.Event{Name: audit.UserUpdated, Reason: "address taken"}, by, click.user, click.wanted), nil
	})
}
