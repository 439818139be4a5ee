package sqlstore_test

import (
	"context"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

var policy = account.AttemptPolicy{Max: 5, WindowMicros: 5 * minute, LockMicros: minute, MaxMicros: hour}

func reserve(t testing.TB, store *sqlstore.Store, key string, now int64) account.Attempt {
	t.Helper()
	a, err := store.Reserve(context.Background(), []byte(key), policy, now)
	if err != nil {
		t.Fatalf("Reserve: %v", err)
	}
	return a
}

func TestReserve(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		now := start
		fill := func() {
			t.Helper()
			for n := range 5 {
				if a := reserve(t, store, "ada", now); !a.Admitted || a.Count != n+1 || a.FirstRefused {
					t.Fatalf("try %d = %+v, want it admitted", n+1, a)
				}
				now += second
			}
		}
		lock := minute
		for strike := range 9 { // 1, 2, 4 … 32 minutes, then an hour each
			fill()
			until := now + lock
			if a := reserve(t, store, "ada", now); a.Admitted || !a.FirstRefused || a.RetryMicros != until {
				t.Fatalf("strike %d = %+v, want a lock until %d", strike, a, until)
			}
			for _, at := range []int64{now, now + second, until - 1} {
				if a := reserve(t, store, "ada", at); a.Admitted || a.FirstRefused || a.RetryMicros != until {
					t.Fatalf("a try during lock %d = %+v, want nothing but a refusal until %d", strike, a, until)
				}
			}
			now, lock = until, min(2*lock, hour)
		}
		if a := reserve(t, store, "bob", now); !a.Admitted || a.Count != 1 {
			t.Errorf("another counter = %+v", a)
		}

		// After twice the longest lock of quiet the past is forgotten.
		fill()
		now += 2*hour + minute
		fill()
		if a := reserve(t, store, "ada", now); a.RetryMicros != now+minute {
			t.Errorf("after quiet the lock is %d minutes, want 1", (a.RetryMicros-now)/minute)
		}

		// Success clears the counter.
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.ClearAttempts(ctx, []byte("ada")) })
		fill()
	})
}

func TestReserveWindow(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		for n := range int64(20) { // one a minute and a bit is never too much
			if a := reserve(t, store, "ada", start+n*(minute+15*second)); !a.Admitted {
				t.Fatalf("try %d = %+v, want it admitted", n, a)
			}
		}
	})
}

func TestReserveInParallelAndAfterRestart(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		first := make(chan bool, 50)
		admitted := fifty(t, func(int) (bool, error) {
			a, err := store.Reserve(t.Context(), []byte("ada"), policy, start)
			if a.FirstRefused {
				first <- true
			}
			return a.Admitted, err
		})
		if admitted != 5 || len(first) != 1 {
			t.Errorf("of fifty parallel tries %d were admitted and %d set the lock, want 5 and 1", admitted, len(first))
		}
		if err := store.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		if a := reserve(t, open(t, db), "ada", start+second); a.Admitted || a.RetryMicros != start+minute {
			t.Errorf("after a restart = %+v, want the lock", a)
		}
	})
}

func TestReserveRefusesNonsense(t *testing.T) {
	store := open(t, testdb.SQLite(t))
	for _, p := range []account.AttemptPolicy{
		{}, {Max: 5}, {Max: 5, WindowMicros: 1, LockMicros: 2, MaxMicros: 1}, {Max: 5, WindowMicros: 1, LockMicros: 1, MaxMicros: 1 << 62}, {Max: -1, WindowMicros: 1, LockMicros: 1, MaxMicros: 1},
	} {
		if a, err := store.Reserve(t.Context(), []byte("x"), p, start); err == nil || a.Admitted {
			t.Errorf("Reserve(%+v) = %+v, %v; want an error", p, a, err)
		}
	}
}
