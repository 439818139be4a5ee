package password_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ringwall/ringwall/password"
)

// yard is a queue whose jobs run until they are told to end. It lives in a synctest bubble.
type yard struct {
	t       *testing.T
	q       *password.Queue
	mu      sync.Mutex
	started []string
	results map[string]error
	release map[string]chan struct{}
}

func newYard(t *testing.T, slots, length int) *yard {
	q := newQueue(t, password.QueueOptions{Slots: slots, Length: length, NormalPriority: true})
	return &yard{t: t, q: q, results: make(map[string]error), release: make(map[string]chan struct{})}
}

// come lets the named jobs come one after the other. A name's first letter says which: s sign-in, k sign-in from a known device, o other.
func (y *yard) come(ctx context.Context, names ...string) {
	for _, name := range names {
		class, known := kind(name)
		_, leave, room := y.q.Room(ctx, class, known)
		if room == nil {
			leave()
		}
		y.do(ctx, name)
		returned, err := y.result(name)
		if _, busy := errors.AsType[*password.Busy](err); (room != nil) != (returned && busy) {
			y.t.Errorf("Room before %s = %v, and then Do = %v (returned: %t)", name, room, err, returned)
		}
	}
}

func kind(name string) (class password.Class, known bool) {
	if name[0] == 'o' {
		return password.Other, false
	}
	return password.SignIn, name[0] == 'k'
}

// do lets one job come that does not look for room first.
func (y *yard) do(ctx context.Context, name string) {
	class, known := kind(name)
	hold := make(chan struct{})
	y.mu.Lock()
	y.release[name] = hold
	y.mu.Unlock()
	go func() {
		err := y.q.Do(ctx, class, known, func() {
			y.mu.Lock()
			y.started = append(y.started, name)
			y.mu.Unlock()
			<-hold
		})
		y.mu.Lock()
		y.results[name] = err
		y.mu.Unlock()
	}()
	synctest.Wait()
}

func (y *yard) finish(names ...string) {
	for _, name := range names {
		close(y.release[name])
		delete(y.release, name)
		synctest.Wait()
	}
}

// finishAll ends every job in the order in which they start.
func (y *yard) finishAll() {
	for i := 0; i < len(y.order()); i++ {
		if name := y.order()[i]; y.release[name] != nil {
			y.finish(name)
		}
	}
}

// order is that of the starts so far.
func (y *yard) order() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return slices.Clone(y.started)
}

// result is what Do returned, if it has.
func (y *yard) result(name string) (returned bool, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	err, returned = y.results[name]
	return returned, err
}

func (y *yard) wantStarted(names string) {
	y.t.Helper()
	if got, want := y.order(), strings.Fields(names); !slices.Equal(got, want) {
		y.t.Errorf("started %v, want %v", got, want)
	}
}

func (y *yard) wantBusy(names ...string) {
	y.t.Helper()
	for _, name := range names {
		_, err := y.result(name)
		if _, ok := errors.AsType[*password.Busy](err); !ok {
			y.t.Errorf("Do of %s = %v, want *Busy", name, err)
		}
	}
}

func (y *yard) wantWaiting(names ...string) {
	y.t.Helper()
	for _, name := range names {
		if ok, err := y.result(name); ok {
			y.t.Errorf("Do of %s = %v, want it to wait", name, err)
		}
	}
}
