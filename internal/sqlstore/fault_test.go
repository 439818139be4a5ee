package sqlstore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// wire is a way to a server that can be cut, and be made to swallow everything.
type wire struct {
	target string
	addr   string
	mu     sync.Mutex
	listen net.Listener
	conns  []net.Conn
	mute   bool
}

func newWire(t *testing.T, target string) *wire {
	w := &wire{target: target, addr: "127.0.0.1:0"}
	w.join(t)
	t.Cleanup(w.cut)
	return w
}

func (w *wire) join(t *testing.T) {
	listen, err := net.Listen("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.listen, w.addr = listen, listen.Addr().String()
	w.mu.Unlock()
	go func() {
		for {
			near, err := listen.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", w.target)
			if err != nil {
				_ = near.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, near, far)
			w.mu.Unlock()
			go w.copy(far, near)
			go w.copy(near, far)
		}
	}()
}

func (w *wire) copy(to io.WriteCloser, from io.Reader) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		mute := w.mute
		w.mu.Unlock()
		if !mute {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.listen.Close()
	for _, conn := range w.conns {
		_ = conn.Close()
	}
	w.conns = nil
}

func (w *wire) setMute(mute bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mute = mute
}

func isUnavailable(err error) bool {
	face := problem.From(err)
	return err != nil && face.Kind == problem.Unavailable && face.Code == "unavailable" && face.RetryAfter == 2*time.Second && errors.Unwrap(face) != nil
}

func TestALostServerIsFoundAgain(t *testing.T) {
	db := testdb.Postgres(t)
	u, err := url.Parse(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, u.Host)
	u.Host = w.addr
	db.DSN = u.String()
	store, ctx := open(t, db), context.Background()
	ada := addUser(t, store, "ada@example.org")
	s := addSession(t, store, ada.ID, 1)

	calls := map[string]func() error{
		"SessionByHash": func() error { _, _, err := store.SessionByHash(ctx, s.TokenHash); return err },
		"UserByID":      func() error { _, err := store.UserByID(ctx, ada.ID); return err },
		"Reserve":       func() error { _, err := store.Reserve(ctx, []byte("x"), policy, start); return err },
		"Change":        func() error { return try(store, func(context.Context, account.Tx) error { return nil }) },
		"Ping":          func() error { return store.Ping(ctx) },
	}
	w.cut()
	for name, call := range calls {
		begun := time.Now()
		if err := call(); !isUnavailable(err) || time.Since(begun) > 20*time.Second {
			t.Errorf("%s without a server = %v after %v, want unavailable soon", name, err, time.Since(begun))
		}
	}
	w.join(t)
	for name, call := range calls {
		if err := call(); err != nil {
			t.Errorf("%s with the server back: %v", name, err)
		}
	}

	w.setMute(true)
	begun := time.Now()
	if err := calls["Change"](); !isUnavailable(err) || time.Since(begun) > 20*time.Second {
		t.Errorf("Change with a server that does not answer = %v after %v", err, time.Since(begun))
	}
	w.setMute(false)
	w.cut()
	w.join(t)
	if err := calls["Change"](); err != nil {
		t.Errorf("Change with the server back: %v", err)
	}
}

func TestAFullPoolIsUnavailable(t *testing.T) {
	db := testdb.Postgres(t)
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: db.DSN, MaxConnections: 1})
	if err != nil {
		t.Fatal(err)
	}
	store.UseKeyring(keyring(t, store))
	defer func() { _ = store.Close() }()
	inside, leave := make(chan bool), make(chan bool)
	var first sync.WaitGroup
	first.Go(func() { _ = try(store, func(context.Context, account.Tx) error { close(inside); <-leave; return nil }) })
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := store.UserByID(ctx, identity.NewRandomID()); !isUnavailable(err) {
		t.Errorf("UserByID without a free connection = %v, want unavailable", err)
	}
	close(leave)
	first.Wait()
}

// On PostgreSQL a change that has no time left is undone by the driver, which then says that its transaction is over: an internal
// error, where waiting helps.
func TestAChangeWhoseTimeIsOverIsUnavailable(t *testing.T) {
	store := open(t, testdb.Postgres(t))
	for _, late := range []time.Duration{0, 100 * time.Millisecond} { // the driver takes a moment to undo it
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := store.Change(ctx, system, func(ctx context.Context, _ account.Tx) (audit.Event, error) {
			<-ctx.Done()
			time.Sleep(late)
			return audit.Event{Name: audit.Unrecorded}, nil
		})
		cancel()
		if !isUnavailable(err) {
			t.Errorf("Change that is done %v too late = %v, want unavailable", late, err)
		}
	}
}

func TestAFullOrReadOnlyDiskIsUnavailable(t *testing.T) {
	store := open(t, testdb.SQLite(t))
	writer := sqlstore.WriterOf(store)
	ada := addUser(t, store, "ada@example.org")
	for _, fault := range []struct{ name, breaks, mends string }{
		{"full", `PRAGMA max_page_count = 1`, `PRAGMA max_page_count = 1000000`}, // one page: means as many as there are
		{"read-only", `PRAGMA query_only = 1`, `PRAGMA query_only = 0`},
	} {
		before := rows(t, store)
		if _, err := writer.Exec(fault.breaks); err != nil {
			t.Fatal(err)
		}
		fifty(t, func(n int) (bool, error) {
			err := try(store, func(ctx context.Context, tx account.Tx) error {
				message := newMail()
				message.Text = strings.Repeat("x", 100_000)
				return tx.Enqueue(ctx, message)
			})
			if !isUnavailable(err) {
				t.Errorf("%s: Change = %v, want unavailable", fault.name, err)
			}
			return true, nil
		})
		if _, err := store.UserByID(t.Context(), ada.ID); err != nil {
			t.Errorf("%s: reading: %v", fault.name, err)
		}
		if _, err := writer.Exec(fault.mends); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, store); got != before {
			t.Errorf("%s: %d rows of changes that failed", fault.name, got-before)
		}
		change(t, store, func(context.Context, account.Tx) error { return nil })
	}
}

// killMe is set in the process that is killed by TestWhatIsAcknowledgedSurvivesAKill.
const killMe = "RINGWALL_TEST_KILL_ME"

func TestWhatIsAcknowledgedSurvivesAKill(t *testing.T) {
	if dsn := os.Getenv(killMe); dsn != "" {
		writeUntilKilled(t, testdb.DB{Engine: "sqlite", DSN: dsn})
		return
	}
	db := testdb.SQLite(t)
	open(t, db) // so that both processes find a migrated file
	for round := range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestWhatIsAcknowledgedSurvivesAKill$")
		child.Env = append(os.Environ(), killMe+"="+db.DSN)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []identity.ID
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			id, err := identity.ParseID(lines.Text())
			if err != nil {
				continue // half a line, or one of the test's own
			}
			if acknowledged = append(acknowledged, id); len(acknowledged) == 100 {
				_ = child.Process.Kill()
			}
		}
		_ = child.Wait()
		store := open(t, db)
		for _, id := range acknowledged {
			if _, err := store.UserByID(t.Context(), id); err != nil {
				t.Errorf("round %d: %s was acknowledged and is lost: %v", round, id, err)
			}
		}
		if len(acknowledged) < 100 {
			t.Fatalf("round %d: only %d changes", round, len(acknowledged))
		}
	}
}

func writeUntilKilled(t *testing.T, db testdb.DB) {
	store := open(t, db)
	for range 8 {
		go func() {
			for {
				id := identity.NewRandomID()
				err := try(store, func(ctx context.Context, tx account.Tx) error {
					return tx.InsertUser(ctx, account.User{ID: id, EmailCanonical: id.String(), Password: []byte("x")})
				})
				if err == nil {
					_, _ = os.Stdout.WriteString(id.String() + "\n")
				}
			}
		}()
	}
	time.Sleep(time.Minute)
}

// Nobody is asked to wait for a file that is no database, or is damaged: no time mends it. It stays as it is.
func TestAFileThatIsNoDatabase(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"another file": func([]byte) []byte { return []byte("These are the notes of somebody.\n") },
		"damaged": func(content []byte) []byte { // the schema, behind a head that is whole
			for i := 100; i < 4096; i++ {
				content[i] = 0xff
			}
			return content
		},
	} {
		db := testdb.SQLite(t)
		if err := open(t, db).Close(); err != nil {
			t.Fatal(err)
		}
		path := strings.TrimPrefix(db.DSN, "sqlite:")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		spoilt := spoil(content)
		if err := os.WriteFile(path, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = sqlstore.Open(t.Context(), sqlstore.Config{Database: db.DSN, Log: slog.New(slog.DiscardHandler), Now: time.Now})
		if p, ok := errors.AsType[*problem.Error](err); ok || err == nil || !strings.Contains(err.Error(), path+" is no SQLite database, or is damaged") || !strings.Contains(err.Error(), "restore a backup") {
			t.Errorf("%s: Open = %v (%v), want what to do", name, err, p)
		}
		if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, spoilt) {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}
