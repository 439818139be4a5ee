package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

func newMail() mail.Message {
	return mail.Message{ID: identity.NewID(), To: "ada@example.org", Subject: "Hello", Text: "canary-in-a-mail"}
}

func TestAFailedChangeLeavesNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		before, heard := rows(t, store), listen(store)
		boom := errors.New("boom")
		all := func(ctx context.Context, tx account.Tx) error {
			return errors.Join(
				tx.Grant(ctx, ada.ID, "admin"), tx.InsertSession(ctx, newSession(ada.ID, 1)),
				tx.Record(ctx, audit.Event{Name: audit.SessionCreated, User: ada.ID}), tx.Enqueue(ctx, newMail()))
		}
		var hooked bool
		store.OnCommit(func() { hooked = true }, func() { hooked = true })
		defer store.OnCommit(nil, nil)

		for name, run := range map[string]func(ctx context.Context, tx account.Tx) (audit.Event, error){
			"an error": func(ctx context.Context, tx account.Tx) (audit.Event, error) {
				return audit.Event{Name: audit.AuthzAdmin}, errors.Join(all(ctx, tx), boom)
			},
			"no event": func(ctx context.Context, tx account.Tx) (audit.Event, error) { return audit.Event{}, all(ctx, tx) },
			"an unknown event": func(ctx context.Context, tx account.Tx) (audit.Event, error) {
				return audit.Event{Name: "made_up"}, all(ctx, tx)
			},
			"a panic": func(ctx context.Context, tx account.Tx) (audit.Event, error) {
				_ = all(ctx, tx)
				panic("boom")
			},
			"a failed statement that it kept to itself": func(ctx context.Context, tx account.Tx) (audit.Event, error) {
				_ = all(ctx, tx)
				_ = tx.InsertSession(ctx, newSession(identity.NewRandomID(), 2)) // nobody's session
				return audit.Event{Name: audit.AuthzAdmin}, tx.Grant(ctx, ada.ID, "support")
			},
			"a recorded event without a name": func(ctx context.Context, tx account.Tx) (audit.Event, error) {
				return audit.Event{Name: audit.AuthzAdmin}, errors.Join(all(ctx, tx), tx.Record(ctx, audit.Event{}))
			},
		} {
			if err := store.Change(ctx, system, run); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if err := store.Change(ctx, identity.Actor{}, func(ctx context.Context, tx account.Tx) (audit.Event, error) {
			return audit.Event{Name: audit.AuthzAdmin}, all(ctx, tx)
		}); err == nil {
			t.Error("the zero Actor changed something")
		}

		user, err := store.UserByID(ctx, ada.ID)
		if err != nil || len(user.Roles) != 0 {
			t.Errorf("roles %v, %v; want none", user.Roles, err)
		}
		if list, err := store.Sessions(ctx, identity.SubjectOf(ada.ID)); err != nil || len(list) != 0 {
			t.Errorf("sessions %v, %v; want none", list, err)
		}
		if got := rows(t, store); got != before {
			t.Errorf("%d audit rows were left behind", got-before)
		}
		if _, waits, err := store.NextDue(ctx); waits || err != nil {
			t.Errorf("a mail was left behind: %v, %v", waits, err)
		}
		if hashes, users, everything := heard.take(); len(hashes)+len(users) != 0 || everything {
			t.Errorf("invalidations of what never was: %v %v %v", hashes, users, everything)
		}
		if hooked {
			t.Error("somebody was woken for nothing")
		}
	})
}

func TestChangeInsideOfChangeIsRefused(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		change(t, store, func(ctx context.Context, _ account.Tx) error {
			inner := func(context.Context, account.Tx) (audit.Event, error) {
				return audit.Event{Name: audit.AuthzAdmin}, nil
			}
			if err := store.Change(ctx, system, inner); !errors.Is(err, sqlstore.ErrNested) {
				t.Errorf("Change inside of Change = %v, want ErrNested", err)
			}
			if _, err := store.Reserve(ctx, []byte("x"), policy, start); !errors.Is(err, sqlstore.ErrNested) {
				t.Errorf("Reserve inside of Change = %v, want ErrNested", err)
			}
			return nil
		})
	})
}

func TestInvalidationComesBeforeTheAnswer(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), context.Background()
		ada := addUser(t, store, "ada@example.org")
		s := addSession(t, store, ada.ID, 1)
		var mu sync.Mutex
		var committed bool
		exact := store.OnInvalidate(func(i sessions.Invalidation) {
			mu.Lock()
			defer mu.Unlock()
			_, _, err := store.SessionByHash(ctx, s.TokenHash)
			committed = len(i.Sessions) == 1 && i.Sessions[0] == s.TokenHash && errors.Is(err, sessions.ErrMissing)
		})
		if exact != (db.Engine == "sqlite") {
			t.Errorf("exact = %v on %s", exact, db.Engine)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			_, err := tx.EndSession(ctx, identity.SubjectOf(ada.ID), s.ID)
			return err
		})
		mu.Lock()
		defer mu.Unlock()
		if !committed {
			t.Error("the change was acknowledged before its invalidation, or announced before it was committed")
		}
	})
}

func TestWhatInvalidatesAPerson(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		ada := addUser(t, store, "ada@example.org")
		heard := listen(store)
		for name, run := range map[string]func(ctx context.Context, tx account.Tx) error{
			"SetPassword": func(ctx context.Context, tx account.Tx) error { return tx.SetPassword(ctx, ada.ID, []byte("x"), start) },
			"SetLock":     func(ctx context.Context, tx account.Tx) error { return tx.SetLock(ctx, ada.ID, start, 0, "") },
			"Grant":       func(ctx context.Context, tx account.Tx) error { return tx.Grant(ctx, ada.ID, "admin") },
			"Revoke":      func(ctx context.Context, tx account.Tx) error { return tx.Revoke(ctx, ada.ID, "admin") },
		} {
			change(t, store, run)
			if _, users, _ := heard.take(); len(users) != 1 || users[0] != ada.ID {
				t.Errorf("%s announced %v, want the person", name, users)
			}
		}
	})
}

func TestCommitHooks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		var mails, events int
		store.OnCommit(func() { mails++ }, func() { events++ })
		change(t, store, func(context.Context, account.Tx) error { return nil })
		if mails != 0 || events != 1 {
			t.Errorf("without a mail: %d, %d; want 0, 1", mails, events)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.Enqueue(ctx, newMail()) })
		if mails != 1 || events != 2 {
			t.Errorf("with a mail: %d, %d; want 1, 2", mails, events)
		}
		if _, err := store.Reserve(t.Context(), []byte("x"), policy, start); err != nil || mails != 1 || events != 2 {
			t.Errorf("Reserve: %v, %d, %d; want nobody woken", err, mails, events)
		}
	})
}

// Changes share a transaction on SQLite: one that fails must not take the others with it, and what was acknowledged
// must be there when the file is opened again.
func TestGroupCommit(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		var mu sync.Mutex
		acknowledged := map[identity.ID]bool{}
		made := fifty(t, func(n int) (bool, error) {
			id := identity.NewRandomID()
			email := fmt.Sprintf("%d@example.org", n)
			err := try(store, func(ctx context.Context, tx account.Tx) error {
				if err := tx.InsertUser(ctx, account.User{ID: id, Email: email, EmailCanonical: email, Password: []byte("x")}); err != nil {
					return err
				}
				if n%5 == 0 {
					panic("in the middle of a group")
				}
				if n%5 == 1 {
					return errors.New("in the middle of a group")
				}
				return nil
			})
			mu.Lock()
			defer mu.Unlock()
			acknowledged[id] = err == nil
			return err == nil, nil
		})
		if made != 30 {
			t.Errorf("%d changes succeeded, want 30", made)
		}
		if err := store.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		again := open(t, db)
		for id, ok := range acknowledged {
			if _, err := again.UserByID(t.Context(), id); (err == nil) != ok {
				t.Errorf("acknowledged %v, but reading it again: %v", ok, err)
			}
		}
	})
}

func TestAChangeWhoseCallerHasGoneIsDropped(t *testing.T) {
	store := open(t, testdb.SQLite(t))
	inside, leave := make(chan bool), make(chan bool)
	var first sync.WaitGroup
	first.Go(func() {
		if err := try(store, func(context.Context, account.Tx) error { close(inside); <-leave; return nil }); err != nil {
			t.Errorf("the first change: %v", err)
		}
	})
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	var ran bool
	gone := make(chan error)
	go func() {
		gone <- store.Change(ctx, system, func(context.Context, account.Tx) (audit.Event, error) {
			ran = true
			return audit.Event{Name: audit.AuthzAdmin}, nil
		})
	}()
	time.Sleep(20 * time.Millisecond) // into the queue
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("Change = %v, want context.Canceled", err)
	}
	close(leave)
	first.Wait()
	if err := store.Close(); err != nil { // waits for the queue
		t.Fatalf("Close: %v", err)
	}
	if ran {
		t.Error("a dropped change ran")
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		if err := store.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		err := try(store, func(context.Context, account.Tx) error { return nil })
		if got := problem.From(err); err == nil || got.Kind != problem.Unavailable {
			t.Errorf("Change on a closed store = %v, want unavailable", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}
