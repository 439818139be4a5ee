package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/password"
)

// SignUp is what a stranger sends to get an account.
type SignUp struct {
	Email       string
	Password    string
	DisplayName string
	Challenge   string // the solution of one, if one was asked for
	Lang        string
}

// SignUp makes a pending sign-up and mails a link and a code (D22). For an address that has an account it does the same
// work, and the mail tells the owner (D17). The flow token marks the browser: with it, confirming needs no password.
// Problems: signup-closed, invalid, password-weak, challenge-required, too-many-requests, busy.
func (s *Service) SignUp(ctx context.Context, by identity.Actor, in SignUp) (flow secret.Text, err error) {
	if err := s.SignUpOpen(); err != nil {
		return flow, err
	}
	address, name, err := readPerson(in.Email, in.DisplayName)
	if err != nil {
		return flow, err
	}
	if err := s.admits(address.Key()); err != nil {
		return flow, err
	}
	if err := s.checkPassword(in.Password, address.Key(), name); err != nil {
		return flow, err
	}
	if err := s.enterSignUp(ctx, by); err != nil {
		return flow, err
	}
	wish := attempt(by, challenge.SignUp, in.Challenge)
	if err := s.refuses(ctx, by, wish); err != nil {
		return flow, err
	}
	quiet, err := s.reserveMail(ctx, by, &wish, "signup", address.Key())
	if err != nil {
		return flow, err
	}
	var try tryOf
	if err := s.admit(ctx, by, wish, &try); err != nil {
		return flow, err
	}
	if err := s.askHost(ctx, by, lifecycle.BySignUp, address.Key(), name); err != nil {
		try.place.Return()
		return flow, err
	}
	if err := s.checkBreach(ctx, in.Password); err != nil {
		try.place.Return()
		return flow, err
	}
	phc, err := s.Hasher.Hash(ctx, password.Other, false, in.Password)
	if err != nil {
		try.place.Return()
		return flow, hashing(err)
	}
	flow = secret.NewText(newToken())
	token, code, now := newToken(), newCode(), s.Now()
	pending := Signup{
		ID: identity.NewRandomID(), Email: address.String(), EmailCanonical: address.Key(), DisplayName: name, Network: network(by),
		TokenMAC: s.mac(secret.Links, token), CodeMAC: s.codeMAC(address.Key(), code), FlowMAC: s.mac(secret.Flows, flow.Reveal()),
		CodeMicros: now.UnixMicro(), CreatedMicros: now.UnixMicro(), ExpiresMicros: now.Add(signupLife).UnixMicro(),
	}
	pending.Password = s.sealPassword(pending.ID, phc)
	data := s.mailData(by, address.String(), name)
	data.Link, data.Code = s.link("verify-email", token), code
	data.LinkExpires, data.CodeExpires = now.Add(signupLife), now.Add(codeLife)

	return flow, s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		kind, data, row := mail.ConfirmSignup, data, pending
		owner, err := tx.UserByEmail(ctx, address.Key())
		switch {
		case err == nil:
			// The row stays, with secrets that nobody holds: the same statements, and nothing to confirm.
			kind, data.Link, data.Code = mail.AlreadyRegistered, s.Origin+s.Prefix+"/login", ""
			row.TokenMAC, row.CodeMAC = noSecret(), noSecret()
		case !errors.Is(err, ErrMissing):
			return audit.Event{}, err
		}
		message := compose(kind, owner, in.Lang, data)
		message.Decoy = quiet
		if err := tx.InsertSignup(ctx, row); err != nil {
			return audit.Event{}, err
		}
		return audit.Event{Name: audit.SignupRequested, Reason: "signup", Private: map[string]string{"email": address.String()}}, tx.Enqueue(ctx, message)
	})
}

// noSecret is the MAC of nothing that anybody was sent.
func noSecret() []byte {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	return raw
}

func (s *Service) codeMAC(canonical, code string) []byte {
	return s.Keys.MAC(secret.Codes, []byte(canonical), []byte(code))
}

// Resend is what somebody sends whose mail to confirm did not arrive.
type Resend struct {
	Email      string
	FlowCookie string // as sent
	Challenge  string // the solution of one, if one was asked for
	Lang       string
}

// ResendConfirmation mails a new link and code for a pending sign-up of an address; its earlier ones stop working. It
// takes that of the browser that asks, else the newest from its network, else the newest. Strangers get the same answer,
// at the same cost. Problems: challenge-required, too-many-requests.
func (s *Service) ResendConfirmation(ctx context.Context, by identity.Actor, in Resend) error {
	defer evenly(ctx)()
	if err := s.enterOnce(ctx, by); err != nil {
		return err
	}
	key, wish := canonical(in.Email), attempt(by, challenge.Resend, in.Challenge)
	quiet, err := s.reserveMail(ctx, by, &wish, "resend", key)
	if err != nil {
		return err
	}
	token, code := newToken(), newCode()
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		now := s.Now()
		pending, err := tx.SignupsByEmail(ctx, key)
		if err != nil && !errors.Is(err, ErrMissing) {
			return audit.Event{}, err
		}
		_, err = tx.UserByEmail(ctx, key)
		if err != nil && !errors.Is(err, ErrMissing) {
			return audit.Event{}, err
		}
		chosen, found := s.choose(pending, in.FlowCookie, network(by), now.UnixMicro())
		decoy := err == nil || !found || quiet
		data := s.mailData(by, "nobody@invalid.invalid", "")
		data.LinkExpires, data.CodeExpires = now.Add(signupLife), now.Add(codeLife)
		row := identity.NewRandomID() // of nothing, so that the same statements run
		if !decoy {
			row = chosen.ID
			data.To, data.DisplayName, data.LinkExpires = chosen.Email, chosen.DisplayName, identity.Time(chosen.ExpiresMicros)
		}
		if err := tx.ReplaceSignupSecrets(ctx, row, s.mac(secret.Links, token), s.codeMAC(key, code), now.UnixMicro()); err != nil {
			return audit.Event{}, err
		}
		data.Link, data.Code = s.link("verify-email", token), code
		message := compose(mail.ConfirmSignup, User{}, in.Lang, data)
		message.Decoy = decoy
		if err := tx.Enqueue(ctx, message); err != nil {
			return audit.Event{}, err
		}
		return s.askedFor(ctx, tx, audit.Event{Name: audit.SignupRequested, Reason: "resend"}, decoy)
	})
}

// askedFor is the event of a request that strangers can make for any address. Only one that did something leaves a row,
// or they could fill the disk; the others cost a statement in its place.
func (s *Service) askedFor(ctx context.Context, tx Tx, event audit.Event, decoy bool) (audit.Event, error) {
	if !decoy {
		return event, nil
	}
	return audit.Event{Name: audit.Unrecorded}, tx.DeleteResets(ctx, identity.NewRandomID())
}

// choose finds the pending sign-up that a resend means.
func (s *Service) choose(pending []Signup, flow, network string, now int64) (chosen Signup, found bool) {
	rank := 0
	for _, p := range pending { // newest first
		r := 1
		switch {
		case now >= p.ExpiresMicros:
			continue
		case s.sameFlow(p, flow):
			r = 3
		case p.Network == network:
			r = 2
		}
		if r > rank {
			chosen, found, rank = p, true, r
		}
	}
	return chosen, found
}

// PendingByToken is for the page behind a mailed link: whose it is, and whether this browser must show the password.
// It changes nothing. Problems: link-invalid.
func (s *Service) PendingByToken(ctx context.Context, token, flow string) (Pending, error) {
	signup, err := s.signupByToken(ctx, token)
	if err != nil {
		return Pending{}, err
	}
	return Pending{Email: signup.Email, NeedsPassword: !s.sameFlow(signup, flow)}, nil
}

func (s *Service) signupByToken(ctx context.Context, token string) (Signup, error) {
	signup, err := s.Store.SignupByToken(ctx, s.mac(secret.Links, token))
	if errors.Is(err, ErrMissing) || err == nil && s.Now().UnixMicro() >= signup.ExpiresMicros {
		return signup, errLink
	}
	return signup, err
}

func (s *Service) sameFlow(signup Signup, flow string) bool {
	return flow != "" && hmac.Equal(signup.FlowMAC, s.mac(secret.Flows, flow))
}

// ConfirmByToken makes the user of the pending sign-up whose link this is. A browser without that sign-up's flow
// cookie must show the password too (D22). Problems: signup-closed, link-invalid, password-required, login-failed, too-many-requests, busy.
func (s *Service) ConfirmByToken(ctx context.Context, by identity.Actor, token, flow, typed string) error {
	signup, err := s.signupByToken(ctx, token)
	if errors.Is(err, errLink) {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.SequenceFail, Reason: "signup link"})
	}
	if err != nil {
		return err
	}
	return s.confirm(ctx, by, signup, flow, typed)
}

// ConfirmByCode is [Service.ConfirmByToken] with the code of the mail. A code has five tries, counted in its row, and
// ten minutes; then only the link works (D18).
func (s *Service) ConfirmByCode(ctx context.Context, by identity.Actor, email, code, flow, typed string) (err error) {
	from, err := s.enter(ctx, by)
	if err != nil {
		return err
	}
	defer func() { s.leave(ctx, from, err) }()
	key := canonical(email)
	if _, err := s.reserve(ctx, by, identity.ID{}, "code", key, network(by)); err != nil {
		return err
	}
	open, err := s.Store.CountSignupTries(ctx, key, codeTries, s.Now().Add(-codeLife).UnixMicro())
	if err != nil {
		return err
	}
	want := s.codeMAC(key, readCode(code))
	for _, p := range open {
		if hmac.Equal(p.CodeMAC, want) {
			return s.confirm(ctx, by, p, flow, typed)
		}
	}
	s.Refusals.Count(ctx, by, audit.Event{Name: audit.SequenceFail, Reason: "signup code"})
	return errLink
}

// confirm makes the user. Of fifty parallel calls one succeeds: TakeSignup decides.
func (s *Service) confirm(ctx context.Context, by identity.Actor, signup Signup, flow, typed string) error {
	if err := s.admits(signup.EmailCanonical); err != nil { // it was asked for when others still might
		return err
	}
	if !s.sameFlow(signup, flow) {
		if typed == "" {
			return errPassword
		}
		if err := s.proveHolder(ctx, by, proof{email: signup.EmailCanonical, row: signup.ID, password: signup.Password, what: "confirm", wrong: errUnchosen}, typed); err != nil {
			return err
		}
	}
	now := s.Now().UnixMicro()
	user := User{
		ID: signup.ID, Email: signup.Email, EmailCanonical: signup.EmailCanonical, DisplayName: signup.DisplayName,
		Password: signup.Password, PasswordChangedMicros: now, CreatedMicros: now, // the seal is bound to the row's id, and that stays
	}
	err := s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		taken, err := tx.TakeSignup(ctx, signup.ID, signup.TokenMAC, now)
		if err == nil && !taken {
			err = errLink
		}
		if err == nil {
			err = tx.InsertUser(ctx, user)
		}
		if err == nil {
			err = tx.DeleteSignups(ctx, signup.EmailCanonical)
		}
		return audit.Event{Name: audit.UserCreated, User: user.ID, Private: map[string]string{"email": user.Email}}, err
	})
	if errors.Is(err, ErrTaken) {
		return errLink
	}
	return err
}
