package idempotency_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/sqlsafe"
)

// I061: nobody has to remember to purge, or else somebody signed in fills the disk, and answers lie there for ever.
func TestTheHandlerPurges(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		c := newClock()
		keys := newKeys(t, db, idempotency.Options{Now: c.now, Life: time.Hour})
		h := keys.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for _, want := range []int{1, 2, 3} {
			send(h, transfer().with(func(c *call) { c.key = `"a key of somebody ` + strconv.Itoa(want) + `"` }))
			if n := rows(t, db); n != want {
				t.Errorf("%d rows, want %d", n, want)
			}
		}
		fill(t, db)
		c.advance(time.Hour)
		for _, want := range []int{54, 2} { // what one purge leaves, and what the next does
			send(h, transfer().with(func(c *call) { c.key = `"a key of somebody else ` + strconv.Itoa(want) + `"` }))
			if n := rows(t, db); n != want {
				t.Errorf("%d rows are left, want %d", n, want)
			}
		}
	})
}

var (
	countRows = sqlsafe.New(`SELECT COUNT(*) FROM idempotency_keys`)
	insertOld = sqlsafe.New(`
		INSERT INTO idempotency_keys (id, request, claim, done, lease_micros, expires_micros)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10050)
		SELECT CAST(i AS TEXT), '', '', TRUE, 0, i FROM n`)
)

// fill makes 10,050 keys whose life is over.
func fill(t *testing.T, db *sqlsafe.DB) {
	t.Helper()
	if _, err := db.Exec(t.Context(), insertOld); err != nil {
		t.Fatal(err)
	}
}

func rows(t *testing.T, db *sqlsafe.DB) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), countRows).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPurgeIsBounded(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		fill(t, db)
		keys := newKeys(t, db, idempotency.Options{})
		for _, want := range []int64{10000, 50, 0} {
			if gone, err := keys.Purge(t.Context()); err != nil || gone != want {
				t.Errorf("Purge = %d, %v, want %d", gone, err, want)
			}
		}
	})
}
