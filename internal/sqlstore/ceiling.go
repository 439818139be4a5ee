package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/sqlsafe"
)

// leaseAttempts grants all that is asked for or nothing, in one statement, so that no two nodes are granted the same.
//
// $1 minute, $2 wanted, $3 capacity, $4 strangers and $5 known asked for, $6 most strangers, $7 most of all, $8 strangers and $9 wanted beyond which it is hot
var leaseAttempts = sqlsafe.New(`
	INSERT INTO ringwall_ceiling AS c (minute, strangers, known, wanted, capacity, granted, hot, heated)
	VALUES ($1, $4, $5, $2, $3, CAST($4 AS BIGINT) + $5, CAST($2 AS BIGINT) > $9, CAST($2 AS BIGINT) > $9)
	ON CONFLICT (minute) DO UPDATE SET
		strangers = c.strangers + CASE WHEN c.strangers + $4 <= $6 AND c.strangers + c.known + $4 + $5 <= $7 THEN CAST($4 AS BIGINT) ELSE 0 END,
		known = c.known + CASE WHEN c.strangers + c.known + $4 + $5 <= $7 THEN CAST($5 AS BIGINT) ELSE 0 END,
		wanted = c.wanted + $2,
		capacity = c.capacity + $3,
		granted = CASE
			WHEN $4 > 0 AND c.strangers + $4 > $6 THEN 0
			WHEN c.strangers + c.known + $4 + $5 > $7 THEN 0
			ELSE CAST($4 AS BIGINT) + $5 END,
		hot = c.hot OR c.wanted + $2 > $9 OR ($4 > 0 AND c.strangers >= $8) OR c.strangers + c.known >= $7,
		heated = NOT c.hot AND (c.wanted + $2 > $9 OR ($4 > 0 AND c.strangers >= $8) OR c.strangers + c.known >= $7)
	RETURNING minute, strangers, known, wanted, capacity, granted, hot, heated`)

var ceilingMinutes = sqlsafe.New(`
	SELECT minute, strangers, known, wanted, capacity, 0, hot, FALSE
	FROM ringwall_ceiling
	WHERE minute >= $1 AND minute <= $2
	ORDER BY minute
	LIMIT 16`)

// The one in the middle has half of the others before it.
var medianAttempts = sqlsafe.New(`
	SELECT wanted + known
	FROM ringwall_ceiling
	WHERE minute >= $1 AND minute <= $2 AND NOT hot
	ORDER BY wanted + known
	LIMIT 1 OFFSET (
		SELECT COUNT(*) / 2
		FROM ringwall_ceiling
		WHERE minute >= $1 AND minute <= $2 AND NOT hot)`)

// Used solutions are kept until they expire, so an attempt to insert one a second time changes nothing.
var spendPuzzle = sqlsafe.New(`
	INSERT INTO ringwall_puzzles (key, expires_micros)
	VALUES ($1, $2)
	ON CONFLICT (key) DO NOTHING`)

// A solution that was used is used for ever, so a reader may say so: a flood of them writes nothing.
var puzzleSpent = sqlsafe.New(`SELECT expires_micros FROM ringwall_puzzles WHERE key = $1`)

func scanMinute(row scanner) (m ceiling.Minute, err error) {
	return m, row.Scan(&m.Minute, &m.Strangers, &m.Known, &m.Wanted, &m.Capacity, &m.Granted, &m.Hot, &m.Heated)
}

// LeaseAttempts grants attempts of a minute; see [ceiling.Store]. It runs by itself: leases are asked for one at a time.
func (s *Store) LeaseAttempts(ctx context.Context, l ceiling.Lease) (ceiling.Minute, error) {
	var minute ceiling.Minute
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		minute, err = one(ctx, t, scanMinute, leaseAttempts.With(l.Minute, l.Wanted, l.Capacity, l.Strangers, l.Known, l.Share, l.Ceiling, l.Free, l.Most))
		return err
	})
	return minute, err
}

// CeilingMinutes reads minutes; see [ceiling.Store].
func (s *Store) CeilingMinutes(ctx context.Context, first, last int64) ([]ceiling.Minute, error) {
	return many(ctx, s.q, scanMinute, ceilingMinutes.With(first, last))
}

// MedianAttempts is the median of calm minutes; see [ceiling.Store].
func (s *Store) MedianAttempts(ctx context.Context, first, last int64) (int64, error) {
	found, err := many(ctx, s.q, scanNumber, medianAttempts.With(first, last))
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0], nil
}

// SpendPuzzle notes that a solution was used; see [challenge.SpentStore].
func (s *Store) SpendPuzzle(ctx context.Context, key []byte, expiresMicros int64) (bool, error) {
	if spent, err := many(ctx, s.q, scanNumber, puzzleSpent.With(key)); err != nil || len(spent) > 0 {
		return false, err
	}
	fresh := false
	err := s.write(ctx, func(ctx context.Context, t *turn) error {
		n, err := t.exec(ctx, spendPuzzle.With(key, expiresMicros))
		fresh = n == 1
		return err
	})
	return fresh && err == nil, err
}
