package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	userMetadata = sqlsafe.Owned(`
		SELECT public_sealed, private_sealed, own_sealed
		FROM ringwall_user_metadata
		WHERE user_id = $1`)
	setMetadata = sqlsafe.Owned(`
		INSERT INTO ringwall_user_metadata (user_id, public_sealed, private_sealed, own_sealed)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id) DO UPDATE
		SET public_sealed = excluded.public_sealed, private_sealed = excluded.private_sealed, own_sealed = excluded.own_sealed`)
)

func (r reader) Metadata(ctx context.Context, owner identity.Subject) (account.SealedMetadata, error) {
	found, err := one(ctx, r.q, func(s scanner) (m account.SealedMetadata, err error) {
		return m, s.Scan(&m.Public, &m.Private, &m.Own)
	}, userMetadata.For(owner))
	if errors.Is(err, sql.ErrNoRows) {
		return account.SealedMetadata{}, nil
	}
	return found, err
}

func (c *change) SetMetadata(ctx context.Context, owner identity.Subject, m account.SealedMetadata) error {
	_, err := c.turn.exec(ctx, setMetadata.For(owner, blob(m.Public), blob(m.Private), blob(m.Own)))
	return err
}
