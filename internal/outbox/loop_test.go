package outbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringwall/ringwall/internal/outbox"
)

// An outcome that the store refuses is tried again while the claim holds: what is not written is delivered twice.
func TestSettleTriesWhileTheClaimHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone, tries := errors.New("the database is gone"), 0
		if err := outbox.Settle(t.Context(), func(context.Context) error {
			if tries++; tries < 4 {
				return gone
			}
			return nil
		}); err != nil || tries != 4 {
			t.Errorf("a store that comes back: %v after %d tries, want none after 4", err, tries)
		}
		began := time.Now()
		if err := outbox.Settle(t.Context(), func(context.Context) error { return gone }); !errors.Is(err, gone) {
			t.Errorf("a store that stays away = %v, want its error", err)
		}
		if took := time.Since(began); took < 10*time.Second || took > 15*time.Second {
			t.Errorf("given up after %v, want ten seconds and a moment", took)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		tries = 0
		_ = outbox.Settle(ended, func(ctx context.Context) error { tries++; return errors.Join(gone, ctx.Err()) })
		if tries != 1 {
			t.Errorf("after the end %d tries, want the one that still counts", tries)
		}
	})
}

// The end gives an attempt under way a moment, and waits for it; nothing new is begun.
func TestTheEndLeavesAnAttemptAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		var mu sync.Mutex
		claimed := 0
		loop := outbox.New(outbox.Source[int]{
			Next: func(context.Context, int64) (int, bool, error) {
				mu.Lock()
				defer mu.Unlock()
				claimed++
				return claimed, true, nil
			},
			Attempt: func(ctx context.Context, _ int) {
				ctx, cancel := outbox.Leave(ctx, time.Hour)
				defer cancel()
				<-ctx.Done()
			},
			Store: func(context.Context, error) {},
		}, 2, time.Now)
		done := make(chan struct{})
		go func() {
			loop.Run(ctx)
			close(done)
		}()
		synctest.Wait()
		began := time.Now()
		end()
		<-done
		if took := time.Since(began); took != time.Second {
			t.Errorf("the loop ended after %v, want the second that an attempt has", took)
		}
		if claimed != 2 {
			t.Errorf("%d entries were claimed, want the two that can run at once", claimed)
		}
	})
}
