// Package sessions is the engine behind sign-ins: it makes session tokens, finds the session of a token, and keeps
// last-seen times.
//
// A token is 64 random bytes as 128 lower-case hex characters (D01). The store holds only its SHA-256, so a copy of the
// database opens nothing. Find never adopts a token that the server did not make.
//
// # Why a load cannot undo a revocation
//
// On SQLite this process is the only writer, and [Manager] keeps a mirror of the sessions that were used lately. The
// mirror is filled by reads alone and emptied by commits alone:
//
//  1. A commit that ends or changes a session delivers its [Invalidation] after COMMIT and before the caller who asked
//     for it is answered. The invalidation takes the lock of the session's shard, raises the shard's generation and
//     removes the entry.
//  2. A load notes the generation before it reads the database, and inserts under the shard's lock only if the
//     generation is still the same.
//  3. So a load that read the row before the COMMIT either inserts before the invalidation, which then removes the
//     entry, or after it, and then the generation differs and nothing is inserted. In both cases the entry is gone
//     when the revocation is acknowledged, and every later load reads a database in which it is none.
//
// An Invalidation with All set, such as the end of everybody's sessions, does the same to every shard, one after the other.
//
// Rows that another process changes in the file by hand are noticed by the store (an Invalidation with All set).
// Where the store is not exact (PostgreSQL with several nodes), there is no mirror and every check reads the database.
//
// Last-seen times are written in batches and only ever forward; a crash loses at most one batch of them, which can end
// a session earlier by that much, never later.
package sessions

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
)

// Options are the lifetimes and limits of sessions. Every duration is required; the façade fills in the defaults.
type Options struct {
	Idle           time.Duration // without "remember me"
	Absolute       time.Duration
	RememberedIdle time.Duration
	Remembered     time.Duration
	Fresh          time.Duration // how long a proof of identity counts as recent
	Max            int           // sessions a person; the account service ends what is beyond
	CacheBytes     int64
	Now            func() time.Time
	Log            *slog.Logger
}

// Manager makes and finds sessions. It is safe for concurrent use.
type Manager struct {
	store  Store
	opt    Options
	mirror *mirror // nil where the store is not exact

	mu      sync.Mutex
	touches map[identity.ID]int64 // last-seen times that the store does not have yet
	wake    chan struct{}         // there are touches
	many    chan struct{}         // there are manyTouches
}

// manyTouches are written at once, so that a flood of sessions does not take memory until it is time to write.
const manyTouches = 1 << 14

// New makes a Manager. It starts nothing: [Manager.Run] writes last-seen times.
func New(store Store, opt Options) *Manager {
	m := &Manager{store: store, opt: opt, touches: map[identity.ID]int64{}, wake: make(chan struct{}, 1), many: make(chan struct{}, 1)}
	built := newMirror(opt.CacheBytes)
	if store.OnInvalidate(built.invalidate) {
		m.mirror = built
	}
	return m
}

// Max is how many sessions a person may have.
func (m *Manager) Max() int { return m.opt.Max }

// Make builds a session that begins now, with its token. Nothing is stored: insert it in the transaction of the sign-in.
func (m *Manager) Make(user, device identity.ID, remembered, bearer bool, from identity.Request) (Session, secret.Text) {
	now := m.opt.Now()
	idle, absolute := m.opt.Idle, m.opt.Absolute
	if remembered {
		idle, absolute = m.opt.RememberedIdle, m.opt.Remembered
	}
	token := newToken()
	s := Session{
		ID:             identity.NewRandomID(),
		User:           user,
		Device:         device,
		TokenHash:      hashOf(token),
		CreatedMicros:  now.UnixMicro(),
		LastSeenMicros: now.UnixMicro(),
		ExpiresMicros:  now.Add(absolute).UnixMicro(),
		IdleMicros:     idle.Microseconds(),
		FreshMicros:    now.Add(m.opt.Fresh).UnixMicro(),
		Remembered:     remembered,
		Bearer:         bearer,
		UserAgent:      from.UserAgent,
	}
	if from.Address.IsValid() {
		s.Address = from.Address.String()
	}
	return s, secret.NewText(token)
}

// Renew builds the successor of a session after a new proof of identity: another id, another token, fresh, with the
// same beginning and the same absolute end.
func (m *Manager) Renew(old Session, from identity.Request) (Session, secret.Text) {
	s, token := m.Make(old.User, old.Device, old.Remembered, old.Bearer, from)
	s.CreatedMicros, s.ExpiresMicros, s.IdleMicros = old.CreatedMicros, old.ExpiresMicros, old.IdleMicros
	return s, token
}

// Find is the live session of a token and its owner, and notes that it was seen now. It returns [ErrMissing] for
// whatever is not the token of a live session of somebody who is not locked ([ErrExpired], with both, if its time is
// over), and other errors if the store cannot be read.
// From a mirror the session comes without Device, Address and UserAgent. The person is shared by everybody: do not change it.
func (m *Manager) Find(ctx context.Context, token string) (Session, *Person, error) {
	return m.FindAt(ctx, token, m.opt.Now())
}

// FindAt is [Manager.Find] for a caller who has looked at the clock already.
func (m *Manager) FindAt(ctx context.Context, token string, at time.Time) (Session, *Person, error) {
	if len(token) != 2*tokenBytes {
		return Session{}, nil, ErrMissing
	}
	hash, now := hashOf(token), at.UnixMicro()
	if m.mirror != nil {
		if s, p, dirty, ok := m.mirror.find(hash, now, m.flushEvery().Microseconds()); ok {
			if dirty {
				m.touch(s.ID, now)
			}
			return s, p, nil
		}
	}
	if !wellFormed(token) { // what lies in the mirror under the hash is
		return Session{}, nil, ErrMissing
	}
	return m.load(ctx, hash, now)
}

// Proved is when the session's owner last proved who they are, as far as that counts; zero if it does not.
func (m *Manager) Proved(s Session) time.Time {
	if s.FreshMicros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(s.FreshMicros).Add(-m.opt.Fresh)
}

func (m *Manager) load(ctx context.Context, hash Hash, now int64) (Session, *Person, error) {
	var before generation
	if m.mirror != nil {
		before = m.mirror.generation(hash)
	}
	s, p, err := m.store.SessionByHash(ctx, hash)
	if err != nil {
		return Session{}, nil, err
	}
	m.mu.Lock()
	if seen, ok := m.touches[s.ID]; ok && seen > s.LastSeenMicros {
		s.LastSeenMicros = seen
	}
	m.mu.Unlock()
	if !s.Live(now) {
		return s, &p, ErrExpired
	}
	if p.Locked {
		return Session{}, nil, ErrMissing
	}
	s.LastSeenMicros = max(s.LastSeenMicros, now)
	m.touch(s.ID, now)
	if m.mirror != nil {
		if id, seen, evicted := m.mirror.insert(s, &p, before); evicted {
			m.touch(id, seen)
		}
	}
	return s, &p, nil
}

func (m *Manager) touch(id identity.ID, seen int64) {
	m.mu.Lock()
	m.touches[id] = max(m.touches[id], seen)
	many := len(m.touches) >= manyTouches
	m.mu.Unlock()
	signal(m.wake)
	if many {
		signal(m.many)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// LastSeen is the newest last-seen time known here for a session: the store's, or a newer one not yet written.
func (m *Manager) LastSeen(s Session) int64 {
	if m.mirror != nil {
		s.LastSeenMicros = max(s.LastSeenMicros, m.mirror.lastSeen(s.TokenHash))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(s.LastSeenMicros, m.touches[s.ID])
}

// flushEvery is how often last-seen times are written: often enough that a crash does not shorten a short idle limit by much.
func (m *Manager) flushEvery() time.Duration { return min(30*time.Second, m.opt.Idle/16) }

// Run writes last-seen times until ctx ends, and then once more. Without requests it sleeps.
func (m *Manager) Run(ctx context.Context) {
	many := m.many
	for {
		select {
		case <-ctx.Done():
			m.flush(context.WithoutCancel(ctx))
			return
		case <-m.wake:
		}
		wait := time.NewTimer(m.flushEvery())
		written := true
		select {
		case <-ctx.Done():
		case <-many:
			written = m.flush(ctx)
		case <-wait.C:
			written = m.flush(ctx)
		}
		wait.Stop()
		if many = m.many; !written {
			many = nil // a store that does not take them is not asked more often
		}
	}
}

func (m *Manager) flush(ctx context.Context) (written bool) {
	m.mu.Lock()
	batch := make([]Touch, 0, len(m.touches))
	for id, seen := range m.touches {
		batch = append(batch, Touch{id, seen})
	}
	m.mu.Unlock()
	if len(batch) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := m.store.TouchSessions(ctx, batch); err != nil {
		m.opt.Log.WarnContext(ctx, "last-seen times not written; trying again", "sessions", len(batch), "error", err)
		signal(m.wake)
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range batch {
		if m.touches[t.ID] == t.LastSeenMicros { // not seen again meanwhile
			delete(m.touches, t.ID)
		}
	}
	rest := make(map[identity.ID]int64, len(m.touches)) // a map never gives back what it has once grown to
	maps.Copy(rest, m.touches)
	m.touches = rest
	return true
}

const tokenBytes = 64

func newToken() string {
	var raw [tokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails: the process ends instead (crypto/rand)
	return hex.EncodeToString(raw[:])
}

// wellFormed holds a token of the right length against the one spelling that newToken makes, before the database is asked.
func wellFormed(token string) bool {
	for i := range len(token) {
		if c := token[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// hashOf copies the token to the stack; converted to bytes it would go to the heap.
func hashOf(token string) Hash {
	var text [2 * tokenBytes]byte
	return sha256.Sum256(text[:copy(text[:], token)])
}
