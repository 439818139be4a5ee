package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	linkByToken = sqlsafe.New(`
		SELECT id, user_id, purpose, token_mac, created_micros, expires_micros
		FROM ringwall_links
		WHERE token_mac = $1`)
	insertLink = sqlsafe.Owned(`
		INSERT INTO ringwall_links (user_id, id, purpose, token_mac, created_micros, expires_micros)
		VALUES ($1, $2, $3, $4, $5, $6)`)
	deleteOldLinks = sqlsafe.Owned(`
		DELETE FROM ringwall_links
		WHERE user_id = $1 AND id IN (
			SELECT id FROM ringwall_links
			WHERE user_id = $1 AND purpose = $2
			ORDER BY created_micros DESC, id DESC
			LIMIT 1000 OFFSET 50)`)
	takeLink = sqlsafe.New(`
		DELETE FROM ringwall_links
		WHERE token_mac = $1 AND expires_micros > $2`)
	deleteLinks = sqlsafe.Owned(`DELETE FROM ringwall_links WHERE user_id = $1 AND purpose = $2`)
	ownLinks    = sqlsafe.Owned(`
		SELECT purpose, created_micros, expires_micros
		FROM ringwall_links
		WHERE user_id = $1
		UNION ALL
		SELECT 'reset-password', created_micros, expires_micros
		FROM ringwall_resets
		WHERE user_id = $1
		LIMIT 200`)
)

// LinkByToken finds a link; see [account.LinkReader].
func (s *Store) LinkByToken(ctx context.Context, tokenMAC []byte) (account.Link, error) {
	return missing(one(ctx, s.q, func(row scanner) (found account.Link, err error) {
		return found, row.Scan(&found.ID, &found.User, &found.Purpose, &found.TokenMAC, &found.CreatedMicros, &found.ExpiresMicros)
	}, linkByToken.With(blob(tokenMAC))))
}

func (r reader) Links(ctx context.Context, owner identity.Subject) ([]account.Link, error) {
	return many(ctx, r.q, func(row scanner) (found account.Link, err error) {
		found.User = owner.ID()
		return found, row.Scan(&found.Purpose, &found.CreatedMicros, &found.ExpiresMicros)
	}, ownLinks.For(owner))
}

func (c *change) InsertLink(ctx context.Context, link account.Link) error {
	owner := identity.SubjectOf(link.User)
	_, err := c.turn.exec(ctx, insertLink.For(owner, key(link.ID), string(link.Purpose), blob(link.TokenMAC), link.CreatedMicros, link.ExpiresMicros))
	if err != nil {
		return err
	}
	_, err = c.turn.exec(ctx, deleteOldLinks.For(owner, string(link.Purpose)))
	return err
}

func (c *change) TakeLink(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error) {
	n, err := c.turn.exec(ctx, takeLink.With(blob(tokenMAC), nowMicros))
	return n == 1, err
}

func (c *change) DeleteLinks(ctx context.Context, user identity.ID, purpose account.LinkPurpose) error {
	_, err := c.turn.exec(ctx, deleteLinks.For(identity.SubjectOf(user), string(purpose)))
	return err
}
