package password_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ringwall/ringwall/password"
)

// Of many strangers who look for room at the same moment no more get it than the line can take: else all of them would go on,
// and find out too late. The places of known devices stay free.
func TestRoomIsKeptForWhoComesFirst(t *testing.T) {
	q := newQueue(t, password.QueueOptions{Slots: 2, Length: 8, NormalPriority: true})
	var (
		mu     sync.Mutex
		leaves []func()
		all    sync.WaitGroup
	)
	ask := func(n int, known bool) (busy int) {
		var refused atomic.Int64
		for range n {
			all.Go(func() {
				_, leave, err := q.Room(t.Context(), password.SignIn, known)
				if b, ok := errors.AsType[*password.Busy](err); ok && b.RetryAfter > 0 {
					refused.Add(1)
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				leaves = append(leaves, leave)
			})
		}
		all.Wait()
		return int(refused.Load())
	}
	if busy := ask(60, false); busy != 60-7 {
		t.Errorf("%d of 60 strangers were turned away, want 53: two slots, and two thirds of the line", busy)
	}
	if busy := ask(60, true); busy != 60-3 {
		t.Errorf("%d of 60 known devices were turned away, want 57: the last third of the line is theirs", busy)
	}
	if err := q.Do(t.Context(), password.SignIn, true, func() {}); err == nil {
		t.Error("somebody took a place that is kept for others")
	}
	for _, leave := range leaves {
		leave()
		leave() // gives nothing more back
	}
	leaves = nil
	if busy := ask(60, false); busy != 60-7 {
		t.Errorf("%d of 60 strangers were turned away after all had left, want 53", busy)
	}
	for _, leave := range leaves {
		leave()
	}
}

// Between keeping a place and taking it there is no moment at which somebody else could have it.
func TestAKeptPlaceIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 1, 1)
		y.come(context.Background(), "k1") // runs, so one place is left
		in, leave, err := y.q.Room(t.Context(), password.SignIn, true)
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		y.come(context.Background(), "k2")
		y.wantBusy("k2")
		y.do(in, "k3")
		y.wantWaiting("k3")
		y.do(in, "k4") // the place was for one
		y.wantBusy("k4")
		leave()
		y.come(context.Background(), "k5")
		y.wantBusy("k5")
		y.finishAll()
		other := newQueue(t, password.QueueOptions{Slots: 1, Length: 1, NormalPriority: true})
		if err := other.Do(in, password.SignIn, true, func() {}); err != nil {
			t.Errorf("a place in one queue, used at another = %v, want a job like any other", err)
		}
		if err := other.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Somebody who may never come after all must not turn out who waits.
func TestRoomTurnsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 1, 3)
		y.come(context.Background(), "s1", "o2", "o3")
		_, leave, err := y.q.Room(t.Context(), password.SignIn, false)
		if err != nil {
			t.Fatalf("Room = %v; a sign-in may have the place of the newest other", err)
		}
		y.wantWaiting("o2", "o3")
		leave()
		y.come(context.Background(), "s4")
		y.wantBusy("o3")
		y.wantWaiting("o2", "s4")
		y.finishAll()
		if err := y.q.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := y.q.Room(t.Context(), password.SignIn, true); !errors.Is(err, password.ErrClosed) {
			t.Errorf("Room in a closed queue = %v, want ErrClosed", err)
		}
	})
}
