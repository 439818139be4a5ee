// Package limits bounds what one address may try, before anything is read or hashed for it (D25).
//
//	try, wait := addresses.Enter(ctx, address)
//	if wait > 0 {
//		… refuse
//	}
//	defer func() { try.Leave(right) }()
//
// Tries are counted before their work and given back when they were right: whoever guesses is held up after twenty in a
// minute or a hundred in an hour, while a school behind one address signs in as fast as it types. Buckets are those of
// package ratelimit, in the memory of this process: IPv6 counts by /64 and, with four times the quota, by /48.
//
// It does not know who somebody is. That a device which the owner has used before is not held up here is decided by its caller.
package limits

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/ratelimit"
)

// Options say what an address may try.
type Options struct {
	Windows   []ratelimit.Window // empty: anything
	TellProxy bool               // warn if everybody seems to have one private address: nothing names the proxy in front
	Alerts    Alerts             // told of that too; nil: nobody
	Now       func() time.Time
	Log       *slog.Logger
}

// Alerts tells people. It does not wait.
type Alerts interface {
	Raise(ctx context.Context, alert alerts.Alert)
}

// Default is what an address may try where nothing else is set: a burst that no person types, and what patience could add.
func Default() []ratelimit.Window {
	return []ratelimit.Window{{Quota: 20, Per: time.Minute}, {Quota: 100, Per: time.Hour}}
}

const (
	signUpShare = 4 // a sign-up sends a mail and takes a hash: an address has so many fewer of them (C106)

	mostWaiting = 64              // for tries under way from one address, which may be right
	patience    = 5 * time.Second // of those

	tellAfter  = 100 // tries from one private address, and none from another
	tellWithin = 5 * time.Minute
)

// Addresses are the limits by address. It is safe for concurrent use.
type Addresses struct {
	options Options
	tries   *ratelimit.Limiter // nil: no limit
	signups *ratelimit.Limiter

	mu    sync.Mutex
	lines map[ratelimit.Key]*line

	lone  netip.Addr // the only address so far, since begun
	begun time.Time
	seen  int
	told  bool
}

// line are the tries of one address that are under way, and those that wait for them: only what is right is given back.
type line struct {
	inside, waiting int
	moved           chan struct{} // closed when one has left
}

// NewAddresses makes the limits. A sign-up has a bucket of its own, of a quarter. Windows that bound nothing are an error.
func NewAddresses(o Options) (*Addresses, error) {
	a := &Addresses{options: o, lines: map[ratelimit.Key]*line{}}
	if len(o.Windows) == 0 {
		return a, nil
	}
	fewer := make([]ratelimit.Window, len(o.Windows))
	for i, w := range o.Windows {
		fewer[i] = ratelimit.Window{Quota: max(w.Quota/signUpShare, 1), Per: w.Per}
	}
	var err error
	if a.tries, err = ratelimit.New("address", o.Windows, ratelimit.Options{Now: o.Now, Log: o.Log}); err != nil {
		return nil, err
	}
	a.signups, err = ratelimit.New("address-signup", fewer, ratelimit.Options{Now: o.Now, Log: o.Log})
	return a, err
}

// Try is one that was counted. The zero Try is none.
type Try struct {
	from *Addresses
	key  ratelimit.Key
}

// Enter counts a try that is given back if it was right, and waits a moment where others of the address are under way that
// may be: thirty who sign in at once do so. A wait above zero is a refusal; nothing was counted then. Leave must follow.
func (a *Addresses) Enter(ctx context.Context, address netip.Addr) (Try, time.Duration) {
	a.notice(ctx, address)
	if a.tries == nil {
		return Try{}, 0
	}
	key := ratelimit.Address(address)
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		wait, moved := a.enter(ctx, key)
		if wait == 0 {
			return Try{a, key}, 0
		}
		if moved == nil {
			return Try{}, wait
		}
		expired := false
		select {
		case <-moved:
		case <-ctx.Done():
			expired = true
		case <-late.C:
			expired = true
		}
		a.unwait(key)
		if expired {
			return Try{}, wait
		}
	}
}

func (a *Addresses) enter(ctx context.Context, key ratelimit.Key) (wait time.Duration, moved chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lines[key]
	d, _ := a.tries.Take(ctx, key, 1) // memory has no errors
	switch {
	case d.Admitted:
		if l == nil {
			l = &line{moved: make(chan struct{})}
			a.lines[key] = l
		}
		l.inside++
		return 0, nil
	case l == nil || l.inside == 0 || l.waiting >= mostWaiting:
		return d.Wait, nil
	}
	l.waiting++
	return d.Wait, l.moved
}

func (a *Addresses) unwait(key ratelimit.Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lines[key]
	l.waiting--
	a.forget(key, l)
}

func (a *Addresses) forget(key ratelimit.Key, l *line) {
	if l.inside+l.waiting == 0 {
		delete(a.lines, key)
	}
}

// Leave ends a try. If it was right, or never made, it does not count.
func (t Try) Leave(ctx context.Context, right bool) {
	a := t.from
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if right {
		_ = a.tries.GiveBack(ctx, t.key, 1) // memory has no errors
	}
	l := a.lines[t.key]
	l.inside--
	close(l.moved)
	l.moved = make(chan struct{})
	a.forget(t.key, l)
}

// Count counts what is neither right nor wrong, such as asking for a mail. A wait above zero is a refusal.
func (a *Addresses) Count(ctx context.Context, address netip.Addr) time.Duration {
	return a.count(ctx, a.tries, address)
}

// CountSignUp counts a sign-up. A wait above zero is a refusal.
func (a *Addresses) CountSignUp(ctx context.Context, address netip.Addr) time.Duration {
	return a.count(ctx, a.signups, address)
}

func (a *Addresses) count(ctx context.Context, by *ratelimit.Limiter, address netip.Addr) time.Duration {
	a.notice(ctx, address)
	if by == nil {
		return 0
	}
	d, _ := by.Take(ctx, ratelimit.Address(address), 1) // memory has no errors
	return d.Wait
}

// Held is what an address has tried.
type Held struct {
	Layer  string // such as "address" or "sign-ups of an address"
	Window ratelimit.Window
	Tries  int           // how many of the quota are used up
	Wait   time.Duration // until the next one fits; zero if one does now
	Whole  time.Duration // until all is forgotten
}

// Look tells what counts against an address; empty if nothing does.
func (a *Addresses) Look(ctx context.Context, address netip.Addr) []Held {
	var list []Held
	for _, by := range []struct {
		layer   string
		limiter *ratelimit.Limiter
	}{{"address", a.tries}, {"sign-ups of an address", a.signups}} {
		list = append(list, Look(ctx, by.limiter, by.layer, ratelimit.Address(address))...)
	}
	return list
}

// Look tells what counts against a key of a limit that lies in memory; nothing where there is no limit.
func Look(ctx context.Context, limiter *ratelimit.Limiter, layer string, key ratelimit.Key) (list []Held) {
	if limiter == nil {
		return nil
	}
	d, _ := limiter.Take(ctx, key, 0) // memory has no errors
	for i, w := range limiter.Windows() {
		s := d.Windows[i]
		if s.Left == w.Quota {
			continue
		}
		held := Held{Layer: layer, Window: w, Tries: w.Quota - s.Left, Whole: s.Whole}
		if every := w.Per / time.Duration(w.Quota); s.Left == 0 {
			held.Wait = max(s.Whole-every*time.Duration(w.Quota-1), time.Second)
		}
		list = append(list, held)
	}
	return list
}

// Clear forgets what an address, and for IPv6 its /48, has tried.
func (a *Addresses) Clear(ctx context.Context, address netip.Addr) {
	for _, by := range []*ratelimit.Limiter{a.tries, a.signups} {
		if by != nil {
			_ = by.Clear(ctx, ratelimit.Address(address)) // memory has no errors
		}
	}
}

// notice warns, once, when all tries of some minutes come from one private address: that is a proxy which nobody named, and
// its one bucket is everybody's.
func (a *Addresses) notice(ctx context.Context, address netip.Addr) {
	if !a.options.TellProxy {
		return
	}
	now := a.options.Now()
	a.mu.Lock()
	if a.seen == 0 || address != a.lone || now.Sub(a.begun).Abs() > tellWithin {
		a.lone, a.begun, a.seen = address, now, 0
	}
	a.seen++
	tell := a.seen >= tellAfter && !a.told && (address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() || !address.IsValid())
	a.told = a.told || tell
	a.mu.Unlock()
	if tell {
		a.options.Log.WarnContext(ctx, "all attempts come from one private address, so their limit is everybody's: if that is a proxy, name it in TRUSTED_PROXIES and its header in TRUSTED_PROXY_HEADER",
			"address", address.String(), "attempts", tellAfter)
	}
	if tell && a.options.Alerts != nil {
		a.options.Alerts.Raise(ctx, alerts.Alert{
			Kind: alerts.OneAddress, What: "All attempts come from one private address, so their limit is everybody's.", Where: []string{address.String()}, Count: tellAfter,
			Help: "RINGWALL_TRUSTED_PROXIES and RINGWALL_TRUSTED_PROXY_HEADER name the proxy and its header",
		})
	}
}
