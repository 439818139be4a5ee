package audit

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
)

// Refusal is one refused request, or a number of them.
type Refusal struct {
	By      identity.Actor // who was refused; zero if refusals were counted
	Event   Event
	Route   string
	Network netip.Prefix // where counted refusals came from; invalid if from everywhere
	Count   int64
}

// RefusalStore is where refusals go. The store turns each into a row with [Builder.Refusal].
type RefusalStore interface {
	// InsertRefusals writes a row for each, in one transaction, and wakes the sealer.
	InsertRefusals(ctx context.Context, refusals []Refusal) error
}

const (
	defaultGroups  = 1024
	refusalBatch   = 256
	refusalPause   = 5 * time.Second // after the store failed
	firstTimeout   = 2 * time.Second
	closingTimeout = 5 * time.Second
)

// RefusalsOptions may be left empty.
type RefusalsOptions struct {
	Now    func() time.Time // default: time.Now
	Log    *slog.Logger     // default: none
	Groups int              // how many (event, network, route) are told apart in a minute. Default: 1,024
}

// Refusals records refused requests so that nobody can fill the disk or stop the database by being refused. The first
// of an event, network (IPv4 /24, IPv6 /64), route and minute is a row at once, with everything that is known of it;
// the others are counted and become one row when the minute is over. Beyond Groups in a minute only the event is told
// apart, so a minute costs at most two rows a group and one row an event. While the store fails, everything is
// counted and nobody waits; the counts go to the log as soon as the store works.
//
// What is counted is lost if the process is killed, at most a minute of it. Safe for concurrent use.
type Refusals struct {
	store RefusalStore
	now   func() time.Time
	log   *slog.Logger
	limit int
	wake  chan struct{}

	mu      sync.Mutex
	minute  int64               // since 1970
	groups  map[groupKey]*group // of this minute; those without a count had their row
	counted bool                // some group has a count
	due     map[groupKey]*group // of minutes that are over
	retryAt time.Time           // the store failed: not before then
	failing bool
}

type groupKey struct {
	name    Name
	network netip.Prefix
	route   string
}

type group struct {
	count  int64
	reason string
	mixed  bool // of several reasons
}

// NewRefusals makes Refusals. It starts nothing; see [Refusals.Run].
func NewRefusals(store RefusalStore, options RefusalsOptions) *Refusals {
	r := &Refusals{store: store, now: options.Now, log: options.Log, limit: options.Groups, wake: make(chan struct{}, 1)}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.limit <= 0 {
		r.limit = defaultGroups
	}
	r.groups, r.due = make(map[groupKey]*group), make(map[groupKey]*group)
	return r
}

// Count records that by was refused. When it returns, the first of its group is stored or the refusal is counted; it
// waits two seconds at most, and a client that went away does not undo it. A failure goes to the log, not to the caller.
func (r *Refusals) Count(ctx context.Context, by identity.Actor, event Event) {
	if !Known(event.Name) {
		r.log.ErrorContext(ctx, "refusal without a name of the vocabulary")
		return
	}
	key := groupKey{name: event.Name, network: networkOf(by.Request().Address), route: by.Request().Route}
	if !r.first(key, event.Reason) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstTimeout)
	defer cancel()
	err := r.store.InsertRefusals(ctx, []Refusal{{By: by, Event: event, Route: key.route, Network: key.network, Count: 1}})
	if err != nil {
		r.failed(ctx, err)
		r.mu.Lock()
		r.add(r.groups, key, group{count: 1, reason: event.Reason})
		r.signal()
		r.mu.Unlock()
		return
	}
	r.worked(ctx)
}

// first counts a refusal, unless it is the first of its group and should be written at once.
func (r *Refusals) first(key groupKey, reason string) bool {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(now, false)
	_, seen := r.groups[key]
	if !seen && len(r.groups) < r.limit && !now.Before(r.retryAt) {
		r.groups[key] = &group{}
		return true
	}
	r.add(r.groups, key, group{count: 1, reason: reason})
	r.signal()
	return false
}

// add counts into a group; where there are too many groups, into that of the event.
func (r *Refusals) add(to map[groupKey]*group, key groupKey, more group) {
	g := to[key]
	if g == nil && len(to) >= r.limit {
		key = groupKey{name: key.name} // at most one more for each event of the vocabulary
		g = to[key]
	}
	if g == nil {
		g = &group{}
		to[key] = g
	}
	if g.count == 0 {
		g.reason = more.reason
	}
	g.mixed = g.mixed || more.mixed || g.reason != more.reason
	g.count += more.count
}

// signal tells Run that there is something to write when the minute is over.
func (r *Refusals) signal() {
	if !r.counted { // else Run knows
		r.counted = true
		r.rouse()
	}
}

func (r *Refusals) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// turn moves the counts of a minute that is over (or of this one, if all) to those that are due.
func (r *Refusals) turn(now time.Time, all bool) {
	minute := now.Unix() / 60
	if minute == r.minute && !all {
		return
	}
	for key, g := range r.groups {
		if g.count > 0 {
			r.add(r.due, key, *g)
			g.count = 0
		}
	}
	r.counted = false
	if minute != r.minute {
		r.minute = minute
		clear(r.groups)
	}
	if len(r.due) > 0 {
		r.rouse()
	}
}

// Run writes the counts when their minute is over, until ctx ends; then it writes what there is. It sleeps while nothing is counted.
func (r *Refusals) Run(ctx context.Context) {
	for {
		var alarm <-chan time.Time
		if wait, ok := r.next(); ok {
			alarm = time.After(wait)
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTimeout)
			_ = r.Close(last) // has logged it
			cancel()
			return
		case <-r.wake:
		case <-alarm:
			r.mu.Lock()
			r.turn(r.now(), false)
			r.mu.Unlock()
			_ = r.flush(ctx) // has logged it, and is tried again
		}
	}
}

// next is how long until there is something to write; false if nothing is counted.
func (r *Refusals) next() (time.Duration, bool) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.due) > 0:
		return max(0, r.retryAt.Sub(now)), true
	case r.counted:
		return max(0, time.Unix((r.minute+1)*60, 0).Sub(now)), true
	}
	return 0, false
}

// Close writes everything that is counted, also of a minute that is not over. What is refused later is counted until the next Close.
func (r *Refusals) Close(ctx context.Context) error {
	r.mu.Lock()
	r.turn(r.now(), true)
	r.mu.Unlock()
	return r.flush(ctx)
}

// flush writes what is due, in short transactions. What could not be written stays due.
func (r *Refusals) flush(ctx context.Context) error {
	for {
		batch := r.take()
		if len(batch) == 0 {
			return nil
		}
		refusals := make([]Refusal, 0, len(batch))
		for key, g := range batch {
			event := Event{Name: key.name}
			if !g.mixed {
				event.Reason = g.reason
			}
			refusals = append(refusals, Refusal{Event: event, Route: key.route, Network: key.network, Count: g.count})
		}
		if err := r.store.InsertRefusals(ctx, refusals); err != nil {
			r.failed(ctx, err)
			r.mu.Lock()
			for key, g := range batch {
				r.add(r.due, key, *g)
			}
			r.mu.Unlock()
			return fmt.Errorf("record counted refusals: %w", err)
		}
		r.worked(ctx)
	}
}

func (r *Refusals) take() map[groupKey]*group {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := make(map[groupKey]*group, min(len(r.due), refusalBatch))
	for key, g := range r.due {
		if len(batch) == refusalBatch {
			break
		}
		batch[key] = g
		delete(r.due, key)
	}
	return batch
}

func (r *Refusals) failed(ctx context.Context, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retryAt = r.now().Add(refusalPause)
	if !r.failing {
		r.failing = true
		r.log.WarnContext(ctx, "refusals cannot be recorded; they are counted until they can", "error", err)
	}
}

func (r *Refusals) worked(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing {
		r.failing, r.retryAt = false, time.Time{}
		r.log.InfoContext(ctx, "refusals are recorded again")
	}
}

// networkOf is what one client is taken to hold: an IPv4 /24 or an IPv6 /64.
func networkOf(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := 64
	if address.Is4() {
		bits = 24
	}
	network, err := address.Prefix(bits)
	if err != nil { // no address
		return netip.Prefix{}
	}
	return network
}
