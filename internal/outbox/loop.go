// Package outbox is the loop behind what waits in a table to be delivered: mails and webhooks.
//
// [Loop.Run] claims one entry at a time, has a few delivered at once, and sleeps until the next is due. What an attempt is
// and what becomes of an entry is the caller's; [Leave], [Settle] and [Growing] are what every such attempt needs.
//
// It gives nothing up and knows no order: an entry that fails is the caller's to postpone.
package outbox

import (
	"context"
	"sync"
	"time"
)

const (
	leaveTime    = time.Second // for an attempt under way when the loop is told to end
	settleTime   = 2 * time.Second
	settleFor    = 10 * time.Second // well within a claim
	longestSleep = 5 * time.Minute  // one look, for entries whose node died and for machines that slept
)

// Source is where entries wait. Times are microseconds since 1970, UTC.
type Source[E any] struct {
	// Next claims the entry that has been due longest; false: none is due.
	Next func(ctx context.Context, nowMicros int64) (E, bool, error)
	// Due is when the earliest is due, which may lie in the past; false: none waits.
	Due func(ctx context.Context) (micros int64, ok bool, err error)
	// Attempt delivers a claimed entry and settles what becomes of it. Several run at once.
	Attempt func(ctx context.Context, entry E)
	// Unreadable settles an entry that was claimed and cannot be read. False: the error is the store's.
	Unreadable func(ctx context.Context, entry E, err error) bool
	// Store is told that the store failed, or with nil that it works.
	Store func(ctx context.Context, err error)
}

// Loop delivers the entries of a source. Any number of them, on any number of nodes, may share one.
type Loop[E any] struct {
	source Source[E]
	now    func() time.Time
	wake   chan struct{}
	slots  chan struct{}
	busy   sync.WaitGroup
}

// New makes a loop that has so many entries delivered at once; it does nothing before [Loop.Run].
func New[E any](source Source[E], parallel int, now func() time.Time) *Loop[E] {
	return &Loop[E]{source: source, now: now, wake: make(chan struct{}, 1), slots: make(chan struct{}, parallel)}
}

// Wake tells the loop that something was queued or postponed. It never waits.
func (l *Loop[E]) Wake() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already, or will be
	}
}

// Run delivers until ctx ends, and returns when no attempt is under way any more. While nothing is due it sleeps until
// something is, or until [Loop.Wake].
func (l *Loop[E]) Run(ctx context.Context) {
	defer l.busy.Wait()
	for trouble := 0; ; {
		select {
		case <-ctx.Done():
			return
		case l.slots <- struct{}{}:
		}
		if ctx.Err() != nil { // select takes either when both are ready
			return
		}
		entry, ok, err := l.source.Next(ctx, l.now().UnixMicro())
		if err == nil && ok {
			trouble = 0
			l.source.Store(ctx, nil)
			l.busy.Go(func() {
				defer func() { <-l.slots }()
				l.source.Attempt(ctx, entry)
			})
			continue
		}
		<-l.slots
		if err != nil && l.source.Unreadable(ctx, entry, err) {
			continue
		}
		var sleep time.Duration
		if err == nil {
			sleep, err = l.untilDue(ctx)
		}
		if err == nil {
			trouble = 0
			l.source.Store(ctx, nil)
			rest(ctx, sleep, l.wake)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		trouble++
		l.source.Store(ctx, err)
		rest(ctx, Growing(time.Second, time.Minute, 2, trouble), nil) // waking would not mend the store
	}
}

// untilDue is how long nothing is due. At least a moment: another node may hold what looks due.
func (l *Loop[E]) untilDue(ctx context.Context) (time.Duration, error) {
	due, ok, err := l.source.Due(ctx)
	if err != nil || !ok {
		return longestSleep, err
	}
	return min(max(time.UnixMicro(due).Sub(l.now()), 100*time.Millisecond), longestSleep), nil
}

func rest(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// Leave is the context of an attempt. It ends after timeout, and a moment after ctx does: what is cut off after it was
// taken is sent twice.
func Leave(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	stop := context.AfterFunc(ctx, func() {
		rest(attempt, leaveTime, nil)
		cancel()
	})
	return attempt, func() {
		stop()
		cancel()
	}
}

// Settle writes the outcome of an attempt, also after ctx has ended, and tries for as long as a claim surely holds: what is
// not written is sent again. It returns the last error.
func Settle(ctx context.Context, write func(context.Context) error) error {
	ends := time.Now().Add(settleFor)
	for try := 1; ; try++ {
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		err := write(writing)
		cancel()
		if err == nil || ctx.Err() != nil || time.Now().After(ends) {
			return err
		}
		rest(ctx, Growing(100*time.Millisecond, 2*time.Second, 2, try), nil)
	}
}

// Growing is first, so many times as long with each failure after the first, at most longest.
func Growing(first, longest time.Duration, factor, failures int) time.Duration {
	for ; failures > 1 && first < longest; failures-- {
		first *= time.Duration(factor)
	}
	return min(first, longest)
}

// Health remembers what is broken, so that the log is told when something stops or starts to work, and not each time it is
// met. The zero Health takes everything for working.
type Health struct {
	mu     sync.Mutex
	broken map[string]bool
}

// Changed notes how something stands, and reports whether that is news.
func (h *Health) Changed(what string, broken bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken == nil {
		h.broken = map[string]bool{}
	}
	changed := h.broken[what] != broken
	h.broken[what] = broken
	return changed
}
