package account

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/problem"
)

// enter counts a try against the address that it comes from, before anything is read for it. What [Service.leave] finds to
// have been right is given back.
func (s *Service) enter(ctx context.Context, by identity.Actor) (limits.Try, error) {
	try, wait := s.Addresses.Enter(ctx, by.Request().Address)
	return try, s.refuseAddress(ctx, by, wait)
}

// enterUnless is enter for everybody but the holder of a device that its person has used before: strangers behind the same
// address must not bar the owner. Known is asked only about a device that was signed here.
func (s *Service) enterUnless(ctx context.Context, by identity.Actor, signed bool, known func() (bool, error)) (limits.Try, error) {
	if signed {
		if owns, err := known(); err != nil || owns {
			return limits.Try{}, err
		}
	}
	return s.enter(ctx, by)
}

// leave ends a try. One that the queue or the database turned away was none, nor was one that something else must come
// before; one that was hung up on stays counted.
func (s *Service) leave(ctx context.Context, try limits.Try, err error) {
	try.Leave(ctx, err == nil || ctx.Err() == nil && wasNone(err))
}

// wasNone reports whether a try was turned away before anybody looked at what was right about it. One without the solution of
// its challenge is counted: else a single address could ask without end, and keep the ceiling tripped.
func wasNone(err error) bool {
	e := problem.From(err)
	return errors.Is(err, ceiling.ErrFull) ||
		e.Code != "challenge-required" && slices.Contains([]problem.Kind{problem.Unavailable, problem.Internal, problem.Forbidden}, e.Kind)
}

// enterOnce counts what is neither right nor wrong.
func (s *Service) enterOnce(ctx context.Context, by identity.Actor) error {
	return s.refuseAddress(ctx, by, s.Addresses.Count(ctx, by.Request().Address))
}

func (s *Service) enterSignUp(ctx context.Context, by identity.Actor) error {
	return s.refuseAddress(ctx, by, s.Addresses.CountSignUp(ctx, by.Request().Address))
}

// refuseAddress answers as an account does that has had its tries: which layer refused is nobody's business (C105).
func (s *Service) refuseAddress(ctx context.Context, by identity.Actor, wait time.Duration) error {
	if wait == 0 {
		return nil
	}
	s.Refusals.Count(ctx, by, audit.Event{Name: audit.RateLimitExceeded, Reason: "address"})
	return tooMany(wait)
}

func tooMany(wait time.Duration) *problem.Error {
	return problem.New(problem.TooMany, "too-many-requests",
		"Too many attempts. Wait a few minutes. If the password is forgotten, it can be reset meanwhile.").After(wholeMinutes(wait))
}

// wholeMinutes tells little about a counter (C105).
func wholeMinutes(wait time.Duration) time.Duration {
	return max(wait+time.Minute-1, time.Minute).Truncate(time.Minute)
}
