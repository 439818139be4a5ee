package sqlstore

import (
	"bytes"
	"context"
	"errors"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/sqlsafe"
)

// reserve counts one try, in one statement, so that no two tries see the same count. Its cases, in this order:
// the counter is locked (nothing changes); it has been quiet for so long that its past is forgotten; its lock or its
// window is over (a new window begins); its window is full (it locks, twice as long as the last time); it counts.
//
// $1 key, $2 now, $3 window, $4 most tries, $5 first lock, $6 longest lock, $7 quiet time after which all is forgotten
var reserve = sqlsafe.New(`
	INSERT INTO ringwall_attempts AS a (key, window_micros, tries, strikes, locked_micros, tripped, expires_micros)
	VALUES ($1, $2, 1, 0, 0, FALSE, CAST($2 AS BIGINT) + $7)
	ON CONFLICT (key) DO UPDATE SET
		window_micros = CASE
			WHEN a.locked_micros > $2 THEN a.window_micros
			WHEN a.locked_micros > 0 OR $2 >= a.expires_micros OR $2 >= a.window_micros + $3 THEN $2
			ELSE a.window_micros END,
		tries = CASE
			WHEN a.locked_micros > $2 THEN a.tries
			WHEN a.locked_micros > 0 OR $2 >= a.expires_micros OR $2 >= a.window_micros + $3 THEN 1
			ELSE a.tries + 1 END,
		strikes = CASE
			WHEN a.locked_micros > $2 THEN a.strikes
			WHEN $2 >= a.expires_micros THEN 0
			WHEN a.locked_micros > 0 OR $2 >= a.window_micros + $3 THEN a.strikes
			WHEN a.tries >= $4 AND a.strikes < 20 THEN a.strikes + 1
			ELSE a.strikes END,
		locked_micros = CASE
			WHEN a.locked_micros > $2 THEN a.locked_micros
			WHEN a.locked_micros > 0 OR $2 >= a.expires_micros OR $2 >= a.window_micros + $3 THEN 0
			WHEN a.tries < $4 THEN 0
			WHEN (CAST($5 AS BIGINT) << a.strikes) < $6 THEN $2 + (CAST($5 AS BIGINT) << a.strikes)
			ELSE CAST($2 AS BIGINT) + $6 END,
		tripped = NOT (a.locked_micros > 0 OR $2 >= a.expires_micros OR $2 >= a.window_micros + $3) AND a.tries >= $4,
		expires_micros = CASE
			WHEN a.locked_micros > $2 THEN a.expires_micros
			WHEN a.locked_micros > 0 OR $2 >= a.expires_micros OR $2 >= a.window_micros + $3 OR a.tries < $4 THEN CAST($2 AS BIGINT) + $7
			WHEN (CAST($5 AS BIGINT) << a.strikes) < $6 THEN $2 + (CAST($5 AS BIGINT) << a.strikes) + $7
			ELSE CAST($2 AS BIGINT) + $6 + $7 END
	RETURNING tries, locked_micros, tripped`)

// A lock is never shortened, only lifted, so a reader may say that it holds: a flood of tries writes nothing.
var heldLock = sqlsafe.New(`
	SELECT tries, locked_micros, FALSE
	FROM ringwall_attempts
	WHERE key = $1 AND locked_micros > $2`)

var readCounter = sqlsafe.New(`
	SELECT tries, window_micros, locked_micros
	FROM ringwall_attempts
	WHERE key = $1 AND expires_micros > $2`)

var readCounters = sqlsafe.New(`
	SELECT tries, window_micros, locked_micros
	FROM ringwall_attempts
	WHERE key BETWEEN $1 AND $2 AND expires_micros > $3
	ORDER BY CASE WHEN locked_micros > $3 THEN 0 ELSE 1 END, window_micros DESC
	LIMIT 100`)

var clearCounters = sqlsafe.New(`DELETE FROM ringwall_attempts WHERE key BETWEEN $1 AND $2`)

var clearAttempts = sqlsafe.New(`DELETE FROM ringwall_attempts WHERE key = $1`)

var giveBack = sqlsafe.New(`
	UPDATE ringwall_attempts
	SET tries = tries - 1
	WHERE key = $1 AND tries > 0 AND locked_micros <= $2`)

var errPolicy = errors.New("sqlstore: an attempt policy needs Max, WindowMicros, LockMicros and MaxMicros, and MaxMicros of LockMicros or more")

// longestMicros bounds what a policy may say, so that no sum or shift of it overflows: thirty days.
const longestMicros = 30 * 24 * 3600 * 1_000_000

// Reserve counts one try before its work is done; see [account.Store]. RetryMicros is a time. The past of a counter is
// forgotten after twice MaxMicros (and at least a window) without a try that counted.
func (s *Store) Reserve(ctx context.Context, key []byte, policy account.AttemptPolicy, nowMicros int64) (account.Attempt, error) {
	if policy.Max < 1 || policy.WindowMicros < 1 || policy.LockMicros < 1 || policy.MaxMicros < policy.LockMicros ||
		max(policy.MaxMicros, policy.WindowMicros) > longestMicros {
		return account.Attempt{}, errPolicy
	}
	verdict := func(row scanner) (a account.Attempt, err error) {
		err = row.Scan(&a.Count, &a.RetryMicros, &a.FirstRefused)
		a.Admitted = a.RetryMicros == 0
		return a, err
	}
	if held, err := many(ctx, s.q, verdict, heldLock.With(key, nowMicros)); err != nil || len(held) == 1 {
		return firstOf(held), err
	}
	var attempt account.Attempt
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		attempt, err = one(ctx, t, verdict, reserve.With(key, nowMicros, policy.WindowMicros, int64(policy.Max),
			policy.LockMicros, policy.MaxMicros, max(2*policy.MaxMicros, policy.WindowMicros)))
		return err
	})
	return attempt, err
}

// GiveBack takes a counted try back, unless its counter is locked by now; see [account.Store].
func (s *Store) GiveBack(ctx context.Context, key []byte, nowMicros int64) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		_, err := t.exec(ctx, giveBack.With(key, nowMicros))
		return err
	})
}

// Counter reads a counter; see [account.Store].
func (s *Store) Counter(ctx context.Context, key []byte, nowMicros int64) (c account.Counter, err error) {
	found, err := many(ctx, s.q, scanCounter, readCounter.With(key, nowMicros))
	if len(found) == 1 {
		c = found[0]
	}
	return c, err
}

// Counters reads all counters whose keys begin so; see [account.Store].
func (s *Store) Counters(ctx context.Context, begin []byte, nowMicros int64) ([]account.Counter, error) {
	return many(ctx, s.q, scanCounter, readCounters.With(begin, last(begin), nowMicros))
}

func scanCounter(row scanner) (c account.Counter, err error) {
	return c, row.Scan(&c.Tries, &c.WindowMicros, &c.LockedMicros)
}

// last is behind every key that begins so: keys are MACs of thirty-two bytes.
func last(begin []byte) []byte {
	return append(bytes.Clone(begin), bytes.Repeat([]byte{0xff}, 32)...)
}

func firstOf(attempts []account.Attempt) account.Attempt {
	if len(attempts) == 0 {
		return account.Attempt{}
	}
	return attempts[0]
}

func (c *change) ClearAttempts(ctx context.Context, key []byte) error {
	_, err := c.turn.exec(ctx, clearAttempts.With(key))
	return err
}

func (c *change) ClearCounters(ctx context.Context, begin []byte) error {
	_, err := c.turn.exec(ctx, clearCounters.With(begin, last(begin)))
	return err
}
