package alerts_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

const masterText = "8f3a6c1e9b2d47508e1fa4c6d3b5792013c8e6fa7b4d9250617e8c3f2ab4d695"

// clock is moved by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// lines is a log that can be asked.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), words)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func open(t *testing.T, db testdb.DB, c *clock) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: db.DSN, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	master, err := secret.ParseMasterKey(secret.NewText(masterText))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.OpenKeyring(t.Context(), master, "test", store, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	store.UseKeyring(ring)
	return store
}

// options tell everybody.
func options(c *clock, log *slog.Logger) alerts.Options {
	return alerts.Options{
		By: identity.NewSystem("alerts"), Mail: "ops@example.org", Webhook: "alerts", Origin: "https://id.example.org", Service: "Example", Now: c.now, Log: log,
	}
}

// start runs the worker until the test ends, or until stop is called, which waits for it.
func start(t *testing.T, a *alerts.Alerts) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		a.Run(ctx)
		close(done)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

var spraying = alerts.Alert{
	Kind: alerts.Spraying, What: "Failed sign-ins on 20 accounts from one network.", Where: []string{"203.0.113.0/24"}, Count: 20,
	Help: "ringwall limits block 203.0.113.0/24 --for 1h --reason spraying",
}
