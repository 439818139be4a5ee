package account

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/password"
)

// SignIn is what somebody sends to sign in.
type SignIn struct {
	Email        string
	Password     string
	Remember     bool
	Bearer       bool   // a client that keeps the token itself, and gets no cookies
	DeviceCookie string // as sent; anything else counts as no known device
	Challenge    string // the solution of one, if one was asked for
	Lang         string
}

// SignedIn is a new session with its secrets, which exist nowhere else.
type SignedIn struct {
	Session      sessions.Session
	Person       sessions.Person
	Token        secret.Text
	DeviceCookie secret.Text
}

// SignIn proves an address and its password and begins a session. Every failure is the same answer, at the same cost.
// A device that the owner has used before has a counter of its own, so that nobody else can lock the owner out (D05), and
// does not count against its address. From everybody else an address has a limit, which is asked before anything is read.
// Problems: login-failed, reset-required, deletion-pending, challenge-required, too-many-requests, busy.
func (s *Service) SignIn(ctx context.Context, by identity.Actor, in SignIn) (SignedIn, error) {
	out, err := s.signIn(ctx, by, in)
	s.watchSignIn(ctx, by, canonical(in.Email), err)
	return out, err
}

func (s *Service) signIn(ctx context.Context, by identity.Actor, in SignIn) (out SignedIn, err error) {
	key := canonical(in.Email)
	device, signed := s.signedDevice(in.DeviceCookie)
	wish := attempt(by, challenge.Login, in.Challenge)
	var from limits.Try
	if !signed { // a flood from no device of ours reads nothing
		from, err = s.approach(ctx, by, wish, false)
	}
	defer func() { s.leave(ctx, from, err) }()
	if err != nil {
		return SignedIn{}, err
	}
	user, known, err := s.userAt(ctx, key, device, signed)
	if err != nil {
		return SignedIn{}, err
	}
	wish.Known, wish.Who = known, user.ID
	granted, done := s.enterKnown(user.ID, known)
	defer done()
	if signed {
		if from, err = s.approach(ctx, by, wish, granted); err != nil {
			return SignedIn{}, err
		}
	}
	what, parts := "login", []string{key}
	if known {
		what, parts = "login from device", []string{key, device.String()}
	}
	if err := s.tried(ctx, by, user.ID, what, parts...); err != nil {
		return SignedIn{}, err
	}
	ctx, room, err := s.Hasher.Room(ctx, password.SignIn, granted)
	if err != nil {
		return SignedIn{}, hashing(err)
	}
	defer room()
	try, err := s.reserve(ctx, by, user.ID, what, parts...)
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.admit(ctx, by, wish, &try); err != nil {
		return SignedIn{}, err
	}
	var phc string
	if !user.ID.IsZero() {
		if phc, err = s.openPassword(ctx, by, user.ID, user.Password); err != nil {
			s.abandon(ctx, try)
			return SignedIn{}, err
		}
	}
	ok, rehash, err := s.verify(ctx, try, granted, phc, in.Password)
	if err != nil {
		return SignedIn{}, err
	}
	if !ok || user.LockedAt(s.Now()) {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.LoginFail, User: user.ID, Reason: "password"})
		return SignedIn{}, errLogin
	}
	if err := s.barred(ctx, by, user, in.Lang); err != nil {
		return SignedIn{}, err
	}
	var rehashed []byte
	if rehash {
		phc, err := s.Hasher.Hash(ctx, password.SignIn, true, in.Password)
		if err != nil {
			s.giveBack(ctx, try)
			return SignedIn{}, hashing(err)
		}
		rehashed = s.sealPassword(user.ID, phc)
	}
	return s.begin(ctx, by, beginning{user, device, in, try, rehashed, known})
}

// beginning is a sign-in whose password was right.
type beginning struct {
	user     User
	device   identity.ID
	in       SignIn
	try      tryOf
	rehashed []byte // the password under today's parameters, if it was hashed under others
	known    bool   // the device was used before
}

func (s *Service) begin(ctx context.Context, by identity.Actor, b beginning) (SignedIn, error) {
	out := SignedIn{DeviceCookie: s.deviceCookie(b.device)}
	if b.in.Bearer {
		b.device, out.DeviceCookie = identity.ID{}, secret.Text{}
	}
	session, token := s.Engine.Make(b.user.ID, b.device, b.in.Remember, b.in.Bearer, by.Request())
	out.Session, out.Token = session, token
	news, told, err := s.newDevice(ctx, by, b)
	if err != nil {
		return SignedIn{}, err
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.LoginSuccess, User: b.user.ID, Session: session.ID}
		if b.try.count > 1 {
			event.Name = audit.LoginSuccessAfterFail
		}
		// What was proved must still hold: a password changed or a lock set meanwhile ends this sign-in.
		current, err := tx.UserByID(ctx, b.user.ID)
		if errors.Is(err, ErrMissing) || err == nil && (current.LockedAt(s.Now()) || current.closed() || !bytes.Equal(current.Password, b.user.Password)) {
			return event, errLogin
		}
		if err != nil {
			return event, err
		}
		if current.LockedMicros != 0 { // a lock whose time is over goes with the first sign-in
			if err := tx.SetLock(ctx, current.ID, 0, 0, ""); err != nil {
				return event, err
			}
			current.LockedMicros = 0
		}
		out.Person = personOf(current)
		if b.rehashed != nil {
			if err := tx.SetPassword(ctx, b.user.ID, b.rehashed, current.PasswordChangedMicros); err != nil {
				return event, err
			}
		}
		if by.Kind() == identity.Person { // signing in again replaces the session of this browser
			if _, err := tx.EndSession(ctx, by.Subject(), by.Session()); err != nil {
				return event, err
			}
			if err := tx.Record(ctx, audit.Event{Name: audit.SessionLogout, User: by.Subject().ID(), Session: by.Session(), Reason: "replaced"}); err != nil {
				return event, err
			}
		}
		if news {
			if err := s.tellNewDevice(ctx, by, tx, current, b.in.Lang); err != nil {
				return event, err
			}
		}
		if err := tx.InsertSession(ctx, session); err != nil {
			return event, err
		}
		if err := tx.ClearAttempts(ctx, b.try.key); err != nil {
			return event, err
		}
		if !b.in.Bearer {
			if err := tx.RememberDevice(ctx, b.user.ID, b.device, s.Now().Add(deviceLife).UnixMicro()); err != nil {
				return event, err
			}
		}
		if err := tx.Record(ctx, audit.Event{Name: audit.SessionCreated, User: b.user.ID, Session: session.ID}); err != nil {
			return event, err
		}
		return event, s.endExcess(ctx, by, tx, current, b.in.Lang)
	})
	if err != nil && news {
		s.giveBack(ctx, told)
	}
	return out, err
}

// endExcess ends the least recently used sessions beyond the most that a person may have (D13), with mail and event.
func (s *Service) endExcess(ctx context.Context, by identity.Actor, tx Tx, user User, lang string) error {
	owner := identity.SubjectOf(user.ID)
	list, err := tx.Sessions(ctx, owner)
	if err != nil || len(list) <= s.Engine.Max() {
		return err
	}
	for i := range list {
		list[i].LastSeenMicros = s.Engine.LastSeen(list[i]) // the stored time may be half a minute old
	}
	slices.SortFunc(list, func(a, b sessions.Session) int { return cmp.Compare(b.LastSeenMicros, a.LastSeenMicros) })
	data := s.mailData(by, user.Email, user.DisplayName)
	for _, old := range list[s.Engine.Max():] {
		if _, err := tx.EndSession(ctx, owner, old.ID); err != nil {
			return err
		}
		if err := tx.Record(ctx, audit.Event{Name: audit.SessionsExceeded, User: user.ID, Session: old.ID}); err != nil {
			return err
		}
		data.Ended = append(data.Ended, sessions.DeviceLabel(old.UserAgent))
	}
	return s.tell(ctx, tx, mail.SessionsEnded, user, lang, data)
}

func personOf(u User) sessions.Person {
	return sessions.Person{ID: u.ID, Email: u.Email, DisplayName: u.DisplayName, Language: u.Language, Roles: u.Roles, Locked: u.LockedMicros != 0}
}

// Reauthenticate proves the password once more and gives the session another id, another token and five fresh minutes
// (D13). Problems: unauthenticated, login-failed, reset-required, too-many-requests, busy.
func (s *Service) Reauthenticate(ctx context.Context, by identity.Actor, typed, deviceCookie string) (SignedIn, error) {
	user, try, err := s.prove(ctx, by, typed, deviceCookie)
	if err != nil {
		return SignedIn{}, err
	}
	return s.renew(ctx, by, user, deviceCookie, func(ctx context.Context, tx Tx, _ sessions.Session) (audit.Event, error) {
		return audit.Event{Name: audit.SessionRenewed, User: user.ID, Session: by.Session(), Reason: "reauthenticated"}, tx.ClearAttempts(ctx, try.key)
	})
}

// prove checks the password of the person who is signed in. Each session has a counter of its own, so that a stolen one
// cannot bar the owner; a right password costs no try, whatever becomes of what it was typed for.
func (s *Service) prove(ctx context.Context, by identity.Actor, typed, deviceCookie string) (user User, try tryOf, err error) {
	if by.Subject().IsZero() {
		return User{}, tryOf{}, errSignIn
	}
	id := by.Subject().ID()
	device, signed := s.signedDevice(deviceCookie)
	from, err := s.enterUnless(ctx, by, signed, func() (bool, error) { return s.Store.KnowsDevice(ctx, id, device) })
	if err != nil {
		return User{}, tryOf{}, err
	}
	defer func() { s.leave(ctx, from, err) }()
	try, err = s.reserve(ctx, by, id, "reauthenticate", id.String(), by.Session().String())
	if err == nil {
		err = s.admit(ctx, by, proven(by, id), &try)
	}
	if err != nil {
		return User{}, try, err
	}
	user, err = s.Store.UserByID(ctx, id)
	var phc string
	if err == nil {
		phc, err = s.openPassword(ctx, by, user.ID, user.Password)
	}
	if errors.Is(err, ErrMissing) {
		err = errSignIn
	}
	if err != nil {
		s.abandon(ctx, try)
		return User{}, try, err
	}
	granted, leave := s.enterKnown(id, true)
	defer leave()
	ok, _, err := s.verify(ctx, try, granted, phc, typed)
	if err != nil {
		return User{}, try, err
	}
	if !ok {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.LoginFail, User: id, Session: by.Session(), Reason: "reauthenticate"})
		return User{}, try, errWrong
	}
	if err := s.barred(ctx, by, user, user.Language); err != nil {
		return User{}, try, err
	}
	s.giveBack(ctx, try)
	return user, try, nil
}

// renew puts a fresh session in the place of the request's, together with what more there is to do.
func (s *Service) renew(ctx context.Context, by identity.Actor, user User, deviceCookie string, more func(context.Context, Tx, sessions.Session) (audit.Event, error)) (SignedIn, error) {
	old, err := s.ownSession(ctx, by)
	if err != nil {
		return SignedIn{}, err
	}
	if old.Device.IsZero() && !old.Bearer {
		old.Device = s.device(deviceCookie)
	}
	next, token := s.Engine.Renew(old, by.Request())
	out := SignedIn{Session: next, Person: personOf(user), Token: token}
	if !old.Bearer {
		out.DeviceCookie = s.deviceCookie(old.Device)
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		current, err := tx.UserByID(ctx, user.ID)
		if err == nil && (current.LockedAt(s.Now()) || current.closed() || !bytes.Equal(current.Password, user.Password)) {
			err = errSignIn
		}
		if err != nil {
			return audit.Event{}, err
		}
		there, err := tx.RotateSession(ctx, by.Subject(), by.Session(), next)
		if err == nil && !there {
			err = errSignIn
		}
		if err != nil {
			return audit.Event{}, err
		}
		return more(ctx, tx, next)
	})
	return out, err
}

// ownSession is the stored session of the request, whole.
func (s *Service) ownSession(ctx context.Context, by identity.Actor) (sessions.Session, error) {
	list, err := s.Store.Sessions(ctx, by.Subject())
	if err != nil {
		return sessions.Session{}, err
	}
	for _, session := range list {
		if session.ID == by.Session() {
			return session, nil
		}
	}
	return sessions.Session{}, errSignIn
}
