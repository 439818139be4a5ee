package account

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/sessions"
)

// ErrMissing says that a read found nothing. ErrTaken says that an address already has an account.
var (
	ErrMissing = errors.New("not found")
	ErrTaken   = errors.New("address is taken")
)

// User is a person with a confirmed address. Times are microseconds since 1970, UTC.
type User struct {
	ID                    identity.ID // UUIDv4
	Email                 string      // as typed
	EmailCanonical        string      // unique
	DisplayName           string
	Password              []byte // the PHC string, sealed to this row
	PasswordChangedMicros int64
	CreatedMicros         int64
	LockedMicros          int64 // zero: not locked
	LockUntilMicros       int64 // when the lock ends by itself; zero: it does not
	LockReason            string
	Language              string   // "en" or "de"; empty: not chosen, the request tells
	ResetDemandedMicros   int64    // since when the password opens nothing until it is reset; zero: it does
	DeleteMicros          int64    // when the account will be deleted; zero: it stays
	Roles                 []string // sorted; written with Grant and Revoke only
}

// LockedAt reports whether an operator's lock bars the person at that time.
func (u User) LockedAt(now time.Time) bool {
	return u.LockedMicros != 0 && (u.LockUntilMicros == 0 || now.UnixMicro() < u.LockUntilMicros)
}

// closed reports whether the right password opens nothing.
func (u User) closed() bool { return u.ResetDemandedMicros != 0 || u.DeleteMicros != 0 }

// Signup is a pending sign-up (D22).
type Signup struct {
	ID             identity.ID
	Email          string
	EmailCanonical string
	DisplayName    string
	Network        string // where it came from: strangers elsewhere cannot push it out
	Password       []byte // the PHC string, sealed to this row
	TokenMAC       []byte
	CodeMAC        []byte
	FlowMAC        []byte
	CodeTries      int   // tries of the code
	CodeMicros     int64 // when the code was made
	CreatedMicros  int64
	ExpiresMicros  int64
}

// CodeExpiresMicros is when the code stops working; the link lives on.
func (s Signup) CodeExpiresMicros() int64 { return s.CodeMicros + codeLife.Microseconds() }

// Reset is a mailed link that lets its holder choose a new password.
type Reset struct {
	ID            identity.ID
	User          identity.ID
	TokenMAC      []byte
	CreatedMicros int64
	ExpiresMicros int64
}

// EmailChange is a change of address that waits for its two links (C062).
type EmailChange struct {
	User            identity.ID
	Email           string // the new address, as typed
	EmailCanonical  string
	ApproveMAC      []byte // of the link to the old address
	ConfirmMAC      []byte // of the link to the new one
	ApprovedMicros  int64  // when the old address agreed; zero: not yet
	ConfirmedMicros int64  // when the new one did; zero: not yet
	CreatedMicros   int64
	ExpiresMicros   int64
}

// AttemptPolicy is how many tries a counter admits in a window, and how its lock grows.
type AttemptPolicy struct {
	Max          int
	WindowMicros int64
	LockMicros   int64 // the first lock; doubles with each further one
	MaxMicros    int64 // the longest lock
}

// Attempt is the verdict on one try.
type Attempt struct {
	Admitted     bool
	Count        int   // tries in the window, this one included
	RetryMicros  int64 // when to come back, if not admitted
	FirstRefused bool  // this try is the one that set the lock
}

// Counter is the state of a counter of tries.
type Counter struct {
	Tries        int
	WindowMicros int64 // when its window began
	LockedMicros int64 // until when it is locked; zero: it is not
}

// Reader reads one thing each; [ErrMissing] if there is none.
type Reader interface {
	UserByID(ctx context.Context, id identity.ID) (User, error)
	UserByEmail(ctx context.Context, canonical string) (User, error)
	Users(ctx context.Context, after identity.ID, limit int) ([]User, error) // by id; the Password is left out
	SignupByToken(ctx context.Context, tokenMAC []byte) (Signup, error)
	SignupsByEmail(ctx context.Context, canonical string) ([]Signup, error) // newest first, at most thirty
	ResetByToken(ctx context.Context, tokenMAC []byte) (Reset, error)
	Sessions(ctx context.Context, owner identity.Subject) ([]sessions.Session, error) // last seen first, at most 100
	SessionOwner(ctx context.Context, id identity.ID) (identity.ID, error)
	KnowsDevice(ctx context.Context, user, device identity.ID) (bool, error)
	EmailReader
}

// EmailReader reads changes of address; [ErrMissing] if there is none.
type EmailReader interface {
	EmailChange(ctx context.Context, owner identity.Subject) (EmailChange, error)
	EmailChangeByToken(ctx context.Context, tokenMAC []byte) (EmailChange, error) // of either link
}

// UserFilter chooses people for an operator, in the order of their addresses.
type UserFilter struct {
	Text      string // a part of the address or of the name, in any case
	Role      string
	Locked    *bool // at NowMicros
	NowMicros int64
	After     string // the canonical address after which to begin
	Limit     int
}

// AdminReader is what only operators ask.
type AdminReader interface {
	SearchUsers(ctx context.Context, filter UserFilter) ([]User, error) // the Password is left out
}

// RoleReader reads what roles allow.
type RoleReader interface {
	RolePermissions(ctx context.Context) ([]RolePermission, error) // by role and permission
}

// RoleTx changes what roles allow. Both act on the next request of everybody who holds the role, and report whether
// there was anything to change.
type RoleTx interface {
	AllowRole(ctx context.Context, mapping RolePermission) (bool, error)
	DenyRole(ctx context.Context, mapping RolePermission) (bool, error)
}

// InvitationReader reads invitations.
type InvitationReader interface {
	Invitations(ctx context.Context, after string, nowMicros int64, limit int) ([]Invitation, error) // by canonical address, without those that have expired
	InvitationByToken(ctx context.Context, tokenMAC []byte) (Invitation, error)                      // [ErrMissing]
}

// InvitationTx changes invitations. TakeInvitation deletes and reports whether it did: of fifty parallel calls exactly one is true.
type InvitationTx interface {
	ReplaceInvitation(ctx context.Context, invitation Invitation) error // the one of the same address, if there is one
	TakeInvitation(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error)
	DeleteInvitation(ctx context.Context, id identity.ID) (bool, error)
	DeleteInvitationsBy(ctx context.Context, user identity.ID) error
}

// AdminTx keeps the last administrator.
type AdminTx interface {
	// OtherAdministrators counts those who hold the role and are neither locked nor about to be deleted, but for one. Until
	// the change ends no other one gets an answer: so two cannot take away each other.
	OtherAdministrators(ctx context.Context, except identity.ID, nowMicros int64) (int, error)
}

// Store is where accounts lie. [sqlstore.Store] is the one implementation.
type Store interface {
	Reader
	OwnReader
	LinkReader
	AdminReader
	AlertReader
	InvitationReader
	RoleReader
	limits.BlockStore
	// Counter is how a counter stands; zero if it is not there, or its past is forgotten.
	Counter(ctx context.Context, key []byte, nowMicros int64) (Counter, error)
	// Counters are the counters whose keys begin so, those that are locked first, then the youngest; at most a hundred.
	Counters(ctx context.Context, begin []byte, nowMicros int64) ([]Counter, error)
	// Change runs change in one transaction, with the audit event that it returns and the mails that it queued:
	// all or nothing. An event without a name is an error. The function may run more than once and must only
	// touch the transaction; it must not wait for anything else, because on SQLite others share its turn.
	// Nothing is acknowledged before it is on disk.
	Change(ctx context.Context, by identity.Actor, change func(context.Context, Tx) (audit.Event, error)) error
	// Reserve counts one try before the work is done, atomically: of fifty parallel tries exactly Max are admitted.
	Reserve(ctx context.Context, key []byte, policy AttemptPolicy, nowMicros int64) (Attempt, error)
	// GiveBack takes a try back that was counted and then not made, or that succeeded, unless its counter is locked by now.
	GiveBack(ctx context.Context, key []byte, nowMicros int64) error
	// DueDeletions are at most a hundred people whose deletion was due at that time, the longest overdue first.
	DueDeletions(ctx context.Context, nowMicros int64) ([]identity.ID, error)
	// CountSignupTries counts one try of the code of every pending sign-up of an address that has had fewer than most and
	// whose code is younger, and returns these: the same one statement whether there are any.
	CountSignupTries(ctx context.Context, canonical string, most int, madeAfterMicros int64) ([]Signup, error)
}

// Tx is one transaction of [Store.Change].
type Tx interface {
	Reader
	OwnReader
	MetadataTx
	UserTx
	AdminTx
	RoleReader
	RoleTx
	AlertTx
	InvitationTx
	ImportTx
	SignupTx
	EmailTx
	SessionTx
	LinkTx
	DeletionTx
	BlockTx
	Record(ctx context.Context, event audit.Event) error // an event besides the one returned
	Enqueue(ctx context.Context, message mail.Message) error
	ClearAttempts(ctx context.Context, key []byte) error
	ClearCounters(ctx context.Context, begin []byte) error // all whose keys begin so
}

// UserTx changes people.
type UserTx interface {
	InsertUser(ctx context.Context, user User) error                                                     // [ErrTaken]
	SetPassword(ctx context.Context, user identity.ID, sealed []byte, nowMicros int64) error             // a demanded reset is done by it
	SetLock(ctx context.Context, user identity.ID, lockedMicros, untilMicros int64, reason string) error // zero unlocks, a zero until has no end; [ErrMissing]
	SetProfile(ctx context.Context, user identity.ID, displayName, language string) error                // [ErrMissing]
	DemandReset(ctx context.Context, user identity.ID, nowMicros int64) error                            // zero demands it no more; [ErrMissing]
	Grant(ctx context.Context, user identity.ID, role string) error                                      // twice is no error
	Revoke(ctx context.Context, user identity.ID, role string) error
	RememberDevice(ctx context.Context, user, device identity.ID, expiresMicros int64) error
	ForgetDevices(ctx context.Context, user identity.ID) error
}

// ImportTx takes in people from elsewhere.
type ImportTx interface {
	// ImportUser is InsertUser for somebody whose hash is of the given shape ([password.Hasher.Shape]). It reports false, and does
	// nothing, if the address or the id is taken.
	ImportUser(ctx context.Context, user User, shape string) (bool, error)
}

// SignupTx changes pending sign-ups and reset links. The Take methods delete and report whether it was they who
// deleted: of fifty parallel calls exactly one is true.
type SignupTx interface {
	InsertSignup(ctx context.Context, signup Signup) error // the oldest beyond three of an address and network go
	// ReplaceSignupSecrets gives a pending sign-up another link and code, made at nowMicros, with no tries counted. That
	// there is none is no error.
	ReplaceSignupSecrets(ctx context.Context, id identity.ID, tokenMAC, codeMAC []byte, nowMicros int64) error
	TakeSignup(ctx context.Context, id identity.ID, tokenMAC []byte, nowMicros int64) (bool, error) // still that token, not expired
	DeleteSignups(ctx context.Context, canonical string) error
	ClearSignupTries(ctx context.Context, canonical string) error // of the codes of an address
	InsertReset(ctx context.Context, reset Reset) error           // the oldest beyond ten of a person go
	TakeReset(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error)
	DeleteResets(ctx context.Context, user identity.ID) error
}

// EmailTx changes addresses.
type EmailTx interface {
	PutEmailChange(ctx context.Context, owner identity.Subject, wanted EmailChange) error // in the place of an earlier one
	// ApproveEmailChange and ConfirmEmailChange note that the link to the old and to the new address was used. They report
	// whether it was they who did: of fifty parallel calls exactly one is true. Later, expired and unknown ones are false.
	ApproveEmailChange(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error)
	ConfirmEmailChange(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error)
	DeleteEmailChange(ctx context.Context, owner identity.Subject) (bool, error)   // false: there was none
	SetEmail(ctx context.Context, user identity.ID, email, canonical string) error // [ErrTaken], after which the transaction is over; [ErrMissing]
}

// BlockTx changes blocks.
type BlockTx interface {
	InsertBlock(ctx context.Context, block limits.Block) error // one of the same network is replaced
	DeleteBlock(ctx context.Context, prefix netip.Prefix, nowMicros int64) (bool, error)
}

// SessionTx changes sessions. Every change is announced as a [sessions.Invalidation].
type SessionTx interface {
	InsertSession(ctx context.Context, session sessions.Session) error
	// RotateSession puts replacement (another id, another token) in the place of the owner's session id; false if that has ended.
	RotateSession(ctx context.Context, owner identity.Subject, id identity.ID, replacement sessions.Session) (bool, error)
	EndSession(ctx context.Context, owner identity.Subject, id identity.ID) (bool, error)     // false: not there, or not the owner's
	EndSessions(ctx context.Context, owner identity.Subject, except identity.ID) (int, error) // a zero except spares none
	EndAllSessions(ctx context.Context) (int, error)                                          // of everybody: also those that another transaction has not committed yet. An act that has looked for its session already is not waited for
	StaleSessions(ctx context.Context, owner identity.Subject) error                          // no session counts as fresh any more
}
