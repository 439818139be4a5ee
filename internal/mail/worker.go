package mail

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ringwall/ringwall/internal/outbox"
)

const (
	firstWait   = 5 * time.Second // after the first failure; doubles up to longestWait
	longestWait = time.Hour
	refusedFor  = time.Hour      // a mail that its server refuses for good is given up when it is this old
	giveUpAfter = 72 * time.Hour // any mail is
)

// WorkerOptions adjust a [Worker]. The zero value is right for production.
type WorkerOptions struct {
	Log         *slog.Logger     // default: none
	Now         func() time.Time // default: time.Now
	SendTimeout time.Duration    // of one attempt; default 30 s, at most 45 s, so that it ends before its claim does
	Parallel    int              // mails sent at once, so that a slow recipient does not hold up the others; default 4
}

// Worker gets the mails of an outbox delivered. Any number of workers, on any number of nodes, may share an outbox.
type Worker struct {
	*outbox.Loop[Entry]
	store   OutboxStore
	sender  Sender
	options WorkerOptions
	health  outbox.Health // of the store and of the sender
}

// NewWorker makes a worker; it does nothing before [outbox.Loop.Run].
func NewWorker(store OutboxStore, sender Sender, options WorkerOptions) *Worker {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.SendTimeout <= 0 {
		options.SendTimeout = 30 * time.Second
	}
	options.SendTimeout = min(options.SendTimeout, 45*time.Second)
	if options.Parallel <= 0 {
		options.Parallel = 4
	}
	w := &Worker{store: store, sender: sender, options: options}
	w.Loop = outbox.New(outbox.Source[Entry]{
		Next: store.NextMail, Due: store.NextDue, Attempt: w.attempt, Unreadable: w.unreadable,
		Store: func(ctx context.Context, err error) {
			w.tell(ctx, "outbox", "outbox is readable again", "outbox is out of reach; mails wait", err)
		},
	}, options.Parallel, options.Now)
	return w
}

// tell tells the log when something stops or starts to work.
func (w *Worker) tell(ctx context.Context, what, works, fails string, err error) {
	switch {
	case !w.health.Changed(what, err != nil):
	case err == nil:
		w.options.Log.InfoContext(ctx, works)
	default:
		w.options.Log.ErrorContext(ctx, fails, "error", err)
	}
}

func (w *Worker) relay(ctx context.Context, err error) {
	w.tell(ctx, "relay", "mails are sent again", "mails cannot be sent; they wait and are tried again", err)
}

func (w *Worker) unreadable(ctx context.Context, entry Entry, err error) bool {
	if !errors.Is(err, ErrUnreadable) || entry.Message.ID.IsZero() {
		return false
	}
	w.giveUp(ctx, entry, err)
	return true
}

// attempt sends one claimed mail and settles what becomes of it.
func (w *Worker) attempt(ctx context.Context, entry Entry) {
	id := entry.Message.ID
	if entry.Message.Decoy {
		w.settle(ctx, "acknowledge a decoy", func(ctx context.Context) error { return w.store.MailSent(ctx, id) })
		return
	}
	err := w.send(ctx, entry.Message)
	if err == nil {
		w.relay(ctx, nil)
		w.settle(ctx, "acknowledge a sent mail", func(ctx context.Context) error { return w.store.MailSent(ctx, id) })
		return
	}
	now := w.options.Now()
	age := now.Sub(time.UnixMicro(entry.CreatedMicros))
	final := errors.Is(err, ErrAddress)
	refused := errors.Is(err, ErrRefused)
	switch {
	case final, refused && age >= refusedFor, age >= giveUpAfter:
		w.giveUp(ctx, entry, err)
		return
	case refused: // this mail's trouble, not the relay's
		w.options.Log.InfoContext(ctx, "mail refused; it will be tried again", "mail_id", id, "attempts", entry.Attempts, "error", err)
	case ctx.Err() == nil:
		w.relay(ctx, err)
	}
	next := now.Add(outbox.Growing(firstWait, longestWait, 2, entry.Attempts)).UnixMicro()
	w.settle(ctx, "postpone a mail", func(ctx context.Context) error { return w.store.MailFailed(ctx, id, next) })
	w.Wake() // the loop sleeps until the claim would end: let it look at the new time
}

func (w *Worker) send(ctx context.Context, message Message) error {
	ctx, cancel := outbox.Leave(ctx, w.options.SendTimeout)
	defer cancel()
	return w.sender.Send(ctx, message)
}

func (w *Worker) giveUp(ctx context.Context, entry Entry, err error) {
	level := slog.LevelError
	if errors.Is(err, ErrAddress) || errors.Is(err, ErrRefused) {
		level = slog.LevelWarn // the recipient's matter; nobody here can repair it
	}
	w.options.Log.Log(ctx, level, "mail given up", "mail_id", entry.Message.ID, "attempts", entry.Attempts, "error", err)
	w.settle(ctx, "give up a mail", func(ctx context.Context) error { return w.store.MailFailed(ctx, entry.Message.ID, 0) })
}

func (w *Worker) settle(ctx context.Context, what string, write func(context.Context) error) {
	if err := outbox.Settle(ctx, write); err != nil {
		w.options.Log.WarnContext(ctx, "outcome of a mail not written; it may be sent twice", "act", what, "error", err)
	}
}
