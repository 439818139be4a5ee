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

	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/outbound"
)

const (
	firstWait    = 5 * time.Second // after the first failure; four times as long after each further one
	growth       = 4
	longestWait  = 6 * time.Hour
	mostAttempts = 10
	parallel     = 4               // so that a receiver that hangs does not hold up the others
	leaveTime    = time.Second     // for a request under way when the worker is told to end
	settleTime   = 2 * time.Second // for writing what became of it
	longestSleep = 5 * time.Minute // one look, for messages whose node died and for machines that slept
	storePause   = 5 * time.Second // after the store failed
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

// Worker gets the messages of an outbox delivered. Any number of workers, on any number of nodes, may share an outbox.
type Worker struct {
	store   OutboxStore
	targets map[string]Target
	options WorkerOptions
	wake    chan struct{}
	slots   chan struct{}
	sending sync.WaitGroup

	mu     sync.Mutex
	broken map[string]bool // what has failed and not worked since: targets, and "" for the store
}

// NewWorker makes a worker for targets by name; it does nothing before [Worker.Run].
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
	return &Worker{store: store, targets: targets, options: options,
		wake: make(chan struct{}, 1), slots: make(chan struct{}, parallel), broken: map[string]bool{}}
}

// Wake tells the worker that a message was queued. It never waits.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already, or will be
	}
}

// Run delivers until ctx ends, and returns when no request is under way any more: at most about three seconds later.
func (w *Worker) Run(ctx context.Context) {
	defer w.sending.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case w.slots <- struct{}{}:
		}
		if ctx.Err() != nil { // select takes either when both are ready
			return
		}
		entry, ok, err := w.store.NextWebhook(ctx, w.options.Now().UnixMicro())
		if err == nil && ok {
			w.sending.Go(func() {
				defer func() { <-w.slots }()
				w.attempt(ctx, entry)
			})
			continue
		}
		<-w.slots
		if errors.Is(err, ErrUnreadable) && !entry.Message.ID.IsZero() {
			w.giveUp(ctx, entry, ErrUnreadable)
			continue
		}
		w.sleep(ctx, err)
	}
}

// sleep waits until a message is due, or for a while after the store failed.
func (w *Worker) sleep(ctx context.Context, err error) {
	wait, wake := longestSleep, w.wake
	if err == nil {
		var due int64
		var waits bool
		if due, waits, err = w.store.NextWebhookDue(ctx); err == nil && waits {
			// At least a moment: another node may hold what looks due.
			wait = min(max(time.UnixMicro(due).Sub(w.options.Now()), 100*time.Millisecond), longestSleep)
		}
	}
	switch {
	case err == nil:
		w.works(ctx, "")
	case ctx.Err() == nil:
		w.fails(ctx, "", "webhooks are out of reach in the database; they wait", err)
		wait, wake = storePause, nil // waking would not mend the store
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// attempt sends one claimed message and settles what becomes of it.
func (w *Worker) attempt(ctx context.Context, entry Entry) {
	id, target := entry.Message.ID, entry.Message.Target
	err := w.send(ctx, entry.Message)
	switch {
	case err == nil:
		w.works(ctx, target)
		w.settle(ctx, func(ctx context.Context) error { return w.store.WebhookSent(ctx, id) })
		return
	case errors.Is(err, statusError(http.StatusGone)), entry.Attempts >= mostAttempts:
		w.giveUp(ctx, entry, err)
		return
	case ctx.Err() == nil:
		w.fails(ctx, target, "webhook refused; it will be tried again", err)
	}
	next := w.options.Now().Add(waitAfter(entry.Attempts)).UnixMicro()
	w.settle(ctx, func(ctx context.Context) error { return w.store.WebhookFailed(ctx, id, next, reasonOf(err)) })
	w.Wake() // the loop sleeps until the claim would end: let it look at the new time
}

// waitAfter is how long to wait after a number of attempts.
func waitAfter(attempts int) time.Duration {
	wait := firstWait
	for ; attempts > 1 && wait < longestWait; attempts-- {
		wait *= growth
	}
	return min(wait, longestWait)
}

// send makes one attempt. When ctx ends, the attempt has a moment more, because a message cut off after it was taken is
// sent twice. Its errors name neither the address nor what the receiver said.
func (w *Worker) send(ctx context.Context, message Message) error {
	target, ok := w.targets[message.Target]
	if !ok {
		return errNoTarget
	}
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		timer := time.NewTimer(leaveTime)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-sending.Done():
		}
	})()
	at, id := w.options.Now(), headerID(message.ID)
	r, err := http.NewRequestWithContext(sending, http.MethodPost, target.URL.Reveal(), bytes.NewReader(message.Body))
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

// settle writes the outcome of an attempt, also after ctx has ended. What cannot be written is sent again when its
// claim ends.
func (w *Worker) settle(ctx context.Context, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := write(ctx); err != nil {
		w.options.Log.WarnContext(ctx, "outcome of a webhook not written; it may be sent twice", "error", err)
	}
}

// fails tells the log that something stopped to work, not each time it is met.
func (w *Worker) fails(ctx context.Context, what, message string, err error) {
	w.mu.Lock()
	told := w.broken[what]
	w.broken[what] = true
	w.mu.Unlock()
	if !told {
		w.options.Log.WarnContext(ctx, message, "target", what, "error", err)
	}
}

func (w *Worker) works(ctx context.Context, what string) {
	w.mu.Lock()
	told := w.broken[what]
	delete(w.broken, what)
	w.mu.Unlock()
	if told {
		w.options.Log.InfoContext(ctx, "webhooks are sent again", "target", what)
	}
}
