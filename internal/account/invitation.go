package account

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/password"
)

// SignupPolicy says who may get an account without an operator. The zero policy admits everybody who can confirm an address.
type SignupPolicy struct {
	Mode    SignupMode
	Domains []string // canonical; of SignupDomains
}

// SignupMode is how people come to an account.
type SignupMode string

// The modes. Invitations are taken in each but SignupClosed.
const (
	SignupOpen    SignupMode = ""        // everybody
	SignupInvite  SignupMode = "invite"  // whoever was invited
	SignupDomains SignupMode = "domains" // addresses of listed domains
	SignupClosed  SignupMode = "closed"  // nobody: operators make accounts
)

var (
	errSignupClosed = problem.New(problem.Forbidden, "signup-closed", "Sign-up is closed. Ask the people who run this service for an invitation.")
	errSignupDomain = problem.New(problem.Forbidden, "signup-closed", "Sign-up is open to addresses of certain domains only.")
	errSignupHost   = problem.New(problem.Forbidden, "signup-closed", "A rule of this service does not admit this account.")
)

// SignUpOpen reports whether a stranger may sign up at all. Problems: signup-closed.
func (s *Service) SignUpOpen() error {
	if s.Signup.Mode == SignupOpen || s.Signup.Mode == SignupDomains {
		return nil
	}
	return errSignupClosed
}

// admits reports whether an address may get an account by sign-up. It looks at the address alone, and so tells nothing
// about accounts. The domain must be a listed one to the last letter: of its canonical form, which has no case, no
// Unicode and nothing around it.
func (s *Service) admits(canonicalAddress string) error {
	if err := s.SignUpOpen(); err != nil || s.Signup.Mode == SignupOpen {
		return err
	}
	_, domain, _ := strings.Cut(canonicalAddress, "@")
	for _, listed := range s.Signup.Domains {
		if domain == listed && domain != "" {
			return nil
		}
	}
	return errSignupDomain
}

// askHost asks the program that Ringwall runs in whether somebody may get an account, before anything is read about the
// address, and so tells nothing about accounts. Problems: signup-closed, unavailable.
func (s *Service) askHost(ctx context.Context, by identity.Actor, via, canonicalAddress, name string) error {
	wanted := lifecycle.SignUp{Email: canonicalAddress, DisplayName: name, Via: via}
	if address := by.Request().Address; address.IsValid() && by.Kind() == identity.Anonymous {
		wanted.Network = input.Network(address)
	}
	err := s.Lifecycle.Ask(ctx, wanted)
	if errors.Is(err, lifecycle.ErrRefused) {
		return errSignupHost
	}
	return err
}

// Invitation lets its holder have an account for one address. Times are microseconds since 1970, UTC.
type Invitation struct {
	ID             identity.ID
	Email          string
	EmailCanonical string // unique: a new invitation replaces the one before it
	Role           string // granted with the account; empty: none
	TokenMAC       []byte
	InvitedBy      identity.ID // zero: an operator, by command
	CreatedMicros  int64
	ExpiresMicros  int64
}

// Invite is what an operator says to invite somebody.
type Invite struct {
	Email    string
	Role     string
	Until    time.Time // zero: for three days
	Reason   string
	Language string // of the mail
}

const (
	invitationLife = 72 * time.Hour
	invitationMost = 30 * 24 * time.Hour
)

// Invite mails a link by which somebody signs up (see [Service.AcceptInvitation]); an earlier one for the address stops
// working. Whoever has an account already is not invited, and gets no role by it: the operator is told. It returns the
// link too. Problems: invalid, conflict, signup-closed.
func (s *Service) Invite(ctx context.Context, by identity.Actor, in Invite) (made Invitation, link string, err error) {
	address, _, err := readPerson(in.Email, "")
	if err != nil {
		return made, "", err
	}
	private, err := because(by, in.Reason, map[string]string{"email": address.String()})
	if err != nil {
		return made, "", err
	}
	if s.Signup.Mode == SignupClosed {
		return made, "", problem.New(problem.Forbidden, "signup-closed", "Sign-up is closed, also to those who are invited. Make an account instead, or set SIGNUP to invite.")
	}
	if in.Role != "" {
		if err := CheckRole(in.Role); err != nil {
			return made, "", err
		}
		private["role"] = in.Role
	}
	now := s.Now()
	if in.Until.IsZero() {
		in.Until = now.Add(invitationLife)
	}
	if !in.Until.After(now) || in.Until.After(now.Add(invitationMost)) {
		return made, "", problem.New(problem.Invalid, "invalid", "An invitation may last 30 days at most, and must end later than now.").
			With(problem.Field{Name: "/expires_at", Code: "range", Detail: "Name a time within the next 30 days."})
	}
	token := newToken()
	made = Invitation{
		ID: identity.NewRandomID(), Email: address.String(), EmailCanonical: address.Key(), Role: in.Role, TokenMAC: s.invitationMAC(token),
		InvitedBy: by.Subject().ID(), CreatedMicros: now.UnixMicro(), ExpiresMicros: in.Until.UnixMicro(),
	}
	link = strings.Replace(s.link("signup", token), "?token=", "?invitation=", 1)
	data := s.mailData(by, address.String(), "")
	data.Device, data.Address = "", "" // of the administrator
	data.Link, data.LinkExpires = link, in.Until
	return made, link, s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.AuthzAdmin, Reason: "invited", Private: private}
		if err := s.stillOperator(ctx, tx, by); err != nil {
			return event, err
		}
		switch _, err := tx.UserByEmail(ctx, address.Key()); {
		case err == nil:
			return event, problem.New(problem.Conflict, "conflict", "This address has an account already. Nothing was granted: give the account the role instead.")
		case !errors.Is(err, ErrMissing):
			return event, err
		}
		if err := tx.ReplaceInvitation(ctx, made); err != nil {
			return event, err
		}
		return event, tx.Enqueue(ctx, compose(mail.Invitation, User{}, in.Language, data))
	})
}

// Invitations lists those that wait, in the order of their addresses. Next leads to the page after. Problems: invalid.
func (s *Service) Invitations(ctx context.Context, by identity.Actor, limit int, cursor string) (found []Invitation, next string, err error) {
	if err := operator(by); err != nil {
		return nil, "", err
	}
	after, err := s.openCursor("invitations", cursor)
	if err != nil {
		return nil, "", err
	}
	if found, err = s.Store.Invitations(ctx, after, s.Now().UnixMicro(), limit+1); err != nil {
		return nil, "", err
	}
	if len(found) > limit {
		found = found[:limit]
		next = s.sealCursor("invitations", found[limit-1].EmailCanonical)
	}
	return found, next, s.look(ctx, by, audit.Event{Name: audit.AuthzAdmin, Reason: "invitations listed"})
}

// RevokeInvitation lets a link work no more. Problems: not-found.
func (s *Service) RevokeInvitation(ctx context.Context, by identity.Actor, id identity.ID, reason string) error {
	private, err := because(by, reason, nil)
	if err != nil {
		return err
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		there, err := tx.DeleteInvitation(ctx, id)
		if err == nil && !there {
			err = problem.New(problem.Missing, "not-found", "There is no such invitation.")
		}
		if err == nil {
			err = s.stillOperator(ctx, tx, by)
		}
		return audit.Event{Name: audit.AuthzAdmin, Reason: "invitation revoked", Private: private}, err
	})
}

// InvitationByToken is for the page behind a mailed link: whose it is. It changes nothing. Problems: link-invalid, signup-closed.
func (s *Service) InvitationByToken(ctx context.Context, token string) (Pending, error) {
	invitation, err := s.invitationByToken(ctx, token)
	return Pending{Email: invitation.Email}, err
}

func (s *Service) invitationByToken(ctx context.Context, token string) (Invitation, error) {
	if s.Signup.Mode == SignupClosed {
		return Invitation{}, errSignupClosed
	}
	invitation, err := s.Store.InvitationByToken(ctx, s.invitationMAC(token))
	if errors.Is(err, ErrMissing) || err == nil && s.Now().UnixMicro() >= invitation.ExpiresMicros {
		return invitation, errLink
	}
	return invitation, err
}

// invitationMAC is apart from those of other links, so that none opens what another is for.
func (s *Service) invitationMAC(token string) []byte { return s.mac(secret.Links, "invitation "+token) }

// Accept is what somebody sends who was invited. The address is the invitation's.
type Accept struct {
	Token       string
	Password    string
	DisplayName string
}

// AcceptInvitation makes the account, with the role of the invitation, in one change. The link works once. No further
// confirmation is asked for: the link went to the address and nowhere else, so its holder reads that box, and the password
// is chosen by whoever holds it. (A sign-up is confirmed because its password comes before any proof of the address.)
// Nobody is signed in by it. Problems: link-invalid, invalid, password-weak, busy, signup-closed.
func (s *Service) AcceptInvitation(ctx context.Context, by identity.Actor, in Accept) (email string, err error) {
	invitation, err := s.invitationByToken(ctx, in.Token)
	if errors.Is(err, errLink) {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.SequenceFail, Reason: "invitation link"})
	}
	if err != nil {
		return "", err
	}
	name, err := input.ParseDisplayName(in.DisplayName)
	if err != nil {
		return "", wrongField("display_name", err)
	}
	if err := s.checkPassword(in.Password, invitation.EmailCanonical, string(name)); err != nil {
		return "", err
	}
	var try tryOf
	if err := s.admit(ctx, by, proven(by, invitation.ID), &try); err != nil {
		return "", err
	}
	if err := s.askHost(ctx, by, lifecycle.ByInvitation, invitation.EmailCanonical, string(name)); err != nil {
		try.place.Return()
		return "", err
	}
	if err := s.checkBreach(ctx, in.Password); err != nil {
		try.place.Return()
		return "", err
	}
	phc, err := s.Hasher.Hash(ctx, password.Other, false, in.Password)
	if err != nil {
		try.place.Return()
		return "", hashing(err)
	}
	now := s.Now().UnixMicro()
	user := User{
		ID: identity.NewRandomID(), Email: invitation.Email, EmailCanonical: invitation.EmailCanonical, DisplayName: string(name),
		PasswordChangedMicros: now, CreatedMicros: now,
	}
	user.Password = s.sealPassword(user.ID, phc)
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.UserCreated, User: user.ID, Reason: "invited", Private: map[string]string{"email": user.Email}}
		taken, err := tx.TakeInvitation(ctx, invitation.TokenMAC, s.Now().UnixMicro())
		if err == nil && !taken {
			err = errLink
		}
		if err == nil {
			err = tx.InsertUser(ctx, user)
		}
		if err == nil {
			err = tx.DeleteSignups(ctx, user.EmailCanonical)
		}
		if err != nil || invitation.Role == "" {
			return event, err
		}
		if err := s.grant(ctx, tx, user.ID, invitation.Role); err != nil {
			return event, err
		}
		return event, tx.Record(ctx, audit.Event{Name: audit.AuthzChange, User: user.ID, Reason: "granted", Private: map[string]string{"role": invitation.Role}})
	})
	if errors.Is(err, ErrTaken) { // by a sign-up or an operator meanwhile
		return "", errLink
	}
	return user.Email, err
}
