package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/outbox"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/outbound"
)

const (
	firstWait    = 5 * time.Second // after the first failure; four times as long after each further one
	growth       = 4
	longestWait  = 6 * time.Hour
	mostAttempts = 10
	parallel     = 4                // for each target
	longestSend  = 45 * time.Second // of whatever client; the claim ends later
)

var errNoTarget = errors.New("no such target is set")

// Target is where messages go.
type Target struct {
	URL    secret.Text // it may hold a key, so it is never logged
	Secret Secret
}

// WorkerOptions adjust a [Worker].
type WorkerOptions struct {
	Client *http.Client     // default: that of package outbound, which reaches public addresses by https
	Now    func() time.Time // default: time.Now
	Log    *slog.Logger     // default: none
}

// Worker gets the messages of an outbox delivered. Any number of workers, on any number of nodes, may share an outbox. Each
// target has a loop of its own, so that one that hangs, or has a million messages waiting, does not hold up the others.
type Worker struct {
	loops   []*outbox.Loop[Entry]
	store   OutboxStore
	targets map[string]Target
	options WorkerOptions
	health  outbox.Health // of the targets, and "" for the store
}

// NewWorker makes a worker for targets by name; it does nothing before [Worker.Run]. A target without an address takes
// nothing: its messages are given up in the end, and kept.
func NewWorker(store OutboxStore, targets map[string]Target, options WorkerOptions) *Worker {
	if options.Client == nil {
		options.Client = outbound.Client(outbound.Options{})
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	w := &Worker{store: store, targets: targets, options: options}
	for target := range targets {
		w.loops = append(w.loops, outbox.New(outbox.Source[Entry]{
			Next: func(ctx context.Context, nowMicros int64) (Entry, bool, error) {
				return store.NextWebhook(ctx, target, nowMicros)
			},
			Due:     func(ctx context.Context) (int64, bool, error) { return store.NextWebhookDue(ctx, target) },
			Attempt: w.attempt, Unreadable: w.unreadable,
			Store: func(ctx context.Context, err error) {
				w.tell(ctx, "", "webhooks are out of reach in the database; they wait", err)
			},
		}, parallel, options.Now))
	}
	return w
}

// Wake tells the worker that something was queued. It never waits.
func (w *Worker) Wake() {
	for _, loop := range w.loops {
		loop.Wake()
	}
}

// Run delivers until ctx ends, and returns when no attempt is under way any more.
func (w *Worker) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, loop := range w.loops {
		all.Go(func() { loop.Run(ctx) })
	}
	all.Wait()
}

// tell tells the log when something stops or starts to work.
func (w *Worker) tell(ctx context.Context, what, fails string, err error) {
	switch {
	case !w.health.Changed(what, err != nil):
	case err == nil:
		w.options.Log.InfoContext(ctx, "webhooks are sent again", "target", what)
	default:
		w.options.Log.WarnContext(ctx, fails, "target", what, "error", err)
	}
}

func (w *Worker) unreadable(ctx context.Context, entry Entry, err error) bool {
	if !errors.Is(err, ErrUnreadable) || entry.Message.ID.IsZero() {
		return false
	}
	w.giveUp(ctx, entry, ErrUnreadable)
	return true
}

// attempt sends one claimed message and settles what becomes of it.
func (w *Worker) attempt(ctx context.Context, entry Entry) {
	id, target := entry.Message.ID, entry.Message.Target
	err := w.send(ctx, entry.Message)
	switch {
	case err == nil:
		w.tell(ctx, target, "", nil)
		w.settle(ctx, func(ctx context.Context) error { return w.store.WebhookSent(ctx, id) })
		return
	case errors.Is(err, statusError(http.StatusGone)), entry.Attempts >= mostAttempts:
		w.giveUp(ctx, entry, err)
		return
	case ctx.Err() == nil:
		w.tell(ctx, target, "webhook refused; it will be tried again", err)
	}
	next := w.options.Now().Add(outbox.Growing(firstWait, longestWait, growth, entry.Attempts)).UnixMicro()
	w.settle(ctx, func(ctx context.Context) error { return w.store.WebhookFailed(ctx, id, next, reasonOf(err)) })
	w.Wake() // the loop sleeps until the claim would end: let it look at the new time
}

// send makes one attempt. Its errors name neither the address nor what the receiver said.
func (w *Worker) send(ctx context.Context, message Message) error {
	target := w.targets[message.Target]
	if target.URL.IsZero() {
		return errNoTarget
	}
	ctx, cancel := outbox.Leave(ctx, longestSend)
	defer cancel()
	at, id := w.options.Now(), headerID(message.ID)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.URL.Reveal(), bytes.NewReader(message.Body))
	if err != nil {
		return errors.New("the address cannot be read")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Ringwall")
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", target.Secret.sign(id, at, message.Body))
	answer, err := w.options.Client.Do(r)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err // the outer one repeats the address
		}
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // the status has said it
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return nil
	}
	return statusError(answer.StatusCode)
}

// statusError is an answer that is no yes.
type statusError int

// Error is the number alone: the rest of the answer is the receiver's words.
func (e statusError) Error() string { return "status " + strconv.Itoa(int(e)) }

// reasonOf is what is kept of a failure: words of ours, because the errors of TLS repeat what a certificate says.
func reasonOf(err error) string {
	var late net.Error
	var status statusError
	switch {
	case errors.As(err, &status), errors.Is(err, errNoTarget), errors.Is(err, ErrUnreadable):
		return err.Error()
	case errors.Is(err, outbound.ErrDenied):
		return "the address is not a public one"
	case errors.Is(err, outbound.ErrPlain):
		return "the address is not https"
	case errors.As(err, &late) && late.Timeout():
		return "no answer in time"
	}
	return "not reached"
}

func (w *Worker) giveUp(ctx context.Context, entry Entry, cause error) {
	w.options.Log.ErrorContext(ctx, "webhook given up; it is kept", "webhook_id", headerID(entry.Message.ID), "target", entry.Message.Target,
		"attempts", entry.Attempts, "error", cause)
	w.settle(ctx, func(ctx context.Context) error {
		return w.store.WebhookFailed(ctx, entry.Message.ID, 0, reasonOf(cause))
	})
}

func (w *Worker) settle(ctx context.Context, write func(context.Context) error) {
	if err := outbox.Settle(ctx, write); err != nil {
		w.options.Log.WarnContext(ctx, "outcome of a webhook not written; it may be sent twice", "error", err)
	}
}
