// Package alerts tells the operators what is going on while it goes on: in the log, by mail and by webhook.
//
//	bell := alerts.New(store, alerts.Options{By: identity.NewSystem("alerts"), Mail: "ops@example.org", Webhook: "alerts"})
//	go bell.Run(ctx)
//	…
//	bell.Raise(ctx, alerts.Alert{Kind: "spraying", What: "…", Where: []string{"203.0.113.0/24"}, Count: 20, Help: "ringwall limits block 203.0.113.0/24 …"})
//
// # One alert an attack
//
// A kind and a key name an attack. The first [Alerts.Raise] opens an alert, further ones add to its count and its
// places, and it closes by [Alerts.Close] or after a quiet time of its kind. Any number of nodes on one database
// share it: the open row is unique, and whoever writes it first tells everybody. Opening and closing are one
// transaction each with the audit event, the mail and the webhook, so nothing is told that was not recorded, and
// nothing is told twice.
//
// A key must not be something that strangers can make as many of as they like, or they choose how many mails are sent.
//
// # What a caller may rely on
//
// Raise and Close only put a note into memory; they never wait for the database, and they never fail. A worker
// ([Alerts.Run]) writes the notes, the first at once. Notes about one alert become one; at most 64 alerts wait, and
// what does not fit is counted and told in the log. While the database is out of reach, notes wait and the log alone
// tells. The nil *Alerts does nothing.
//
// # What it does not do
//
// It recognises nothing: that is for package watch and for the limits. What waits in memory is lost if the process is
// killed.
package alerts

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
)

// The kinds. A kind that is none of these is told in the words of its [Alert.What].
const (
	Ceiling         = "ceiling"          // all attempts together are above the global limit
	OneAddress      = "one-address"      // all traffic comes from one private address
	Spraying        = "spraying"         // a few passwords tried on many accounts
	Stuffing        = "stuffing"         // stolen pairs of address and password tried from many networks
	SessionGuessing = "session-guessing" // many session tokens that are none
	Mails           = "mails"            // strangers cause half of the mails that they may, or more
	ForeignScript   = "foreign-script"   // browsers of several people stopped what a page of ours tried to run or load
)

const (
	mostWaiting = 64 // alerts with notes in memory
	mostPlaces  = 20 // told of one alert
	// MorePlaces stands after the last place that is told.
	MorePlaces = "…"

	usualQuiet   = 15 * time.Minute
	writePause   = time.Second      // between two writes, so that a flood of notes becomes few
	failurePause = 5 * time.Second  // after the store failed
	lookOften    = 2 * time.Second  // for alerts that have been quiet, while one is open
	lookSeldom   = 30 * time.Second // and while none is, for those of a node that died
	tellAgain    = 5 * time.Minute  // between two log lines about an open alert
	lastWrite    = 5 * time.Second  // when the worker is told to end
)

// Alert is what somebody noticed.
type Alert struct {
	Kind  string   // one of the constants; never input
	Key   string   // tells two attacks of one kind apart; may be empty
	What  string   // a sentence, such as "Failed sign-ins on 20 accounts from one network"
	Where []string // networks, the worst first
	Count int64    // how many more since the last Raise of this alert
	Help  string   // the command that helps
}

// Open is an alert as it is stored. Times are microseconds since 1970, UTC.
type Open struct {
	ID identity.ID
	Alert
	OpenedMicros int64
	SeenMicros   int64
	ClosedMicros int64 // zero: it is open
}

// Options say who tells and who is told.
type Options struct {
	By      identity.Actor // required: who writes
	Mail    string         // who gets mails; empty: nobody
	Lang    string         // of the mails
	Webhook string         // the target of webhooks; empty: none
	Origin  string         // for the mails
	Service string         // for the mails
	Quiet   map[string]time.Duration
	Now     func() time.Time // default: time.Now
	Log     *slog.Logger     // default: none
}

// Alerts opens, updates and closes alerts. It is safe for concurrent use.
type Alerts struct {
	store   Store
	options Options
	wake    chan struct{}

	mu      sync.Mutex
	waiting map[name]*note
	lost    int64 // notes that found no room

	// Of the worker alone.
	told    map[name]time.Time // when the log heard of an open alert
	open    bool               // some alert is, as far as is known
	failing bool
}

type name struct{ kind, key string }

// note is what waits to be written about one alert.
type note struct {
	raised *Alert
	close  bool // afterwards
	seen   time.Time
}

// New makes Alerts; it does nothing before [Alerts.Run]. Quiet has the times after which a kind closes by itself,
// where they are not fifteen minutes.
func New(store Store, o Options) *Alerts {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Alerts{store: store, options: o, wake: make(chan struct{}, 1), waiting: map[name]*note{}, told: map[name]time.Time{}}
}

// Raise opens an alert, or adds to the open one. It neither waits nor fails.
func (a *Alerts) Raise(_ context.Context, alert Alert) {
	if a == nil || alert.Kind == "" {
		return
	}
	now := a.options.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.noteOf(name{alert.Kind, alert.Key})
	if n == nil {
		return
	}
	n.seen, n.close = now, false
	if n.raised == nil {
		alert.Where = addPlaces(nil, alert.Where)
		n.raised = &alert
		return
	}
	n.raised.What, n.raised.Help = alert.What, alert.Help
	n.raised.Count += alert.Count
	n.raised.Where = addPlaces(n.raised.Where, alert.Where)
}

// Close closes an alert, if it is open. It neither waits nor fails.
func (a *Alerts) Close(_ context.Context, kind, key string) {
	if a == nil || kind == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := a.noteOf(name{kind, key}); n != nil {
		n.close = true
	}
}

// noteOf is the note about an alert, a new one if need be; nil if there is no room.
func (a *Alerts) noteOf(about name) *note {
	n := a.waiting[about]
	if n == nil && len(a.waiting) >= mostWaiting {
		a.lost++
		return nil
	}
	if n == nil {
		n = &note{}
		a.waiting[about] = n
		select {
		case a.wake <- struct{}{}:
		default: // the worker is awake already, or will be
		}
	}
	return n
}

// addPlaces joins two lists of places, without repeating one and without growing beyond what is told.
func addPlaces(list, more []string) []string {
	for _, place := range more {
		if slices.Contains(list, place) || slices.Contains(list, MorePlaces) {
			continue
		}
		if len(list) == mostPlaces {
			return append(list, MorePlaces)
		}
		list = append(list, place)
	}
	return list
}
