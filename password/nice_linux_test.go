package password_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringwall/ringwall/password"
	"golang.org/x/sys/unix"
)

func niceOfThread(t *testing.T) int {
	t.Helper()
	twenty, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
	if err != nil {
		t.Fatal(err)
	}
	return 20 - twenty
}

// A machine that is busy when its first hashes are made must not be taken for a slow one: the ceiling of attempts follows from it.
func TestABusyMachineIsNoSlowOne(t *testing.T) {
	measure := func() int64 {
		h := newHasher(t, floor(), password.QueueOptions{Slots: 1, NormalPriority: true})
		for range 3 {
			if err := h.VerifyNobody(t.Context(), password.SignIn, false, "correct horse"); err != nil {
				t.Fatal(err)
			}
		}
		return h.PerMinute()
	}
	calm := measure()
	var rest atomic.Bool
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for !rest.Load() {
			}
		})
	}
	busy := measure()
	rest.Store(true)
	all.Wait()
	if busy < calm/4 {
		t.Errorf("PerMinute = %d beside a hundred others, %d without", busy, calm)
	}
}

func TestJobsRunOnNicedThreadsAndOnlyThey(t *testing.T) {
	q := newQueue(t, password.QueueOptions{Slots: 2})
	if q.NicedThreads() == 0 {
		t.Log("a CPU quota is in force: the slots keep their priority") // that is the rule then
	}
	outside := niceOfThread(t)
	var inside int
	if err := q.Do(context.Background(), password.SignIn, true, func() { inside = niceOfThread(t) }); err != nil {
		t.Fatal(err)
	}
	want := outside
	if q.NicedThreads() > 0 {
		want = min(outside+10, 19)
	}
	if inside != want {
		t.Errorf("niceness in a job is %d, want %d", inside, want)
	}
	done := make(chan int)
	for range 50 {
		go func() { done <- niceOfThread(t) }()
	}
	for range 50 {
		if got := <-done; got != outside {
			t.Errorf("niceness of an ordinary goroutine's thread is %d, want %d", got, outside)
		}
	}
}

// The work must be done by the niced thread itself. With an implementation that starts goroutines, a slot's thread only waits.
func TestTheHashIsComputedOnTheSlotsThread(t *testing.T) {
	q := newQueue(t, password.QueueOptions{Slots: 1})
	var thread, process [2]unix.Rusage
	err := q.Do(context.Background(), password.SignIn, true, func() {
		_ = unix.Getrusage(unix.RUSAGE_THREAD, &thread[0])
		_ = unix.Getrusage(unix.RUSAGE_SELF, &process[0])
		if _, err := password.Hash("correct horse battery staple", password.Params{}); err != nil {
			t.Error(err)
		}
		_ = unix.Getrusage(unix.RUSAGE_THREAD, &thread[1])
		_ = unix.Getrusage(unix.RUSAGE_SELF, &process[1])
	})
	if err != nil {
		t.Fatal(err)
	}
	cpu := func(u [2]unix.Rusage) int64 {
		return u[1].Utime.Nano() + u[1].Stime.Nano() - u[0].Utime.Nano() - u[0].Stime.Nano()
	}
	if of := cpu(process); cpu(thread) < of*8/10 {
		t.Errorf("the slot's thread did %d of %d ns of the hash", cpu(thread), of)
	}
}
