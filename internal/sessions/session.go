package sessions

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringwall/ringwall/internal/identity"
)

// ErrMissing says that there is no such live session. Stores return it from reads.
var ErrMissing = errors.New("no such session")

// ErrExpired is the [ErrMissing] of a session whose time is over.
var ErrExpired = fmt.Errorf("%w: its time is over", ErrMissing)

// Hash is the SHA-256 of a session token: all that is ever stored of it.
type Hash [32]byte

// Session is one signed-in device as the database holds it. Times are microseconds since 1970, UTC.
type Session struct {
	ID             identity.ID // UUIDv4: public, shown in lists, no secret
	User           identity.ID
	Device         identity.ID // the known device (cookie) through which it was made; zero for bearer clients
	TokenHash      Hash
	CreatedMicros  int64
	LastSeenMicros int64
	ExpiresMicros  int64 // absolute end
	IdleMicros     int64 // a duration: ends this long after LastSeenMicros
	FreshMicros    int64 // a time: the last proof of identity counts as recent until then
	Remembered     bool
	Bearer         bool
	Address        string
	UserAgent      string
}

// Live reports whether the session has not timed out at now.
func (s Session) Live(nowMicros int64) bool {
	return nowMicros < s.ExpiresMicros && nowMicros < s.LastSeenMicros+s.IdleMicros
}

// Person is what a check needs to know of the session's owner.
type Person struct {
	ID          identity.ID
	Email       string
	DisplayName string
	Language    string   // that the person has chosen; empty: none
	Roles       []string // sorted
	Permissions string   // that the database maps the roles to, with commas between them
	Locked      bool     // a locked person has no live session
}

// Touch is a later last-seen time of a session.
type Touch struct {
	ID             identity.ID
	LastSeenMicros int64
}

// Invalidation names what a committed change has made untrue: sessions that ended or changed, and people whose
// roles, lock or profile changed. People means everybody, because what roles allow has changed; All means everything (the
// sessions of everybody have ended, or the database was changed behind our back).
type Invalidation struct {
	Sessions []Hash
	Users    []identity.ID
	People   bool
	All      bool
}

// Store is where sessions lie.
type Store interface {
	// SessionByHash reads a session and its owner in one statement; [ErrMissing] if there is none. It does not judge timeouts or locks.
	SessionByHash(ctx context.Context, hash Hash) (Session, Person, error)
	// TouchSessions moves last-seen times forward, never back. A session that has ended meanwhile stays ended.
	TouchSessions(ctx context.Context, touches []Touch) error
	// OnInvalidate registers the one receiver of invalidations. It is called after COMMIT and before the change is
	// acknowledged to whoever asked for it, in the order of commits, and must not block.
	// Exact reports whether every change of the database passes through this process, so that a mirror may be trusted.
	OnInvalidate(receive func(Invalidation)) (exact bool)
}
