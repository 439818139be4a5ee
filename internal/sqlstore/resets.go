package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	resetByToken = sqlsafe.New(`
		SELECT id, user_id, token_mac, created_micros, expires_micros
		FROM ringwall_resets
		WHERE token_mac = $1`)
	insertReset = sqlsafe.New(`
		INSERT INTO ringwall_resets (id, user_id, token_mac, created_micros, expires_micros)
		VALUES ($1, $2, $3, $4, $5)`)
	deleteOldResets = sqlsafe.Owned(`
		DELETE FROM ringwall_resets
		WHERE user_id = $1 AND id IN (
			SELECT id FROM ringwall_resets
			WHERE user_id = $1
			ORDER BY created_micros DESC, id DESC
			LIMIT 1000 OFFSET 10)`)
	takeReset = sqlsafe.New(`
		DELETE FROM ringwall_resets
		WHERE token_mac = $1 AND expires_micros > $2`)
	deleteResets = sqlsafe.New(`DELETE FROM ringwall_resets WHERE user_id = $1`)
)

func (r reader) ResetByToken(ctx context.Context, tokenMAC []byte) (account.Reset, error) {
	return missing(one(ctx, r.q, func(s scanner) (found account.Reset, err error) {
		return found, s.Scan(&found.ID, &found.User, &found.TokenMAC, &found.CreatedMicros, &found.ExpiresMicros)
	}, resetByToken.With(blob(tokenMAC))))
}

func (c *change) InsertReset(ctx context.Context, reset account.Reset) error {
	_, err := c.turn.exec(ctx, insertReset.With(key(reset.ID), key(reset.User), blob(reset.TokenMAC), reset.CreatedMicros, reset.ExpiresMicros))
	if err != nil {
		return err
	}
	_, err = c.turn.exec(ctx, deleteOldResets.For(identity.SubjectOf(reset.User)))
	return err
}

func (c *change) TakeReset(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error) {
	n, err := c.turn.exec(ctx, takeReset.With(blob(tokenMAC), nowMicros))
	return n == 1, err
}

func (c *change) DeleteResets(ctx context.Context, user identity.ID) error {
	_, err := c.turn.exec(ctx, deleteResets.With(key(user)))
	return err
}
