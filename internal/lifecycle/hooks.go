package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/sqlsafe"
)

const (
	// AskingTime is how long [Hooks.BeforeSignUp] may take.
	AskingTime = 5 * time.Second
	// HostTime is how long the other hooks may take in one transaction, all together: on SQLite every other change waits.
	HostTime = 2 * time.Second
)

// ErrRefused is what BeforeSignUp returns to refuse.
var ErrRefused = errors.New("the host refuses this account")

var (
	errLate = problem.New(problem.Unavailable, "unavailable", "A part of the service does not answer. Try again in a moment.").After(2 * time.Second)
	errExit = errors.New("it ended its goroutine")
)

// The ways to an account.
const (
	BySignUp     = "signup"
	ByInvitation = "invitation"
	ByOperator   = "operator"
	ByImport     = "import"
)

// SignUp is an account that somebody wants.
type SignUp struct {
	Email       string // in its canonical form
	DisplayName string
	Network     netip.Prefix // where it is asked for; the zero Prefix for operators
	Via         string
}

// User is an account as hooks see it.
type User struct {
	ID          identity.ID
	Email       string
	DisplayName string
	Language    string
	Roles       []string
	Via         string // of OnUserCreated
}

// HostTx is the transaction of a change, for the rows of the host.
type HostTx interface {
	Exec(ctx context.Context, q sqlsafe.Query) (rows int64, err error)
	QueryRow(ctx context.Context, q sqlsafe.Query, dest ...any) (found bool, err error)
}

// Hooks are functions of the program that Ringwall runs in. What is nil is not called.
type Hooks struct {
	BeforeSignUp   func(ctx context.Context, wanted SignUp) error
	OnUserCreated  func(ctx context.Context, tx HostTx, user User) error
	OnEmailChanged func(ctx context.Context, tx HostTx, user User) error
	OnUserDeleted  func(ctx context.Context, tx HostTx, id identity.ID) error
}

// Any reports whether a change has to call one.
func (h Hooks) Any() bool {
	return h.OnUserCreated != nil || h.OnEmailChanged != nil || h.OnUserDeleted != nil
}

// Ask asks BeforeSignUp. It returns ErrRefused, or another error if there is no answer.
func (h Hooks) Ask(ctx context.Context, log *slog.Logger, wanted SignUp) error {
	if h.BeforeSignUp == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, AskingTime)
	defer cancel()
	return Call(ctx, log, "BeforeSignUp", func(ctx context.Context) error { return h.BeforeSignUp(ctx, wanted) })
}

// Call runs a function of the host and waits until it ends or ctx does. A panic is an error. No error of the host's is in
// the chain of the one that is returned, but for [ErrRefused], so that none is taken for a problem of ours.
func Call(ctx context.Context, log *slog.Logger, name string, run func(context.Context) error) error {
	done := make(chan error, 1)
	go func() {
		err := errExit
		defer func() {
			if r := recover(); r != nil {
				log.ErrorContext(ctx, "panic in a hook", "hook", name, "panic", r, "stack", string(debug.Stack()))
				err = fmt.Errorf("panic: %v", r)
			}
			done <- err
		}()
		err = run(ctx)
	}()
	select {
	case err := <-done:
		if err == nil || errors.Is(err, ErrRefused) {
			return err
		}
		return fmt.Errorf("hook %s: %s", name, err.Error())
	case <-ctx.Done():
		return errLate.Because(fmt.Errorf("hook %s did not come back: %w", name, ctx.Err()))
	}
}
