// Package ceiling bounds how many attempts a minute reach the hashing of passwords, over all nodes on one database and
// whatever the number of addresses that they come from.
//
//	c := ceiling.New(ceiling.Options{Store: store, Challenger: work, Capacity: hasher.PerMinute, …})
//	go c.Run(ctx)
//	err := c.Refuses(attempt)          // from memory alone, before anything is written
//	place, err := c.Pass(ctx, attempt) // counted; nil: go on to the hash
//	place.Return()                     // there was none after all
//
// # How much
//
// The ceiling is ten times the median of attempts in the minutes of the last seven days that had any and were calm, and at
// least half of what can be hashed in a minute (of the nodes that took attempts in the minute before, by the quickest hash
// so far); or a fixed number. Of it, half is for anybody; up to two thirds are for strangers who solved a challenge; the last third is for
// known devices alone, of which each person has five a minute: an account of one's own must not buy the places of everybody.
//
// # Tripped
//
// When strangers have had half of the ceiling in one minute and want more, or a minute is used up, it trips: one alert, and strangers
// need a challenge until two whole minutes had no more than that, counting those who were refused. The minute that was hot stands in the database, so every node knows,
// and a restart forgets nothing. A node hears of it with its next lease, or after a quarter of a second if it has something to tell.
//
// # Exact, and cheap
//
// A node takes attempts of a minute from the database in leases, of a thirty-second of the ceiling and at most 64, in one statement that
// cannot give more than there is; it spends them from memory. So the ceiling of a clock minute is never passed, by any number of nodes: the
// overshoot is zero. What a node leased and did not use is lost with the minute, so at least the ceiling less a lease a node is admitted when
// that many come. (Sixty seconds that lie across two minutes can see the ceilings of both.) Whoever is refused costs no statement: refusals are
// counted in memory, and told every quarter of a second by one.
//
// A database that is gone or slow gives no lease, and without one nobody passes.
//
// # What it does not do
//
// It knows neither addresses nor accounts. It does not count what an account's own counter refused.
package ceiling

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

// Minute is what is stored of a minute.
type Minute struct {
	Minute    int64 // since 1970
	Strangers int64 // leased
	Known     int64 // leased
	Wanted    int64 // attempts of strangers, admitted or not
	Capacity  int64 // hashes that the nodes which take part can make
	Granted   int64 // to this call
	Hot       bool  // it tripped, or would have
	Heated    bool  // by this call
}

// Lease asks for attempts of a minute, and tells what is new.
type Lease struct {
	Minute           int64
	Wanted, Capacity int64 // more of them
	Strangers, Known int64 // to grant, one of the two or none; all of it or nothing
	Share            int64 // most that strangers may have now
	Ceiling          int64 // most that all may have
	Free             int64 // more strangers granted than this make the minute hot
	Most             int64 // and so do more of them who want to be, where it is tripped already
}

// Store is where the nodes meet.
type Store interface {
	// LeaseAttempts grants what there is room for, adds what is told, and returns the minute, in one statement.
	LeaseAttempts(ctx context.Context, lease Lease) (Minute, error)
	// CeilingMinutes are the minutes from first to last that were written, in order; at most sixteen.
	CeilingMinutes(ctx context.Context, first, last int64) ([]Minute, error)
	// MedianAttempts is the median of the attempts in calm minutes from first to last that had any; 0 if there are none.
	MedianAttempts(ctx context.Context, first, last int64) (int64, error)
}

// Alerts tells people. Neither method waits for long, or fails its caller.
type Alerts interface {
	Raise(ctx context.Context, alert alerts.Alert)
	Close(ctx context.Context, kind, key string)
}

// Options are what a Ceiling needs; Alerts and Log may be left out.
type Options struct {
	Store      Store
	Challenger challenge.Challenger
	Limit      int64        // attempts a minute; 0: as the package comment says; negative: none
	Capacity   func() int64 // hashes that this node can make in a minute
	Alerts     Alerts
	Now        func() time.Time
	Log        *slog.Logger
}

// Attempt is somebody who wants a password hashed.
type Attempt struct {
	Form     string      // where a challenge can be shown; "": nowhere, and whoever would need one is refused
	Client   netip.Addr  // where it comes from
	Known    bool        // from a known device, or with another proof
	Who      identity.ID // whose device, if Known
	Solution string      // of a challenge, as sent
	Redeemed bool        // that solution was right, and is used: something else asked for it first
	Light    bool        // nothing is hashed: it needs a challenge like the others, and takes nothing of the ceiling
}

// Ceiling bounds attempts. It is safe for concurrent use.
type Ceiling struct {
	Options
	turn chan struct{} // held by whoever speaks with the store
	wake chan struct{}

	mu      sync.Mutex
	view    view
	hottest int64 // the latest minute known to be hot
	heat    int64 // attempts of a minute that this node made hot and has not told of
	open    bool  // there is an alert to close
	late    []Lease
}

// view is what a node knows of the minute that it is in.
type view struct {
	minute           int64
	looked           bool   // the fields up to before are read
	seen             Minute // as the store last told
	median, shared   int64
	before           int64 // wanted in the minute before
	joined           bool  // this node's capacity is told
	strangers, known int64 // leased and not spent
	wanted           int64 // not told yet
	friends          map[identity.ID]int
}

// friendly is how many attempts a minute of one person's known devices go before others; more are strangers.
const friendly = 5

// New makes a Ceiling. It starts nothing; see [Ceiling.Run].
func New(o Options) *Ceiling {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Ceiling{Options: o, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), hottest: never}
}

// ErrFull says that the attempts of the minute are used up: nobody looked at this one.
var (
	ErrFull = problem.New(problem.TooMany, "too-many-requests",
		"Too many attempts. Wait a few minutes. If the password is forgotten, it can be reset meanwhile.").After(time.Minute)
	errSlow = problem.New(problem.Unavailable, "unavailable", "The database is out of reach. Try again in a moment.").After(2 * time.Second)
)

// Refuses tells who would be turned away anyhow, from memory: nobody has to read or write anything for them. Problems:
// challenge-required, too-many-requests.
func (c *Ceiling) Refuses(a Attempt) error {
	if c.Limit < 0 || a.Known {
		return nil
	}
	solved := c.solved(a)
	c.mu.Lock()
	c.enter()
	verdict := refused
	switch tripped := c.tripped(); {
	case tripped && !solved:
		verdict = unsolved
	case !tripped || a.Light || c.view.strangers > 0 || c.room(c.share()) > 0 || !c.view.looked:
		c.mu.Unlock()
		return nil
	}
	if !a.Light {
		c.want()
	}
	c.mu.Unlock()
	return c.refusal(a, verdict)
}

// Place is what an attempt takes of a minute. The zero Place is none.
type Place struct {
	ceiling *Ceiling
	attempt Attempt
	known   bool
	minute  int64
}

// Return gives the place back, unless its minute is over: the attempt was not made.
func (p Place) Return() {
	if p.ceiling == nil || p.attempt.Light {
		return
	}
	c := p.ceiling
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.view.minute != p.minute {
		return
	}
	if p.attempt.Known {
		c.view.friends[p.attempt.Who]--
	}
	if p.known {
		c.view.known++
		return
	}
	c.view.strangers++
}

// Pass counts an attempt and admits it, or says why not. Problems: challenge-required, too-many-requests, and what the store
// answers when it is gone.
func (c *Ceiling) Pass(ctx context.Context, a Attempt) (Place, error) {
	if c.Limit < 0 {
		return Place{}, nil
	}
	solved := c.solved(a)
	c.mu.Lock()
	c.enter()
	known := a.Known && (a.Light || c.befriend(a.Who))
	if a.Known && !known && c.view.friends[a.Who] > 4*friendly { // nobody signs in so often: a script with a device of its own
		c.mu.Unlock()
		return Place{}, c.refusal(a, refused)
	}
	if !known && !a.Light {
		c.want()
	}
	got := c.take(a, known, solved)
	c.mu.Unlock()
	if got.verdict == unknown {
		var err error
		if got, err = c.ask(ctx, a, known, solved); err != nil {
			return Place{}, err
		}
	}
	if got.verdict != taken {
		return Place{}, c.refusal(a, got.verdict)
	}
	place := Place{c, a, known, got.minute}
	if !got.redeem || a.Redeemed {
		return place, nil
	}
	fresh, err := c.Challenger.Redeem(ctx, c.asked(a), a.Solution)
	if err == nil && !fresh {
		err = c.refusal(a, unsolved)
	}
	if err != nil {
		place.Return()
		return Place{}, err
	}
	return place, nil
}

// Challenge is what a stranger has to solve at this moment, so that a page can ask for it before the attempt; nil if nothing.
func (c *Ceiling) Challenge(form string, client netip.Addr) any {
	if c.Limit < 0 {
		return nil
	}
	c.mu.Lock()
	c.enter()
	tripped := c.tripped()
	c.mu.Unlock()
	if !tripped {
		return nil
	}
	puzzle, err := c.Challenger.Challenge(c.asked(Attempt{Form: form, Client: client}))
	if err != nil {
		c.Log.Error("no challenge could be made", "error", err)
		return nil
	}
	return puzzle
}

// Hot tells since and until when strangers are asked for challenges, as the nodes have told each other; zero if they are not.
func (c *Ceiling) Hot(ctx context.Context) (since, until time.Time, err error) {
	if c.Limit < 0 {
		return since, until, nil
	}
	minute := c.Now().Unix() / 60
	seen, err := c.Store.CeilingMinutes(ctx, minute-12, minute+aheadMinutes)
	last := int64(never)
	for _, m := range seen {
		if !m.Hot {
			continue
		}
		if m.Minute > last+calmMinutes {
			since = time.Unix(m.Minute*60, 0)
		}
		last = m.Minute
	}
	if err != nil || last < minute-calmMinutes {
		return time.Time{}, time.Time{}, err
	}
	return since, time.Unix((last+calmMinutes+1)*60, 0), nil
}

func (c *Ceiling) solved(a Attempt) bool {
	return a.Redeemed || a.Solution != "" && a.Form != "" && c.Challenger.Check(c.asked(a), a.Solution)
}

func (c *Ceiling) asked(a Attempt) challenge.Asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, free, _ := c.limits()
	excess := float64(max(c.view.seen.Wanted+c.view.wanted, c.view.before)) / float64(free)
	return challenge.Asked{Form: a.Form, Client: a.Client, Excess: excess}
}

// refusal is the problem of a verdict.
func (c *Ceiling) refusal(a Attempt, v verdict) error {
	if v != unsolved || a.Form == "" {
		return ErrFull
	}
	puzzle, err := c.Challenger.Challenge(c.asked(a))
	if err != nil {
		return err
	}
	return problem.New(problem.Forbidden, "challenge-required", "Very many attempts are being made. Solve the challenge and send its solution with the attempt.").Extend("challenge", puzzle)
}
