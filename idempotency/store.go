package idempotency

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/sqlsafe"
)

// Schema makes the table, in SQLite and in PostgreSQL alike: a migration of yours, run as the owner of the tables. The
// service itself needs SELECT, INSERT, UPDATE and DELETE.
const Schema = `CREATE TABLE idempotency_keys (
	id TEXT NOT NULL PRIMARY KEY,
	request TEXT NOT NULL,
	claim TEXT NOT NULL,
	done BOOLEAN NOT NULL,
	answer BYTEA,
	lease_micros BIGINT NOT NULL,
	expires_micros BIGINT NOT NULL,
	UNIQUE (expires_micros, id)
)`

var (
	insertClaim = sqlsafe.New(`
	INSERT INTO idempotency_keys (id, request, claim, done, lease_micros, expires_micros)
	VALUES ($1, $2, $3, FALSE, $4, $5)
	ON CONFLICT (id) DO NOTHING`)

	readClaim = sqlsafe.New(`
	SELECT request, done, answer, lease_micros, expires_micros
	FROM idempotency_keys
	WHERE id = $1`)

	// $6 now
	takeClaim = sqlsafe.New(`
	UPDATE idempotency_keys
	SET request = $2, claim = $3, done = FALSE, answer = NULL, lease_micros = $4, expires_micros = $5
	WHERE id = $1 AND (expires_micros <= $6 OR NOT done AND lease_micros <= $6)`)

	markDone = sqlsafe.New(`
	UPDATE idempotency_keys
	SET done = TRUE
	WHERE id = $1 AND claim = $2`)

	storeAnswer = sqlsafe.New(`
	UPDATE idempotency_keys
	SET done = TRUE, answer = $3, lease_micros = 0
	WHERE id = $1 AND claim = $2`)

	dropClaim = sqlsafe.New(`
	DELETE FROM idempotency_keys
	WHERE id = $1 AND claim = $2 AND NOT done`)

	purgeKeys = sqlsafe.New(`
	DELETE FROM idempotency_keys
	WHERE id IN (
		SELECT id FROM idempotency_keys
		WHERE expires_micros <= $1
		ORDER BY expires_micros
		LIMIT 10000)`)
)

// claim is a request with its key, and the right to carry it out.
type claim struct {
	keys    secret.Derived
	id      string // of key and user
	request string // of what was asked for
	token   string // of this try
	expires time.Time
}

func newClaim(keys secret.Derived, who string, r *http.Request, body []byte) claim {
	target := r.RequestURI // as it was sent, whatever a mux has cut off it since
	if target == "" {
		target = r.URL.RequestURI()
	}
	parts := [][]byte{[]byte("request"), []byte(r.Method), []byte(r.Host), []byte(target), body, []byte(r.PostForm.Encode())}
	for _, line := range r.Header["Content-Type"] {
		parts = append(parts, []byte(line))
	}
	return claim{
		keys:    keys,
		id:      text(keys.MAC([]byte("id"), []byte(who))),
		request: text(keys.MAC(parts...)),
		token:   rand.Text(),
	}
}

func text(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum) }

// claim gives the request the right to run, or else its stored answer. An error is for the caller: 409, 422 or 503.
func (k *Keys) claim(ctx context.Context, c *claim) (*stored, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	now := k.options.Now()
	c.expires = now.Add(k.options.Life)
	lease := now.Add(leaseTimeouts * k.options.Timeout)
	won, err := k.changes(ctx, insertClaim.With(c.id, c.request, c.token, lease.UnixMicro(), c.expires.UnixMicro()))
	if err != nil {
		return nil, k.unavailable(ctx, "claim an idempotency key", err)
	}
	if won {
		return nil, nil
	}
	row, found, err := k.find(ctx, c.id)
	if err != nil {
		return nil, k.unavailable(ctx, "read an idempotency key", err)
	}
	if !found {
		return nil, inFlight() // given free a moment ago: the next try gets it
	}
	if row.isFree(now) && (row.isOver(now) || row.isOf(*c)) {
		won, err := k.changes(ctx, takeClaim.With(c.id, c.request, c.token, lease.UnixMicro(), c.expires.UnixMicro(), now.UnixMicro()))
		if err != nil {
			return nil, k.unavailable(ctx, "take over an idempotency key", err)
		}
		if !won {
			return nil, inFlight()
		}
		return nil, nil
	}
	return k.judge(ctx, row, *c, now)
}

// judge is what a key says that somebody has used and that is not free.
func (k *Keys) judge(ctx context.Context, row row, c claim, now time.Time) (*stored, error) {
	switch {
	case !row.isOf(c):
		return nil, problem.New(problem.Invalid, "idempotency-key-reused", "This Idempotency-Key belongs to another request. Send a new one.")
	case row.answer == nil && row.lease > now.UnixMicro():
		return nil, inFlight()
	}
	if row.answer != nil {
		s, err := openAnswer(c, row.answer)
		if err == nil {
			s.expires = time.UnixMicro(row.expires)
			return s, nil
		}
		k.options.Log.ErrorContext(ctx, "a stored answer does not open: the row was changed or damaged", "error", err)
	}
	return nil, problem.New(problem.Conflict, "idempotency-answer-gone", "The request was carried out, and its answer was not kept. Look at what became of it; do not send it with a new key.")
}

func inFlight() error {
	return problem.New(problem.Conflict, "idempotency-key-in-flight", "The first request with this Idempotency-Key is still being worked on. Try again in a moment.").After(time.Second)
}

func (k *Keys) unavailable(ctx context.Context, what string, err error) error {
	k.options.Log.ErrorContext(ctx, "the database of idempotency keys fails, requests are refused", "error", err)
	return problem.New(problem.Unavailable, "unavailable", "The database is out of reach. Try again in a moment.").After(2 * time.Second).Because(fmt.Errorf("%s: %w", what, err))
}

// row is what lies in the table.
type row struct {
	request        string
	done           bool
	answer         []byte
	lease, expires int64 // microseconds
}

func (r row) isOver(now time.Time) bool { return r.expires <= now.UnixMicro() }
func (r row) isFree(now time.Time) bool {
	return r.isOver(now) || !r.done && r.lease <= now.UnixMicro()
}
func (r row) isOf(c claim) bool { return hmac.Equal([]byte(r.request), []byte(c.request)) }

func (k *Keys) find(ctx context.Context, id string) (r row, found bool, err error) {
	rows, err := k.db.Query(ctx, readClaim.With(id))
	if err != nil {
		return r, false, err
	}
	defer func() { _ = rows.Close() }() // Err tells what went wrong
	if rows.Next() {
		found, err = true, rows.Scan(&r.request, &r.done, &r.answer, &r.lease, &r.expires)
	}
	if err == nil {
		err = rows.Err()
	}
	return r, found, err
}

// changes runs a statement and reports whether it found its row.
func (k *Keys) changes(ctx context.Context, q sqlsafe.Query) (bool, error) {
	result, err := k.db.Exec(ctx, q)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// settle stores an answer or gives the key free, and reports whether the answer was stored. The client may be gone: what was done is
// recorded all the same.
func (k *Keys) settle(ctx context.Context, c claim, a *answer) bool {
	if a.invitesAnother() && k.release(ctx, c) {
		return false
	}
	var sealed any // NULL: carried out, and the answer is gone
	if !a.passed {
		sealed = a.seal(c)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	kept, err := k.changes(ctx, storeAnswer.With(c.id, c.token, sealed))
	if err != nil {
		k.options.Log.ErrorContext(ctx, "an answer was not stored; its idempotency key may run again when its time is over", "error", err)
	} else if !kept {
		k.options.Log.ErrorContext(ctx, "a handler outlived its idempotency key, which may have run again")
	}
	return kept && !a.passed
}

// release gives a key free, unless the request has been carried out for good.
func (k *Keys) release(ctx context.Context, c claim) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	freed, err := k.changes(ctx, dropClaim.With(c.id, c.token))
	if err != nil {
		k.options.Log.ErrorContext(ctx, "an idempotency key was not given free; it waits until its time is over", "error", err)
		return true
	}
	return freed
}

// tidy purges keys every few minutes, after a request that was answered, so that nobody has to remember it.
func (k *Keys) tidy(ctx context.Context) {
	now, before := k.options.Now().UnixMicro(), k.purged.Load()
	if now-before < purgeEvery.Microseconds() || !k.purged.CompareAndSwap(before, now) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	switch gone, err := k.Purge(ctx); {
	case err != nil:
		k.options.Log.ErrorContext(ctx, "idempotency keys whose life is over stay in the database", "error", err)
	case gone >= purgeAtOnce:
		k.purged.Store(before) // there are more: the next request goes on
	}
}

// Purge deletes up to 10,000 keys whose life is over, and tells how many. The Handler does so every five minutes
// by itself, as long as requests come.
func (k *Keys) Purge(ctx context.Context) (int64, error) {
	result, err := k.db.Exec(ctx, purgeKeys.With(k.options.Now().UnixMicro()))
	if err != nil {
		return 0, fmt.Errorf("purge idempotency keys: %w", err)
	}
	return result.RowsAffected()
}
