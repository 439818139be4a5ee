package audit_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
)

var errDown = errors.New("database is gone")

// memory is a store of rows, seals and keys of people.
type memory struct {
	mu      sync.Mutex
	build   *audit.Builder
	rows    []audit.Row
	seals   []audit.Seal
	people  map[identity.ID][]byte
	seq     int64
	running int64 // transactions from this one on are not older than every running one; zero: none runs
	down    bool
	calls   int
	before  func(call string) // runs before Rows, Seals and InsertSeal, unlocked
	wake    func()
	wrapped []secret.Wrapped
}

func newMemory(t testing.TB, now func() time.Time) (*memory, *secret.Keyring) {
	t.Helper()
	m := &memory{people: make(map[identity.ID][]byte)}
	keys := openKeys(t, m, "8f1d0ac4b7e2935066fb21cd7a3e94580b6cf2d18e37a9456d02bc1fe8759a33")
	m.build = audit.NewBuilder(keys, now)
	return m, keys
}

func openKeys(t testing.TB, m *memory, hex string) *secret.Keyring {
	t.Helper()
	master, err := secret.ParseMasterKey(secret.NewText(hex))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.OpenKeyring(context.Background(), master, "test", (*keyStore)(m), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

type keyStore memory

func (m *keyStore) Keys(context.Context) ([]secret.Wrapped, error) { return m.wrapped, nil }

func (m *keyStore) InsertKey(_ context.Context, key secret.Wrapped) (bool, error) {
	m.wrapped = append(m.wrapped, key)
	return true, nil
}

func (m *memory) lock() (func(), error) {
	m.mu.Lock()
	m.calls++
	if m.down {
		m.mu.Unlock()
		return nil, errDown
	}
	return m.mu.Unlock, nil
}

func (m *memory) Unsealed(_ context.Context, lastTx, lastSeq int64, limit int) (out []audit.Row, waiting bool, err error) {
	unlock, err := m.lock()
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	for _, row := range m.rows {
		if row.Tx < lastTx || row.Tx == lastTx && row.Seq <= lastSeq {
			continue
		}
		if m.running != 0 && row.Tx >= m.running {
			waiting = true
			continue
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b audit.Row) int { return cmp.Or(cmp.Compare(a.Tx, b.Tx), cmp.Compare(a.Seq, b.Seq)) })
	return out[:min(limit, len(out))], waiting, nil
}

func (m *memory) LastSeal(context.Context) (audit.Seal, bool, error) {
	unlock, err := m.lock()
	if err != nil {
		return audit.Seal{}, false, err
	}
	defer unlock()
	if len(m.seals) == 0 {
		return audit.Seal{}, false, nil
	}
	return m.seals[len(m.seals)-1], true, nil
}

func (m *memory) InsertSeal(_ context.Context, seal audit.Seal) (bool, error) {
	m.about("InsertSeal")
	unlock, err := m.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	at, taken := slices.BinarySearchFunc(m.seals, seal.N, func(s audit.Seal, n int64) int { return cmp.Compare(s.N, n) })
	if taken {
		return false, nil
	}
	m.seals = slices.Insert(m.seals, at, seal)
	return true, nil
}

func (m *memory) about(call string) {
	if m.before != nil {
		m.before(call)
	}
}

func (m *memory) Seals(_ context.Context, afterN int64, limit int) ([]audit.Seal, error) {
	m.about("Seals")
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	at, _ := slices.BinarySearchFunc(m.seals, afterN, func(s audit.Seal, n int64) int { return cmp.Compare(s.N, n) })
	for at < len(m.seals) && m.seals[at].N == afterN {
		at++
	}
	return slices.Clone(m.seals[at:min(len(m.seals), at+limit)]), nil
}

func (m *memory) Rows(_ context.Context, afterSeq int64, limit int) ([]audit.Row, error) {
	m.about("Rows")
	unlock, err := m.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	at, _ := slices.BinarySearchFunc(m.rows, afterSeq, func(r audit.Row, seq int64) int { return cmp.Compare(r.Seq, seq) })
	for at < len(m.rows) && m.rows[at].Seq == afterSeq {
		at++
	}
	return slices.Clone(m.rows[at:min(len(m.rows), at+limit)]), nil
}

func (m *memory) PersonKey(_ context.Context, user identity.ID) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wrapped, ok := m.people[user]
	return wrapped, ok, nil
}

func (m *memory) InsertPersonKey(_ context.Context, user identity.ID, wrapped []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.people[user]; !ok {
		m.people[user] = wrapped
	}
	return nil
}

func (m *memory) InsertRefusals(ctx context.Context, refusals []audit.Refusal) error {
	m.mu.Lock()
	down := m.down
	m.calls++
	m.mu.Unlock()
	if down {
		return errDown
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, refusal := range refusals {
		row, err := m.build.Refusal(ctx, m, refusal)
		if err != nil {
			return err
		}
		m.insert(row, 0)
	}
	return nil
}

// insert commits a row; transaction zero takes the next.
func (m *memory) insert(row audit.Row, tx int64) audit.Row {
	m.mu.Lock()
	m.seq++
	row.Seq, row.Tx = m.seq, cmp.Or(tx, m.seq)
	m.put(row)
	wake := m.wake
	m.mu.Unlock()
	if wake != nil {
		wake()
	}
	return row
}

// put keeps the order of a primary key.
func (m *memory) put(row audit.Row) {
	at, _ := slices.BinarySearchFunc(m.rows, row.Seq, func(r audit.Row, seq int64) int { return cmp.Compare(r.Seq, seq) })
	m.rows = slices.Insert(m.rows, at, row)
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *memory) count() (rows, seals, calls int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rows), len(m.seals), m.calls
}

// copy is the same log, to be spoiled.
func (m *memory) copy() *memory {
	c := &memory{build: m.build, people: m.people, seq: m.seq}
	for _, row := range m.rows {
		row.Personal, row.Mark = bytes.Clone(row.Personal), bytes.Clone(row.Mark)
		c.rows = append(c.rows, row)
	}
	for _, seal := range m.seals {
		seal.Members, seal.Previous, seal.MAC = bytes.Clone(seal.Members), bytes.Clone(seal.Previous), bytes.Clone(seal.MAC)
		c.seals = append(c.seals, seal)
	}
	return c
}

var (
	alice = identity.NewRandomID()
	bob   = identity.NewRandomID()
)

func request() identity.Request {
	return identity.Request{Address: netip.MustParseAddr("192.0.2.77"), UserAgent: "Canary/1.0", Route: "POST /auth/v1/login"}
}

func event(t testing.TB, m *memory) audit.Row {
	t.Helper()
	by := identity.NewPerson(identity.SubjectOf(alice), identity.NewRandomID(), time.Time{}, identity.Granted{}, request())
	row, err := m.build.Row(t.Context(), m, by, audit.Event{Name: audit.SessionLogout, User: alice, Reason: "asked", Private: map[string]string{"device": "canary phone"}})
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// seal runs a sealer over what there is.
func seal(m *memory, keys *secret.Keyring, now func() time.Time) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	audit.NewSealer(m, keys, audit.SealerOptions{Now: now}).Run(ended)
}

// sealed is a log of batches of rows, each with its seal.
func sealed(t testing.TB, batches ...int) (*memory, *secret.Keyring) {
	t.Helper()
	m, keys := newMemory(t, time.Now)
	for _, rows := range batches {
		for range rows {
			m.insert(event(t, m), 0)
		}
		seal(m, keys, time.Now)
	}
	return m, keys
}

func verify(t testing.TB, m *memory, keys *secret.Keyring, options audit.VerifyOptions) audit.Report {
	t.Helper()
	report, err := audit.Verify(context.Background(), m, keys, options)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

const farAway = math.MaxInt64 / 2
