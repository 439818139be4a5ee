package ratelimit_test

import (
	stdcontext "context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/sqlsafe"
)

// hosts runs a test on the database of a host, with the table made by its owner.
func hosts(t *testing.T, test func(t *testing.T, db *sqlsafe.DB)) {
	for engine, dsn := range map[string]string{"sqlite": t.TempDir() + "/host.db?_busy_timeout=20000", "postgres": testdb.Empty(t).AdminDSN} {
		t.Run(engine, func(t *testing.T) {
			driver := "sqlite"
			if engine == "postgres" {
				driver = "pgx"
			}
			opened, err := sql.Open(driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = opened.Close() })
			db := sqlsafe.Wrap(opened)
			if _, err := db.Exec(t.Context(), sqlsafe.New(ratelimit.Schema)); err != nil {
				t.Fatalf("make the table: %v", err)
			}
			test(t, db)
		})
	}
}

// Two nodes on one database: fifty tries at each admit the quota together.
func TestDatabaseIsSharedAndExact(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		c := newClock()
		for _, key := range []ratelimit.Key{ratelimit.Text("somebody"), address("2001:db8::1")} {
			nodes := [2]*ratelimit.Limiter{}
			for i := range nodes {
				nodes[i] = limiter(t, []ratelimit.Window{{20, time.Minute}, {100, time.Hour}}, ratelimit.Options{Now: c.now, Store: patient{ratelimit.NewDatabase(db)}})
			}
			var count atomic.Int64
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					d, err := nodes[i%2].Take(t.Context(), key, 1)
					if err != nil {
						t.Errorf("Take: %v", err)
					}
					if d.Admitted {
						count.Add(1)
					}
				})
			}
			wg.Wait()
			if count.Load() != 20 {
				t.Errorf("%v: of a hundred on two nodes %d were admitted, want 20", key, count.Load())
			}
		}
	})
}

// patient leaves out the time limit of a limiter: a test machine may be slow.
type patient struct{ ratelimit.Store }

func (p patient) Take(ctx stdcontext.Context, b ratelimit.Bucket) (ratelimit.Taken, error) {
	return p.Store.Take(stdcontext.WithoutCancel(ctx), b)
}

// Whatever is taken and given back, the database decides as memory does.
func TestDatabaseDecidesLikeMemory(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		c := newClock()
		windows := []ratelimit.Window{{6, time.Minute}, {15, time.Hour}, {40, 24 * time.Hour}}
		stored, held := limiter(t, windows, ratelimit.Options{Now: c.now, Store: ratelimit.NewDatabase(db)}), limiter(t, windows, ratelimit.Options{Now: c.now})
		for _, key := range []ratelimit.Key{ratelimit.Text("somebody"), address("192.0.2.1"), address("2001:db8::1")} {
			for step, cost := range []int{0, 7, 100, 2, 3, 2, 1, 0, -3, 1, 1, 5, 6, 6, 1, -1000, 6, 1, 41} {
				c.advance(time.Duration(step%4) * 7 * time.Second)
				if cost < 0 {
					if err := errors.Join(stored.GiveBack(t.Context(), key, -cost), held.GiveBack(t.Context(), key, -cost)); err != nil {
						t.Fatal(err)
					}
					continue
				}
				got, want := take(t, stored, key, cost), take(t, held, key, cost)
				if got.Admitted != want.Admitted || (got.Wait-want.Wait).Abs() > time.Millisecond {
					t.Fatalf("%v, step %d: the database says %+v, memory %+v", key, step, got, want)
				}
				for i := range windows {
					if got.Windows[i].Left != want.Windows[i].Left || (got.Windows[i].Whole-want.Windows[i].Whole).Abs() > time.Millisecond {
						t.Fatalf("%v, step %d: the database says %+v, memory %+v", key, step, got, want)
					}
				}
			}
		}
	})
}

// A clock that was wrong, here or on another node, keeps nobody out for longer than a window, and rows go when they say nothing.
func TestDatabaseClockStepsAndPurge(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		c := newClock()
		store := ratelimit.NewDatabase(db)
		l := limiter(t, minute(6), ratelimit.Options{Now: c.now, Store: store})
		c.advance(24 * time.Hour)
		admitted(t, l, ratelimit.Text("somebody"), 6)
		c.advance(-24 * time.Hour)
		if d := take(t, l, ratelimit.Text("somebody"), 1); d.Admitted || d.Wait > time.Minute {
			t.Errorf("after a step back by a day: %+v, want a wait of at most a minute", d)
		}
		c.advance(time.Minute)
		if got := admitted(t, l, ratelimit.Text("somebody"), 10); got != 6 {
			t.Errorf("a minute later %d were admitted, want 6", got)
		}
		if gone, err := store.Purge(t.Context(), c.now()); err != nil || gone != 0 {
			t.Errorf("Purge = %d, %v while the bucket fills up", gone, err)
		}
		if gone, err := store.Purge(t.Context(), c.now().Add(time.Minute)); err != nil || gone != 1 {
			t.Errorf("Purge = %d, %v, want the one row", gone, err)
		}
	})
}

type broken struct{ down atomic.Bool }

var errDown = errors.New("the database is gone")

func (b *broken) Take(_ stdcontext.Context, asked ratelimit.Bucket) (ratelimit.Taken, error) {
	if b.down.Load() {
		return ratelimit.Taken{}, errDown
	}
	if strings.Contains(asked.Key, "somebody") || len(asked.Key) != 43 {
		return ratelimit.Taken{}, errors.New("the key tells who it is")
	}
	return ratelimit.Taken{Admitted: true}, nil
}

// While the database is gone limits hold, in memory.
func TestLimitsHoldWithoutTheDatabase(t *testing.T) {
	store := &broken{}
	l := limiter(t, minute(6), ratelimit.Options{Now: newClock().now, Store: store})
	take(t, l, ratelimit.Text("somebody"), 1)
	store.down.Store(true)
	passed := 0
	for range 20 {
		d, err := l.Take(t.Context(), ratelimit.Text("somebody"), 1)
		if !errors.Is(err, errDown) {
			t.Fatalf("Take = %v, want the error of the store", err)
		}
		if d.Admitted {
			passed++
		}
	}
	if passed != 6 {
		t.Errorf("without the database %d were admitted, want 6", passed)
	}
}
