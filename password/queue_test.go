package password_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringwall/ringwall/password"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newQueue(t testing.TB, options password.QueueOptions) *password.Queue {
	t.Helper()
	q, err := password.NewQueue(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(context.Background()); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return q
}

func TestQueue(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		name          string
		slots, length int
		run           func(*yard)
	}{
		{"runs in the order of arrival", 1, 6, func(y *yard) {
			y.come(ctx, "k1", "s1", "k2", "s2", "k3")
			y.finishAll()
			y.wantStarted("k1 s1 k2 s2 k3")
		}},
		{"turns away at once what exceeds slots and length", 2, 3, func(y *yard) {
			y.come(ctx, "k1", "k2", "k3", "k4", "k5")
			began := time.Now()
			y.come(ctx, "k6", "s6", "o6")
			y.wantBusy("k6", "s6", "o6")
			y.wantWaiting("k3", "k4", "k5")
			if d := time.Since(began); d != 0 {
				y.t.Errorf("turned away after %v of the bubble's time, want 0", d)
			}
		}},
		{"turns away who waited for two seconds", 1, 4, func(y *yard) {
			y.come(ctx, "k1", "k2")
			time.Sleep(2*time.Second - time.Nanosecond)
			y.wantWaiting("k2")
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			y.wantBusy("k2")
			y.come(ctx, "k3")
			y.finishAll()
			y.wantStarted("k1 k3")
		}},
		{"lets a client that hung up out at once, and its place is free", 1, 1, func(y *yard) {
			gone, hangUp := context.WithCancel(ctx)
			y.come(ctx, "k1")
			y.come(gone, "k2")
			y.come(ctx, "k3")
			y.wantBusy("k3")
			hangUp()
			synctest.Wait()
			if _, err := y.result("k2"); !errors.Is(err, context.Canceled) {
				y.t.Errorf("Do of k2 = %v, want context.Canceled", err)
			}
			y.come(ctx, "k4")
			y.finishAll()
			y.wantStarted("k1 k4")
		}},
		{"carries a job that began to its end", 1, 1, func(y *yard) {
			gone, hangUp := context.WithCancel(ctx)
			y.come(gone, "k1")
			hangUp()
			synctest.Wait()
			y.wantWaiting("k1")
			y.finish("k1")
			if ok, err := y.result("k1"); err != nil || !ok {
				y.t.Errorf("Do of k1 = %v, want nil", err)
			}
		}},
		{"gives others one slot at most while sign-ins wait", 2, 12, func(y *yard) {
			y.come(ctx, "s1", "s2", "o1", "o2", "o3", "s3", "s4")
			y.finish("s1") // o1 came first
			y.finish("s2") // o2 came next, but another runs
			y.wantStarted("s1 s2 o1 s3")
			y.finish("s3")
			y.wantStarted("s1 s2 o1 s3 s4")
			y.finish("s4") // nobody signs in any more
			y.wantStarted("s1 s2 o1 s3 s4 o2")
			y.finishAll()
			y.wantStarted("s1 s2 o1 s3 s4 o2 o3")
		}},
		{"gives others all slots while nobody signs in", 2, 6, func(y *yard) {
			y.come(ctx, "o1", "o2", "o3")
			y.wantStarted("o1 o2")
			y.finish("o1")
			y.wantStarted("o1 o2 o3")
		}},
		{"lets others and sign-ins take turns in the only slot", 1, 12, func(y *yard) {
			y.come(ctx, "o1", "o2", "o3", "o4", "s1", "s2", "s3")
			y.finishAll()
			y.wantStarted("o1 s1 o2 s2 o3 s3 o4")
		}},
		{"does not let sign-ins starve others", 2, 12, func(y *yard) {
			y.come(ctx, "s1", "s2", "s3", "o1", "s4", "s5", "s6")
			y.finish("s1", "s2")
			y.wantStarted("s1 s2 s3 o1")
		}},
		{"turns away the newest other for a sign-in when full, but never the one that waits longest", 1, 3, func(y *yard) {
			y.come(ctx, "o1", "o2", "o3", "s1")
			y.wantBusy("o3")
			y.wantWaiting("o2", "s1")
			y.come(ctx, "k1", "k2")
			y.wantBusy("k2")
			y.wantWaiting("o2", "s1", "k1")
			y.finishAll()
			y.wantStarted("o1 s1 o2 k1")
		}},
		{"keeps a third for known devices", 1, 6, func(y *yard) {
			y.come(ctx, "s0", "s1", "s2", "s3", "s4", "s5", "o1")
			y.wantBusy("s5", "o1")
			y.wantWaiting("s1", "s2", "s3", "s4")
			y.come(ctx, "k1", "k2", "k3")
			y.wantBusy("k3")
			y.finishAll()
			y.wantStarted("s0 s1 s2 s3 s4 k1 k2")
		}},
		{"does not evict a known device's job for a stranger", 1, 3, func(y *yard) {
			y.come(ctx, "k0", "s1", "s2", "s3")
			y.wantBusy("s3")
			y.wantWaiting("s1", "s2")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newYard(t, tt.slots, tt.length)
				tt.run(y)
				y.finishAll()
				for name := range y.release {
					if ok, _ := y.result(name); !ok {
						t.Errorf("Do of %s never returned", name)
					}
				}
			})
		})
	}
}

func TestQueueIsFullInLessThanTenMilliseconds(t *testing.T) {
	q := newQueue(t, password.QueueOptions{Slots: 1, Length: 2, Wait: time.Minute}) // or the two that wait may be gone on a busy machine
	release := make(chan struct{})
	results := make(chan error, 5)
	for range 5 { // one runs, two wait, two are turned away
		go func() { results <- q.Do(context.Background(), password.SignIn, true, func() { <-release }) }()
	}
	<-results
	<-results            // so the queue is full now
	fastest := time.Hour // of some: another process may have the core for one
	for range 20 {
		began := time.Now()
		err := q.Do(context.Background(), password.SignIn, true, func() {})
		fastest = min(fastest, time.Since(began))
		busy, ok := errors.AsType[*password.Busy](err)
		if !ok || busy.RetryAfter < time.Second || busy.RetryAfter > 30*time.Second || busy.RetryAfter%time.Second != 0 {
			t.Errorf("Do = %v, want *Busy with 1 to 30 whole seconds", err)
		}
	}
	if fastest > 10*time.Millisecond {
		t.Errorf("refused in %v, want less than 10ms", fastest)
	}
	close(release)
	for range 3 {
		if err := <-results; err != nil {
			t.Errorf("Do of an admitted job = %v, want nil", err)
		}
	}
}

func TestFiftyParallelJobsNeverExceedTheSlots(t *testing.T) {
	q := newQueue(t, password.QueueOptions{Slots: 3, Length: 60, Wait: time.Minute})
	var now, most, ran atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			err := q.Do(context.Background(), password.Class(i%2), i%3 == 0, func() {
				n := now.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				for n := 0; n == 0 || most.Load() < 3 && n < 500; n++ { // the first stay until there are three, or will never be
					time.Sleep(time.Millisecond)
				}
				now.Add(-1)
				ran.Add(1)
			})
			if _, busy := errors.AsType[*password.Busy](err); err != nil && !busy {
				t.Errorf("Do = %v, want nil or *Busy", err)
			}
			if err != nil {
				ran.Add(1)
			}
		})
	}
	wg.Wait()
	if most.Load() != 3 || ran.Load() != 50 {
		t.Errorf("%d at a time and %d accounted for, want 3 and 50", most.Load(), ran.Load())
	}
}

func TestAJobCannotBreakItsSlot(t *testing.T) {
	q := newQueue(t, password.QueueOptions{Slots: 1, Length: 4})
	for range 5 { // more often than there are slots
		if err := q.Do(context.Background(), password.SignIn, true, func() { panic("on purpose") }); err == nil {
			t.Error("Do of a job that panics = nil, want an error")
		}
		if err := q.Do(context.Background(), password.SignIn, true, runtime.Goexit); err == nil {
			t.Error("Do of a job that exits = nil, want an error")
		}
	}
	ran := false
	if err := q.Do(context.Background(), password.SignIn, true, func() { ran = true }); err != nil || !ran {
		t.Errorf("Do after them = %v, ran %v, want nil, true", err, ran)
	}
}

func TestCloseLetsTheWaitingRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 1, 4)
		y.come(context.Background(), "k1", "k2", "k3")
		closed := make(chan error, 1)
		go func() { closed <- y.q.Close(context.Background()) }()
		synctest.Wait()
		if err := y.q.Do(context.Background(), password.SignIn, true, func() {}); !errors.Is(err, password.ErrClosed) {
			t.Errorf("Do after Close = %v, want ErrClosed", err)
		}
		y.finishAll()
		if err := <-closed; err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		y.wantStarted("k1 k2 k3")
	})
}

func TestCloseGivesUpWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 1, 4)
		y.come(context.Background(), "k1", "k2")
		short, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		if err := y.q.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close = %v, want DeadlineExceeded", err)
		}
		synctest.Wait()
		if _, err := y.result("k2"); !errors.Is(err, password.ErrClosed) {
			t.Errorf("Do of k2 = %v, want ErrClosed", err)
		}
		y.finishAll()
		y.wantStarted("k1")
	})
}

func TestQueueDefaults(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	q := newQueue(t, password.QueueOptions{})
	if q.Slots() < 1 || q.Slots() > runtime.NumCPU() || q.Length() != 4*q.Slots() {
		t.Errorf("slots %d, length %d on %d cores", q.Slots(), q.Length(), runtime.NumCPU())
	}
	if err := q.Do(context.Background(), password.SignIn, false, func() {}); err != nil {
		t.Fatal(err)
	}
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("GOMAXPROCS was %d and is %d: it belongs to the program", before, after)
	}
	normal := newQueue(t, password.QueueOptions{NormalPriority: true})
	if n := normal.NicedThreads(); n != 0 {
		t.Errorf("NicedThreads at normal priority = %d, want 0", n)
	}
}

func TestNewQueueRefusesBadOptions(t *testing.T) {
	for _, options := range []password.QueueOptions{{Slots: -1}, {Slots: 2000}, {Length: -1}, {Length: 1 << 20}, {Wait: -1}, {SlotBytes: -1}} {
		if q, err := password.NewQueue(options); err == nil {
			t.Errorf("NewQueue(%+v) = %v, nil, want an error", options, q)
		}
	}
}

func BenchmarkQueueOverhead(b *testing.B) {
	q := newQueue(b, password.QueueOptions{Slots: 2})
	b.ReportAllocs()
	for b.Loop() {
		if err := q.Do(b.Context(), password.SignIn, true, func() {}); err != nil {
			b.Fatal(err)
		}
	}
}
