package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
)

// change is one transaction of [Store.Change].
type change struct {
	reader
	turn     *turn
	keys     *keys
	by       identity.Actor
	log      *slog.Logger
	happened *lifecycle.Happened // nil: nobody follows
	hostEnds time.Time           // when what hooks may take is used up; zero: none has run
}

var (
	errNobody = errors.New("sqlstore: a change by nobody")
	errNoName = errors.New("sqlstore: a change without an audit event")
)

type insideChange struct{}

// Change runs a change with its audit events and mails in one transaction; see [account.Store].
func (s *Store) Change(ctx context.Context, by identity.Actor, run func(context.Context, account.Tx) (audit.Event, error)) error {
	if by.Kind() == identity.Nobody {
		return errNobody
	}
	keys := s.keys.Load()
	if keys == nil {
		return ErrNoKeyring
	}
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		c := &change{reader: reader{q: t, now: s.config.Now, lock: t.lock}, turn: t, keys: keys, by: by, log: s.config.Log}
		follow := s.follow.Load()
		if follow != nil {
			c.happened = &lifecycle.Happened{By: by}
		}
		event, err := run(ctx, c)
		if err == nil && event.Name != audit.Unrecorded {
			err = c.Record(ctx, event)
		}
		if err != nil || follow == nil {
			return err
		}
		return (*follow)(ctx, c, *c.happened)
	})
}

// write runs job in a transaction of the engine. It refuses to wait for itself.
func (s *Store) write(ctx context.Context, job func(context.Context, *turn) error) error {
	if ctx.Value(insideChange{}) != nil {
		return ErrNested
	}
	return s.engine.write(ctx, func(ctx context.Context, t *turn) error {
		return job(context.WithValue(ctx, insideChange{}, true), t)
	})
}

// Record writes an audit event in the transaction.
func (c *change) Record(ctx context.Context, event audit.Event) error {
	if event.Name == "" {
		return errNoName
	}
	row, err := c.keys.build.Row(ctx, c, c.by, event)
	if err != nil {
		return fmt.Errorf("audit event %s: %w", event.Name, err)
	}
	if c.happened != nil {
		c.happened.Events = append(c.happened.Events, event)
	}
	return insertAudit(ctx, c.turn, row)
}
