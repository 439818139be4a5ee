package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/testdb"
)

func newLink(user identity.ID, purpose account.LinkPurpose, n byte) account.Link {
	return account.Link{ID: identity.NewRandomID(), User: user, Purpose: purpose, TokenMAC: bytes.Repeat([]byte{n}, 32), CreatedMicros: start + int64(n), ExpiresMicros: start + hour}
}

func TestLinks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada, bob := addUser(t, store, "ada@example.org"), addUser(t, store, "bob@example.org")
		adas, bobs, keeps := newLink(ada.ID, account.LinkNotMe, 1), newLink(bob.ID, account.LinkNotMe, 2), newLink(ada.ID, account.LinkKeep, 3)
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return errors.Join(tx.InsertLink(ctx, adas), tx.InsertLink(ctx, bobs), tx.InsertLink(ctx, keeps))
		})
		if got, err := store.LinkByToken(ctx, adas.TokenMAC); err != nil || got.User != ada.ID || got.Purpose != account.LinkNotMe {
			t.Errorf("LinkByToken = %+v, %v", got, err)
		}
		if own, err := store.Links(ctx, identity.SubjectOf(ada.ID)); err != nil || len(own) != 2 {
			t.Errorf("Links = %+v, %v; want two of Ada's", own, err)
		}
		take := func(mac []byte, at int64) (taken bool) {
			change(t, store, func(ctx context.Context, tx account.Tx) (err error) {
				taken, err = tx.TakeLink(ctx, mac, at)
				return err
			})
			return taken
		}
		if take(adas.TokenMAC, start+hour) {
			t.Error("a link that had expired was taken")
		}
		if !take(adas.TokenMAC, start) || take(adas.TokenMAC, start) {
			t.Error("a link was not taken exactly once")
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.DeleteLinks(ctx, ada.ID, account.LinkNotMe) })
		for _, kept := range []account.Link{bobs, keeps} {
			if _, err := store.LinkByToken(ctx, kept.TokenMAC); err != nil {
				t.Errorf("a link of somebody else or for something else went too: %v", err)
			}
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			for n := range byte(60) {
				if err := tx.InsertLink(ctx, newLink(bob.ID, account.LinkNotMe, 100+n)); err != nil {
					return err
				}
			}
			return nil
		})
		if own, err := store.Links(ctx, identity.SubjectOf(bob.ID)); err != nil || len(own) != 50 {
			t.Errorf("%d links of Bob, %v; want the newest fifty", len(own), err)
		}
		if gone, err := store.Purge(ctx, start+hour); err != nil || gone != 51 {
			t.Errorf("Purge = %d, %v; want 51 links", gone, err)
		}
	})
}

// A person who is erased takes every row along but those of the audit log, whose personal fields nobody opens any more,
// and gets no new key by a later event.
func TestEraseUser(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada, bob := addUser(t, store, "ada@example.org"), addUser(t, store, "bob@example.org")
		session := newSession(ada.ID, 1)
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return errors.Join(tx.InsertSession(ctx, session), tx.Grant(ctx, ada.ID, "admin"), tx.Grant(ctx, bob.ID, "admin"),
				tx.RememberDevice(ctx, ada.ID, identity.NewRandomID(), start+hour), tx.InsertLink(ctx, newLink(ada.ID, account.LinkNotMe, 1)),
				tx.Record(ctx, audit.Event{Name: audit.UserCreated, User: ada.ID, Private: map[string]string{"email": ada.Email}}), tx.SetDeletion(ctx, ada.ID, start))
		})
		if due, err := store.DueDeletions(ctx, start); err != nil || len(due) != 1 || due[0] != ada.ID {
			t.Errorf("DueDeletions = %v, %v; want Ada", due, err)
		}
		if due, err := store.DueDeletions(ctx, start-1); err != nil || len(due) != 0 {
			t.Errorf("DueDeletions before = %v, %v; want nobody", due, err)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return tx.EraseUser(ctx, ada)
		})
		if _, err := store.UserByID(ctx, ada.ID); !errors.Is(err, account.ErrMissing) {
			t.Errorf("UserByID = %v", err)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return tx.Record(ctx, audit.Event{Name: audit.UserDeleted, User: ada.ID, Private: map[string]string{"email": ada.Email}})
		})
		if wrapped, ok, err := store.PersonKey(ctx, ada.ID); err != nil || !ok || len(wrapped) != 0 {
			t.Errorf("PersonKey = %d bytes, %v, %v; want an empty one", len(wrapped), ok, err)
		}
		rows, err := store.OwnEvents(ctx, identity.SubjectOf(ada.ID), 1<<62, false, 10)
		if err != nil || len(rows) != 2 || rows[0].Name != string(audit.UserDeleted) || len(rows[0].Personal) > 0 {
			t.Errorf("OwnEvents = %+v, %v; want the two events about her, newest first, the later without details", rows, err)
		}
	})
}
