package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/sqlsafe"
)

const (
	groupTime  = 2 * time.Millisecond   // how long changes may go on joining a transaction
	groupSize  = 256                    // and how many
	queueSize  = 1024                   // more wait to be let into the queue
	watchEvery = 750 * time.Millisecond // for commits of other processes: within a second, and each look wakes an idle process
	queueWait  = 10 * time.Second       // for its turn, before a change gives up
)

// writer is the one goroutine that writes to a SQLite file.
type writer struct {
	store   *Store
	db      *sqlsafe.DB
	reading *sql.DB
	queue   chan *job
	stop    chan struct{}
	ended   chan struct{}
	closing sync.Once
	version int64 // of the file, as the last look at it found it
	blind   bool  // the last look failed
}

type job struct {
	ctx   context.Context
	run   func(context.Context, *turn) error
	state atomic.Int32
	done  chan error
}

const (
	waiting = iota
	taken   // the writer has begun it
	dropped // the caller has gone
)

// finished is a job that waits for its COMMIT.
type finished struct {
	job  *job
	turn *turn
	err  error
}

var (
	savepoint   = sqlsafe.New(`SAVEPOINT one_change`)
	release     = sqlsafe.New(`RELEASE one_change`)
	rollbackTo  = sqlsafe.New(`ROLLBACK TO one_change`)
	dataVersion = sqlsafe.New(`PRAGMA data_version`)
	checkpoint  = sqlsafe.New(`PRAGMA wal_checkpoint(TRUNCATE)`)
)

func startWriter(store *Store, writing, reading *sql.DB) *writer {
	w := &writer{
		store: store, db: sqlsafe.Wrap(writing), reading: reading,
		queue: make(chan *job, queueSize), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	w.watch()
	go w.loop()
	return w
}

func (w *writer) exact() bool { return true }

// close lets what is queued finish.
func (w *writer) close() error {
	w.closing.Do(func() { close(w.stop) })
	<-w.ended
	_, _ = w.db.Exec(context.Background(), checkpoint) // a matter of tidiness: opening does it as well
	return errors.Join(w.reading.Close(), w.db.Unsafe().Close())
}

// write queues a change and waits until it is on disk, or has failed. A change whose ctx ends before its turn is dropped.
func (w *writer) write(ctx context.Context, run func(context.Context, *turn) error) error {
	j := &job{ctx: ctx, run: run, done: make(chan error, 1)}
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	select {
	case w.queue <- j:
	case <-ctx.Done():
		return fault(ctx.Err())
	case <-timer.C:
		return fault(context.DeadlineExceeded)
	case <-w.stop:
		return fault(errClosed)
	}
	var gone error
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		gone = ctx.Err()
	case <-timer.C:
		gone = context.DeadlineExceeded
	case <-w.ended:
		gone = errClosed
	}
	if j.state.CompareAndSwap(waiting, dropped) {
		return fault(gone)
	}
	select {
	case err := <-j.done: // it has begun, so it ends soon, and only its end tells what became of it
		return err
	case <-w.ended:
		return fault(errClosed)
	}
}

func (w *writer) loop() {
	defer close(w.ended)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case j := <-w.queue:
			w.group(j)
		case <-tick.C:
			w.watch()
		case <-w.stop:
			for {
				select {
				case j := <-w.queue:
					w.group(j)
				default:
					return
				}
			}
		}
	}
}

// watch notices commits of other processes: the number changes with those, and never with our own.
func (w *writer) watch() {
	var version int64
	if err := w.db.QueryRow(context.Background(), dataVersion).Scan(&version); err != nil {
		if !w.blind {
			w.store.config.Log.Error("database cannot be watched", "error", err)
		}
		w.blind = true
		w.store.announce(effects{all: true}) // what cannot be known to be true is not trusted
		return
	}
	w.blind = false
	if w.version != version && w.version != 0 {
		w.store.config.Log.Warn("another process changed the database")
		w.store.announce(effects{all: true})
	}
	w.version = version
}

// group runs first, and whatever joins it, in one transaction.
func (w *writer) group(first *job) {
	if !first.state.CompareAndSwap(waiting, taken) {
		return
	}
	tx, err := w.db.Begin(context.Background())
	if err != nil {
		first.done <- fault(err)
		return
	}
	begun := time.Now()
	var group []finished
	for j := first; j != nil; j = w.next(begun, len(group)) {
		f := finished{job: j, turn: &turn{tx: tx, steady: true}}
		var lost error
		if f.err, lost = runUnderSavepoint(f, w.store.config.Log); lost != nil {
			w.lose(tx, append(group, f), lost)
			return
		}
		group = append(group, f)
	}
	w.commit(tx, group)
}

// next is the next job that still wants to run, if it may join.
func (w *writer) next(begun time.Time, size int) *job {
	for size < groupSize && time.Since(begun) < groupTime {
		select {
		case j := <-w.queue:
			if j.state.CompareAndSwap(waiting, taken) {
				return j
			}
		default:
			return nil
		}
	}
	return nil
}

// runUnderSavepoint returns the error of the change. Lost is another error: that of the transaction, which is gone.
func runUnderSavepoint(f finished, log *slog.Logger) (err, lost error) {
	always := context.WithoutCancel(f.job.ctx)
	if _, err := f.turn.tx.Exec(always, savepoint); err != nil {
		return err, err
	}
	if err = guarded(f.job.ctx, f.turn, f.job.run, log); err != nil {
		f.turn.effects = effects{}
		if _, lost := f.turn.tx.Exec(always, rollbackTo); lost != nil {
			return err, lost
		}
	}
	_, lost = f.turn.tx.Exec(always, release)
	return err, lost
}

// guarded runs a change: a panic in it is an error, and so is a statement that failed though the change did not say so.
func guarded(ctx context.Context, t *turn, run func(context.Context, *turn) error, log *slog.Logger) (err error) {
	defer func() {
		if r := recover(); r != nil {
			log.ErrorContext(ctx, "panic in a change", "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in a change: %v", r)
		}
	}()
	if err := run(ctx, t); err != nil {
		return err
	}
	return t.err
}

// lose tells everybody in the group that the transaction is gone.
func (w *writer) lose(tx *sqlsafe.Tx, group []finished, cause error) {
	_ = tx.Rollback() // SQLite may have done so already
	for _, f := range group {
		if f.err == nil {
			f.err = fault(cause)
		}
		f.job.done <- f.err
	}
}

// commit makes the group durable, then tells the world what changed, then the callers that it is done.
func (w *writer) commit(tx *sqlsafe.Tx, group []finished) {
	err := tx.Commit()
	if err != nil {
		_ = tx.Rollback() // the connection must be free for the next
	}
	for _, f := range group {
		if f.err != nil {
			continue
		}
		w.store.announce(f.turn.effects) // also after an error: nobody knows for certain
	}
	for _, f := range group {
		if f.err == nil {
			f.err = fault(err)
		}
		f.job.done <- f.err
	}
}
