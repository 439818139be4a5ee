package alerts

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/webhook"
)

// Run writes what is raised and closes what has been quiet, until ctx ends; then it writes what still waits.
func (a *Alerts) Run(ctx context.Context) {
	look := time.NewTimer(0) // an alert may be open from an earlier run
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			a.flush(last)
			cancel()
			return
		case <-a.wake:
			before := a.open
			if a.flush(ctx) {
				a.rest(ctx, writePause)
			} else {
				a.rest(ctx, failurePause)
				a.rouse()
			}
			if a.open && !before {
				look.Reset(lookOften)
			}
		case <-look.C:
			if a.flush(ctx) { // what waits belongs to the alert that may close, and must not open another
				a.closeQuiet(ctx)
			}
			look.Reset(a.untilLook())
		}
	}
}

func (a *Alerts) untilLook() time.Duration {
	if a.open {
		return lookOften
	}
	return lookSeldom
}

func (a *Alerts) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *Alerts) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// flush writes every note. What cannot be written waits again; false says so.
func (a *Alerts) flush(ctx context.Context) bool {
	a.mu.Lock()
	batch, lost := a.waiting, a.lost
	a.waiting, a.lost = map[name]*note{}, 0
	a.mu.Unlock()
	if lost > 0 {
		a.options.Log.WarnContext(ctx, "alerts left out: more kinds and keys at once than can wait", "count", lost)
	}
	for about, n := range batch {
		if err := a.write(ctx, about, n); err != nil {
			a.failed(ctx, about, n, err)
			a.putBack(batch)
			return false
		}
		delete(batch, about)
		if a.failing {
			a.failing = false
			a.options.Log.InfoContext(ctx, "alerts are recorded again")
		}
	}
	return true
}

func (a *Alerts) write(ctx context.Context, about name, n *note) error {
	if n.raised != nil {
		if err := a.raise(ctx, *n.raised, n.seen); err != nil {
			return err
		}
		n.raised = nil
	}
	if n.close {
		return a.close(ctx, about, math.MaxInt64)
	}
	return nil
}

// putBack lets notes wait again, before whatever was noted meanwhile.
func (a *Alerts) putBack(batch map[name]*note) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for about, old := range batch {
		newer := a.waiting[about]
		switch {
		case newer == nil:
			a.waiting[about] = old
		case newer.raised == nil:
			newer.raised, newer.seen = old.raised, old.seen
		case old.raised != nil:
			newer.raised.Count += old.raised.Count
			newer.raised.Where = addPlaces(old.raised.Where, newer.raised.Where)
		}
	}
}

// failed tells the log what the database could not be told, once.
func (a *Alerts) failed(ctx context.Context, about name, n *note, err error) {
	if a.failing || ctx.Err() != nil { // told already; or the worker ends, and tries once more
		return
	}
	a.failing = true
	what := ""
	if n.raised != nil {
		what = n.raised.What
	}
	a.options.Log.WarnContext(ctx, "alerts cannot be recorded; they wait", "kind", about.kind, "key", about.key, "what", what, "error", err)
}

// raise opens or updates one alert, and tells.
func (a *Alerts) raise(ctx context.Context, alert Alert, seen time.Time) error {
	var now Open
	var opened bool
	err := a.store.ChangeAlerts(ctx, a.options.By, func(ctx context.Context, tx Tx) (err error) {
		if now, opened, err = tx.RaiseAlert(ctx, alert, seen.UnixMicro()); err != nil || !opened {
			return err
		}
		return a.tell(ctx, tx, audit.AlertOpened, now)
	})
	if err != nil {
		return err
	}
	a.open = true
	about := name{alert.Kind, alert.Key}
	switch last, known := a.told[about]; {
	case opened:
		a.told[about] = seen
		a.log(ctx, "alert opened", now)
	case !known:
		a.told[about] = seen // another node has told, or this one before it was started again
	case seen.Sub(last) >= tellAgain:
		a.told[about] = seen
		a.log(ctx, "alert goes on", now)
	}
	return nil
}

// close closes an alert that has not been seen after a time.
func (a *Alerts) close(ctx context.Context, about name, quietSinceMicros int64) error {
	var was Open
	var ok bool
	err := a.store.ChangeAlerts(ctx, a.options.By, func(ctx context.Context, tx Tx) (err error) {
		if was, ok, err = tx.CloseAlert(ctx, about.kind, about.key, quietSinceMicros, a.options.Now().UnixMicro()); err != nil || !ok {
			return err
		}
		return a.tell(ctx, tx, audit.AlertClosed, was)
	})
	if err == nil {
		delete(a.told, about)
	}
	if err == nil && ok {
		a.log(ctx, "alert closed", was)
	}
	return err
}

// closeQuiet closes what nobody has raised for the quiet time of its kind.
func (a *Alerts) closeQuiet(ctx context.Context) {
	open, err := a.store.OpenAlerts(ctx)
	if err != nil {
		return // whoever raises one hears of it
	}
	a.open = len(open) > 0
	maps.DeleteFunc(a.told, func(about name, _ time.Time) bool { // closed by another node
		return !slices.ContainsFunc(open, func(o Open) bool { return o.Kind == about.kind && o.Key == about.key })
	})
	for _, o := range open {
		since := a.options.Now().Add(-a.quiet(o.Kind)).UnixMicro()
		if o.SeenMicros > since {
			continue
		}
		if err := a.close(ctx, name{o.Kind, o.Key}, since); err != nil && ctx.Err() == nil {
			a.options.Log.WarnContext(ctx, "an alert cannot be closed; trying again", "kind", o.Kind, "key", o.Key, "error", err)
			return
		}
	}
}

func (a *Alerts) quiet(kind string) time.Duration {
	if d, ok := a.options.Quiet[kind]; ok {
		return d
	}
	return usualQuiet
}

// tell writes the audit event, the mail and the webhook into the transaction.
func (a *Alerts) tell(ctx context.Context, tx Tx, event audit.Name, o Open) error {
	letter, hook := mail.AlertOpened, "alert.opened"
	if o.ClosedMicros != 0 {
		letter, hook = mail.AlertClosed, "alert.closed"
	}
	err := tx.Record(ctx, audit.Event{Name: event, Reason: o.Kind, Private: map[string]string{
		"alert": o.ID.String(), "key": o.Key, "what": o.What, "where": strings.Join(o.Where, " "),
	}})
	if err == nil && a.options.Mail != "" {
		err = tx.Enqueue(ctx, mail.Compose(letter, a.options.Lang, a.data(o)))
	}
	if err == nil && a.options.Webhook != "" {
		var message webhook.Message
		if message, err = webhook.NewMessage(a.options.Webhook, hook, a.options.Now(), ViewOf(o)); err == nil {
			err = tx.EnqueueWebhook(ctx, message)
		}
	}
	return err
}

func (a *Alerts) data(o Open) mail.Data {
	d := mail.Data{
		To: a.options.Mail, Origin: a.options.Origin, Service: a.options.Service,
		Kind: o.Kind, What: o.What, Where: o.Where, Count: o.Count, Command: o.Help, When: time.UnixMicro(o.OpenedMicros),
	}
	if o.ClosedMicros != 0 {
		d.Until = time.UnixMicro(o.ClosedMicros)
	}
	return d
}

// View is an alert as programs read it.
type View struct {
	ID         string   `json:"id"`
	Kind       string   `json:"kind"`
	Key        string   `json:"key"`
	What       string   `json:"what"`
	Where      []string `json:"where"`
	Count      int64    `json:"count"`
	Help       string   `json:"help"`
	OpenedAt   string   `json:"opened_at"`
	LastSeenAt string   `json:"last_seen_at"`
	ClosedAt   string   `json:"closed_at,omitempty"`
}

// ViewOf is an alert as programs read it.
func ViewOf(o Open) View {
	stamp := func(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339) }
	v := View{o.ID.String(), o.Kind, o.Key, o.What, o.Where, o.Count, o.Help, stamp(o.OpenedMicros), stamp(o.SeenMicros), ""}
	if v.Where == nil {
		v.Where = []string{}
	}
	if o.ClosedMicros != 0 {
		v.ClosedAt = stamp(o.ClosedMicros)
	}
	return v
}

func (a *Alerts) log(ctx context.Context, message string, o Open) {
	a.options.Log.WarnContext(ctx, message, "alert_id", o.ID, "kind", o.Kind, "key", o.Key, "what", o.What, "where", strings.Join(o.Where, " "),
		"count", o.Count, "help", o.Help)
}
