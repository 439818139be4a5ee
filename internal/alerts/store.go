package alerts

import (
	"context"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/webhook"
)

// Store is where alerts lie. Times are microseconds since 1970, UTC.
type Store interface {
	// ChangeAlerts runs change in one transaction: all or nothing. The function may run more than once.
	ChangeAlerts(ctx context.Context, by identity.Actor, change func(context.Context, Tx) error) error
	// OpenAlerts are the alerts that are open, the one that has been quiet longest first, at most a hundred.
	OpenAlerts(ctx context.Context) ([]Open, error)
}

// Tx is one transaction of [Store.ChangeAlerts].
type Tx interface {
	// RaiseAlert opens an alert or adds to the one that is open: its count, its places (see [Merge]), and when it was
	// seen. It returns the alert as it is then, and whether this opened it: of fifty parallel calls exactly one is true.
	RaiseAlert(ctx context.Context, alert Alert, seenMicros int64) (now Open, opened bool, err error)
	// CloseAlert closes the open alert of a kind and key if it has not been seen after quietSinceMicros, and returns it.
	// False: there is none, or it is not quiet. Of fifty parallel calls at most one is true.
	CloseAlert(ctx context.Context, kind, key string, quietSinceMicros, nowMicros int64) (closed Open, ok bool, err error)
	Record(ctx context.Context, event audit.Event) error
	Enqueue(ctx context.Context, message mail.Message) error
	EnqueueWebhook(ctx context.Context, message webhook.Message) error
}

// Merge is what an alert's places are after more were seen.
func Merge(places, more []string) []string { return addPlaces(places, more) }
