package ceiling

import (
	"context"
	"fmt"
	"math"

	"github.com/ringwall/ringwall/internal/identity"
)

const (
	never        = -1 << 40 // a minute before all others
	lastingDays  = 7
	mostLease    = 64
	leasesOfAll  = 32
	calmMinutes  = 2 // below half, until it is over
	aheadMinutes = 2 // that another node's clock, or our own before it was set back, may have been ahead
)

type verdict uint8

const (
	unknown  verdict = iota // the store must be asked
	taken                   // go on
	unsolved                // not without a solution
	refused                 // not now
)

// answer is a verdict and what goes with it.
type answer struct {
	verdict
	redeem bool  // the solution has to be redeemed
	minute int64 // of which it was taken
}

// enter begins a new minute if the clock has, in whichever direction.
func (c *Ceiling) enter() {
	minute := c.Now().Unix() / 60
	if c.view.minute == minute && c.view.friends != nil {
		return
	}
	if c.view.wanted > 0 && len(c.late) < 4 {
		l := c.news()
		l.Capacity = 0
		c.late = append(c.late, l)
	}
	c.view = view{minute: minute, friends: map[identity.ID]int{}, median: c.view.median, before: c.view.seen.Wanted}
	if c.hottest > minute+aheadMinutes { // the clock was set back: what was hot then tells nothing now
		c.hottest = never
	}
	c.signal()
}

// limits are what strangers may have with a challenge and without, and what all may have.
func (c *Ceiling) limits() (share, free, all int64) {
	all = c.Limit
	if all == 0 {
		all = max(10*c.view.median, max(c.view.shared, c.Capacity())/2, 1)
	}
	return max(all*2/3, 1), max(all/2, 1), all
}

func (c *Ceiling) share() int64 {
	share, free, _ := c.limits()
	if c.tripped() {
		return share
	}
	return free
}

// room is how many more strangers could be leased, as far as is known.
func (c *Ceiling) room(share int64) int64 {
	_, _, all := c.limits()
	return min(share-c.view.seen.Strangers, all-c.view.seen.Strangers-c.view.seen.Known)
}

func (c *Ceiling) tripped() bool {
	return c.hottest >= c.view.minute-calmMinutes && c.hottest <= c.view.minute+aheadMinutes
}

// want counts an attempt of a stranger.
func (c *Ceiling) want() {
	if c.view.wanted++; c.view.wanted == 1 {
		c.signal()
	}
}

// befriend counts an attempt from a known device. The map holds no more people than a minute admits.
func (c *Ceiling) befriend(who identity.ID) bool {
	c.view.friends[who]++
	return c.view.friends[who] <= friendly
}

// take spends a lease, if there is one and it suffices.
func (c *Ceiling) take(a Attempt, known, solved bool) answer {
	_, _, all := c.limits()
	given := answer{taken, false, c.view.minute}
	switch {
	case !c.view.looked:
		return answer{}
	case known && (a.Light || c.view.known > 0):
		if !a.Light {
			c.view.known--
		}
		return given
	case known && c.view.seen.Strangers+c.view.seen.Known >= all:
		return answer{verdict: refused}
	case known:
		return answer{}
	}
	given.redeem = c.tripped()
	switch {
	case given.redeem && !solved:
		return answer{verdict: unsolved}
	case a.Light:
		return given
	case c.view.strangers > 0:
		c.view.strangers--
		return given
	case given.redeem && c.room(c.share()) <= 0:
		return answer{verdict: refused}
	}
	return answer{}
}

// ask gets a lease from the store for this attempt and those that follow. One asks at a time; those who waited mostly find
// that it was enough for them too.
func (c *Ceiling) ask(ctx context.Context, a Attempt, known, solved bool) (answer, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return answer{}, errSlow.Because(ctx.Err())
	}
	defer func() { <-c.turn }()
	for range 8 {
		if err := c.look(ctx); err != nil {
			return answer{}, err
		}
		c.mu.Lock()
		c.enter()
		got, looked, lease := c.take(a, known, solved), c.view.looked, c.lease(known)
		c.mu.Unlock()
		if got.verdict != unknown {
			return got, nil
		}
		if !looked {
			continue // the minute turned meanwhile
		}
		got, err := c.get(ctx, lease, func() answer { return c.take(a, known, solved) })
		if err != nil || got.verdict != unknown {
			return got, err
		}
	}
	return answer{verdict: refused}, nil // others were quicker, eight times
}

// lease is what to ask for: the usual number, or what is left, or one, of which the store will say that it is too many.
func (c *Ceiling) lease(known bool) Lease {
	l := c.news()
	n := min(max(l.Ceiling/leasesOfAll, 1), mostLease)
	if known {
		l.Known = max(min(n, l.Ceiling-c.view.seen.Strangers-c.view.seen.Known), 1)
		return l
	}
	l.Share = c.share()
	l.Strangers = max(min(n, c.room(l.Share)), 1)
	return l
}

// news is what there is to tell.
func (c *Ceiling) news() Lease {
	_, free, all := c.limits()
	l := Lease{Minute: c.view.minute, Wanted: c.view.wanted, Share: all, Ceiling: all, Free: free, Most: math.MaxInt32}
	if c.tripped() {
		l.Most = free
	}
	if !c.view.joined {
		l.Capacity = c.Capacity()
	}
	return l
}

// get speaks with the store and takes down what it answers; then, before anybody else can, it takes.
func (c *Ceiling) get(ctx context.Context, l Lease, take func() answer) (answer, error) {
	c.mu.Lock()
	if c.view.minute == l.Minute {
		c.view.wanted -= l.Wanted
	}
	c.mu.Unlock()
	row, err := c.Store.LeaseAttempts(context.WithoutCancel(ctx), l) // it is for others too, whoever hangs up meanwhile
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if c.view.minute == l.Minute {
			c.view.wanted += l.Wanted
		}
		return answer{}, fmt.Errorf("lease attempts: %w", err)
	}
	c.hear(row)
	if row.Heated {
		c.heat = max(row.Wanted, row.Strangers+row.Known)
		c.signal()
	}
	if c.view.minute != l.Minute {
		return answer{}, nil
	}
	c.view.seen, c.view.joined = row, true
	if l.Known > 0 {
		c.view.known += row.Granted
	} else {
		c.view.strangers += row.Granted
	}
	return take(), nil
}

// look reads what a minute begins with.
func (c *Ceiling) look(ctx context.Context) error {
	c.mu.Lock()
	c.enter()
	minute, looked := c.view.minute, c.view.looked
	c.mu.Unlock()
	if looked {
		return nil
	}
	rows, err := c.Store.CeilingMinutes(ctx, minute-calmMinutes, minute+aheadMinutes)
	if err != nil {
		return fmt.Errorf("read the minutes of the ceiling: %w", err)
	}
	var median int64
	if c.Limit == 0 {
		if median, err = c.Store.MedianAttempts(ctx, minute-lastingDays*24*60, minute-1); err != nil {
			return fmt.Errorf("read the median of attempts: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.view.minute != minute {
		return nil
	}
	c.view.median, c.view.looked = median, true
	for _, row := range rows {
		c.hear(row)
		switch row.Minute {
		case minute - 1:
			c.view.shared, c.view.before = row.Capacity, row.Wanted
		case minute:
			c.view.seen = row
		}
	}
	return nil
}

// hear notes what a minute tells of being tripped.
func (c *Ceiling) hear(row Minute) {
	if row.Hot && row.Minute > c.hottest {
		c.hottest = row.Minute
	}
	if c.tripped() && !c.open {
		c.open = true
		c.signal()
	}
}

func (c *Ceiling) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
