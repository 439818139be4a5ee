package account

import (
	"context"
	"errors"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/password"
)

// Forgotten is what somebody sends who forgot their password.
type Forgotten struct {
	Email        string
	DeviceCookie string // as sent
	Challenge    string // the solution of one, if one was asked for
	Lang         string
}

// ForgotPassword mails a link to choose a new password. Strangers get the same answer, at the same cost. It works while
// tries are used up (D05), and changes nothing by itself (C057). A known device always gets its mail.
// Problems: challenge-required, too-many-requests.
func (s *Service) ForgotPassword(ctx context.Context, by identity.Actor, in Forgotten) error {
	defer evenly(ctx)()
	key := canonical(in.Email)
	device, signed := s.signedDevice(in.DeviceCookie)
	owns, err := s.ownsDevice(ctx, key, device, signed)
	if err == nil && !owns {
		err = s.enterOnce(ctx, by)
	}
	wish := attempt(by, challenge.Forgot, in.Challenge)
	wish.Light, wish.Known = true, owns // nothing is hashed
	if err == nil {
		err = s.refuses(ctx, by, wish)
	}
	if err != nil {
		return err
	}
	quiet, err := s.reserveMail(ctx, by, &wish, "forgot", key)
	if err == nil {
		err = s.admit(ctx, by, wish, &tryOf{})
	}
	if err != nil {
		return err
	}
	token := newToken()
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		user, err := tx.UserByEmail(ctx, key)
		if err != nil && !errors.Is(err, ErrMissing) {
			return audit.Event{}, err
		}
		found, someone := err == nil, user.ID
		if !found {
			someone = identity.NewRandomID() // nobody: the same statements run
		}
		known, err := tx.KnowsDevice(ctx, someone, device)
		if err != nil {
			return audit.Event{}, err
		}
		decoy := !found || user.LockedAt(s.Now()) || quiet && !known
		data := s.mailData(by, "nobody@invalid.invalid", "")
		if !decoy {
			data.To, data.DisplayName = user.Email, user.DisplayName
			err = tx.InsertReset(ctx, s.newReset(user.ID, token))
		} else if err = tx.DeleteResets(ctx, identity.NewRandomID()); err == nil {
			err = tx.DeleteResets(ctx, identity.NewRandomID())
		}
		if err != nil {
			return audit.Event{}, err
		}
		data.Link, data.LinkExpires = s.link("reset-password", token), s.Now().Add(resetLife)
		message := compose(mail.ResetPassword, user, in.Lang, data)
		message.Decoy = decoy
		if err := tx.Enqueue(ctx, message); err != nil {
			return audit.Event{}, err
		}
		// The person stands among the details: a row under their own key would cost statements that tell of them.
		event := audit.Event{Name: audit.ResetRequested, Reason: "forgot", Private: map[string]string{"user": someone.String()}}
		return s.askedFor(ctx, tx, event, decoy)
	})
}

// ownsDevice reports whether a device that was signed here is one that the holder of an address has used.
func (s *Service) ownsDevice(ctx context.Context, key string, device identity.ID, signed bool) (bool, error) {
	if !signed {
		return false, nil
	}
	_, known, err := s.userAt(ctx, key, device, true)
	return known, err
}

func (s *Service) newReset(user identity.ID, token string) Reset {
	now := s.Now()
	return Reset{ID: identity.NewRandomID(), User: user, TokenMAC: s.mac(secret.Links, token), CreatedMicros: now.UnixMicro(), ExpiresMicros: now.Add(resetLife).UnixMicro()}
}

// ResetByToken is for the page behind a mailed link: whose it is. It changes nothing. Problems: link-invalid.
func (s *Service) ResetByToken(ctx context.Context, token string) (Pending, error) {
	user, err := s.resetUser(ctx, token)
	return Pending{Email: user.Email}, err
}

func (s *Service) resetUser(ctx context.Context, token string) (User, error) {
	reset, err := s.Store.ResetByToken(ctx, s.mac(secret.Links, token))
	if errors.Is(err, ErrMissing) || err == nil && s.Now().UnixMicro() >= reset.ExpiresMicros {
		return User{}, errLink
	}
	if err != nil {
		return User{}, err
	}
	user, err := s.Store.UserByID(ctx, reset.User)
	if errors.Is(err, ErrMissing) {
		return User{}, errLink
	}
	return user, err
}

// ResetPassword sets a new password by a mailed link, which works once. All sessions and known devices end, and nobody
// is signed in by it (C056). The link proves its holder, so their browser becomes a known device, whose cookie is
// returned: whatever strangers try, the owner can sign in next (D05). A lock set by an operator stays.
// Problems: link-invalid, password-weak, too-many-requests, busy.
func (s *Service) ResetPassword(ctx context.Context, by identity.Actor, token, chosen, deviceCookie, lang string) (cookie secret.Text, err error) {
	device, signed := s.signedDevice(deviceCookie)
	from, err := s.enterUnless(ctx, by, signed, func() (bool, error) { return s.resetsOwn(ctx, token, device) })
	if err != nil {
		return secret.Text{}, err
	}
	defer func() { s.leave(ctx, from, err) }()
	user, err := s.resetUser(ctx, token)
	if errors.Is(err, errLink) {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.SequenceFail, Reason: "reset link"})
	}
	if err != nil {
		return secret.Text{}, err
	}
	if err := s.checkPassword(chosen, user.EmailCanonical, user.DisplayName); err != nil {
		return secret.Text{}, err
	}
	phc, try, err := s.hashByLink(ctx, by, user, chosen)
	if err != nil {
		return secret.Text{}, err
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.PasswordChange, User: user.ID, Reason: "reset"}
		now := s.Now().UnixMicro()
		taken, err := tx.TakeReset(ctx, s.mac(secret.Links, token), now)
		if err == nil && !taken {
			err = errLink
		}
		if err == nil {
			err = endLinks(ctx, tx, user.ID)
		}
		if err == nil {
			err = tx.SetPassword(ctx, user.ID, s.sealPassword(user.ID, phc), now)
		}
		if err == nil {
			_, err = tx.EndSessions(ctx, identity.SubjectOf(user.ID), identity.ID{})
		}
		if err == nil {
			err = tx.ForgetDevices(ctx, user.ID)
		}
		if err == nil {
			err = tx.RememberDevice(ctx, user.ID, device, s.Now().Add(deviceLife).UnixMicro())
		}
		if err == nil {
			err = tx.ClearAttempts(ctx, s.Keys.MAC(secret.Attempts, []byte("login"), []byte(user.EmailCanonical)))
		}
		if err == nil {
			err = tx.ClearAttempts(ctx, try.key)
		}
		if err != nil {
			return event, err
		}
		return event, s.tell(ctx, tx, mail.PasswordChanged, user, lang, s.mailData(by, user.Email, user.DisplayName))
	})
	if err != nil && !errors.Is(err, errLink) {
		s.abandon(ctx, try)
	}
	return s.deviceCookie(device), err
}

// hashByLink hashes the password that the holder of a link chose. Each use is counted before: of fifty uses of one link
// at once most end at that, and leave the hash queue to others. A use that fails before a link is taken was none.
func (s *Service) hashByLink(ctx context.Context, by identity.Actor, user User, chosen string) (phc string, try tryOf, err error) {
	try, err = s.reserve(ctx, by, user.ID, "reset", user.EmailCanonical)
	if err == nil {
		err = s.admit(ctx, by, proven(by, user.ID), &try)
	}
	if err != nil {
		return "", try, err
	}
	if err = s.checkBreach(ctx, chosen); err == nil {
		granted, leave := s.enterKnown(user.ID, true)
		defer leave()
		phc, err = s.hashAfresh(ctx, by, user, granted, chosen)
		err = hashing(err)
	}
	if err != nil {
		s.abandon(ctx, try)
	}
	return phc, try, err
}

const sameDetail = "This is the password that somebody else may know. Choose another."

// hashAfresh hashes the password that a mailed link chooses. One that was demanded must be another than that which it replaces:
// the same again would hand the account back to whoever knows it.
func (s *Service) hashAfresh(ctx context.Context, by identity.Actor, user User, granted bool, chosen string) (string, error) {
	old, err := "", error(nil)
	if user.ResetDemandedMicros != 0 {
		old, err = s.openPassword(ctx, by, user.ID, user.Password)
	}
	if old != "" && err == nil { // one that cannot be read is replaced by any
		same, _, err := s.Hasher.Verify(ctx, password.Other, granted, old, chosen)
		if err != nil && !errors.Is(err, password.ErrMalformed) {
			return "", err
		}
		if same {
			return "", problem.New(problem.Invalid, "password-weak", sameDetail).With(problem.Field{Name: "password", Code: "same", Detail: sameDetail})
		}
	}
	return s.Hasher.Hash(ctx, password.Other, granted, chosen)
}

// resetsOwn reports whether a link is for somebody who has used the device before.
func (s *Service) resetsOwn(ctx context.Context, token string, device identity.ID) (bool, error) {
	user, err := s.resetUser(ctx, token)
	if err != nil && !errors.Is(err, errLink) {
		return false, err
	}
	return s.knows(ctx, user, device)
}

// ChangePassword sets a new password after a proof of the current one. Every other session and known device ends; this
// one gets another id and token. Problems: unauthenticated, login-failed, password-weak, too-many-requests, busy.
func (s *Service) ChangePassword(ctx context.Context, by identity.Actor, current, chosen, deviceCookie, lang string) (SignedIn, error) {
	user, try, err := s.prove(ctx, by, current, deviceCookie)
	if err != nil {
		if errors.Is(err, errWrong) {
			s.Refusals.Count(ctx, by, audit.Event{Name: audit.PasswordChangeFail, User: by.Subject().ID(), Session: by.Session()})
		}
		return SignedIn{}, err
	}
	if err := s.checkPassword(chosen, user.EmailCanonical, user.DisplayName); err != nil {
		return SignedIn{}, err
	}
	if err := s.checkBreach(ctx, chosen); err != nil {
		return SignedIn{}, err
	}
	granted, leave := s.enterKnown(user.ID, true)
	defer leave()
	phc, err := s.Hasher.Hash(ctx, password.Other, granted, chosen)
	if err != nil {
		return SignedIn{}, hashing(err)
	}
	return s.renew(ctx, by, user, deviceCookie, func(ctx context.Context, tx Tx, next sessions.Session) (audit.Event, error) {
		event := audit.Event{Name: audit.PasswordChange, User: user.ID, Session: next.ID, Reason: "changed"}
		now := s.Now()
		err := tx.ClearAttempts(ctx, try.key)
		if err == nil {
			err = tx.Record(ctx, audit.Event{Name: audit.SessionRenewed, User: user.ID, Session: next.ID, Reason: "changed"})
		}
		if err == nil {
			err = tx.SetPassword(ctx, user.ID, s.sealPassword(user.ID, phc), now.UnixMicro())
		}
		if err == nil {
			_, err = tx.EndSessions(ctx, by.Subject(), next.ID)
		}
		if err == nil {
			err = endLinks(ctx, tx, user.ID)
		}
		if err == nil {
			err = tx.ForgetDevices(ctx, user.ID)
		}
		if err == nil && !next.Device.IsZero() {
			err = tx.RememberDevice(ctx, user.ID, next.Device, now.Add(deviceLife).UnixMicro())
		}
		if err != nil {
			return event, err
		}
		return event, s.tell(ctx, tx, mail.PasswordChanged, user, lang, s.mailData(by, user.Email, user.DisplayName))
	})
}
