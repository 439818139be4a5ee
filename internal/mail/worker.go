package mail

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	firstWait    = 5 * time.Second // after the first failure; doubles up to longestWait
	longestWait  = time.Hour
	refusedFor   = time.Hour      // a mail that its server refuses for good is given up when it is this old
	giveUpAfter  = 72 * time.Hour // any mail is
	leaveTime    = time.Second    // for a send under way when the worker is told to end
	settleTime   = 2 * time.Second
	longestSleep = 5 * time.Minute // one look, for mails whose node died and for machines that slept
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
	store   OutboxStore
	sender  Sender
	options WorkerOptions
	wake    chan struct{}
	slots   chan struct{}
	sending sync.WaitGroup
	outbox  state // of the store
	relay   state // of the sender
}

// NewWorker makes a worker; it does nothing before [Worker.Run].
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
	return &Worker{store: store, sender: sender, options: options,
		wake: make(chan struct{}, 1), slots: make(chan struct{}, options.Parallel)}
}

// Wake tells the worker that a mail was queued. It never waits.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already, or will be
	}
}

// Run delivers until ctx ends, and returns when no send is under way any more: at most about three seconds later. While
// no mail is due it sleeps until one is, or until [Worker.Wake].
func (w *Worker) Run(ctx context.Context) {
	defer w.sending.Wait()
	trouble := 0
	for {
		select {
		case <-ctx.Done():
			return
		case w.slots <- struct{}{}:
		}
		if ctx.Err() != nil { // select takes either when both are ready
			return
		}
		entry, ok, err := w.store.NextMail(ctx, w.options.Now().UnixMicro())
		if err == nil && ok {
			trouble = 0
			w.outbox.works(ctx, w.options.Log, "outbox is readable again")
			w.sending.Go(func() {
				defer func() { <-w.slots }()
				w.attempt(ctx, entry)
			})
			continue
		}
		<-w.slots
		if errors.Is(err, ErrUnreadable) && !entry.Message.ID.IsZero() {
			w.giveUp(ctx, entry, err)
			continue
		}
		var sleep time.Duration
		if err == nil {
			sleep, err = w.untilDue(ctx)
		}
		if err == nil {
			trouble = 0
			w.outbox.works(ctx, w.options.Log, "outbox is readable again")
			w.rest(ctx, sleep, w.wake)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		trouble++
		w.outbox.fails(ctx, w.options.Log, "outbox is out of reach; mails wait", err)
		w.rest(ctx, growing(time.Second, time.Minute, trouble), nil) // waking would not mend the store
	}
}

// untilDue is how long no mail is due. At least a moment: another node may hold what looks due.
func (w *Worker) untilDue(ctx context.Context) (time.Duration, error) {
	due, ok, err := w.store.NextDue(ctx)
	if err != nil || !ok {
		return longestSleep, err
	}
	return min(max(time.UnixMicro(due).Sub(w.options.Now()), 100*time.Millisecond), longestSleep), nil
}

func (w *Worker) rest(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
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
		w.relay.works(ctx, w.options.Log, "mails are sent again")
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
		w.relay.fails(ctx, w.options.Log, "mails cannot be sent; they wait and are tried again", err)
	}
	next := now.Add(growing(firstWait, longestWait, entry.Attempts)).UnixMicro()
	w.settle(ctx, "postpone a mail", func(ctx context.Context) error { return w.store.MailFailed(ctx, id, next) })
	w.Wake() // the loop sleeps until the claim would end: let it look at the new time
}

// send makes one attempt. When ctx ends, the attempt has a moment more, because a mail cut off after it was taken is
// sent twice.
func (w *Worker) send(ctx context.Context, message Message) error {
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.options.SendTimeout)
	defer cancel()
	ended := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(leaveTime)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-sending.Done():
		}
	})
	defer ended()
	return w.sender.Send(sending, message)
}

func (w *Worker) giveUp(ctx context.Context, entry Entry, err error) {
	level := slog.LevelError
	if errors.Is(err, ErrAddress) || errors.Is(err, ErrRefused) {
		level = slog.LevelWarn // the recipient's matter; nobody here can repair it
	}
	w.options.Log.Log(ctx, level, "mail given up", "mail_id", entry.Message.ID, "attempts", entry.Attempts, "error", err)
	w.settle(ctx, "give up a mail", func(ctx context.Context) error { return w.store.MailFailed(ctx, entry.Message.ID, 0) })
}

// settle writes the outcome of an attempt, also after ctx has ended, and tries for as long as the claim holds: what is
// not written is sent again.
func (w *Worker) settle(ctx context.Context, what string, write func(context.Context) error) {
	ends := time.Now().Add(10 * time.Second)
	for try := 1; ; try++ {
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		err := write(writing)
		cancel()
		if err == nil {
			return
		}
		if ctx.Err() != nil || time.Now().After(ends) {
			w.options.Log.WarnContext(ctx, "outcome of a mail not written; it may be sent twice", "act", what, "error", err)
			return
		}
		w.rest(ctx, growing(100*time.Millisecond, 2*time.Second, try), nil)
	}
}

// growing is first, doubled with each failure after the first, at most longest.
func growing(first, longest time.Duration, failures int) time.Duration {
	for ; failures > 1 && first < longest; failures-- {
		first *= 2
	}
	return min(first, longest)
}

// state tells the log when something stops or starts to work, not each time it is met.
type state struct {
	mu     sync.Mutex
	broken bool
}

func (s *state) change(broken bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.broken != broken
	s.broken = broken
	return changed
}

func (s *state) fails(ctx context.Context, log *slog.Logger, message string, err error) {
	if s.change(true) {
		log.ErrorContext(ctx, message, "error", err)
	}
}

func (s *state) works(ctx context.Context, log *slog.Logger, message string) {
	if s.change(false) {
		log.InfoContext(ctx, message)
	}
}
