package account

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/password"
)

var errOperator = problem.New(problem.Forbidden, "forbidden", "Only an operator may do this.")

// operator admits commands, and people whom the rule of the administrators' routes has let in; the role is looked at
// once more.
func operator(by identity.Actor) error {
	if by.Kind() == identity.Operator || by.Kind() == identity.Person && by.HasRole(authz.Administrator) {
		return nil
	}
	return errOperator
}

// stillOperator refuses an act whose administrator has lost session, role or account since the request was admitted: its body
// may have come much later. It locks their row, and so stands behind [Service.keepAdministrator].
func (s *Service) stillOperator(ctx context.Context, tx Tx, by identity.Actor) error {
	if by.Kind() != identity.Person {
		return nil
	}
	user, err := tx.UserByID(ctx, by.Subject().ID())
	if errors.Is(err, ErrMissing) {
		return errSignIn
	}
	if err == nil {
		err = stillSignedIn(ctx, tx, by)
	}
	if err == nil && (user.LockedAt(s.Now()) || user.closed() || !slices.Contains(user.Roles, authz.Administrator)) {
		return errOperator
	}
	return err
}

// NewUser is an account that an operator makes. Without a password its owner chooses one through a mailed link.
type NewUser struct {
	Email       string
	DisplayName string
	Roles       []string
	Password    secret.Text
}

// CreateUser makes a confirmed account without a sign-up. It returns the link through which the owner chooses a
// password, if none was given; the link is mailed as well. Problems: invalid, password-weak, conflict, signup-closed (by a hook).
func (s *Service) CreateUser(ctx context.Context, by identity.Actor, in NewUser) (user User, link string, err error) {
	if err := operator(by); err != nil {
		return user, "", err
	}
	address, name, err := readPerson(in.Email, in.DisplayName)
	if err != nil {
		return user, "", err
	}
	for _, role := range in.Roles {
		if err := CheckRole(role); err != nil {
			return user, "", err
		}
	}
	if err := s.askHost(ctx, by, lifecycle.ByOperator, address.Key(), name); err != nil {
		return user, "", err
	}
	now := s.Now()
	user = User{ID: identity.NewRandomID(), Email: address.String(), EmailCanonical: address.Key(), DisplayName: name, CreatedMicros: now.UnixMicro()}
	if !in.Password.IsZero() {
		if err := s.checkPassword(in.Password.Reveal(), address.Key(), name); err != nil {
			return user, "", err
		}
		if err := s.checkBreach(ctx, in.Password.Reveal()); err != nil {
			return user, "", err
		}
		phc, err := s.Hasher.Hash(ctx, password.Other, true, in.Password.Reveal())
		if err != nil {
			return user, "", hashing(err)
		}
		user.Password, user.PasswordChangedMicros = s.sealPassword(user.ID, phc), now.UnixMicro()
	}
	token := newToken()
	if in.Password.IsZero() {
		link = s.link("reset-password", token)
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.UserCreated, User: user.ID, Reason: "by operator", Private: map[string]string{"email": user.Email}}
		if err := tx.InsertUser(ctx, user); err != nil {
			return event, err
		}
		if err := tx.DeleteSignups(ctx, user.EmailCanonical); err != nil {
			return event, err
		}
		for _, role := range in.Roles {
			if err := s.grant(ctx, tx, user.ID, role); err != nil {
				return event, err
			}
		}
		if link == "" {
			return event, nil
		}
		reset := s.newReset(user.ID, token)
		reset.ExpiresMicros = now.Add(welcomeLife).UnixMicro()
		if err := tx.InsertReset(ctx, reset); err != nil {
			return event, err
		}
		data := s.mailData(by, user.Email, name)
		data.Link, data.LinkExpires = link, now.Add(welcomeLife)
		return event, tx.Enqueue(ctx, compose(mail.AccountCreated, user, "", data))
	})
	if errors.Is(err, ErrTaken) {
		err = problem.New(problem.Conflict, "conflict", "This address has an account already.")
	}
	if err != nil {
		return User{}, "", err
	}
	user, err = s.Store.UserByID(ctx, user.ID)
	return user, link, err
}

// FindUser is a user by id or address. Problems: not-found.
func (s *Service) FindUser(ctx context.Context, by identity.Actor, idOrAddress string) (User, error) {
	if err := operator(by); err != nil {
		return User{}, err
	}
	var user User
	id, err := identity.ParseID(idOrAddress)
	if err == nil {
		user, err = s.Store.UserByID(ctx, id)
	} else {
		user, err = s.Store.UserByEmail(ctx, canonical(idOrAddress))
	}
	if errors.Is(err, ErrMissing) {
		return user, problem.New(problem.Missing, "not-found", "There is no account with this id or address.")
	}
	return user, err
}

// Users lists accounts by id, after the given one.
func (s *Service) Users(ctx context.Context, by identity.Actor, after identity.ID, limit int) ([]User, error) {
	if err := operator(by); err != nil {
		return nil, err
	}
	return s.Store.Users(ctx, after, limit)
}

// SessionsOf are somebody's live sessions, last seen first.
func (s *Service) SessionsOf(ctx context.Context, by identity.Actor, user identity.ID) ([]sessions.Session, error) {
	if err := operator(by); err != nil {
		return nil, err
	}
	list, err := s.liveSessions(ctx, identity.SubjectOf(user))
	if err != nil {
		return nil, err
	}
	return list, s.look(ctx, by, audit.Event{Name: audit.AuthzAdmin, User: user, Reason: "sessions listed"})
}

// Lock bars somebody from signing in and ends all their sessions and links at once, with mail. The lock ends by itself at
// until; at the zero Time it does not. Problems: invalid, last-administrator.
func (s *Service) Lock(ctx context.Context, by identity.Actor, user User, until time.Time, reason string) error {
	private, err := because(by, reason, map[string]string{})
	if err != nil {
		return err
	}
	untilMicros := int64(0)
	if !until.IsZero() {
		if !until.After(s.Now()) {
			return problem.New(problem.Invalid, "invalid", "The lock must end later than now.").
				With(problem.Field{Name: "/until", Code: "past", Detail: "Name a time to come, or leave it out for a lock without an end."})
		}
		untilMicros = until.UnixMicro()
		private["until"] = until.UTC().Format(time.RFC3339)
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.LoginLock, User: user.ID, Reason: "other", Private: private}
		err := s.keepAdministrator(ctx, tx, user.ID)
		if err == nil {
			err = s.stillOperator(ctx, tx, by)
		}
		if err == nil {
			err = tx.SetLock(ctx, user.ID, s.Now().UnixMicro(), untilMicros, strings.TrimSpace(reason))
		}
		if err == nil {
			_, err = tx.EndSessions(ctx, identity.SubjectOf(user.ID), identity.ID{})
		}
		if err == nil {
			err = endLinks(ctx, tx, user.ID)
		}
		if err == nil {
			err = tx.DeleteInvitationsBy(ctx, user.ID)
		}
		if err != nil {
			return event, err
		}
		data := s.mailData(by, user.Email, user.DisplayName)
		data.Device, data.Address = "", "" // of the administrator
		return event, tx.Enqueue(ctx, compose(mail.AccountLocked, user, "", data))
	})
}

// Unlock undoes [Service.Lock] and forgets the tries that strangers have used up.
func (s *Service) Unlock(ctx context.Context, by identity.Actor, user User, reason string) error {
	private, err := because(by, reason, nil)
	if err != nil {
		return err
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		err := s.stillOperator(ctx, tx, by)
		if err == nil {
			err = tx.SetLock(ctx, user.ID, 0, 0, "")
		}
		if err == nil {
			err = tx.ClearAttempts(ctx, s.Keys.MAC(secret.Attempts, []byte("login"), []byte(user.EmailCanonical)))
		}
		return audit.Event{Name: audit.AuthzAdmin, User: user.ID, Reason: "unlocked", Private: private}, err
	})
}

// Grant gives somebody a role; it acts on their next request and takes freshness away (D13).
func (s *Service) Grant(ctx context.Context, by identity.Actor, user User, role, reason string) error {
	return s.changeRole(ctx, by, roleChange{user, role, reason, "granted", s.grant})
}

// Revoke takes a role from somebody; it acts on their next request and takes freshness away (D13). Problems:
// last-administrator.
func (s *Service) Revoke(ctx context.Context, by identity.Actor, user User, role, reason string) error {
	return s.changeRole(ctx, by, roleChange{user, role, reason, "revoked", func(ctx context.Context, tx Tx, id identity.ID, role string) error {
		if role == authz.Administrator {
			if err := s.keepAdministrator(ctx, tx, id); err != nil {
				return err
			}
			if err := tx.DeleteInvitationsBy(ctx, id); err != nil {
				return err
			}
		}
		return tx.Revoke(ctx, id, role)
	}})
}

type roleChange struct {
	user         User
	role, reason string
	done         string // for the event
	run          func(context.Context, Tx, identity.ID, string) error
}

func (s *Service) grant(ctx context.Context, tx Tx, user identity.ID, role string) error {
	return tx.Grant(ctx, user, role)
}

func (s *Service) changeRole(ctx context.Context, by identity.Actor, change roleChange) error {
	user, role := change.user, change.role
	private, err := because(by, change.reason, map[string]string{"role": role})
	if err != nil {
		return err
	}
	if err := CheckRole(role); err != nil {
		return err
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		err := change.run(ctx, tx, user.ID, role)
		if err == nil {
			err = s.stillOperator(ctx, tx, by)
		}
		if err == nil {
			err = tx.StaleSessions(ctx, identity.SubjectOf(user.ID))
		}
		return audit.Event{Name: audit.AuthzChange, User: user.ID, Reason: change.done, Private: private}, err
	})
}

// EndSession ends anybody's session. Problems: not-found.
func (s *Service) EndSession(ctx context.Context, by identity.Actor, id identity.ID, reason string) error {
	private, err := because(by, reason, nil)
	if err != nil {
		return err
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		var ended bool
		owner, err := tx.SessionOwner(ctx, id)
		if err == nil {
			err = s.stillOperator(ctx, tx, by)
		}
		if err == nil {
			ended, err = tx.EndSession(ctx, identity.SubjectOf(owner), id)
		}
		if errors.Is(err, ErrMissing) || err == nil && !ended {
			err = problem.New(problem.Missing, "not-found", "There is no such session.")
		}
		return audit.Event{Name: audit.SessionLogout, User: owner, Session: id, Reason: "by operator", Private: private}, err
	})
}

// EndSessions ends all of somebody's sessions and tells how many.
func (s *Service) EndSessions(ctx context.Context, by identity.Actor, owner identity.ID, reason string) (ended int, err error) {
	private, err := because(by, reason, nil)
	if err != nil {
		return 0, err
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		err := s.stillOperator(ctx, tx, by)
		if err == nil {
			ended, err = tx.EndSessions(ctx, identity.SubjectOf(owner), identity.ID{})
		}
		return audit.Event{Name: audit.SessionLogout, User: owner, Reason: "all, by operator", Private: private}, err
	})
	return ended, err
}

// EndAllSessions ends every session of everybody, that of whoever asks included, and tells how many. Devices stay known.
// Problems: invalid.
func (s *Service) EndAllSessions(ctx context.Context, by identity.Actor, reason string) (ended int, err error) {
	private, err := because(by, reason, map[string]string{})
	if err != nil {
		return 0, err
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		err := s.stillOperator(ctx, tx, by)
		if err == nil {
			ended, err = tx.EndAllSessions(ctx)
		}
		private["ended"] = strconv.Itoa(ended)
		return audit.Event{Name: audit.AuthzAdmin, Reason: "everybody signed out", Private: private}, err
	})
	return ended, err
}

// PasswordChanged is when the person who asks last chose a password.
func (s *Service) PasswordChanged(ctx context.Context, by identity.Actor) (time.Time, error) {
	if by.Subject().IsZero() {
		return time.Time{}, errSignIn
	}
	user, err := s.Store.UserByID(ctx, by.Subject().ID())
	return identity.Time(user.PasswordChangedMicros), err
}
