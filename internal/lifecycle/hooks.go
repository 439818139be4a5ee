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

	// mostCalls is how many calls of hooks may be out. One that never comes back keeps its place, so that a host that hangs
	// does not fill the memory with what waits for it.
	mostCalls = 64
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

// Ask asks BeforeSignUp. It returns [ErrRefused], or another error if there is no answer.
func (l *Lifecycle) Ask(ctx context.Context, wanted SignUp) error {
	if l.o.Hooks.BeforeSignUp == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, AskingTime)
	defer cancel()
	return l.placed("BeforeSignUp", func(leave func()) error {
		return Call(ctx, l.o.Log, "BeforeSignUp", func(ctx context.Context) error {
			defer leave()
			return l.o.Hooks.BeforeSignUp(ctx, wanted)
		})
	})
}

// placed makes a call if there is a place for it, which it must leave when the hook has come back.
func (l *Lifecycle) placed(name string, call func(leave func()) error) error {
	select {
	case l.calls <- struct{}{}:
		return call(func() { <-l.calls })
	default:
		return errLate.Because(fmt.Errorf("hook %s: %d calls of hooks have not come back", name, mostCalls))
	}
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
