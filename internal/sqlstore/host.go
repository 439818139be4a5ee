package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	errHostOver = errors.New("sqlstore: the transaction was used after its hook had returned, or too late")
	errHostVerb = errors.New("sqlstore: a hook may SELECT, INSERT, UPDATE and DELETE; the transaction itself is not its to end")
)

// hostTx is a transaction in the hands of a hook. Its statements end with the time of the hook: on SQLite that may cost the
// whole group its transaction, which is told to each of them.
type hostTx struct {
	turn *turn
	ends time.Time
	mu   sync.Mutex
	over bool
}

// Host calls a hook; see [lifecycle.Tx].
func (c *change) Host(ctx context.Context, name string, call func(context.Context, lifecycle.HostTx) error) error {
	if c.hostEnds.IsZero() {
		c.hostEnds = time.Now().Add(lifecycle.HostTime)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), c.hostEnds)
	defer cancel()
	h := &hostTx{turn: c.turn, ends: c.hostEnds}
	err := lifecycle.Call(ctx, c.log, name, func(ctx context.Context) error { return call(ctx, h) })
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	if c.turn.err != nil { // so that what lost to another change is run again
		return fmt.Errorf("hook %s: %w", name, c.turn.err)
	}
	return err
}

// Exec runs a statement that returns no rows, and tells how many it changed.
func (h *hostTx) Exec(ctx context.Context, q sqlsafe.Query) (rows int64, err error) {
	return rows, h.run(ctx, q, func(ctx context.Context) (err error) {
		rows, err = affected(h.turn.tx.Exec(ctx, q))
		return err
	})
}

// QueryRow reads the first row into dest; false if there is none.
func (h *hostTx) QueryRow(ctx context.Context, q sqlsafe.Query, dest ...any) (found bool, err error) {
	return found, h.run(ctx, q, func(ctx context.Context) error {
		return walk(func(s scanner) error {
			if found {
				return nil
			}
			found = true
			return s.Scan(dest...)
		})(h.turn.tx.Query(ctx, q))
	})
}

// run runs one statement at a time. After an error there is no other.
func (h *hostTx) run(ctx context.Context, q sqlsafe.Query, statement func(context.Context) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.over:
		return errHostOver
	case h.turn.err != nil:
		return h.turn.err
	}
	switch sqlsafe.Verb(q) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
	default:
		return errHostVerb
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), h.ends)
	defer cancel()
	h.turn.err = statement(ctx)
	return h.turn.err
}

// Person is somebody as the transaction leaves them; see [lifecycle.Tx].
func (c *change) Person(ctx context.Context, id identity.ID) (p lifecycle.Person, found bool, err error) {
	reading := c.reader
	reading.lock = false // whoever was changed is locked already
	user, err := reading.UserByID(ctx, id)
	if errors.Is(err, account.ErrMissing) {
		return p, false, nil
	}
	p.User = lifecycle.User{ID: user.ID, Email: user.Email, DisplayName: user.DisplayName, Language: user.Language, Roles: user.Roles}
	p.DeleteMicros = user.DeleteMicros
	return p, err == nil, err
}
