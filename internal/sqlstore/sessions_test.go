package sqlstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/sqlsafe"
)

// told collects invalidations.
type told struct {
	mu  sync.Mutex
	got []sessions.Invalidation
}

func listen(store *sqlstore.Store) *told {
	heard := &told{}
	store.OnInvalidate(func(i sessions.Invalidation) {
		heard.mu.Lock()
		defer heard.mu.Unlock()
		heard.got = append(heard.got, i)
	})
	return heard
}

// take returns what was heard since the last call.
func (h *told) take() (hashes []sessions.Hash, users []identity.ID, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.got {
		hashes, users, all = append(hashes, i.Sessions...), append(users, i.Users...), all || i.All
	}
	h.got = nil
	return hashes, users, all
}

func TestSessionByHash(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return errors.Join(tx.Grant(ctx, ada.ID, "support"), tx.Grant(ctx, ada.ID, "admin"))
		})
		want := newSession(ada.ID, 1)
		want.UserAgent = "Mozilla \xff\x00"
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertSession(ctx, want) })
		want.UserAgent = "Mozilla \uFFFD\uFFFD"

		got, person, err := store.SessionByHash(ctx, want.TokenHash)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("SessionByHash: %v\n%s", err, diff)
		}
		if diff := cmp.Diff(sessions.Person{ID: ada.ID, Email: ada.Email, DisplayName: "Ada", Roles: []string{"admin", "support"}}, person); diff != "" {
			t.Errorf("its person:\n%s", diff)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.SetLock(ctx, ada.ID, start, 0, "") })
		if _, person, err = store.SessionByHash(ctx, want.TokenHash); err != nil || !person.Locked {
			t.Errorf("a locked person: %v, %v", person, err)
		}
		if _, _, err := store.SessionByHash(ctx, sessions.Hash{}); !errors.Is(err, sessions.ErrMissing) {
			t.Errorf("an unknown hash = %v, want ErrMissing", err)
		}

		bearer := newSession(ada.ID, 2)
		bearer.Device = identity.ID{}
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertSession(ctx, bearer) })
		if got, _, err := store.SessionByHash(ctx, bearer.TokenHash); err != nil || !got.Device.IsZero() {
			t.Errorf("without a device: %v, %v", got.Device, err)
		}
		if owner, err := store.SessionOwner(ctx, bearer.ID); err != nil || owner != ada.ID {
			t.Errorf("SessionOwner = %v, %v", owner, err)
		}
		if _, err := store.SessionOwner(ctx, identity.NewRandomID()); !errors.Is(err, account.ErrMissing) {
			t.Errorf("SessionOwner of none = %v, want ErrMissing", err)
		}
	})
}

func TestSomebodyElsesSessionIsAsMissing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada, eve := addUser(t, store, "ada@example.org"), addUser(t, store, "eve@example.org")
		hers := addSession(t, store, ada.ID, 1)
		heard := listen(store)
		attacker := identity.SubjectOf(eve.ID)
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			for name, id := range map[string]identity.ID{"hers": hers.ID, "a random one": identity.NewRandomID(), "none": {}} {
				if ended, err := tx.EndSession(ctx, attacker, id); ended || err != nil {
					t.Errorf("EndSession(%s) = %v, %v", name, ended, err)
				}
				if there, err := tx.RotateSession(ctx, attacker, id, newSession(eve.ID, 9)); there || err != nil {
					t.Errorf("RotateSession(%s) = %v, %v", name, there, err)
				}
			}
			if n, err := tx.EndSessions(ctx, attacker, identity.ID{}); n != 0 || err != nil {
				t.Errorf("EndSessions = %d, %v", n, err)
			}
			if err := tx.StaleSessions(ctx, attacker); err != nil {
				t.Errorf("StaleSessions: %v", err)
			}
			return nil
		})
		if hashes, _, _ := heard.take(); len(hashes) != 0 {
			t.Errorf("an invalidation for somebody else's session: %v", hashes)
		}
		got, _, err := store.SessionByHash(ctx, hers.TokenHash)
		if diff := cmp.Diff(hers, got); err != nil || diff != "" {
			t.Errorf("her session: %v\n%s", err, diff)
		}
		if list, err := store.Sessions(ctx, attacker); err != nil || len(list) != 0 {
			t.Errorf("Sessions = %v, %v", list, err)
		}
		if _, err := store.Sessions(ctx, identity.Subject{}); !errors.Is(err, sqlsafe.ErrNoSubject) {
			t.Errorf("Sessions of nobody = %v, want ErrNoSubject", err)
		}
		err = try(store, func(ctx context.Context, tx account.Tx) error {
			_, err := tx.RotateSession(ctx, identity.SubjectOf(ada.ID), hers.ID, newSession(eve.ID, 8))
			return err
		})
		if err == nil {
			t.Error("a session was rotated into somebody else's")
		}
	})
}

func TestEndingSessions(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		owner := identity.SubjectOf(ada.ID)
		var s []sessions.Session
		for n := range byte(6) {
			s = append(s, addSession(t, store, ada.ID, n))
		}
		heard := listen(store)
		list, err := store.Sessions(ctx, owner)
		if diff := cmp.Diff([]sessions.Session{s[5], s[4], s[3], s[2], s[1], s[0]}, list); err != nil || diff != "" {
			t.Fatalf("Sessions: %v\n%s", err, diff)
		}

		replacement := newSession(ada.ID, 20)
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			for _, old := range s[:2] {
				if ended, err := tx.EndSession(ctx, owner, old.ID); !ended || err != nil {
					t.Errorf("EndSession = %v, %v", ended, err)
				}
			}
			if ended, err := tx.EndSession(ctx, owner, s[2].ID); !ended || err != nil {
				t.Errorf("EndSession = %v, %v", ended, err)
			}
			if ended, err := tx.EndSession(ctx, owner, s[2].ID); ended || err != nil {
				t.Errorf("EndSession again = %v, %v", ended, err)
			}
			if there, err := tx.RotateSession(ctx, owner, s[3].ID, replacement); !there || err != nil {
				t.Errorf("RotateSession = %v, %v", there, err)
			}
			return nil
		})
		if hashes, _, _ := heard.take(); len(hashes) != 5 {
			t.Errorf("%d hashes were announced, want those of two, one, and the old and new one", len(hashes))
		}
		if _, _, err := store.SessionByHash(ctx, s[3].TokenHash); !errors.Is(err, sessions.ErrMissing) {
			t.Errorf("the rotated token still works: %v", err)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.StaleSessions(ctx, owner) })
		if hashes, _, _ := heard.take(); len(hashes) != 3 {
			t.Errorf("StaleSessions announced %d sessions, want 3", len(hashes))
		}
		if got, _, err := store.SessionByHash(ctx, replacement.TokenHash); err != nil || got.FreshMicros != 0 {
			t.Errorf("after StaleSessions: fresh until %d, %v", got.FreshMicros, err)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			if n, err := tx.EndSessions(ctx, owner, replacement.ID); n != 2 || err != nil {
				t.Errorf("EndSessions but one = %d, %v", n, err)
			}
			return nil
		})
		if list, err := store.Sessions(ctx, owner); err != nil || len(list) != 1 || list[0].ID != replacement.ID {
			t.Errorf("left: %v, %v", list, err)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			_, err := tx.EndSessions(ctx, owner, identity.ID{})
			return err
		})
		if list, err := store.Sessions(ctx, owner); err != nil || len(list) != 0 {
			t.Errorf("left after all: %v, %v", list, err)
		}
	})
}

func TestTouchSessions(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		kept, ended := addSession(t, store, ada.ID, 1), addSession(t, store, ada.ID, 2)
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			_, err := tx.EndSession(ctx, identity.SubjectOf(ada.ID), ended.ID)
			return err
		})
		events := rows(t, store)
		for _, micros := range []int64{start + minute, start + second} {
			err := store.TouchSessions(ctx, []sessions.Touch{{ID: kept.ID, LastSeenMicros: micros}, {ID: ended.ID, LastSeenMicros: micros}})
			if err != nil {
				t.Fatalf("TouchSessions: %v", err)
			}
		}
		if got, _, err := store.SessionByHash(ctx, kept.TokenHash); err != nil || got.LastSeenMicros != start+minute {
			t.Errorf("last seen at %d, %v; want %d", got.LastSeenMicros, err, start+minute)
		}
		if _, _, err := store.SessionByHash(ctx, ended.TokenHash); !errors.Is(err, sessions.ErrMissing) {
			t.Errorf("a touch brought an ended session back: %v", err)
		}
		if rows(t, store) != events {
			t.Error("a touch wrote an audit row")
		}
	})
}

func TestFiftySignInsKeepTwentySessions(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		ada := addUser(t, store, "ada@example.org")
		owner := identity.SubjectOf(ada.ID)
		fifty(t, func(n int) (bool, error) {
			return true, try(store, func(ctx context.Context, tx account.Tx) error {
				if _, err := tx.UserByID(ctx, ada.ID); err != nil { // one at a time from here on, as at every sign-in
					return err
				}
				if err := tx.InsertSession(ctx, newSession(ada.ID, byte(n))); err != nil {
					return err
				}
				list, err := tx.Sessions(ctx, owner)
				for _, old := range list[min(20, len(list)):] {
					if _, err := tx.EndSession(ctx, owner, old.ID); err != nil {
						return err
					}
				}
				return err
			})
		})
		if list, err := store.Sessions(t.Context(), owner); err != nil || len(list) != 20 {
			t.Errorf("%d sessions, %v; want 20", len(list), err)
		}
	})
}

// A sign-in that read the old password must not leave a session behind a change of password that ended all sessions.
func TestSignInBesidePasswordChange(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		for range 20 {
			ada := addUser(t, store, identity.NewRandomID().String()+"@example.org")
			owner := identity.SubjectOf(ada.ID)
			var both sync.WaitGroup
			both.Go(func() {
				err := try(store, func(ctx context.Context, tx account.Tx) error {
					now, err := tx.UserByID(ctx, ada.ID)
					if err != nil || now.PasswordChangedMicros != ada.PasswordChangedMicros {
						return err
					}
					return tx.InsertSession(ctx, newSession(ada.ID, 1))
				})
				if err != nil {
					t.Errorf("sign-in: %v", err)
				}
			})
			both.Go(func() {
				err := try(store, func(ctx context.Context, tx account.Tx) error {
					_, err := tx.EndSessions(ctx, owner, identity.ID{})
					return errors.Join(tx.SetPassword(ctx, ada.ID, []byte("new"), start+1), err)
				})
				if err != nil {
					t.Errorf("password change: %v", err)
				}
			})
			both.Wait()
			if list, err := store.Sessions(ctx, owner); err != nil || len(list) != 0 {
				t.Fatalf("a session of the old password: %v, %v", list, err)
			}
		}
	})
}
