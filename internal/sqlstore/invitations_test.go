package sqlstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/testdb"
)

func TestInvitations(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		invite := func(address, token string, by identity.ID, expires int64) account.Invitation {
			i := account.Invitation{ID: identity.NewRandomID(), Email: address, EmailCanonical: address, Role: "support", TokenMAC: []byte(token), InvitedBy: by, CreatedMicros: start, ExpiresMicros: expires}
			change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.ReplaceInvitation(ctx, i) })
			return i
		}
		replaced := invite("b@example.org", "replaced", ada.ID, start+hour)
		b := invite("b@example.org", "b", identity.ID{}, start+hour)
		c, expired := invite("c@example.org", "c", ada.ID, start+hour), invite("a@example.org", "a", ada.ID, start)

		list, err := store.Invitations(ctx, "", start, 10)
		if diff := cmp.Diff([]account.Invitation{b, c}, list); err != nil || diff != "" {
			t.Errorf("Invitations: %v\n%s", err, diff)
		}
		if list, err := store.Invitations(ctx, "b@example.org", start, 1); err != nil || len(list) != 1 || list[0].ID != c.ID {
			t.Errorf("Invitations after the first = %v, %v", list, err)
		}
		if _, err := store.InvitationByToken(ctx, replaced.TokenMAC); !errors.Is(err, account.ErrMissing) {
			t.Errorf("the replaced one: %v", err)
		}
		if got, err := store.InvitationByToken(ctx, b.TokenMAC); err != nil || !cmp.Equal(b, got) {
			t.Errorf("InvitationByToken = %v, %v", got, err)
		}
		taken := fifty(t, func(int) (took bool, err error) {
			err = try(store, func(ctx context.Context, tx account.Tx) (err error) {
				took, err = tx.TakeInvitation(ctx, b.TokenMAC, start)
				return err
			})
			return took, err
		})
		if taken != 1 {
			t.Errorf("%d of fifty took it, want 1", taken)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			if took, err := tx.TakeInvitation(ctx, expired.TokenMAC, start); took || err != nil {
				t.Errorf("an expired one is taken: %v, %v", took, err)
			}
			return tx.DeleteInvitationsBy(ctx, ada.ID)
		})
		if _, err := store.InvitationByToken(ctx, c.TokenMAC); !errors.Is(err, account.ErrMissing) {
			t.Errorf("one by somebody whose invitations were deleted: %v", err)
		}
	})
}
