package ratelimit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/ringwall/ringwall/sqlsafe"
)

// Store keeps buckets where several processes share them.
type Store interface {
	// Take counts Cost against the bucket, if it fits into every window, and otherwise nothing: at once, so that of any
	// number of callers exactly as many are admitted as fit. A Cost below zero always fits and gives back.
	Take(ctx context.Context, b Bucket) (Taken, error)
}

// Bucket is what a [Store] is asked about.
type Bucket struct {
	Key       string // of limit and key: 43 letters, digits, hyphens and underscores that tell neither
	Cost      int
	NowMicros int64
	Windows   [MaxWindows]BucketWindow // those that do not count are zero
}

// BucketWindow is one window of a bucket, in microseconds.
type BucketWindow struct {
	CostMicros  int64 // what the bucket takes to fill up by Cost
	WholeMicros int64 // what it takes to fill up when it is empty
}

// Taken is the answer of a [Store].
type Taken struct {
	Admitted   bool
	FullMicros [MaxWindows]int64 // when each window will be full again
}

func (l *Limiter) takeStored(ctx context.Context, key Key, cost int) (Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	d, err := l.takeFrom(ctx, key, 1, cost)
	wider, twice := key.wider()
	if err != nil || !twice || !d.Admitted && cost > 0 {
		return d, err
	}
	wide, err := l.takeFrom(ctx, wider, widerTimes, cost)
	if err == nil && !wide.Admitted {
		_, err = l.takeFrom(ctx, key, 1, -cost)
	}
	for i := range l.windows {
		d.Windows[i] = scarcer(d.Windows[i], wide.Windows[i])
	}
	d.Admitted, d.Wait = wide.Admitted, max(d.Wait, wide.Wait)
	return d, err
}

// takeFrom asks the store about one bucket.
func (l *Limiter) takeFrom(ctx context.Context, key Key, times int64, cost int) (Decision, error) {
	sum := sha256.Sum256([]byte(l.name + " " + fmt.Sprint(times) + " " + key.spell()))
	b := Bucket{Key: base64.RawURLEncoding.EncodeToString(sum[:]), Cost: cost, NowMicros: l.options.Now().UnixMicro()}
	var rates [MaxWindows]rate
	for i, w := range l.windows {
		quota := int64(w.Quota) * times
		every := w.Per.Microseconds() / quota
		rates[i] = rate{quota, every, every * quota}
		b.Windows[i] = BucketWindow{rates[i].after(0, min(int64(cost), quota+1)), rates[i].depth}
	}
	taken, err := l.options.Store.Take(ctx, b)
	d := Decision{Admitted: taken.Admitted}
	for i := range l.windows {
		s := rates[i].state(taken.FullMicros[i], b.NowMicros, int64(cost))
		s.Whole, s.Wait = s.Whole*time.Microsecond, s.Wait*time.Microsecond
		if d.Admitted {
			s.Wait = 0
		}
		d.Windows[i], d.Wait = s, max(d.Wait, s.Wait)
	}
	return d, err
}

// Schema makes the table of a [Database], in SQLite and in PostgreSQL alike: a migration of yours, run as the owner of the
// tables. The service itself needs SELECT, INSERT, UPDATE and DELETE.
const Schema = `CREATE TABLE ratelimit_buckets (
	key TEXT NOT NULL PRIMARY KEY,
	first_micros BIGINT NOT NULL,
	second_micros BIGINT NOT NULL,
	third_micros BIGINT NOT NULL,
	admitted BOOLEAN NOT NULL
)`

// Database is a [Store] in the host's own database, SQLite or PostgreSQL, with the table of [Schema]. A try is one
// statement, and two for IPv6. Each key has a row until [Database.Purge]; call that every few minutes. Where strangers can
// make up keys, as addresses of IPv6 are, they make rows: keep such limits in memory, and those by user here.
type Database struct{ db *sqlsafe.DB }

// NewDatabase wraps a database, which the caller still closes.
func NewDatabase(db *sqlsafe.DB) *Database { return &Database{db} }

// A bucket is what stays of it by now and never more than it holds; it is taken from if all its windows have enough.
//
// $1 key, $2 now, and for each window what the cost takes to run in and what the whole bucket takes
var takeBucket = sqlsafe.New(`
	INSERT INTO ratelimit_buckets AS b (key, first_micros, second_micros, third_micros, admitted)
	VALUES ($1, CAST($2 AS BIGINT) + $3, CAST($2 AS BIGINT) + $5, CAST($2 AS BIGINT) + $7, TRUE)
	ON CONFLICT (key) DO UPDATE SET (first_micros, second_micros, third_micros, admitted) = (
		SELECT
			CASE WHEN fits THEN x + $3 ELSE x END,
			CASE WHEN fits THEN y + $5 ELSE y END,
			CASE WHEN fits THEN z + $7 ELSE z END,
			fits
		FROM (
			SELECT x, y, z, x + $3 - $2 <= $4 AND y + $5 - $2 <= $6 AND z + $7 - $2 <= $8 AS fits
			FROM (
				SELECT
					CASE WHEN b.first_micros > CAST($2 AS BIGINT) + $4 THEN CAST($2 AS BIGINT) + $4 WHEN b.first_micros < $2 THEN CAST($2 AS BIGINT) ELSE b.first_micros END AS x,
					CASE WHEN b.second_micros > CAST($2 AS BIGINT) + $6 THEN CAST($2 AS BIGINT) + $6 WHEN b.second_micros < $2 THEN CAST($2 AS BIGINT) ELSE b.second_micros END AS y,
					CASE WHEN b.third_micros > CAST($2 AS BIGINT) + $8 THEN CAST($2 AS BIGINT) + $8 WHEN b.third_micros < $2 THEN CAST($2 AS BIGINT) ELSE b.third_micros END AS z
			) AS left_over
		) AS judged)
	RETURNING first_micros, second_micros, third_micros, admitted`)

var readBucket = sqlsafe.New(`
	SELECT first_micros, second_micros, third_micros
	FROM ratelimit_buckets
	WHERE key = $1`)

var purgeBuckets = sqlsafe.New(`
	DELETE FROM ratelimit_buckets
	WHERE key IN (
		SELECT key FROM ratelimit_buckets
		WHERE first_micros <= $1 AND second_micros <= $1 AND third_micros <= $1
		LIMIT 10000)`)

// Take is [Store.Take].
func (d *Database) Take(ctx context.Context, b Bucket) (taken Taken, err error) {
	full, w := &taken.FullMicros, b.Windows
	for _, one := range w {
		if one.CostMicros > one.WholeMicros { // never fits, and a first try would not be held against the row
			b.Cost = 0
		}
	}
	if b.Cost == 0 {
		rows, err := d.db.Query(ctx, readBucket.With(b.Key))
		if err != nil {
			return taken, fmt.Errorf("read a bucket: %w", err)
		}
		defer func() { _ = rows.Close() }() // Err tells what went wrong
		for rows.Next() {
			if err := rows.Scan(&full[0], &full[1], &full[2]); err != nil {
				return taken, fmt.Errorf("read a bucket: %w", err)
			}
		}
		taken.Admitted = w[0].CostMicros <= w[0].WholeMicros && w[1].CostMicros <= w[1].WholeMicros && w[2].CostMicros <= w[2].WholeMicros
		return taken, rows.Err()
	}
	err = d.db.QueryRow(ctx, takeBucket.With(b.Key, b.NowMicros, w[0].CostMicros, w[0].WholeMicros, w[1].CostMicros, w[1].WholeMicros, w[2].CostMicros, w[2].WholeMicros)).
		Scan(&full[0], &full[1], &full[2], &taken.Admitted)
	if err != nil {
		return Taken{}, fmt.Errorf("take from a bucket: %w", err)
	}
	return taken, nil
}

// Purge deletes the rows of buckets that are full again, up to 10,000, and tells how many: there is nothing left to know of them.
func (d *Database) Purge(ctx context.Context, now time.Time) (int64, error) {
	result, err := d.db.Exec(ctx, purgeBuckets.With(now.UnixMicro()))
	if err != nil {
		return 0, fmt.Errorf("purge buckets: %w", err)
	}
	return result.RowsAffected()
}
