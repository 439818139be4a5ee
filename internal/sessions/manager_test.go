package sessions_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
)

// table is a store whose reads can be held between reading the row and returning it: the moment at which a revocation
// must win.
type table struct {
	mu      sync.Mutex
	rows    map[sessions.Hash]sessions.Session
	locked  map[identity.ID]bool
	allowed string // to everybody
	touched map[identity.ID]int64
	receive func(sessions.Invalidation)
	exact   bool
	reads   atomic.Int64
	broken  atomic.Bool
	held    func() // runs after a row was read, before it is returned
}

func newTable(exact bool) *table {
	return &table{rows: map[sessions.Hash]sessions.Session{}, locked: map[identity.ID]bool{}, touched: map[identity.ID]int64{}, exact: exact}
}

func (s *table) SessionByHash(_ context.Context, hash sessions.Hash) (sessions.Session, sessions.Person, error) {
	s.reads.Add(1)
	if s.broken.Load() {
		return sessions.Session{}, sessions.Person{}, errors.New("the database is gone")
	}
	s.mu.Lock()
	row, ok := s.rows[hash]
	person := sessions.Person{ID: row.User, Email: "a@example.org", Locked: s.locked[row.User], Permissions: s.allowed}
	held := s.held
	s.mu.Unlock()
	if held != nil {
		held()
	}
	if !ok {
		return sessions.Session{}, sessions.Person{}, sessions.ErrMissing
	}
	return row, person, nil
}

func (s *table) TouchSessions(_ context.Context, touches []sessions.Touch) error {
	if s.broken.Load() {
		return errors.New("the database is gone")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range touches {
		s.touched[t.ID] = max(s.touched[t.ID], t.LastSeenMicros)
	}
	return nil
}

func (s *table) OnInvalidate(receive func(sessions.Invalidation)) bool {
	s.receive = receive
	return s.exact
}

func (s *table) insert(row sessions.Session) {
	s.mu.Lock()
	s.rows[row.TokenHash] = row
	s.mu.Unlock()
}

// revoke commits, then announces, then returns: the order that the real stores keep.
func (s *table) revoke(hash sessions.Hash) {
	s.mu.Lock()
	delete(s.rows, hash)
	s.mu.Unlock()
	s.receive(sessions.Invalidation{Sessions: []sessions.Hash{hash}})
}

type clock struct{ micros atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()) }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

func start(t *testing.T, store *table, change func(*sessions.Options)) (*sessions.Manager, *clock) {
	t.Helper()
	c := &clock{}
	c.micros.Store(1_700_000_000_000_000)
	opt := sessions.Options{
		Idle: 30 * time.Minute, Absolute: 12 * time.Hour, RememberedIdle: 14 * 24 * time.Hour, Remembered: 30 * 24 * time.Hour,
		Fresh: 5 * time.Minute, Max: 20, CacheBytes: 64 << 20, Now: c.now, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&opt)
	}
	return sessions.New(store, opt), c
}

func begin(m *sessions.Manager, store *table, remembered bool) (sessions.Session, string) {
	s, token := m.Make(identity.NewRandomID(), identity.NewRandomID(), remembered, false, identity.Request{})
	store.insert(s)
	return s, token.Reveal()
}

func mustFind(t *testing.T, m *sessions.Manager, token string) sessions.Session {
	t.Helper()
	s, _, err := m.Find(t.Context(), token)
	if err != nil {
		t.Fatalf("Find = %v, want the session", err)
	}
	return s
}

func mustMiss(t *testing.T, m *sessions.Manager, token, when string) {
	t.Helper()
	if _, _, err := m.Find(t.Context(), token); !errors.Is(err, sessions.ErrMissing) {
		t.Fatalf("Find %s = %v, want ErrMissing", when, err)
	}
}

// across begins a load of the token, acknowledges a change when it has read its row, and only then lets the load go on. Its own
// answer may be either: it began before.
func across(m *sessions.Manager, store *table, token string, acknowledge func()) {
	read, resume := make(chan struct{}), make(chan struct{})
	store.held = sync.OnceFunc(func() { close(read); <-resume })
	var load sync.WaitGroup
	load.Go(func() { _, _, _ = m.Find(context.Background(), token) })
	<-read
	store.held = nil
	acknowledge()
	close(resume)
	load.Wait()
}

// A load that read its row before the revocation must not put the session back after it.
func TestLoadDoesNotUndoRevocation(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, nil)
	s, token := begin(m, store, false)
	across(m, store, token, func() { store.revoke(s.TokenHash) })
	mustMiss(t, m, token, "after the acknowledged revocation")
}

// The same for the end of everybody's sessions, of which no session is named.
func TestLoadDoesNotUndoTheEndOfAll(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, nil)
	_, token := begin(m, store, false)
	_, mirrored := begin(m, store, false)
	mustFind(t, m, mirrored)
	across(m, store, token, func() {
		store.mu.Lock()
		clear(store.rows)
		store.mu.Unlock()
		store.receive(sessions.Invalidation{All: true})
	})
	mustMiss(t, m, token, "after the acknowledged end of all")
	mustMiss(t, m, mirrored, "after the acknowledged end of all")
}

// The same for a lock: the person must not come back through a load that began before it.
func TestLoadDoesNotUndoLock(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, nil)
	s, token := begin(m, store, false)
	across(m, store, token, func() {
		store.mu.Lock()
		store.locked[s.User] = true
		store.mu.Unlock()
		store.receive(sessions.Invalidation{Users: []identity.ID{s.User}})
	})
	mustMiss(t, m, token, "after the acknowledged lock")
}

// Many checks against many revocations: what was acknowledged as ended is never found again. Run it with -race.
func TestRevocationUnderLoad(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, func(o *sessions.Options) { o.CacheBytes = 1 }) // the smallest mirror: evictions all the time
	const people = 400
	tokens := make([]string, people)
	hashes := make([]sessions.Hash, people)
	ended := make([]atomic.Bool, people)
	for i := range tokens {
		s, token := begin(m, store, false)
		tokens[i], hashes[i] = token, s.TokenHash
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20_000 {
				i := rand.IntN(people)
				wasEnded := ended[i].Load()
				_, _, err := m.Find(context.Background(), tokens[i])
				if wasEnded && err == nil {
					t.Errorf("session %d was found after its revocation was acknowledged", i)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for _, i := range rand.Perm(people) {
			store.revoke(hashes[i])
			ended[i].Store(true)
		}
	})
	wg.Wait()
	for _, token := range tokens {
		mustMiss(t, m, token, "after all were revoked")
	}
}

func TestMirrorAnswersWithoutReading(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, nil)
	_, token := begin(m, store, false)
	mustFind(t, m, token)
	before := store.reads.Load()
	for range 100 {
		mustFind(t, m, token)
	}
	if got := store.reads.Load() - before; got != 0 {
		t.Errorf("100 checks of a mirrored session read the store %d times, want 0", got)
	}
	store.receive(sessions.Invalidation{All: true})
	mustFind(t, m, token)
	if got := store.reads.Load() - before; got != 1 {
		t.Errorf("a check after everything was invalidated read the store %d times, want 1", got)
	}
}

func TestWithoutExactStoreEveryCheckReads(t *testing.T) {
	store := newTable(false)
	m, _ := start(t, store, nil)
	s, token := begin(m, store, false)
	mustFind(t, m, token)
	store.mu.Lock()
	delete(store.rows, s.TokenHash) // another node did it, and nobody told us
	store.mu.Unlock()
	mustMiss(t, m, token, "after another node revoked it")
}

func TestLostStoreDeniesAndIsNoMiss(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, nil)
	_, token := begin(m, store, false)
	store.broken.Store(true)
	_, _, err := m.Find(t.Context(), token)
	if err == nil || errors.Is(err, sessions.ErrMissing) {
		t.Errorf("Find with the store gone = %v, want an error that is not ErrMissing", err)
	}
	store.broken.Store(false)
	mustFind(t, m, token)
}

func TestTimeouts(t *testing.T) {
	for _, exact := range []bool{true, false} {
		store := newTable(exact)
		m, c := start(t, store, nil)

		_, idle := begin(m, store, false)
		c.advance(30*time.Minute - time.Microsecond)
		mustFind(t, m, idle)
		c.advance(30*time.Minute - time.Microsecond)
		mustFind(t, m, idle) // the request before moved the limit
		c.advance(30 * time.Minute)
		mustMiss(t, m, idle, "after 30 idle minutes")

		_, busy := begin(m, store, false)
		for range 12*6 - 1 {
			c.advance(10 * time.Minute)
			mustFind(t, m, busy)
		}
		c.advance(10 * time.Minute)
		mustMiss(t, m, busy, "after 12 busy hours")

		_, remembered := begin(m, store, true)
		c.advance(14*24*time.Hour - time.Second)
		mustFind(t, m, remembered)
		c.advance(14 * 24 * time.Hour)
		mustMiss(t, m, remembered, "after 14 idle days")
	}
}

func TestRenewKeepsTheAbsoluteEnd(t *testing.T) {
	store := newTable(true)
	m, c := start(t, store, nil)
	s, _ := begin(m, store, false)
	c.advance(time.Hour)
	next, token := m.Renew(s, identity.Request{})
	if next.ExpiresMicros != s.ExpiresMicros || next.CreatedMicros != s.CreatedMicros {
		t.Errorf("Renew moved the session's beginning or end: %+v, before %+v", next, s)
	}
	if next.ID == s.ID || next.TokenHash == s.TokenHash || token.Reveal() == "" {
		t.Errorf("Renew kept the id or the token")
	}
	if want := c.now().Add(5 * time.Minute).UnixMicro(); next.FreshMicros != want {
		t.Errorf("Renew: fresh until %d, want %d", next.FreshMicros, want)
	}
}

func TestTokensAreOnlyOurs(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, nil)
	_, token := begin(m, store, false)
	before := store.reads.Load()
	for name, bad := range map[string]string{
		"empty": "", "shortened": token[:127], "extended": token + "0", "upper case": strings.ToUpper(token),
		"another alphabet": strings.Repeat("g", 128), "a quote": token[:127] + "'", "a NUL": token[:127] + "\x00", "spaces": token[:126] + "  ",
	} {
		mustMiss(t, m, bad, name)
	}
	if store.reads.Load() != before {
		t.Errorf("a malformed token reached the store")
	}
	mustMiss(t, m, strings.Repeat("a", 128), "that nobody made")
}

func TestTokenIsRandomAndLong(t *testing.T) {
	store := newTable(true)
	m, _ := start(t, store, nil)
	const n = 20_000
	seen := make(map[string]bool, n)
	var counts [128][16]int
	for range n {
		_, token := m.Make(identity.ID{1}, identity.ID{}, false, false, identity.Request{})
		text := token.Reveal()
		if len(text) != 128 || seen[text] {
			t.Fatalf("a token of %d characters, or twice the same", len(text))
		}
		seen[text] = true
		for i := range 128 {
			counts[i][strings.IndexByte("0123456789abcdef", text[i])]++
		}
	}
	for i, byDigit := range counts {
		var chi float64
		for _, got := range byDigit {
			d := float64(got) - n/16.0
			chi += d * d / (n / 16.0)
		}
		if chi > 60 { // 15 degrees of freedom: beyond 60 once in ten million positions
			t.Errorf("position %d is not uniform: chi² = %.1f", i, chi)
		}
	}
}

func TestLastSeenIsWrittenInBatches(t *testing.T) {
	store := newTable(true)
	m, c := start(t, store, func(o *sessions.Options) { o.Idle = 160 * time.Millisecond })
	s, token := begin(m, store, false)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { m.Run(ctx); close(done) }()
	mustFind(t, m, token)
	c.advance(20 * time.Millisecond)
	mustFind(t, m, token)
	want := c.now().UnixMicro()
	stop()
	<-done
	if got := store.touched[s.ID]; got != want {
		t.Errorf("last seen written = %d, want %d (the last check before Run ended)", got, want)
	}
}

func TestLastSeenIsKeptWhileTheStoreIsGone(t *testing.T) {
	store := newTable(false)
	m, c := start(t, store, nil)
	s, token := begin(m, store, false)
	c.advance(time.Minute)
	mustFind(t, m, token)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	store.broken.Store(true)
	m.Run(ctx) // writes once at its end, and cannot
	if got, want := m.LastSeen(s), c.now().UnixMicro(); got != want {
		t.Errorf("LastSeen after a failed write = %d, want %d", got, want)
	}
}

func TestDeviceLabel(t *testing.T) {
	for _, tt := range []struct{ name, agent, want string }{
		{"names browser and system", "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36", "Chrome on Android"},
		{"knows Safari on a phone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "Safari on iOS"},
		{"knows Firefox", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Windows"},
		{"names no stranger", "<script>alert(1)</script>/1.0", "Unknown device"},
		{"takes nothing for nothing", "", "Unknown device"},
		{"keeps markup out", "Mozilla/5.0 (<img src=x onerror=alert(1)>) Chrome/1", "Chrome"},
	} {
		if got := sessions.DeviceLabel(tt.agent); got != tt.want {
			t.Errorf("%s: DeviceLabel(%q) = %q, want %q", tt.name, tt.agent, got, tt.want)
		}
	}
}
