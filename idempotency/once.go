package idempotency

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	// ErrNoKey says that a context is not that of a request behind [Keys.Handler].
	ErrNoKey = errors.New("idempotency: no key in this context")
	// ErrLost says that the request took too long and another try has its key: roll back.
	ErrLost = errors.New("idempotency: another try has taken over")
)

type claimKey struct{}

// Once records, within a transaction of the handler's on the database of the [Keys], that the request is carried out.
// After the commit it never runs again under its key, whatever the handler answers and whoever dies. Call it first in the
// transaction. It returns [ErrLost] if another try has taken the key over, [ErrNoKey] without one, or the error of the
// database; roll back for each.
func Once(ctx context.Context, tx *sqlsafe.Tx) error {
	c, ok := ctx.Value(claimKey{}).(claim)
	if !ok {
		return ErrNoKey
	}
	result, err := tx.Exec(ctx, markDone.With(c.id, c.token))
	if err != nil {
		return fmt.Errorf("record that the request is carried out: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(ErrLost, err)
	}
	return nil
}
