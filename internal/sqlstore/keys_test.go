package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

func keyring(t testing.TB, store *sqlstore.Store) *secret.Keyring {
	t.Helper()
	master, err := secret.ParseMasterKey(secret.NewText(masterText))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.OpenKeyring(context.Background(), master, "test", store, time.Now)
	if err != nil {
		t.Fatalf("OpenKeyring: %v", err)
	}
	return ring
}

func TestKeysSurviveAndAreMadeOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		sealed := keyring(t, store).Seal(secret.Outbox, "row", []byte("plain"))
		keys, err := store.Keys(ctx)
		if err != nil || len(keys) != len(secret.Purposes()) {
			t.Fatalf("Keys = %d, %v; want one for each purpose", len(keys), err)
		}
		other := secret.Wrapped{ID: identity.NewRandomID(), Purpose: keys[0].Purpose, Key: []byte("x"), CreatedMicros: start}
		if inserted, err := store.InsertKey(ctx, other); inserted || err != nil {
			t.Errorf("InsertKey for a purpose that has one = %v, %v; want false", inserted, err)
		}
		n := fifty(t, func(int) (bool, error) {
			return store.InsertKey(ctx, secret.Wrapped{ID: identity.NewRandomID(), Purpose: "another", Key: []byte("x"), CreatedMicros: start})
		})
		if n != 1 {
			t.Errorf("fifty nodes made %d keys of one purpose", n)
		}
		if _, err := raw(t, db).Exec(`DELETE FROM ringwall_keys WHERE purpose = 'another'`); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		plain, err := keyring(t, open(t, db)).Open(secret.Outbox, "row", sealed)
		if diff := cmp.Diff("plain", string(plain)); err != nil || diff != "" {
			t.Errorf("after a restart: %v\n%s", err, diff)
		}
	})
}

func TestNothingIsSealedWithoutKeys(t *testing.T) {
	db := testdb.SQLite(t)
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: db.DSN})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	_, _, nextMail := store.NextMail(t.Context(), start)
	_, devMails := store.DevMails(t.Context())
	for name, err := range map[string]error{
		"Change":         try(store, func(context.Context, account.Tx) error { return nil }),
		"NextMail":       nextMail,
		"DevMails":       devMails,
		"Send":           sqlstore.DevSender{Store: store}.Send(t.Context(), newMail()),
		"InsertRefusals": store.InsertRefusals(t.Context(), []audit.Refusal{{By: system, Event: audit.Event{Name: audit.AuthzFail}, Count: 1}}),
	} {
		if !errors.Is(err, sqlstore.ErrNoKeyring) {
			t.Errorf("%s = %v, want ErrNoKeyring", name, err)
		}
	}
}

// D26: the first environment stays, any other one is refused.
func TestEnvironment(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		if is, err := store.Environment(ctx); is != "" || err != nil {
			t.Errorf("Environment before = %q, %v", is, err)
		}
		for range 2 {
			if err := store.ClaimEnvironment(ctx, "production"); err != nil {
				t.Errorf("ClaimEnvironment: %v", err)
			}
		}
		if err := store.ClaimEnvironment(ctx, "development"); !errors.Is(err, sqlstore.ErrEnvironment) {
			t.Errorf("another environment = %v, want ErrEnvironment", err)
		}
		if is, err := store.Environment(ctx); is != "production" || err != nil {
			t.Errorf("Environment after = %q, %v", is, err)
		}
	})
}
