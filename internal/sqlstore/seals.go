package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	auditSeals = sqlsafe.List(`
		SELECT n, first_seq, last_seq, last_tx, members, previous, mac, created_micros
		FROM ringwall_audit_seals
		WHERE TRUE`)
	insertSeal = sqlsafe.New(`
		INSERT INTO ringwall_audit_seals (n, first_seq, last_seq, last_tx, members, previous, mac, created_micros)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (n) DO NOTHING`)
)

func scanSeal(s scanner) (seal audit.Seal, err error) {
	return seal, s.Scan(&seal.N, &seal.FirstSeq, &seal.LastSeq, &seal.LastTx, &seal.Members, &seal.Previous, &seal.MAC, &seal.CreatedMicros)
}

// LastSeal is the end of the chain; see [audit.SealStore].
func (s *Store) LastSeal(ctx context.Context) (audit.Seal, bool, error) {
	found, err := many(ctx, s.q, scanSeal, auditSeals.OrderBy(`n DESC`).Limit(1))
	if err != nil || len(found) == 0 {
		return audit.Seal{}, false, err
	}
	return found[0], true, nil
}

// Seals reads seals with a higher number; see [audit.SealStore].
func (s *Store) Seals(ctx context.Context, afterN int64, limit int) ([]audit.Seal, error) {
	return many(ctx, s.q, scanSeal, auditSeals.And(`n > ?`, afterN).OrderBy(`n`).Limit(limit))
}

// InsertSeal stores a seal unless its number is taken; see [audit.SealStore].
func (s *Store) InsertSeal(ctx context.Context, seal audit.Seal) (inserted bool, err error) {
	err = s.write(ctx, func(ctx context.Context, t *turn) error {
		n, err := t.exec(ctx, insertSeal.With(seal.N, seal.FirstSeq, seal.LastSeq, seal.LastTx, blob(seal.Members), blob(seal.Previous),
			blob(seal.MAC), seal.CreatedMicros))
		inserted = n == 1
		return err
	})
	return inserted && err == nil, err
}
