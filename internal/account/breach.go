package account

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/password"
)

// Breaches knows passwords from breaches of other services.
type Breaches interface {
	Breached(ctx context.Context, password string) (bool, error)
}

const (
	breachDetail = "This password is known from a breach of some service, so attackers try it early. Choose one that you use nowhere else."
	breachQuiet  = time.Minute // between two lines in the log
)

// breachLog keeps a source that does not answer from filling the log.
type breachLog struct{ toldMicros atomic.Int64 }

func (l *breachLog) due(now time.Time) bool {
	last := l.toldMicros.Load()
	return now.UnixMicro()-last >= breachQuiet.Microseconds() && l.toldMicros.CompareAndSwap(last, now.UnixMicro())
}

// checkBreach refuses a new password that is known from a breach. It is asked behind the limits, because it may ask somebody
// else. Without an answer the password is taken: a source that is away must not keep people from their accounts.
func (s *Service) checkBreach(ctx context.Context, chosen string) error {
	if s.Breaches == nil {
		return nil
	}
	known, err := s.Breaches.Breached(ctx, chosen)
	if err != nil && ctx.Err() == nil && s.breaches.due(s.Now()) {
		s.Log.WarnContext(ctx, "breach check failed; passwords are taken without it", "error", err)
	}
	if err != nil || !known {
		return ctx.Err()
	}
	return problem.New(problem.Invalid, "password-weak", breachDetail).
		With(problem.Field{Name: "password", Code: password.CodeBreached, Detail: breachDetail})
}
