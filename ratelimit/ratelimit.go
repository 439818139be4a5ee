// Package ratelimit bounds how often anybody may do something: any route of any service, or anything else that has a key.
//
//	searches, err := ratelimit.New("search", []ratelimit.Window{{Quota: 20, Per: time.Minute}, {Quota: 100, Per: time.Hour}}, ratelimit.Options{})
//	…
//	mux.Handle("GET /search", searches.Handler(ratelimit.ByAddress(nil, ""), search))
//
// A limit has one to three windows, and a request must fit into all of them: a short one bounds the burst, a long one
// what somebody patient can do. Each route gets a [Limiter] of its own; several may stand in front of one handler, such
// as one by address and one by user. A request that does not fit is answered 429, with a problem document
// (quota-exceeded), Retry-After and the fields below. In code of your own, call [Limiter.Take] before the work and
// [Limiter.GiveBack] when it should not have counted: a right password, a download that failed.
//
// # Who is counted
//
// [ByAddress] counts addresses: IPv4 one by one, IPv6 by /64, since that is what one customer gets, and besides by /48
// with four times the quota, since that is what one customer may get for the asking. IPv4 in IPv6 is IPv4. Behind a proxy
// name its network and the one header that it writes, as for [input.ClientAddress]; otherwise everybody has the proxy's
// address. [ByUser] counts whoever is signed in, and the address of everybody else; [By] counts what a function says.
//
// # What a window admits
//
// Each window is a bucket that holds Quota, is full at first and fills up evenly, Quota in Per (GCRA). Of any number of
// tries at once exactly Quota are admitted. Somebody who empties the bucket and then takes whatever runs in gets at most
// twice the Quota in one Per, and never more than Quota for each further one.
//
// # Fields
//
// Answers carry RateLimit-Policy and RateLimit as draft-ietf-httpapi-ratelimit-headers has them, one entry a window:
//
//	RateLimit-Policy: "search-1m";q=20;w=60, "search-1h";q=100;w=3600
//	RateLimit: "search-1m";r=19;t=3, "search-1h";r=99;t=36
//
// r is what is left, t in how many seconds all of it is back. On a 429 stand only the windows that refuse, t is when the
// request would fit, and Retry-After is the latest of these. There is never a partition key (pk): it would tell who
// shares a bucket with whom. Routes that must not tell an attacker where they stand, such as a sign-in, use
// [Limiter.Take] and answer in their own words.
//
// # Memory
//
// Without a [Store] buckets lie in memory, at 8 bytes for the key and 8 for each window, in tables that grow with use up
// to [Options.MemoryBytes]: 24 bytes a place with two windows. The default of 32 MiB holds a million such keys, at 32 bytes
// each, of which one in forty shares (see below). Keys are kept as hashes under a random seed, so nobody can aim at somebody else's bucket.
//
// A bucket makes room for another one only when it is full again: then there is nothing to forget. While the tables hold
// no such bucket, keys that are new share 1,024 common ones with others of their network (IPv4 by /16, IPv6 by /32).
// So a flood of fresh addresses neither makes memory grow nor lets anybody off, and a key that gets a bucket of its own
// afterwards begins with what the common one had left.
//
// # Time
//
// Steps of the clock do not matter in memory: time that runs backwards stands still. In a [Store] the clocks of its
// callers count; a bucket never takes longer than Per to fill up, whatever a clock said.
//
// # What it does not do
//
// It keeps nothing over a restart, unless it has a [Store]. It does not tell who shares an address, so give quotas room
// for a school behind one. It does not make requests wait. It bounds how many there are, not how large or slow.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// MaxWindows is how many windows a limit may have.
const MaxWindows = 3

const (
	longestPer     = 31 * 24 * time.Hour
	defaultBytes   = 32 << 20
	leastBytes     = 64 << 10
	widerTimes     = 4                // what a wider network may do, for each that lies in it
	storePatience  = time.Second      // then memory decides
	smallestRefill = time.Microsecond // one of a Quota may not run in faster
)

// Window is how much there is, and in what time it runs in again.
type Window struct {
	Quota int           // 1 or more; at most one for each 4 microseconds of Per
	Per   time.Duration // whole seconds, up to 31 days
}

func (w Window) check() error {
	if w.Quota < 1 || w.Per < time.Second || w.Per > longestPer || w.Per%time.Second != 0 || int64(w.Quota) > int64(w.Per/(widerTimes*smallestRefill)) {
		return fmt.Errorf("ratelimit: no window of %d in %v: a quota is 1 or more and at most one for each 4 microseconds, its time whole seconds up to 31 days", w.Quota, w.Per)
	}
	return nil
}

// String is the window as "20/1m".
func (w Window) String() string { return fmt.Sprintf("%d/%s", w.Quota, short(w.Per)) }

func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Options may be left empty.
type Options struct {
	Cost        func(*http.Request) int // what a request takes of the quota, for [Limiter.Handler]. Default: 1. Less than 1 is nothing
	Store       Store                   // where buckets are shared. Default: none, they lie in memory
	MemoryBytes int64                   // bounds the memory. Default: 32 MiB. Least: 64 KiB
	Now         func() time.Time        // Default: time.Now
	Log         *slog.Logger            // told when the store fails, and when it works again. Default: none
}

// Limiter is one limit. It is safe for concurrent use.
type Limiter struct {
	name    string
	windows []Window
	options Options
	memory  *memory
	clock   clock
	failing atomic.Bool
	policy  []string
	labels  [MaxWindows]string
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// New makes a Limiter. The name stands in the fields of answers, and keeps the keys of limits in one [Store] apart: up to
// 32 lower-case letters, digits and hyphens. Windows of the same length, or none, or more than [MaxWindows] are an error.
// It starts nothing.
func New(name string, windows []Window, options Options) (*Limiter, error) {
	if !nameForm.MatchString(name) {
		return nil, errors.New("ratelimit: a name is 1 to 32 lower-case letters, digits and hyphens, and begins with a letter")
	}
	if len(windows) == 0 || len(windows) > MaxWindows {
		return nil, fmt.Errorf("ratelimit: a limit has one to three windows, not %d", len(windows))
	}
	for i, w := range windows {
		if err := w.check(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(windows[:i], func(other Window) bool { return other.Per == w.Per }) {
			return nil, fmt.Errorf("ratelimit: two windows of %v: which one counts?", w.Per)
		}
	}
	if options.MemoryBytes == 0 {
		options.MemoryBytes = defaultBytes
	}
	if options.MemoryBytes < leastBytes {
		return nil, errors.New("ratelimit: MemoryBytes must be 65,536 or more")
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Cost == nil {
		options.Cost = func(*http.Request) int { return 1 }
	}
	l := &Limiter{name: name, windows: slices.Clone(windows), options: options}
	l.memory = newMemory(l.windows, options.MemoryBytes)
	l.clock.start = options.Now()
	l.nameFields()
	return l, nil
}

// Windows are those that the limit was made with.
func (l *Limiter) Windows() []Window { return slices.Clone(l.windows) }

// Decision is the verdict on one try.
type Decision struct {
	Admitted bool
	Wait     time.Duration     // until it would fit, if nobody else takes anything meanwhile; zero if it was admitted
	Windows  [MaxWindows]State // one for each window, in their order
}

// State is one window as a decision leaves it. Where an address counts in two networks it is that of the scarcer one.
type State struct {
	Left  int           // how much could still be taken
	Wait  time.Duration // until what was asked for would fit; zero if it does
	Whole time.Duration // until all of it is back
}

// Take counts one try that costs so much of the quota, if it fits into every window; otherwise it counts nothing. A cost
// below 1 is admitted and tells how things stand; one beyond a Quota never fits. An error is the [Store]'s: the decision
// that comes with it was made in memory, so that limits hold while a database is gone.
func (l *Limiter) Take(ctx context.Context, key Key, cost int) (Decision, error) {
	return l.take(ctx, key, max(cost, 0))
}

// GiveBack undoes a [Limiter.Take] that should not have counted. A bucket never holds more than its Quota.
func (l *Limiter) GiveBack(ctx context.Context, key Key, cost int) error {
	_, err := l.take(ctx, key, -max(cost, 0))
	return err
}

// Clear fills the buckets of a key again: somebody may begin anew.
func (l *Limiter) Clear(ctx context.Context, key Key) error {
	most := 0
	for _, w := range l.windows {
		most = max(most, widerTimes*w.Quota)
	}
	return l.GiveBack(ctx, key, most)
}

func (l *Limiter) take(ctx context.Context, key Key, cost int) (Decision, error) {
	if l.options.Store == nil {
		return l.memory.take(key, cost, l.clock.now(l.options.Now())), nil
	}
	d, err := l.takeStored(ctx, key, cost)
	if l.failing.Load() != (err != nil) && l.failing.CompareAndSwap(err == nil, err != nil) {
		if err != nil {
			l.options.Log.WarnContext(ctx, "the store of a rate limit fails; this process counts alone until it works", "limit", l.name, "error", err)
		} else {
			l.options.Log.InfoContext(ctx, "the store of a rate limit works again", "limit", l.name)
		}
	}
	if err != nil {
		d = l.memory.take(key, cost, l.clock.now(l.options.Now()))
	}
	return d, err
}

// rate is a window in nanoseconds.
type rate struct {
	quota int64
	every int64 // what one of the quota takes to run in
	depth int64 // what all of it takes
}

func (w Window) rate(times int64) rate {
	quota := int64(w.Quota) * times
	every := int64(w.Per) / quota
	return rate{quota, every, every * quota}
}

// clamp is when a bucket is full, without what no clock can have meant.
func (r rate) clamp(full, now int64) int64 { return max(min(full, now+r.depth), now) }

// fits reports whether so much is left of a bucket that is full then.
func (r rate) fits(full, now, cost int64) bool {
	return cost <= 0 || cost <= r.quota && full+cost*r.every-now <= r.depth
}

// after is when a bucket is full that so much was taken from.
func (r rate) after(full, cost int64) int64 { return full + max(cost, -r.quota)*r.every }

// state is what a decision tells of a bucket that is full then.
func (r rate) state(full, now, cost int64) State {
	full = r.clamp(full, now)
	s := State{Left: int((r.depth - (full - now)) / r.every), Whole: time.Duration(full - now)}
	switch {
	case cost > r.quota:
		s.Wait = max(s.Whole, 1)
	case !r.fits(full, now, cost):
		s.Wait = time.Duration(full + cost*r.every - r.depth - now)
	}
	return s
}

// scarcer joins the states of two buckets that both count.
func scarcer(a, b State) State {
	return State{Left: min(a.Left, b.Left), Wait: max(a.Wait, b.Wait), Whole: max(a.Whole, b.Whole)}
}
