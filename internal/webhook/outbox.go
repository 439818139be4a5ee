package webhook

import (
	"context"
	"errors"

	"github.com/ringwall/ringwall/internal/identity"
)

// ClaimMicros is how long [OutboxStore.NextWebhook] claims a message: longer than any attempt may take, so that two
// nodes never try the same one at once, and short enough that a message whose node died is soon tried again.
const ClaimMicros int64 = 60_000_000

// ErrUnreadable says that a stored message cannot be opened: its key is lost, or its row was changed.
var ErrUnreadable = errors.New("the stored webhook cannot be opened")

// Entry is a message in the outbox.
type Entry struct {
	Message       Message
	Attempts      int   // tries so far, the one this claim is for included
	CreatedMicros int64 // when it was queued
}

// Dead is a message that was given up.
type Dead struct {
	ID            identity.ID
	Target        string
	Attempts      int
	Reason        string // of the last failure, such as "status 500"; never what the receiver said
	CreatedMicros int64
	DeadMicros    int64
}

// OutboxStore is where messages wait. Times are microseconds since 1970, UTC. Calls may come from several goroutines and
// several nodes at once.
type OutboxStore interface {
	// NextWebhook claims the message of a target that has been due longest: attempts+1 and next try = now + [ClaimMicros] are
	// committed before it returns, so a crash while sending still counts. False: none is due. A message that cannot be
	// opened is claimed too and returned with its id beside an error that is [ErrUnreadable].
	NextWebhook(ctx context.Context, target string, nowMicros int64) (Entry, bool, error)
	// NextWebhookDue is when the earliest message of a target is due, which may lie in the past. False: none waits.
	NextWebhookDue(ctx context.Context, target string) (micros int64, ok bool, err error)
	// WebhookSent ends a message: nothing of it stays. Twice is no error.
	WebhookSent(ctx context.Context, id identity.ID) error
	// WebhookFailed makes a message due at nextMicros. Zero: it is dead, and kept.
	WebhookFailed(ctx context.Context, id identity.ID, nextMicros int64, reason string) error
}
