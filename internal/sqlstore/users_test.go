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

func TestUsers(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return errors.Join(tx.Grant(ctx, ada.ID, "support"), tx.Grant(ctx, ada.ID, "admin"), tx.Grant(ctx, ada.ID, "admin"))
		})
		ada.Roles = []string{"admin", "support"}

		for name, read := range map[string]func() (account.User, error){
			"UserByID":    func() (account.User, error) { return store.UserByID(ctx, ada.ID) },
			"UserByEmail": func() (account.User, error) { return store.UserByEmail(ctx, "ada@example.org") },
		} {
			got, err := read()
			if diff := cmp.Diff(ada, got); err != nil || diff != "" {
				t.Errorf("%s: %v\n%s", name, err, diff)
			}
		}

		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return errors.Join(
				tx.DemandReset(ctx, ada.ID, start),
				tx.SetPassword(ctx, ada.ID, []byte("other"), start+1), // answers the demand
				tx.SetLock(ctx, ada.ID, start+2, start+3, "abuse"),
				tx.Revoke(ctx, ada.ID, "admin"), tx.Revoke(ctx, ada.ID, "nobody-has-it"))
		})
		ada.Password, ada.PasswordChangedMicros, ada.LockedMicros, ada.LockUntilMicros, ada.LockReason, ada.Roles = []byte("other"), start+1, start+2, start+3, "abuse", []string{"support"}
		got, err := store.UserByID(ctx, ada.ID)
		if diff := cmp.Diff(ada, got); err != nil || diff != "" {
			t.Errorf("after changes: %v\n%s", err, diff)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.DemandReset(ctx, ada.ID, start+4) })
		if got, err := store.UserByID(ctx, ada.ID); err != nil || got.ResetDemandedMicros != start+4 {
			t.Errorf("a reset is demanded since %d, %v; want %d", got.ResetDemandedMicros, err, start+4)
		}

		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.SetProfile(ctx, ada.ID, "Ada", "de") })
		if got, err := store.UserByID(ctx, ada.ID); err != nil || got.DisplayName != "Ada" || got.Language != "de" || got.Email != ada.Email {
			t.Errorf("after SetProfile: %+v, %v", got, err)
		}

		bob := addUser(t, store, "bob@example.org")
		all, err := store.Users(ctx, identity.ID{}, 10)
		if err != nil || len(all) != 2 || all[0].Password != nil {
			t.Fatalf("Users = %v, %v; want two people without passwords", all, err)
		}
		after, err := store.Users(ctx, all[0].ID, 1)
		if err != nil || len(after) != 1 || after[0].ID != all[1].ID {
			t.Errorf("Users(after the first) = %v, %v", after, err)
		}
		_ = bob
	})
}

func TestUsersMissingAndTaken(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		nobody := identity.NewRandomID()

		for _, email := range []string{"eve@example.org", "", "a\x00b", "\xff\xfe", "' OR '1'='1"} {
			if _, err := store.UserByEmail(ctx, email); !errors.Is(err, account.ErrMissing) {
				t.Errorf("UserByEmail(%q) = %v, want ErrMissing", email, err)
			}
		}
		for name, run := range map[string]func(ctx context.Context, tx account.Tx) error{
			"SetPassword": func(ctx context.Context, tx account.Tx) error { return tx.SetPassword(ctx, nobody, []byte("x"), start) },
			"SetLock":     func(ctx context.Context, tx account.Tx) error { return tx.SetLock(ctx, nobody, start, 0, "") },
			"SetProfile":  func(ctx context.Context, tx account.Tx) error { return tx.SetProfile(ctx, nobody, "x", "de") },
			"Grant":       func(ctx context.Context, tx account.Tx) error { return tx.Grant(ctx, nobody, "admin") },
		} {
			if err := try(store, run); !errors.Is(err, account.ErrMissing) {
				t.Errorf("%s for nobody = %v, want ErrMissing", name, err)
			}
		}
		for _, role := range []string{"", "a,admin", "Admin", "a b", "\x00"} {
			err := try(store, func(ctx context.Context, tx account.Tx) error { return tx.Grant(ctx, ada.ID, role) })
			if err == nil || errors.Is(err, account.ErrMissing) {
				t.Errorf("Grant(%q) = %v, want a refusal", role, err)
			}
		}

		again := ada
		again.ID = identity.NewRandomID()
		err := try(store, func(ctx context.Context, tx account.Tx) error {
			err := tx.InsertUser(ctx, again)
			if _, read := tx.UserByEmail(ctx, "ada@example.org"); read != nil {
				t.Errorf("the transaction goes on after ErrTaken: %v", read)
			}
			return err
		})
		if !errors.Is(err, account.ErrTaken) {
			t.Errorf("InsertUser of a taken address = %v, want ErrTaken", err)
		}
	})
}

func TestFiftySignupsMakeOneUser(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		made := fifty(t, func(int) (bool, error) {
			err := try(store, func(ctx context.Context, tx account.Tx) error {
				return tx.InsertUser(ctx, account.User{ID: identity.NewRandomID(), Email: "a@b.c", EmailCanonical: "a@b.c", Password: []byte("x")})
			})
			if errors.Is(err, account.ErrTaken) {
				return false, nil
			}
			return err == nil, err
		})
		if made != 1 {
			t.Errorf("%d users of one address, want 1", made)
		}
	})
}
