package sqlstore

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	liveBlocks = sqlsafe.New(`
		SELECT prefix, created_micros, expires_micros, reason, made_by
		FROM ringwall_blocks
		WHERE expires_micros > $1
		ORDER BY created_micros DESC, prefix
		LIMIT 1000`)
	insertBlock = sqlsafe.New(`
		INSERT INTO ringwall_blocks (prefix, created_micros, expires_micros, reason, made_by)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (prefix) DO UPDATE SET
			created_micros = excluded.created_micros,
			expires_micros = excluded.expires_micros,
			reason = excluded.reason,
			made_by = excluded.made_by`)
	deleteBlock = sqlsafe.New(`DELETE FROM ringwall_blocks WHERE prefix = $1 AND expires_micros > $2`)
)

func scanBlock(s scanner) (b limits.Block, err error) {
	var prefix string
	if err := s.Scan(&prefix, &b.CreatedMicros, &b.ExpiresMicros, &b.Reason, &b.By); err != nil {
		return b, err
	}
	if b.Prefix, err = netip.ParsePrefix(prefix); err != nil {
		return b, fmt.Errorf("a block is no network: %w", err)
	}
	return b, nil
}

// Blocks are those that hold; see [limits.BlockStore].
func (s *Store) Blocks(ctx context.Context, nowMicros int64) ([]limits.Block, error) {
	return many(ctx, s.q, scanBlock, liveBlocks.With(nowMicros))
}

// Shared reports whether other processes may write to the database too.
func (s *Store) Shared() bool { return !s.engine.exact() }

func (c *change) InsertBlock(ctx context.Context, b limits.Block) error {
	_, err := c.turn.exec(ctx, insertBlock.With(b.Prefix.String(), b.CreatedMicros, b.ExpiresMicros, b.Reason, b.By))
	return err
}

func (c *change) DeleteBlock(ctx context.Context, prefix netip.Prefix, nowMicros int64) (bool, error) {
	gone, err := c.turn.exec(ctx, deleteBlock.With(prefix.String(), nowMicros))
	return gone == 1, err
}
