package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	importUser = sqlsafe.New(`
		INSERT INTO ringwall_users (id, email, email_canonical, display_name, password, password_changed_micros, created_micros, locked_micros, lock_reason,
			language, lock_until_micros, reset_demanded_micros, delete_micros, password_shape)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT DO NOTHING`)
	nextShape = sqlsafe.New(`
		SELECT password_shape
		FROM ringwall_users
		WHERE password_shape > $1 AND password_shape <> ''
		ORDER BY password_shape
		LIMIT 1`)
)

// ImportUser takes in a person from elsewhere; see [account.ImportTx].
func (c *change) ImportUser(ctx context.Context, user account.User, shape string) (bool, error) {
	n, err := c.turn.exec(ctx, importUser.With(key(user.ID), clean(user.Email), clean(user.EmailCanonical), clean(user.DisplayName), blob(user.Password),
		user.PasswordChangedMicros, user.CreatedMicros, user.LockedMicros, clean(user.LockReason),
		clean(user.Language), user.LockUntilMicros, user.ResetDemandedMicros, user.DeleteMicros, clean(shape)))
	return n > 0, err
}

// mostShapes is how many sorts of imported hashes are looked for. A system that has been raising its cost for years has a dozen.
const mostShapes = 64

// PasswordShapes are the sorts of hashes that came from elsewhere and have not been replaced: what [password.Hasher.Prepare] wants to know.
func (s *Store) PasswordShapes(ctx context.Context) ([]string, error) {
	var shapes []string
	for last := ""; len(shapes) < mostShapes; {
		shape, err := one(ctx, s.q, scanText, nextShape.With(last)) // from one to the next in the index, past all the people between
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return nil, err
		}
		shapes, last = append(shapes, shape), shape
	}
	return shapes, nil
}
