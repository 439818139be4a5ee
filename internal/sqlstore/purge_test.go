package sqlstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/testdb"
)

func TestPurge(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		old, alive := addSignup(t, store, "a@example.org", start), addSignup(t, store, "b@example.org", start+24*hour)
		idle, timedOut, live := newSession(ada.ID, 1), newSession(ada.ID, 2), newSession(ada.ID, 3)
		timedOut.LastSeenMicros = start + 100*hour
		live.ExpiresMicros, live.LastSeenMicros = start+100*hour, start+24*hour
		device := identity.NewRandomID()
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return errors.Join(
				tx.InsertSession(ctx, idle), tx.InsertSession(ctx, timedOut), tx.InsertSession(ctx, live),
				tx.RememberDevice(ctx, ada.ID, device, start+hour),
				tx.ReplaceInvitation(ctx, account.Invitation{ID: identity.NewRandomID(), EmailCanonical: "c@example.org", TokenMAC: []byte("old"), ExpiresMicros: start + hour}),
				tx.ReplaceInvitation(ctx, account.Invitation{ID: identity.NewRandomID(), EmailCanonical: "d@example.org", TokenMAC: []byte("new"), ExpiresMicros: start + 25*hour}),
				tx.InsertReset(ctx, account.Reset{ID: identity.NewRandomID(), User: ada.ID, TokenMAC: []byte("t"), ExpiresMicros: start + hour}))
		})
		putEmailChange(t, store, ada.ID, "ada@example.net", start+hour)
		reserve(t, store, "ada", start)
		heard := listen(store)

		gone, err := store.Purge(ctx, start+24*hour)
		if err != nil || gone != 8 {
			t.Errorf("Purge = %d, %v; want 8", gone, err)
		}
		if _, err := store.InvitationByToken(ctx, []byte("new")); err != nil {
			t.Errorf("the new invitation: %v", err)
		}
		if hashes, _, _ := heard.take(); len(hashes) != 2 {
			t.Errorf("%d sessions were announced, want the two that timed out", len(hashes))
		}
		for name, s := range map[string]sessions.Session{"idle": idle, "timed out": timedOut} {
			if _, _, err := store.SessionByHash(ctx, s.TokenHash); !errors.Is(err, sessions.ErrMissing) {
				t.Errorf("the %s session: %v", name, err)
			}
		}
		if _, _, err := store.SessionByHash(ctx, live.TokenHash); err != nil {
			t.Errorf("the live session: %v", err)
		}
		if _, err := store.SignupByToken(ctx, old.TokenMAC); !errors.Is(err, account.ErrMissing) {
			t.Errorf("the old sign-up: %v", err)
		}
		if _, err := store.SignupByToken(ctx, alive.TokenMAC); err != nil {
			t.Errorf("the new sign-up: %v", err)
		}
		if gone, err := store.Purge(ctx, start+24*hour); gone != 0 || err != nil {
			t.Errorf("Purge again = %d, %v", gone, err)
		}
	})
}

func TestPurgeInBatches(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		ada := addUser(t, store, "ada@example.org")
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			for n := range 1200 {
				if err := tx.InsertSession(ctx, newSession(ada.ID, byte(n))); err != nil {
					return err
				}
			}
			return nil
		})
		if gone, err := store.Purge(t.Context(), start+24*hour); gone != 1200 || err != nil {
			t.Errorf("Purge = %d, %v; want 1200", gone, err)
		}
	})
}

// A session that was used in its last idle minute was purged with its stored time, though nobody had signed out: what
// is stored may be a minute old.
func TestPurgeWaitsForLastSeenTimes(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		s := newSession(ada.ID, 1)
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertSession(ctx, s) })
		timedOut := s.LastSeenMicros + s.IdleMicros
		if gone, err := store.Purge(ctx, timedOut+60_000_000); gone != 0 || err != nil {
			t.Errorf("Purge a minute after a session seems to have timed out = %d, %v; want it kept", gone, err)
		}
		if err := store.TouchSessions(ctx, []sessions.Touch{{ID: s.ID, LastSeenMicros: timedOut - 1}}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := store.SessionByHash(ctx, s.TokenHash); err != nil {
			t.Errorf("the session that was used: %v", err)
		}
		if gone, err := store.Purge(ctx, timedOut+s.IdleMicros+180_000_000); gone != 1 || err != nil {
			t.Errorf("Purge three minutes after it has = %d, %v; want 1", gone, err)
		}
	})
}
