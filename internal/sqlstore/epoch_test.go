package sqlstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// endAll ends the sessions of everybody and returns how many there were.
func endAll(t testing.TB, store *sqlstore.Store) (ended int) {
	t.Helper()
	change(t, store, func(ctx context.Context, tx account.Tx) (err error) {
		ended, err = tx.EndAllSessions(ctx)
		return err
	})
	return ended
}

// What has ended with everybody's is none by any statement, though its row still lies there; then it is purged.
func TestTheSessionsOfEverybodyEnd(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada, bob := addUser(t, store, "ada@example.org"), addUser(t, store, "bob@example.org")
		owner := identity.SubjectOf(ada.ID)
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return tx.RememberDevice(ctx, ada.ID, identity.NewRandomID(), start+hour)
		})
		hers, bearer, his := addSession(t, store, ada.ID, 2), addSession(t, store, ada.ID, 1), addSession(t, store, bob.ID, 4)
		heard := listen(store)
		if n := endAll(t, store); n != 3 {
			t.Errorf("EndAllSessions = %d, want 3", n)
		}
		if _, _, all := heard.take(); !all {
			t.Error("nobody was told that everything is untrue")
		}
		for _, s := range []sessions.Session{hers, bearer, his} {
			if _, _, err := store.SessionByHash(ctx, s.TokenHash); !errors.Is(err, sessions.ErrMissing) {
				t.Errorf("SessionByHash = %v, want ErrMissing", err)
			}
			if _, err := store.SessionOwner(ctx, s.ID); !errors.Is(err, account.ErrMissing) {
				t.Errorf("SessionOwner = %v, want ErrMissing", err)
			}
		}
		if err := store.TouchSessions(ctx, []sessions.Touch{{ID: hers.ID, LastSeenMicros: start + hour}}); err != nil {
			t.Errorf("TouchSessions: %v", err)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			if there, err := tx.RotateSession(ctx, owner, hers.ID, newSession(ada.ID, 6)); there || err != nil {
				t.Errorf("RotateSession = %v, %v", there, err)
			}
			if ended, err := tx.EndSession(ctx, owner, hers.ID); ended || err != nil {
				t.Errorf("EndSession = %v, %v", ended, err)
			}
			if n, err := tx.EndSessions(ctx, owner, identity.ID{}); n != 0 || err != nil {
				t.Errorf("EndSessions = %d, %v", n, err)
			}
			return tx.StaleSessions(ctx, owner)
		})
		if list, err := store.Sessions(ctx, owner); len(list) != 0 || err != nil {
			t.Errorf("Sessions = %v, %v", list, err)
		}
		var devices, left int
		if err := raw(t, db).QueryRow(`SELECT COUNT(*) FROM ringwall_devices`).Scan(&devices); devices != 1 || err != nil {
			t.Errorf("%d known devices, %v; want 1", devices, err)
		}

		next := addSession(t, store, ada.ID, 8)
		if _, _, err := store.SessionByHash(ctx, next.TokenHash); err != nil {
			t.Errorf("a session that began afterwards: %v", err)
		}
		if gone, err := store.Purge(ctx, start); gone != 3 || err != nil {
			t.Errorf("Purge = %d, %v; want the 3", gone, err)
		}
		if err := raw(t, db).QueryRow(`SELECT COUNT(*) FROM ringwall_sessions`).Scan(&left); left != 1 || err != nil {
			t.Errorf("%d rows left, %v; want 1", left, err)
		}
		if n := endAll(t, store); n != 1 {
			t.Errorf("EndAllSessions again = %d, want 1", n)
		}
	})
}

// A change that fails ends nobody's.
func TestAnEndOfAllThatFailsEndsNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		s := addSession(t, store, addUser(t, store, "ada@example.org").ID, 1)
		err := try(store, func(ctx context.Context, tx account.Tx) error {
			_, err := tx.EndAllSessions(ctx)
			return errors.Join(err, errors.New("a fault"))
		})
		if err == nil {
			t.Error("the fault was lost")
		}
		if _, _, err := store.SessionByHash(t.Context(), s.TokenHash); err != nil {
			t.Errorf("SessionByHash = %v", err)
		}
	})
}

// Fifty sessions get another id while those of everybody end: none comes out alive, whichever was first.
func TestNoRenewalOutlivesTheEndOfAll(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		for range 4 {
			var old, next [50]sessions.Session
			for n := range old {
				user := addUser(t, store, identity.NewRandomID().String()+"@example.org").ID
				old[n], next[n] = addSession(t, store, user, byte(n)), newSession(user, byte(n))
			}
			var both sync.WaitGroup
			both.Go(func() {
				if err := try(store, func(ctx context.Context, tx account.Tx) error { _, err := tx.EndAllSessions(ctx); return err }); err != nil {
					t.Errorf("EndAllSessions: %v", err)
				}
			})
			fifty(t, func(n int) (there bool, err error) {
				err = try(store, func(ctx context.Context, tx account.Tx) error {
					there, err = tx.RotateSession(ctx, identity.SubjectOf(old[n].User), old[n].ID, next[n])
					return err
				})
				return there, err
			})
			both.Wait()
			for n := range old {
				for _, s := range []sessions.Session{old[n], next[n]} {
					if _, _, err := store.SessionByHash(ctx, s.TokenHash); !errors.Is(err, sessions.ErrMissing) {
						t.Fatalf("a session of before: %v", err)
					}
				}
			}
		}
	})
}

// A sign-in whose transaction began before the end of all, and commits after it, has begun a session that is none.
func TestASignInUnderWayEndsWithAll(t *testing.T) {
	db := testdb.Postgres(t) // on SQLite one follows the other
	store := open(t, db)
	s := newSession(addUser(t, store, "ada@example.org").ID, 1)
	change(t, store, func(ctx context.Context, tx account.Tx) error {
		err := tx.InsertSession(ctx, s)
		endAll(t, store) // acknowledged while the sign-in is not
		return err
	})
	if _, _, err := store.SessionByHash(t.Context(), s.TokenHash); !errors.Is(err, sessions.ErrMissing) {
		t.Errorf("SessionByHash = %v, want ErrMissing", err)
	}
}
