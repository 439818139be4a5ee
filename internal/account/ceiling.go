package account

import (
	"context"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

// The order of an attempt: [Service.refuses], from memory, before anything is read or written for it; the counter of the
// account; [Service.admit], which counts it and takes the solution of its challenge; the queue; the hash.

// attempt is what the ceiling sees of one.
func attempt(by identity.Actor, form, solution string) ceiling.Attempt {
	return ceiling.Attempt{Form: form, Client: by.Request().Address, Solution: solution}
}

// proven is an attempt of somebody who has shown a session or a mailed link. There is no form that could ask them for more.
func proven(by identity.Actor, who identity.ID) ceiling.Attempt {
	return ceiling.Attempt{Client: by.Request().Address, Known: true, Who: who}
}

// refuses turns away whom the ceiling would not admit anyhow.
func (s *Service) refuses(ctx context.Context, by identity.Actor, a ceiling.Attempt) error {
	return s.told(ctx, by, s.Ceiling.Refuses(a))
}

// admit lets the ceiling decide, and notes the place that the try takes. A try that is not admitted was none.
func (s *Service) admit(ctx context.Context, by identity.Actor, a ceiling.Attempt, try *tryOf) (err error) {
	try.place, err = s.Ceiling.Pass(ctx, a)
	if err != nil && try.key != nil {
		s.giveBack(ctx, *try)
	}
	return s.told(ctx, by, err)
}

// told puts a refusal into the audit log.
func (s *Service) told(ctx context.Context, by identity.Actor, err error) error {
	if err == nil {
		return nil
	}
	switch problem.From(err).Code {
	case "challenge-required":
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.RateLimitExceeded, Reason: "challenge"})
	case "too-many-requests":
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.RateLimitExceeded, Reason: "ceiling"})
	}
	return err
}

// Challenge is what somebody would have to solve before they use a form now; nil if nothing. Whoever shows the cookie of a
// known device is not asked before it is known whose it is, where that makes a difference.
func (s *Service) Challenge(ctx context.Context, by identity.Actor, form, deviceCookie string) any {
	if _, ours := s.signedDevice(deviceCookie); ours && (form == challenge.Login || form == challenge.Forgot) {
		return nil
	}
	if form != challenge.Resend { // which the ceiling does not know
		if asked := s.Ceiling.Challenge(form, by.Request().Address); asked != nil {
			return asked
		}
	}
	if !mailForm(form) {
		return nil
	}
	return s.mailChallenge(ctx, attempt(by, form, ""))
}
