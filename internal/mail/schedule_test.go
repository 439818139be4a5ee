package mail_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringwall/ringwall/internal/mail"
)

type senderFunc func(context.Context, mail.Message) error

func (f senderFunc) Send(ctx context.Context, m mail.Message) error { return f(ctx, m) }

// In a bubble, three days pass at once.
func TestScheduleOfAFailingMail(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		lasts time.Duration
	}{
		{"a server that is down", errors.New("down"), 72 * time.Hour},
		{"a recipient refused for good", fmt.Errorf("550: %w", mail.ErrRefused), time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box, j := &outbox{}, &journal{}
				began := time.Now()
				r := box.put(letter("ada@example.org"), began)
				ctx, cancel := context.WithCancel(t.Context())
				w := mail.NewWorker(box, senderFunc(func(context.Context, mail.Message) error { return tt.err }), mail.WorkerOptions{Log: j.log()})
				var done sync.WaitGroup
				done.Go(func() { w.Run(ctx) })
				time.Sleep(100 * time.Hour)
				cancel()
				done.Wait()
				if r.state != "given up" || !strings.Contains(j.String(), r.entry.Message.ID.String()) || strings.Contains(j.String(), "ada@") {
					t.Errorf("state %q, want it given up and told by id:\n%s", r.state, j)
				}
				wait := 5 * time.Second
				for i := 1; i < len(r.attempts); i++ {
					if got := r.attempts[i].Sub(r.attempts[i-1]); got < wait || got > wait+time.Second {
						t.Errorf("wait %d was %v, want %v", i, got, wait)
					}
					wait = min(2*wait, time.Hour)
				}
				last := r.attempts[len(r.attempts)-1].Sub(began)
				if last < tt.lasts || last > tt.lasts+time.Hour {
					t.Errorf("given up after %v, want %v and at most one more wait", last, tt.lasts)
				}
			})
		})
	}
}

func TestStoreTroubleIsToldOnceAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, j := &outbox{down: errors.New("connection refused")}, &journal{}
		sent := 0
		w := mail.NewWorker(box, senderFunc(func(context.Context, mail.Message) error { sent++; return nil }), mail.WorkerOptions{Log: j.log()})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { w.Run(ctx) })
		for range 600 { // being woken is no reason to hammer
			time.Sleep(time.Second)
			w.Wake()
		}
		box.set(func() {
			if box.calls > 20 {
				t.Errorf("%d calls in ten minutes of trouble", box.calls)
			}
			box.down = nil
		})
		r := box.put(letter("ada@example.org"), time.Now())
		time.Sleep(2 * time.Minute)
		cancel()
		done.Wait()
		if r.state != "sent" || sent != 1 {
			t.Errorf("state %q, sent %d times", r.state, sent)
		}
		for _, line := range []string{"outbox is out of reach", "outbox is readable again"} {
			if n := strings.Count(j.String(), line); n != 1 {
				t.Errorf("%q stands %d times in the log, want once:\n%s", line, n, j)
			}
		}
	})
}

// The acknowledgement meets a store that is away for a moment: the mail is not sent again.
func TestAcknowledgementIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := &outbox{deafFor: 4}
		sent := 0
		w := mail.NewWorker(box, senderFunc(func(context.Context, mail.Message) error { sent++; return nil }), mail.WorkerOptions{})
		r := box.put(letter("ada@example.org"), time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { w.Run(ctx) })
		time.Sleep(10 * time.Minute)
		cancel()
		done.Wait()
		if r.state != "sent" || sent != 1 {
			t.Errorf("state %q, sent %d times, want once", r.state, sent)
		}
	})
}

func TestIdleWorkerDoesNotPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := &outbox{}
		w := mail.NewWorker(box, senderFunc(func(context.Context, mail.Message) error { return nil }), mail.WorkerOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { w.Run(ctx) })
		time.Sleep(time.Hour)
		cancel()
		done.Wait()
		if box.calls > 30 {
			t.Errorf("%d calls to the store in an idle hour", box.calls)
		}
	})
}

// A worker that was told to end claims nothing more, whatever waits.
func TestNothingIsClaimedAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		box := &outbox{}
		box.put(letter("ada@example.org"), time.Now())
		mail.NewWorker(box, senderFunc(func(context.Context, mail.Message) error { return nil }), mail.WorkerOptions{}).Run(ctx)
		if box.calls != 0 {
			t.Fatalf("%d calls to the store after the end", box.calls)
		}
	}
}
