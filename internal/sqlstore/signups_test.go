package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

func addSignup(t testing.TB, store *sqlstore.Store, email string, at int64) account.Signup {
	t.Helper()
	s := newSignup(email, at)
	change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertSignup(ctx, s) })
	return s
}

func newSignup(email string, at int64) account.Signup {
	id := identity.NewRandomID()
	return account.Signup{
		ID: id, Email: email, EmailCanonical: email, DisplayName: "Ada", Password: []byte("sealed"),
		TokenMAC: append([]byte("token"), id[:]...), CodeMAC: []byte("code"), FlowMAC: []byte{},
		CodeMicros: at, CreatedMicros: at, ExpiresMicros: at + 24*hour,
	}
}

func TestSignups(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		var made []account.Signup
		for n := range int64(5) {
			made = append(made, addSignup(t, store, "ada@example.org", start+n))
		}
		other := addSignup(t, store, "bob@example.org", start)

		newest, err := store.SignupsByEmail(ctx, "ada@example.org")
		if diff := cmp.Diff([]account.Signup{made[4], made[3], made[2]}, newest, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("SignupsByEmail: %v\n%s", err, diff)
		}
		if _, err := store.SignupByToken(ctx, made[1].TokenMAC); !errors.Is(err, account.ErrMissing) {
			t.Errorf("the oldest beyond three is still there: %v", err)
		}

		last := made[4]
		for n := range 7 {
			open, err := store.CountSignupTries(ctx, "ada@example.org", 5, 0)
			if want := map[bool]int{true: 3, false: 0}[n < 5]; err != nil || len(open) != want {
				t.Errorf("try %d: %d codes were open, %v; want %d", n+1, len(open), err, want)
			}
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return tx.ReplaceSignupSecrets(ctx, last.ID, []byte("new token"), []byte("new code"), start+9)
		})
		got, err := store.SignupByToken(ctx, []byte("new token"))
		last.TokenMAC, last.CodeMAC, last.CodeMicros, last.CodeTries = []byte("new token"), []byte("new code"), start+9, 0
		if diff := cmp.Diff(last, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("after ReplaceSignupSecrets: %v\n%s", err, diff)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error { // of nothing: no error, so that it tells nothing
			return tx.ReplaceSignupSecrets(ctx, identity.NewRandomID(), []byte("x"), []byte("y"), start)
		})

		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.DeleteSignups(ctx, "ada@example.org") })
		if left, err := store.SignupsByEmail(ctx, "ada@example.org"); err != nil || len(left) != 0 {
			t.Errorf("after DeleteSignups: %v, %v", left, err)
		}
		if _, err := store.SignupByToken(ctx, other.TokenMAC); err != nil {
			t.Errorf("somebody else's sign-up went too: %v", err)
		}
	})
}

func TestTakeSignup(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		s := addSignup(t, store, "ada@example.org", start)
		take := func(id identity.ID, token []byte, now int64) (taken bool, err error) {
			err = try(store, func(ctx context.Context, tx account.Tx) (err error) {
				taken, err = tx.TakeSignup(ctx, id, token, now)
				return err
			})
			return taken, err
		}
		for name, refused := range map[string]func() (bool, error){
			"another token": func() (bool, error) { return take(s.ID, []byte("other"), start) },
			"another id":    func() (bool, error) { return take(identity.NewRandomID(), s.TokenMAC, start) },
			"too late":      func() (bool, error) { return take(s.ID, s.TokenMAC, s.ExpiresMicros) },
			"no token":      func() (bool, error) { return take(s.ID, nil, start) },
		} {
			if taken, err := refused(); taken || err != nil {
				t.Errorf("%s: %v, %v", name, taken, err)
			}
		}
		if n := fifty(t, func(int) (bool, error) { return take(s.ID, s.TokenMAC, start) }); n != 1 {
			t.Errorf("fifty parallel calls took it %d times, want 1", n)
		}
	})
}

func TestCountSignupTriesInParallel(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		addSignup(t, store, "ada@example.org", start)
		n := fifty(t, func(int) (bool, error) {
			open, err := store.CountSignupTries(t.Context(), "ada@example.org", 5, 0)
			return len(open) == 1, err
		})
		if n != 5 {
			t.Errorf("fifty parallel tries were counted %d times, want 5", n)
		}
		if open, err := store.CountSignupTries(t.Context(), "nobody@example.org", 5, 0); err != nil || len(open) != 0 {
			t.Errorf("a try for nobody = %v, %v", open, err)
		}
	})
}

// A stranger elsewhere cannot push a pending sign-up out, only fill the places of their own network.
func TestStrangersKeepTheirOwnPlaces(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		mine := addSignup(t, store, "ada@example.org", start)
		for n := range 9 {
			s := newSignup("ada@example.org", start+int64(n)+1)
			s.Network = "198.51.100.0/24"
			change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertSignup(ctx, s) })
		}
		if _, err := store.SignupByToken(t.Context(), mine.TokenMAC); err != nil {
			t.Errorf("the owner's sign-up is gone: %v", err)
		}
		if list, err := store.SignupsByEmail(t.Context(), "ada@example.org"); err != nil || len(list) != 4 {
			t.Errorf("%d pending sign-ups, %v; want mine and three of the stranger's", len(list), err)
		}
	})
}

func TestResets(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		insert := func(token string) account.Reset {
			r := account.Reset{ID: identity.NewRandomID(), User: ada.ID, TokenMAC: []byte(token), CreatedMicros: start, ExpiresMicros: start + hour}
			change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertReset(ctx, r) })
			return r
		}
		insert("first")
		second := insert("second")
		if _, err := store.ResetByToken(ctx, []byte("first")); err != nil {
			t.Errorf("a later link put the first one out: %v; then a stranger could", err)
		}
		got, err := store.ResetByToken(ctx, []byte("second"))
		if diff := cmp.Diff(second, got); err != nil || diff != "" {
			t.Errorf("ResetByToken: %v\n%s", err, diff)
		}
		take := func(token string, now int64) (taken bool, err error) {
			err = try(store, func(ctx context.Context, tx account.Tx) (err error) {
				taken, err = tx.TakeReset(ctx, []byte(token), now)
				return err
			})
			return taken, err
		}
		if taken, err := take("second", second.ExpiresMicros); taken || err != nil {
			t.Errorf("an expired link was taken: %v, %v", taken, err)
		}
		if n := fifty(t, func(int) (bool, error) { return take("second", start) }); n != 1 {
			t.Errorf("fifty parallel calls took it %d times, want 1", n)
		}
		for n := range 12 {
			r := account.Reset{ID: identity.NewRandomID(), User: ada.ID, TokenMAC: []byte{byte(n)}, CreatedMicros: start + int64(n) + 1, ExpiresMicros: start + hour}
			change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertReset(ctx, r) })
		}
		if _, err := store.ResetByToken(ctx, []byte{1}); !errors.Is(err, account.ErrMissing) {
			t.Errorf("the oldest beyond ten is still there: %v", err)
		}
		insert("third")
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.DeleteResets(ctx, ada.ID) })
		if _, err := store.ResetByToken(ctx, []byte("third")); !errors.Is(err, account.ErrMissing) {
			t.Errorf("after DeleteResets: %v", err)
		}
	})
}

func TestDevices(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada, bob := addUser(t, store, "ada@example.org"), addUser(t, store, "bob@example.org")
		device, expired := identity.NewRandomID(), identity.NewRandomID()
		change(t, store, func(ctx context.Context, tx account.Tx) error {
			return errors.Join(
				tx.RememberDevice(ctx, ada.ID, device, start-1), tx.RememberDevice(ctx, ada.ID, device, start+hour),
				tx.RememberDevice(ctx, ada.ID, expired, start))
		})
		knows := func(user, device identity.ID) string {
			known, err := store.KnowsDevice(ctx, user, device)
			return fmt.Sprint(known, err)
		}
		if got := knows(ada.ID, device); got != "true <nil>" {
			t.Errorf("KnowsDevice(own) = %s", got)
		}
		for name, got := range map[string]string{
			"somebody else": knows(bob.ID, device), "expired": knows(ada.ID, expired), "nobody": knows(identity.ID{}, device), "no device": knows(ada.ID, identity.ID{}),
		} {
			if got != "false <nil>" {
				t.Errorf("KnowsDevice(%s) = %s", name, got)
			}
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.ForgetDevices(ctx, ada.ID) })
		if got := knows(ada.ID, device); got != "false <nil>" {
			t.Errorf("after ForgetDevices: %s", got)
		}
	})
}
