package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/internal/webhook"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	insertCustomer = sqlsafe.New(`INSERT INTO customers (user_id, plan) VALUES ($1, $2)`)
	planOf         = sqlsafe.New(`SELECT plan FROM customers WHERE user_id = $1`)
	endless        = sqlsafe.New(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n WHERE i < 0`)
	// On SQLite cutting it off ends the transaction in which others have their part.
	endlessInsert = sqlsafe.New(`INSERT INTO customers (user_id, plan) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 'x', 'x' FROM n WHERE i < 0`)
)

// hosted is a store whose host has a table of its own, and what its hook does for each account.
func hosted(t *testing.T, db testdb.DB, log *slog.Logger, hook func(context.Context, lifecycle.HostTx, lifecycle.User) error) (*sqlstore.Store, func() (customers, people, webhooks int)) {
	t.Helper()
	store := openLogged(t, db, log)
	t.Cleanup(func() { _ = store.Close() })
	admin := raw(t, db)
	statements := []string{`CREATE TABLE customers (user_id TEXT NOT NULL PRIMARY KEY, plan TEXT NOT NULL)`}
	if strings.HasPrefix(db.DSN, "postgres") {
		statements = append(statements, `GRANT SELECT, INSERT ON customers TO PUBLIC`)
	}
	for _, s := range statements {
		if _, err := admin.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	store.Follow(lifecycle.New(lifecycle.Options{Hooks: lifecycle.Hooks{OnUserCreated: hook}, Target: "events", Now: time.Now, Log: log}).Follow)
	return store, func() (customers, people, webhooks int) {
		t.Helper()
		if err := admin.QueryRow(`SELECT (SELECT COUNT(*) FROM customers), (SELECT COUNT(*) FROM ringwall_users), (SELECT COUNT(*) FROM ringwall_webhooks)`).Scan(&customers, &people, &webhooks); err != nil {
			t.Fatal(err)
		}
		return customers, people, webhooks
	}
}

// join makes an account, as whoever confirms a sign-up does.
func join(store *sqlstore.Store, email string) error {
	user := account.User{ID: identity.NewRandomID(), Email: email, EmailCanonical: email, CreatedMicros: start}
	return store.Change(context.Background(), system, func(ctx context.Context, tx account.Tx) (audit.Event, error) {
		return audit.Event{Name: audit.UserCreated, User: user.ID}, tx.InsertUser(ctx, user)
	})
}

// A hook that fails in whatever way leaves nothing: no account, no row of the host's, no webhook; and the next change works.
func TestAHookThatFailsUndoesItsChange(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		var log bytes.Buffer
		var do func(context.Context, lifecycle.HostTx, lifecycle.User) error
		store, counts := hosted(t, db, slog.New(slog.NewTextHandler(&log, nil)), func(ctx context.Context, tx lifecycle.HostTx, u lifecycle.User) error { return do(ctx, tx, u) })
		insert := func(ctx context.Context, tx lifecycle.HostTx, u lifecycle.User) error {
			_, err := tx.Exec(ctx, insertCustomer.With(u.ID.String(), "free"))
			return err
		}
		never := make(chan struct{})
		defer close(never)
		forged := problem.New(problem.Conflict, "conflict", "canary")
		for name, end := range map[string]func(context.Context, lifecycle.HostTx, lifecycle.User) error{
			"an error":     func(context.Context, lifecycle.HostTx, lifecycle.User) error { return errors.New("canary") },
			"our problem":  func(context.Context, lifecycle.HostTx, lifecycle.User) error { return forged },
			"our error":    func(context.Context, lifecycle.HostTx, lifecycle.User) error { return account.ErrTaken },
			"a panic":      func(context.Context, lifecycle.HostTx, lifecycle.User) error { panic("canary") },
			"its own end":  func(context.Context, lifecycle.HostTx, lifecycle.User) error { runtime.Goexit(); return nil },
			"a long sleep": func(context.Context, lifecycle.HostTx, lifecycle.User) error { <-never; return nil },
			"an endless statement": func(ctx context.Context, tx lifecycle.HostTx, _ lifecycle.User) error {
				var n int
				_, err := tx.QueryRow(context.Background(), endless, &n)
				return err
			},
			"an endless statement that writes": func(ctx context.Context, tx lifecycle.HostTx, _ lifecycle.User) error {
				_, err := tx.Exec(ctx, endlessInsert)
				return err
			},
			"a failed statement that it kept to itself": func(ctx context.Context, tx lifecycle.HostTx, u lifecycle.User) error {
				_ = insert(ctx, tx, u) // twice
				return nil
			},
			"a COMMIT": func(ctx context.Context, tx lifecycle.HostTx, _ lifecycle.User) error {
				_, err := tx.Exec(ctx, sqlsafe.New("/* innocent */ -- SELECT\n commit"))
				return err
			},
			"a ROLLBACK": func(ctx context.Context, tx lifecycle.HostTx, _ lifecycle.User) error {
				_, err := tx.QueryRow(ctx, sqlsafe.New(`ROLLBACK`))
				return err
			},
			"a change inside": func(ctx context.Context, _ lifecycle.HostTx, _ lifecycle.User) error {
				return store.Change(ctx, system, func(context.Context, account.Tx) (audit.Event, error) {
					return audit.Event{Name: audit.AuthzAdmin}, nil
				})
			},
		} {
			do = func(ctx context.Context, tx lifecycle.HostTx, u lifecycle.User) error {
				if err := insert(ctx, tx, u); err != nil {
					t.Errorf("%s: the row of the host: %v", name, err)
				}
				return end(ctx, tx, u)
			}
			began := time.Now()
			err := join(store, "ada@example.org")
			if err == nil || errors.Is(err, account.ErrTaken) || problem.From(err).Code == "conflict" || strings.Contains(problem.From(err).Detail, "canary") {
				t.Errorf("%s = %v, want an error of nobody's business", name, err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("%s took %v", name, took)
			}
			if c, p, w := counts(); c+p+w != 0 {
				t.Errorf("after %s there are %d rows of the host, %d accounts, %d webhooks", name, c, p, w)
			}
		}
		if !strings.Contains(log.String(), "panic in a hook") {
			t.Errorf("the log does not tell of the panic:\n%s", log.String())
		}

		var kept lifecycle.HostTx
		do = func(ctx context.Context, tx lifecycle.HostTx, u lifecycle.User) error {
			kept = tx
			var plan string
			found, err := tx.QueryRow(ctx, planOf.With(u.ID.String()), &plan)
			if found || err != nil || u.Email != "ada@example.org" || u.Via != lifecycle.BySignUp {
				t.Errorf("before: %v, %v; user %+v", found, err, u)
			}
			err = insert(ctx, tx, u)
			if found, _ = tx.QueryRow(ctx, planOf.With(u.ID.String()), &plan); !found || plan != "free" {
				t.Errorf("the hook does not see its own row: %v, %q", found, plan)
			}
			return err
		}
		if err := join(store, "ada@example.org"); err != nil {
			t.Errorf("after all this a good hook = %v", err)
		}
		if c, p, w := counts(); c != 1 || p != 1 || w != 1 {
			t.Errorf("%d rows of the host, %d accounts, %d webhooks; want one of each", c, p, w)
		}
		if _, err := kept.Exec(t.Context(), insertCustomer.With("later", "stolen")); err == nil {
			t.Error("a transaction was used after its hook had returned")
		}
	})
}

// Whoever keeps the transaction of a hook cannot use it once the hook has returned or its time is over, while the change, or
// on SQLite that of somebody else, still runs.
func TestATransactionEndsWithItsHook(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, counts := hosted(t, db, slog.New(slog.DiscardHandler), nil)
		released := make(chan struct{})
		defer close(released)
		store.Follow(func(ctx context.Context, tx lifecycle.Tx, _ lifecycle.Happened) error {
			kept := make(chan lifecycle.HostTx, 1)
			late := func(when string) {
				if _, err := (<-kept).Exec(ctx, insertCustomer.With(when, "stolen")); err == nil {
					t.Errorf("a transaction was used %s", when)
				}
			}
			if err := tx.Host(ctx, "quick", func(_ context.Context, host lifecycle.HostTx) error { kept <- host; return nil }); err != nil {
				t.Errorf("a hook that does nothing = %v", err)
			}
			late("after its hook")
			if err := tx.Host(ctx, "slow", func(_ context.Context, host lifecycle.HostTx) error { kept <- host; <-released; return nil }); err == nil {
				t.Error("a hook that hangs is no error")
			}
			late("after its time")
			began := time.Now()
			if err := tx.Host(ctx, "third", func(ctx context.Context, host lifecycle.HostTx) error {
				_, err := host.Exec(ctx, insertCustomer.With("third", "stolen"))
				return err
			}); err == nil || time.Since(began) > 4*time.Second { // one that waits takes five
				t.Errorf("a hook when the time of all is over = %v after %v", err, time.Since(began))
			}
			return errors.New("undo")
		})
		if err := join(store, "ada@example.org"); err == nil {
			t.Error("the change was not undone")
		}
		if c, p, w := counts(); c+p+w != 0 {
			t.Errorf("there are %d rows of the host, %d accounts, %d webhooks", c, p, w)
		}
	})
}

// Of fifty at once, whose hooks fail for every second, those of the others stay, though on SQLite they share transactions.
func TestAHookThatFailsHarmsNoNeighbour(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, counts := hosted(t, db, slog.New(slog.DiscardHandler), func(ctx context.Context, tx lifecycle.HostTx, u lifecycle.User) error {
			if _, err := tx.Exec(ctx, insertCustomer.With(u.ID.String(), "free")); err != nil {
				return err
			}
			if strings.HasPrefix(u.Email, "odd") {
				return errors.New("no")
			}
			return nil
		})
		n := fifty(t, func(n int) (bool, error) {
			err := join(store, []string{"even", "odd"}[n%2]+string(rune('a'+n/2))+"@example.org")
			return err == nil, nil
		})
		if c, p, w := counts(); n != 25 || c != 25 || p != 25 || w != 25 {
			t.Errorf("%d were told yes; %d rows of the host, %d accounts, %d webhooks; want 25 of each", n, c, p, w)
		}
	})
}

// Sessions are told of from the statements that end them, whatever the event says.
func TestEndedSessionsAreTold(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		ada := addUser(t, store, "ada@example.org")
		first, second, third := addSession(t, store, ada.ID, 1), addSession(t, store, ada.ID, 2), addSession(t, store, ada.ID, 3)
		var mu sync.Mutex
		var got []string
		store.Follow(func(ctx context.Context, tx lifecycle.Tx, what lifecycle.Happened) error {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range what.Renewed {
				got = append(got, "renewed "+r.Old.String()+" "+r.New.String())
			}
			for _, s := range what.Ended {
				got = append(got, "ended "+s.ID.String())
			}
			return tx.EnqueueWebhook(ctx, webhook.Message{ID: identity.NewID(), Target: "events"})
		})
		next := newSession(ada.ID, 4)
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			_, err := tx.RotateSession(ctx, identity.SubjectOf(ada.ID), first.ID, next)
			return errors.Join(err, tx.StaleSessions(ctx, identity.SubjectOf(ada.ID)))
		})
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			_, err := tx.EndSession(ctx, identity.SubjectOf(ada.ID), second.ID)
			return err
		})
		if err := store.Change(t.Context(), system, func(ctx context.Context, tx account.Tx) (audit.Event, error) {
			_, err := tx.EndSessions(ctx, identity.SubjectOf(ada.ID), next.ID)
			return audit.Event{Name: audit.Unrecorded}, err
		}); err != nil {
			t.Fatal(err)
		}
		want := []string{"renewed " + first.ID.String() + " " + next.ID.String(), "ended " + second.ID.String(), "ended " + third.ID.String()}
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("told %v, want %v", got, want)
		}
	})
}
