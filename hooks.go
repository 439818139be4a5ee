package ringwall

import (
	"context"
	"errors"
	"net/netip"

	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// ErrRefused is what [Hooks].BeforeSignUp returns to refuse an account.
var ErrRefused = errors.New("the account is refused")

// Hooks are functions of the program that Ringwall runs in; docs/hooks.md is their manual. What is nil is not called. They may be
// called from several goroutines at once, and never see a password or a token.
//
// BeforeSignUp has five seconds. The others run in the transaction of the change and have two seconds together: on SQLite
// every other change waits meanwhile, so they do nothing but run statements. They may run more than once for one change (the
// transaction lost to another and is run again), and a change whose hook has run can still fail; so whatever is not undone
// with the transaction, such as a mail, belongs elsewhere: see Options.EventsWebhook. A hook that returns an error, panics or
// does not come back undoes the whole change. The caller is answered 500 or 503 without a word of it; the log has it.
//
// Hooks run in the process that has them, and there for every way to an account: sign-up, invitation, administrators, commands
// of [Ringwall.Operate], imports. The program `ringwall` has none.
type Hooks struct {
	// BeforeSignUp admits an account by returning nil, and refuses it by ErrRefused: the caller is answered 403, in the same
	// words whatever the reason. It runs before Ringwall looks the address up and so for taken and free ones alike, behind the
	// limits of volume. A hook that looks the address up in a place of its own tells what it finds there.
	BeforeSignUp func(ctx context.Context, wanted SignUp) error

	// OnUserCreated runs when an account is made, its roles granted.
	OnUserCreated func(ctx context.Context, tx HookTx, user User) error

	// OnEmailChanged runs when an account has got the address that it shows.
	OnEmailChanged func(ctx context.Context, tx HookTx, user User) error

	// OnUserDeleted runs when an account and its rows are deleted.
	OnUserDeleted func(ctx context.Context, tx HookTx, id session.ID) error
}

// SignUp is an account that somebody wants.
type SignUp struct {
	Email       string       // in its canonical form; nobody has proved yet that it is theirs, but with Via "invitation"
	DisplayName string       // a stranger's text: escape it where it is shown
	Network     netip.Prefix // the stranger's, as limits count it: an IPv4 address, an IPv6 /64; the zero Prefix with "operator" and "import"
	Via         string       // "signup", "invitation", "operator" or "import"
}

// User is an account as a hook sees it.
type User struct {
	ID          session.ID // as session.From tells it; it never changes
	Email       string
	DisplayName string // a stranger's text: escape it where it is shown
	Language    string // "en", "de", or "" for not chosen
	Roles       []string
	Via         string // as in SignUp; for OnUserCreated alone
}

// HookTx is the transaction of a change, for rows of the host's own in the same database. It runs constant statements
// (SELECT, INSERT, UPDATE, DELETE), cannot be ended, and is closed when the hook returns. After an error it runs no other
// statement, and the change is undone whatever the hook returns. On PostgreSQL it is the runtime role, which needs rights to
// those tables.
type HookTx interface {
	// Exec runs a statement and tells how many rows it changed.
	Exec(ctx context.Context, q sqlsafe.Query) (rows int64, err error)
	// QueryRow reads the first row into dest; false if there is none.
	QueryRow(ctx context.Context, q sqlsafe.Query, dest ...any) (found bool, err error)
}

// adapt is the hooks as the inside knows them.
func (h Hooks) adapt() (inside lifecycle.Hooks) {
	if h.BeforeSignUp != nil {
		inside.BeforeSignUp = func(ctx context.Context, wanted lifecycle.SignUp) error {
			err := h.BeforeSignUp(ctx, SignUp(wanted))
			if errors.Is(err, ErrRefused) {
				err = lifecycle.ErrRefused
			}
			return err
		}
	}
	if h.OnUserCreated != nil {
		inside.OnUserCreated = func(ctx context.Context, tx lifecycle.HostTx, user lifecycle.User) error {
			return h.OnUserCreated(ctx, tx, User(user))
		}
	}
	if h.OnEmailChanged != nil {
		inside.OnEmailChanged = func(ctx context.Context, tx lifecycle.HostTx, user lifecycle.User) error {
			return h.OnEmailChanged(ctx, tx, User(user))
		}
	}
	if h.OnUserDeleted != nil {
		inside.OnUserDeleted = func(ctx context.Context, tx lifecycle.HostTx, id session.ID) error {
			return h.OnUserDeleted(ctx, tx, id)
		}
	}
	return inside
}
