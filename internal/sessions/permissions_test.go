package sessions_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ringwall/ringwall/internal/sessions"
)

// allow commits what roles allow, then announces, then returns: the order that the real stores keep.
func (s *table) allow(permissions string) {
	s.mu.Lock()
	s.allowed = permissions
	s.mu.Unlock()
	s.receive(sessions.Invalidation{People: true})
}

// A load that read its person before a permission was taken away must not bring it back after that.
func TestLoadDoesNotUndoALostPermission(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, nil)
	store.allowed = "ledger.read"
	_, token := begin(m, store, false)
	across(m, store, token, func() { store.allow("") })
	for range 2 { // by a load, and from the mirror
		if _, person, err := m.Find(t.Context(), token); err != nil || person.Permissions != "" {
			t.Fatalf("Find after the permission was taken away = %q, %v", person.Permissions, err)
		}
	}
}

// Many checks against many changes: a permission that was acknowledged as gone is never seen again. Run it with -race.
func TestPermissionsUnderLoad(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, func(o *sessions.Options) { o.CacheBytes = 1 << 14 }) // small: evictions all the time
	const people, rounds = 100, 300
	var tokens [people]string
	for i := range tokens {
		_, tokens[i] = begin(m, store, false)
	}
	var gone atomic.Int64 // the last round whose permission was acknowledged as gone
	names := make([]string, rounds)
	numbers := map[string]int64{"": -1}
	for i := range names {
		names[i] = "round-" + string(rune('a'+i/26/26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26))
		numbers[names[i]] = int64(i)
	}
	gone.Store(-1)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				before := gone.Load()
				_, person, err := m.Find(context.Background(), tokens[rand.IntN(people)])
				if number := numbers[person.Permissions]; err != nil || number >= 0 && number <= before {
					t.Errorf("Find has %q, %v, after round %d was gone", person.Permissions, err, before)
					return
				}
			}
		})
	}
	for i, name := range names {
		store.allow(name)
		store.allow("")
		gone.Store(int64(i))
	}
	close(done)
	wg.Wait()
}

// Roles that allow much must not take more memory than the mirror may have.
func TestPermissionsCountAsMemory(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, func(o *sessions.Options) { o.CacheBytes = 1 << 20 })
	store.allowed = string(make([]byte, 1<<16))
	var tokens [64]string
	for i := range tokens {
		_, tokens[i] = begin(m, store, false)
		mustFind(t, m, tokens[i])
	}
	before := store.reads.Load()
	for _, token := range tokens {
		mustFind(t, m, token)
	}
	if held := len(tokens) - int(store.reads.Load()-before); held > 16 {
		t.Errorf("a mirror of 1 MiB holds %d people with 64 KiB of permissions each", held)
	}
}
