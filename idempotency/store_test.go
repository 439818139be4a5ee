package idempotency_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	insertTransfer = sqlsafe.New(`INSERT INTO transfers (cents) VALUES (100)`)
	countTransfers = sqlsafe.New(`SELECT COUNT(*) FROM transfers`)
)

func transfers(t *testing.T, db *sqlsafe.DB) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), countTransfers).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// once carries a transfer out in one transaction with its record. Interrupt is called before the commit, and after it.
func once(ctx context.Context, db *sqlsafe.DB, interrupt func(committed bool)) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := idempotency.Once(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, insertTransfer); err != nil {
		return err
	}
	interrupt(false)
	err = tx.Commit()
	interrupt(true)
	return err
}

// I060: while the first one runs nobody else does, and other requests with its key are still told apart.
func TestInFlight(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		begun, end := make(chan struct{}), make(chan struct{})
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(begun) // a second run panics
			<-end
			_, _ = w.Write([]byte("done"))
		}))
		first := make(chan *httptest.ResponseRecorder)
		go func() { first <- send(h, transfer()) }()
		<-begun
		if w := send(h, transfer()); w.Code != 409 || !strings.Contains(w.Body.String(), "/problems/idempotency-key-in-flight") || w.Header().Get("Retry-After") != "1" {
			t.Errorf("meanwhile = %d %s, want 409", w.Code, w.Body)
		}
		if w := send(h, transfer().with(func(c *call) { c.body = "other" })); w.Code != 422 {
			t.Errorf("another request meanwhile = %d, want 422", w.Code)
		}
		close(end)
		if a, b := <-first, send(h, transfer()); a.Body.String() != "done" || b.Body.String() != "done" {
			t.Errorf("afterwards = %q, then %q", a.Body, b.Body)
		}
	})
}

// I061: after its life a key is new, for any request; and rows go when they say nothing.
func TestKeysExpire(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		c, effects := newClock(), 0
		keys := newKeys(t, db, idempotency.Options{Now: c.now, Life: time.Hour})
		h := keys.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { effects++ }))
		published := send(h, transfer()).Header().Get("Idempotency-Expires")
		if until, err := http.ParseTime(published); err != nil || !until.Equal(c.now().Add(time.Hour)) {
			t.Errorf("Idempotency-Expires = %s, %v, want in an hour", published, err)
		}
		c.advance(time.Hour - time.Microsecond)
		if w := send(h, transfer()); w.Header().Get("Idempotency-Replayed") == "" || effects != 1 {
			t.Errorf("just before the end = %v after %d effects", w.Header(), effects)
		}
		if gone, err := keys.Purge(t.Context()); err != nil || gone != 0 {
			t.Errorf("Purge = %d, %v before the end", gone, err)
		}
		c.advance(time.Microsecond)
		if w := send(h, transfer().with(func(c *call) { c.body = "another one" })); w.Code != 200 || effects != 2 {
			t.Errorf("another request after the end = %d with %d effects, want it carried out", w.Code, effects)
		}
		c.advance(time.Hour)
		if gone, err := keys.Purge(t.Context()); err != nil || gone != 1 {
			t.Errorf("Purge = %d, %v after the end, want the row", gone, err)
		}
	})
}

// Somebody holds a key and never comes back: nobody gets it within the lease, and afterwards one of fifty does. The one
// that was given up neither commits nor answers for the key.
func TestALeaseEnds(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		c := newClock()
		begun, end := make(chan struct{}), make(chan struct{})
		var runs atomic.Int64
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if runs.Add(1) == 1 {
				close(begun)
				<-end
			}
			if err := once(context.WithoutCancel(r.Context()), db, func(bool) {}); err != nil {
				if !errors.Is(err, idempotency.ErrLost) {
					t.Errorf("Once: %v", err)
				}
				_, _ = w.Write([]byte("too late"))
				return
			}
			_, _ = w.Write([]byte("done"))
		})
		node := func() http.Handler {
			return newKeys(t, db, idempotency.Options{Now: c.now, Timeout: 10 * time.Second}).Handler(handler)
		}
		hung, live := node(), node()
		late := make(chan *httptest.ResponseRecorder)
		go func() { late <- send(hung, transfer()) }()
		<-begun
		c.advance(20*time.Second - time.Microsecond)
		if w := send(live, transfer()); w.Code != 409 || runs.Load() != 1 {
			t.Errorf("within the lease = %d in run %d, want 409", w.Code, runs.Load())
		}
		c.advance(time.Microsecond)
		if w := send(live, transfer().with(func(c *call) { c.body = "other" })); w.Code != 422 {
			t.Errorf("another request after the lease = %d, want 422: the key is not new", w.Code)
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if w := send(live, transfer()); w.Code != 409 && w.Body.String() != "done" {
					t.Errorf("one of fifty = %d %s", w.Code, w.Body)
				}
			})
		}
		wg.Wait()
		close(end)
		<-late
		if n := transfers(t, db); n != 1 || runs.Load() != 2 {
			t.Errorf("%d transfers in %d runs, want one in two", n, runs.Load())
		}
		if w := send(live, transfer()); w.Body.String() != "done" {
			t.Errorf("the stored answer = %q, want that of whoever had the key", w.Body)
		}
	})
}

// A handler's context ends with the timeout, half a lease before anybody else may have the key.
func TestHandlersHaveADeadline(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		h := newKeys(t, db, idempotency.Options{Timeout: 50 * time.Millisecond}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		if w := send(h, transfer()); w.Code != 503 {
			t.Errorf("a handler that waits = %d", w.Code)
		}
	})
}

// What was committed with Once stays, whatever the handler does next.
func TestOnceOutlastsFailures(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := once(r.Context(), db, func(bool) {}); err != nil {
				t.Errorf("Once: %v", err)
			}
			if r.URL.Path == "/panic" {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("after the commit"))
		}))
		for range 2 {
			if w := send(h, transfer()); w.Code != 500 || w.Body.String() != "after the commit" {
				t.Errorf("a failure after the commit = %d %q", w.Code, w.Body)
			}
		}
		failing := transfer().with(func(c *call) { c.target, c.key = "/panic", `"one that panics later"` })
		func() {
			defer func() { _ = recover() }()
			send(h, failing)
		}()
		if w := send(h, failing); w.Code != 409 {
			t.Errorf("after a panic = %d, want 409", w.Code)
		}
		if n := transfers(t, db); n != 2 {
			t.Errorf("%d transfers, want one of each", n)
		}
	})
}

// The client hangs up; what was done is recorded all the same.
func TestAClientThatIsGone(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		ctx, hangUp := context.WithCancel(t.Context())
		effects := 0
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			effects++
			hangUp()
			<-r.Context().Done()
			_, _ = w.Write([]byte("done"))
		}))
		h.ServeHTTP(httptest.NewRecorder(), transfer().request().WithContext(ctx))
		if w := send(h, transfer()); w.Body.String() != "done" || effects != 1 {
			t.Errorf("when it comes back = %d %q after %d effects", w.Code, w.Body, effects)
		}
	})
}

const crashVariable = "RINGWALL_TEST_CRASH" // driver, data source, and whether the commit comes first

// A process is killed in the middle of a request, before the commit of its effect or after it: exactly one effect in the end.
func TestAProcessIsKilled(t *testing.T) {
	if told := strings.Fields(os.Getenv(crashVariable)); len(told) == 3 {
		crash(t, told[0], told[1], told[2] == "true")
		return
	}
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		for _, committed := range []string{"false", "true"} {
			driver, dsn := source(t, db)
			child := exec.Command(os.Args[0], "-test.run=^TestAProcessIsKilled$")
			child.Env = append(os.Environ(), crashVariable+"="+driver+" "+dsn+" "+committed)
			out, err := child.CombinedOutput()
			ended, ok := errors.AsType[*exec.ExitError](err)
			if !ok || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the child = %v, want it killed\n%s", err, out)
			}
			before := transfers(t, db)
			if want := map[string]int{"false": 0, "true": 1}[committed]; before != want {
				t.Fatalf("%d transfers after the kill, want %d", before, want)
			}
			crashed := transfer().with(func(c *call) { c.key = `"killed: ` + committed + ` or not"` })
			node := func(later time.Duration) http.Handler {
				now := func() time.Time { return time.Now().Add(later) }
				return newKeys(t, db, idempotency.Options{Now: now}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := once(r.Context(), db, func(bool) {}); err != nil {
						t.Errorf("Once: %v", err)
					}
				}))
			}
			if w := send(node(0), crashed); w.Code != 409 || !strings.Contains(w.Body.String(), "in-flight") {
				t.Errorf("within the lease = %d %s, want 409", w.Code, w.Body)
			}
			want := map[string]int{"false": 200, "true": 409}[committed]
			if w := send(node(2*time.Minute), crashed); w.Code != want {
				t.Errorf("after the lease = %d %s, want %d", w.Code, w.Body, want)
			}
			if n := transfers(t, db); n != 1 {
				t.Errorf("%d transfers in the end, want one", n)
			}
			if _, err := db.Exec(t.Context(), sqlsafe.New(`DELETE FROM transfers`)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// crash carries a transfer out and ends as kill -9 would, in the middle.
func crash(t *testing.T, driver, dsn string, afterCommit bool) {
	opened, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := sqlsafe.Wrap(opened)
	h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		err := once(r.Context(), db, func(committed bool) {
			if committed == afterCommit {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		})
		t.Errorf("still alive: %v", err)
	}))
	key := `"killed: false or not"`
	if afterCommit {
		key = `"killed: true or not"`
	}
	send(h, transfer().with(func(c *call) { c.key = key }))
}

// source is how a child process opens the same database.
func source(t *testing.T, db *sqlsafe.DB) (driver, dsn string) {
	t.Helper()
	var file string
	if err := db.QueryRow(t.Context(), sqlsafe.New(`SELECT file FROM pragma_database_list`)).Scan(&file); err == nil {
		return "sqlite", file + inFile
	}
	var name string
	if err := db.QueryRow(t.Context(), sqlsafe.New(`SELECT current_database()`)).Scan(&name); err != nil {
		t.Fatal(err)
	}
	server := os.Getenv(testdb.Variable)
	return "pgx", server[:strings.LastIndex(server, "/")] + "/" + name + server[strings.LastIndex(server, "?"):]
}

// While the database is gone nothing is carried out that would not be recorded; and what was carried out when it went is
// answered truly, once.
func TestWithoutTheDatabaseNothingIsDone(t *testing.T) {
	server := testdb.OwnServer(t)
	opened, err := sql.Open("pgx", server.Database().AdminDSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	db := sqlsafe.Wrap(opened)
	if _, err := db.Exec(t.Context(), sqlsafe.New(idempotency.Schema)); err != nil {
		t.Fatal(err)
	}
	effects, stop := 0, true
	h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if effects++; stop {
			server.Stop()
		}
		_, _ = w.Write([]byte("done"))
	}))
	if w := send(h, transfer()); w.Code != 200 || w.Body.String() != "done" || w.Header().Get("Idempotency-Expires") != "" {
		t.Errorf("the database goes in the middle = %d %q %v, want the answer without a promise", w.Code, w.Body, w.Header())
	}
	other := transfer().with(func(c *call) { c.key = `"a key of its own"` })
	for range 3 {
		if w := send(h, other); w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "/problems/unavailable") || effects != 1 {
			t.Errorf("without the database = %d %s after %d effects, want 503 and none more", w.Code, w.Body, effects)
		}
	}
	server.Start()
	stop = false
	if w := send(h, transfer()); w.Code != 409 || effects != 1 {
		t.Errorf("the key that was in use, when it is back = %d after %d effects, want 409", w.Code, effects)
	}
	for range 2 {
		if w := send(h, other); w.Code != 200 || effects != 2 {
			t.Errorf("the other key, when it is back = %d after %d effects, want it carried out once", w.Code, effects)
		}
	}
}
