package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	setDeletion = sqlsafe.New(`
		UPDATE ringwall_users
		SET delete_micros = $2
		WHERE id = $1`)
	dueDeletions = sqlsafe.New(`
		SELECT id FROM ringwall_users
		WHERE delete_micros > 0 AND delete_micros <= $1
		ORDER BY delete_micros
		LIMIT 100`)
	// Whatever belongs to the person refers to this row and goes with it.
	deleteUser = sqlsafe.New(`DELETE FROM ringwall_users WHERE id = $1`)
	// The row stays, so that no later event makes the person a new key.
	erasePersonKey = sqlsafe.New(`
		INSERT INTO ringwall_person_keys (user_id, wrapped)
		VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET wrapped = excluded.wrapped`)
)

func (c *change) SetDeletion(ctx context.Context, user identity.ID, deleteMicros int64) error {
	return c.toUser(ctx, user, setDeletion.With(key(user), deleteMicros))
}

// DueDeletions are the people whose time is over; see [account.Store].
func (s *Store) DueDeletions(ctx context.Context, nowMicros int64) ([]identity.ID, error) {
	return many(ctx, s.q, scanID, dueDeletions.With(nowMicros))
}

func (c *change) EraseUser(ctx context.Context, user account.User) error {
	if err := c.toUser(ctx, user.ID, deleteUser.With(key(user.ID))); err != nil {
		return err
	}
	_, err := c.turn.exec(ctx, erasePersonKey.With(key(user.ID), blob(nil)))
	return err
}
