package password

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Class says how urgent a job is. The zero Class is Other, the less urgent.
type Class uint8

// The classes.
const (
	Other  Class = iota // sign-up, reset, change of password
	SignIn              // somebody waits at the door, or proves again who they are
)

// Busy is the error of a job that got no slot: the queue was full, or the job waited in it for too long.
type Busy struct {
	RetryAfter time.Duration // whole seconds, 1 to 30: when there should be room again
}

func (b *Busy) Error() string { return fmt.Sprintf("hash queue full, room in about %s", b.RetryAfter) }

// ErrClosed is the error of a job that came after [Queue.Close], or that waited when the time of Close ran out.
var ErrClosed = errors.New("hash queue closed")

// QueueOptions are the options of [NewQueue]. The zero value suits a production server.
type QueueOptions struct {
	Slots          int           // jobs at a time. Default: see the package comment. At most 1024.
	Length         int           // jobs that wait. Default: 4 × Slots. At most 65536.
	Wait           time.Duration // how long a job may wait. Default: 2 seconds.
	SlotBytes      int64         // memory of one job, for the default of Slots. Default: 64 MiB.
	NormalPriority bool          // do not lower the priority of the slots' threads
}

// Queue runs jobs, a bounded number at a time, in the order in which they came. The package comment describes it. It is safe for
// concurrent use, and starts no goroutine before its first job.
type Queue struct {
	slots, length, kept int
	wait                time.Duration
	niced               bool

	mu      sync.Mutex
	work    sync.Cond // a job waits, or the queue was closed
	line    line
	workers int // goroutines that are or will be in serve
	running [2]int
	coming  arrivals
	average time.Duration // of a job, as a moving mean
	closed  bool
	ended   chan struct{} // closed when closed and no worker is left
}

// NewQueue returns a queue. The error says which option is out of bounds.
func NewQueue(options QueueOptions) (*Queue, error) {
	if options.Slots < 0 || options.Slots > 1024 {
		return nil, fmt.Errorf("hash slots are %d: take 1 to 1024, or 0 for what cores and memory allow", options.Slots)
	}
	if options.Length < 0 || options.Length > 65536 {
		return nil, fmt.Errorf("the hash queue's length is %d: take 1 to 65536, or 0 for four times the slots", options.Length)
	}
	if options.Wait < 0 || options.SlotBytes < 0 {
		return nil, errors.New("the hash queue's wait and memory cannot be negative: leave them out for 2s and 64 MiB")
	}
	machine := readMachine()
	niced := !options.NormalPriority && machine.quota == 0 && canNiceThreads()
	q := &Queue{slots: options.Slots, length: options.Length, wait: options.Wait, niced: niced, ended: make(chan struct{})}
	if q.slots == 0 {
		q.slots = machine.slots(options.SlotBytes, niced)
	}
	if q.length == 0 {
		q.length = 4 * q.slots
	}
	if q.wait == 0 {
		q.wait = 2 * time.Second
	}
	q.kept = (q.length + 2) / 3
	if q.length == 1 {
		q.kept = 0
	}
	q.work.L = &q.mu
	return q, nil
}

// Slots is how many jobs run at a time.
func (q *Queue) Slots() int { return q.slots }

// Length is how many jobs may wait.
func (q *Queue) Length() int { return q.length }

// NicedThreads is by how many a program should raise GOMAXPROCS, because so many threads of low priority take a place in it.
func (q *Queue) NicedThreads() int {
	if q.niced {
		return q.slots
	}
	return 0
}

// Do runs job in a slot and returns when it has ended. known says that a known device or a registered client asks.
//
// Without having run job it returns [*Busy], [ErrClosed], or the context's error when ctx is done. Once job has begun, Do waits for
// it. A panic in job ends neither the process nor the slot: it becomes an error.
func (q *Queue) Do(ctx context.Context, class Class, known bool, job func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if class != SignIn {
		class = Other
	}
	w := &waiter{class: class, known: known, job: job, done: make(chan struct{})}
	kept, _ := ctx.Value(placeKey{}).(*place)
	if err := q.enter(w, kept); err != nil {
		return err
	}
	deadline := time.NewTimer(q.wait)
	defer deadline.Stop()
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		q.leave(w, ctx.Err())
	case <-deadline.C:
		q.leave(w, nil)
	}
	<-w.done
	return w.err
}

// enter puts w in the line, where a place may be kept for it, and sees that somebody serves it, or says why not.
func (q *Queue) enter(w *waiter, kept *place) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.vacate(kept)
	if q.closed {
		return ErrClosed
	}
	if !q.admit(w) {
		return q.busy()
	}
	q.line.add(w)
	if q.workers < q.slots && q.workers-q.jobs() < q.line.waiting() {
		q.workers++
		go q.serve()
	}
	q.work.Signal()
	return nil
}

// jobs is how many run.
func (q *Queue) jobs() int { return q.running[SignIn] + q.running[Other] }

// Room keeps a place in the line for the first [Queue.Do] that gets the context it returns, or until leave, which has to be called
// in any case. It returns ctx and the error with which Do would turn the caller away. It is for those who would otherwise begin work
// that they have to undo. Nobody is turned out of the line for it: a place that only Do could make is not kept.
func (q *Queue) Room(ctx context.Context, class Class, known bool) (in context.Context, leave func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := &waiter{class: class, known: known}
	switch {
	case q.closed:
		return ctx, nil, ErrClosed
	case q.fits(w):
		kept := &place{queue: q, known: known}
		q.coming.add(known, 1)
		return context.WithValue(ctx, placeKey{}, kept), func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.vacate(kept)
		}, nil
	case q.victim(w) != nil:
		return ctx, func() {}, nil
	}
	return ctx, nil, q.busy()
}

// place is kept in the line of a queue.
type place struct {
	queue       *Queue
	known, gone bool
}

type placeKey struct{}

// vacate gives a place of this queue back, once.
func (q *Queue) vacate(kept *place) {
	if kept != nil && kept.queue == q && !kept.gone {
		kept.gone = true
		q.coming.add(kept.known, -1)
	}
}

// arrivals are those for whom a place is kept.
type arrivals struct{ all, unknown int }

func (a *arrivals) add(known bool, n int) {
	a.all += n
	if !known {
		a.unknown += n
	}
}

// admit reports whether there is room for w, and makes some for a sign-in at the expense of the newest other job.
func (q *Queue) admit(w *waiter) bool {
	if q.fits(w) {
		return true
	}
	victim := q.victim(w)
	if victim == nil {
		return false
	}
	q.line.remove(victim)
	victim.end(q.busy())
	return true
}

func (q *Queue) fits(w *waiter) bool {
	room := q.length + q.slots - q.jobs() // with those in the line that start at once
	return q.line.waiting()+q.coming.all < room && (w.known || q.line.unknown+q.coming.unknown < room-q.kept)
}

// victim is the newest waiting job of class Other, whose place a sign-in may take. Only a stranger's place can go to a stranger.
func (q *Queue) victim(w *waiter) *waiter {
	if w.class != SignIn {
		return nil
	}
	return q.line.newestOther(!w.known)
}

// leave takes w out of the line, if it still stands there. A nil reason means that it waited for too long.
func (q *Queue) leave(w *waiter, reason error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.line.remove(w) {
		return // it runs, or has ended
	}
	if reason == nil {
		reason = q.busy()
	}
	w.end(reason)
}

// busy estimates when the line will have gone.
func (q *Queue) busy() *Busy {
	seconds := (time.Duration(q.line.waiting()+1)*q.average/time.Duration(q.slots) + time.Second - 1) / time.Second
	return &Busy{RetryAfter: min(max(seconds, 1), 30) * time.Second}
}

// Close refuses new jobs, lets the waiting ones run and ends all goroutines. If ctx is done first, the waiting jobs get
// [ErrClosed] and Close returns the context's error; jobs that run then end by themselves. Closing twice is no error.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		q.work.Broadcast()
		if q.workers == 0 {
			close(q.ended)
		}
	}
	q.mu.Unlock()
	select {
	case <-q.ended:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.line.all() {
		q.line.remove(w)
		w.end(ErrClosed)
	}
	return fmt.Errorf("close hash queue: %w", ctx.Err())
}
