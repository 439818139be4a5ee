package sqlstore_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

const (
	second = int64(1_000_000)
	minute = 60 * second
	hour   = 60 * minute
)

// start is the time of all test data.
var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).UnixMicro()

var system = identity.NewSystem("test")

// masterText is thirty-two bytes of good variety, the same for every opening of a database.
const masterText = "8f3a6c1e9b2d47508e1fa4c6d3b5792013c8e6fa7b4d9250617e8c3f2ab4d695"

// open opens a database, with its keys, until the test ends.
func open(t testing.TB, db testdb.DB) *sqlstore.Store {
	t.Helper()
	store := openLogged(t, db, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func openLogged(t testing.TB, db testdb.DB, log *slog.Logger) *sqlstore.Store {
	t.Helper()
	ctx := context.Background()
	store, err := sqlstore.Open(ctx, sqlstore.Config{Database: db.DSN, Log: log, Now: func() time.Time { return time.UnixMicro(start) }})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	master, err := secret.ParseMasterKey(secret.NewText(masterText))
	if err != nil {
		t.Fatalf("ParseMasterKey: %v", err)
	}
	ring, err := secret.OpenKeyring(ctx, master, "test", store, time.Now)
	if err != nil {
		t.Fatalf("OpenKeyring: %v", err)
	}
	store.UseKeyring(ring)
	return store
}

// change runs a change that must succeed, with an event of no importance.
func change(t testing.TB, store *sqlstore.Store, run func(ctx context.Context, tx account.Tx) error) {
	t.Helper()
	if err := try(store, run); err != nil {
		t.Fatalf("Change: %v", err)
	}
}

func try(store *sqlstore.Store, run func(ctx context.Context, tx account.Tx) error) error {
	return store.Change(context.Background(), system, func(ctx context.Context, tx account.Tx) (audit.Event, error) {
		return audit.Event{Name: audit.AuthzAdmin}, run(ctx, tx)
	})
}

func addUser(t testing.TB, store *sqlstore.Store, email string) account.User {
	t.Helper()
	user := account.User{
		ID: identity.NewRandomID(), Email: email, EmailCanonical: email, DisplayName: "Ada", Password: []byte("sealed"),
		PasswordChangedMicros: start, CreatedMicros: start,
	}
	change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertUser(ctx, user) })
	return user
}

func newSession(user identity.ID, n byte) sessions.Session {
	s := sessions.Session{
		ID: identity.NewRandomID(), User: user, Device: identity.NewRandomID(), CreatedMicros: start, LastSeenMicros: start + int64(n),
		ExpiresMicros: start + 12*hour, IdleMicros: 30 * minute, FreshMicros: start + 5*minute, Remembered: n%2 == 0, Bearer: n%2 == 1,
		Address: "192.0.2.1", UserAgent: "Browser/1.0",
	}
	copy(s.TokenHash[:], bytes.Repeat([]byte{n}, 16))
	copy(s.TokenHash[16:], s.ID[:])
	return s
}

func addSession(t testing.TB, store *sqlstore.Store, user identity.ID, n byte) sessions.Session {
	t.Helper()
	s := newSession(user, n)
	change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertSession(ctx, s) })
	return s
}

// fifty runs what fifty clients do at once, and counts how often it was true.
func fifty(t testing.TB, do func(n int) (bool, error)) int {
	t.Helper()
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		count int
		begin = make(chan struct{})
	)
	for n := range 50 {
		group.Go(func() {
			<-begin
			ok, err := do(n)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("client %d: %v", n, err)
			}
			if ok {
				count++
			}
		})
	}
	close(begin)
	group.Wait()
	return count
}

// rows counts the rows of the audit log.
func rows(t testing.TB, store *sqlstore.Store) int {
	t.Helper()
	found, err := store.Rows(context.Background(), 0, 1000)
	if err != nil {
		t.Fatalf("Rows: %v", err)
	}
	return len(found)
}
