package sqlstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// putEmailChange makes a change of address whose links are told by the address.
func putEmailChange(t *testing.T, store *sqlstore.Store, user identity.ID, email string, expires int64) account.EmailChange {
	t.Helper()
	wanted := account.EmailChange{User: user, Email: email, EmailCanonical: email, ApproveMAC: []byte("approve " + email), ConfirmMAC: []byte("confirm " + email),
		CreatedMicros: start, ExpiresMicros: expires}
	change(t, store, func(ctx context.Context, tx account.Tx) error {
		return tx.PutEmailChange(ctx, identity.SubjectOf(user), wanted)
	})
	return wanted
}

func TestEmailChanges(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		owner, stranger := identity.SubjectOf(ada.ID), identity.SubjectOf(identity.NewRandomID())
		first := putEmailChange(t, store, ada.ID, "first@example.net", start+hour)
		wanted := putEmailChange(t, store, ada.ID, "ada@example.net", start+hour)
		take := func(what string, run func(context.Context, account.Tx) (bool, error), want bool) {
			t.Helper()
			change(t, store, func(ctx context.Context, tx account.Tx) error {
				got, err := run(ctx, tx)
				if got != want {
					t.Errorf("%s = %v, want %v", what, got, want)
				}
				return err
			})
		}
		approve := func(mac []byte, now int64) func(context.Context, account.Tx) (bool, error) {
			return func(ctx context.Context, tx account.Tx) (bool, error) { return tx.ApproveEmailChange(ctx, mac, now) }
		}
		confirm := func(mac []byte, now int64) func(context.Context, account.Tx) (bool, error) {
			return func(ctx context.Context, tx account.Tx) (bool, error) { return tx.ConfirmEmailChange(ctx, mac, now) }
		}
		take("a replaced link", approve(first.ApproveMAC, start), false)
		take("the link to the new address as that to the old", approve(wanted.ConfirmMAC, start), false)
		take("the link to the old address as that to the new", confirm(wanted.ApproveMAC, start), false)
		take("an expired link", approve(wanted.ApproveMAC, start+hour), false)
		take("approve", approve(wanted.ApproveMAC, start+1), true)
		take("approve again", approve(wanted.ApproveMAC, start+1), false)
		take("confirm", confirm(wanted.ConfirmMAC, start+2), true)
		wanted.ApprovedMicros, wanted.ConfirmedMicros = start+1, start+2
		for name, read := range map[string]func() (account.EmailChange, error){
			"EmailChange": func() (account.EmailChange, error) { return store.EmailChange(ctx, owner) },
			"by approve":  func() (account.EmailChange, error) { return store.EmailChangeByToken(ctx, wanted.ApproveMAC) },
			"by confirm":  func() (account.EmailChange, error) { return store.EmailChangeByToken(ctx, wanted.ConfirmMAC) },
		} {
			got, err := read()
			if diff := cmp.Diff(wanted, got); err != nil || diff != "" {
				t.Errorf("%s: %v\n%s", name, err, diff)
			}
		}
		if _, err := store.EmailChange(ctx, stranger); !errors.Is(err, account.ErrMissing) {
			t.Errorf("somebody else's change = %v, want ErrMissing", err)
		}
		remove := func(owner identity.Subject) func(context.Context, account.Tx) (bool, error) {
			return func(ctx context.Context, tx account.Tx) (bool, error) { return tx.DeleteEmailChange(ctx, owner) }
		}
		take("delete somebody else's", remove(stranger), false)
		take("delete", remove(owner), true)
		take("delete again", remove(owner), false)
		if _, err := store.EmailChangeByToken(ctx, wanted.ApproveMAC); !errors.Is(err, account.ErrMissing) {
			t.Errorf("a deleted change by its link = %v, want ErrMissing", err)
		}
	})
}

func TestSetEmail(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		addUser(t, store, "bob@example.org")
		heard := listen(store)
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return tx.SetEmail(ctx, ada.ID, "Ada@example.net", "ada@example.net")
		})
		if _, users, _ := heard.take(); len(users) == 0 {
			t.Error("nobody is told that a person has changed")
		}
		if got, err := store.UserByEmail(ctx, "ada@example.net"); err != nil || got.ID != ada.ID || got.Email != "Ada@example.net" {
			t.Errorf("by the new address: %+v, %v", got, err)
		}
		if _, err := store.UserByEmail(ctx, "ada@example.org"); !errors.Is(err, account.ErrMissing) {
			t.Errorf("by the old address: %v, want ErrMissing", err)
		}
		set := func(user identity.ID, email string) error {
			return try(store, func(ctx context.Context, tx account.Tx) error { return tx.SetEmail(ctx, user, email, email) })
		}
		if err := set(ada.ID, "bob@example.org"); !errors.Is(err, account.ErrTaken) {
			t.Errorf("SetEmail to a taken address = %v, want ErrTaken", err)
		}
		if err := set(identity.NewRandomID(), "new@example.org"); !errors.Is(err, account.ErrMissing) {
			t.Errorf("SetEmail for nobody = %v, want ErrMissing", err)
		}
		if err := set(ada.ID, "ada@example.net"); err != nil {
			t.Errorf("SetEmail to the own address = %v", err)
		}
	})
}

func TestFiftyPeopleWantOneAddress(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		people := make([]account.User, 50)
		for i := range people {
			people[i] = addUser(t, store, string(rune('a'+i/26))+string(rune('a'+i%26))+"@example.org")
		}
		got := fifty(t, func(i int) (bool, error) {
			err := try(store, func(ctx context.Context, tx account.Tx) error {
				return tx.SetEmail(ctx, people[i].ID, "wanted@example.org", "wanted@example.org")
			})
			if errors.Is(err, account.ErrTaken) {
				return false, nil
			}
			return err == nil, err
		})
		if got != 1 {
			t.Errorf("%d people got one address, want 1", got)
		}
	})
}
