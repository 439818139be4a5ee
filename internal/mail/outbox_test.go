package mail_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
)

// outbox is an OutboxStore in memory: the real ones are tested where they are.
type outbox struct {
	mu      sync.Mutex
	rows    []*row
	calls   int
	down    error // what every call answers
	deafFor int   // acknowledgements that get lost
}

type row struct {
	entry    mail.Entry
	next     int64
	state    string // "waiting", "sent", "given up"
	rotten   bool   // cannot be opened
	attempts []time.Time
}

func (o *outbox) put(m mail.Message, created time.Time) *row {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := &row{entry: mail.Entry{Message: m, CreatedMicros: created.UnixMicro()}, next: created.UnixMicro(), state: "waiting"}
	o.rows = append(o.rows, r)
	return r
}

func (o *outbox) NextMail(_ context.Context, nowMicros int64) (mail.Entry, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	var next *row
	for _, r := range o.rows {
		if r.state == "waiting" && r.next <= nowMicros && (next == nil || r.next < next.next) {
			next = r
		}
	}
	if o.down != nil || next == nil {
		return mail.Entry{}, false, o.down
	}
	next.entry.Attempts++
	next.next = nowMicros + mail.ClaimMicros
	next.attempts = append(next.attempts, time.UnixMicro(nowMicros))
	if next.rotten {
		return mail.Entry{Message: mail.Message{ID: next.entry.Message.ID}}, false, fmt.Errorf("row: %w", mail.ErrUnreadable)
	}
	return next.entry, true, nil
}

func (o *outbox) NextDue(context.Context) (micros int64, ok bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	for _, r := range o.rows {
		if r.state == "waiting" && (!ok || r.next < micros) {
			micros, ok = r.next, true
		}
	}
	return micros, ok, o.down
}

func (o *outbox) MailSent(_ context.Context, id identity.ID) error { return o.end(id, "sent", 0) }

func (o *outbox) MailFailed(_ context.Context, id identity.ID, next int64) error {
	if next == 0 {
		return o.end(id, "given up", 0)
	}
	return o.end(id, "waiting", next)
}

func (o *outbox) end(id identity.ID, state string, next int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down != nil {
		return o.down
	}
	if o.deafFor > 0 {
		o.deafFor--
		return errors.New("lost")
	}
	for _, r := range o.rows {
		if r.entry.Message.ID == id {
			r.state, r.next = state, next
			if state != "waiting" {
				r.entry.Message = mail.Message{ID: id}
			}
		}
	}
	return nil
}

// set changes the outbox under its lock.
func (o *outbox) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *outbox) state(r *row) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return r.state
}

// clock runs like the real one, and can be put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

// journal is a log to read.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// start runs a worker until the returned function, which waits for its end, or until the test ends.
func start(t *testing.T, w *mail.Worker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { w.Run(ctx) })
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return stop
}

func letter(to string) mail.Message {
	d := full()
	d.To = to
	return mail.Compose(mail.ConfirmSignup, "en", d)
}
