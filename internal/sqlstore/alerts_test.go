package sqlstore_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/internal/webhook"
)

func changeAlerts(t testing.TB, store *sqlstore.Store, run func(context.Context, alerts.Tx) error) {
	t.Helper()
	if err := store.ChangeAlerts(context.Background(), system, run); err != nil {
		t.Fatalf("ChangeAlerts: %v", err)
	}
}

func newWebhook(t testing.TB, store *sqlstore.Store) webhook.Message {
	t.Helper()
	message := webhook.Message{ID: identity.NewID(), Target: "alerts", Body: []byte(`{"type": "canary-in-a-webhook"}`)}
	changeAlerts(t, store, func(ctx context.Context, tx alerts.Tx) error { return tx.EnqueueWebhook(ctx, message) })
	return message
}

func TestFiftyRaisesOpenOneAlert(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		opened := fifty(t, func(i int) (opened bool, err error) {
			err = store.ChangeAlerts(t.Context(), system, func(ctx context.Context, tx alerts.Tx) (err error) {
				_, opened, err = tx.RaiseAlert(ctx, alerts.Alert{Kind: "spraying", Count: 2, Where: []string{"203.0.113.0/24"}}, start-int64(i))
				return err
			})
			return opened, err
		})
		list, err := store.OpenAlerts(t.Context())
		if opened != 1 || err != nil || len(list) != 1 || list[0].Count != 100 || list[0].SeenMicros != start || len(list[0].Where) != 1 {
			t.Errorf("%d opened %+v, %v; want one with all counts, last seen when it was last seen", opened, list, err)
		}
		changeAlerts(t, store, func(ctx context.Context, tx alerts.Tx) error {
			for _, a := range []alerts.Alert{{Kind: "spraying", Key: "other"}, {Kind: "stuffing"}} {
				if _, opened, err := tx.RaiseAlert(ctx, a, start); err != nil || !opened {
					t.Errorf("RaiseAlert(%+v) = %v, %v; want another alert", a, opened, err)
				}
			}
			if _, ok, err := tx.CloseAlert(ctx, "spraying", "", start-1, start); ok || err != nil {
				t.Errorf("CloseAlert of what is not quiet = %v, %v", ok, err)
			}
			closed, ok, err := tx.CloseAlert(ctx, "spraying", "", start, start+hour)
			if !ok || err != nil || closed.ClosedMicros != start+hour || closed.Count != 100 {
				t.Errorf("CloseAlert = %+v, %v, %v", closed, ok, err)
			}
			return err
		})
		if list, err = store.OpenAlerts(t.Context()); err != nil || len(list) != 2 {
			t.Errorf("OpenAlerts = %+v, %v; want the other two", list, err)
		}
	})
}

func TestFiftyWorkersClaimEachWebhookOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		for range 3 {
			newWebhook(t, store)
		}
		n := fifty(t, func(int) (bool, error) {
			_, found, err := store.NextWebhook(t.Context(), "alerts", start)
			return found, err
		})
		if n != 3 {
			t.Errorf("three webhooks were claimed %d times", n)
		}
	})
}

func TestWebhooksAreSealedToTheirRow(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		first, second := newWebhook(t, store), newWebhook(t, store)
		admin := raw(t, db)
		var sealed []byte
		if err := admin.QueryRow(`SELECT sealed FROM ringwall_webhooks WHERE id = $1`, first.ID[:]).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(sealed), "canary") {
			t.Error("a webhook lies open in the database")
		}
		if _, err := admin.Exec(`UPDATE ringwall_webhooks SET sealed = $1 WHERE id = $2`, sealed, second.ID[:]); err != nil {
			t.Fatal(err)
		}
		if err := store.WebhookSent(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		entry, found, err := store.NextWebhook(t.Context(), "alerts", start)
		if !found || !errors.Is(err, webhook.ErrUnreadable) || entry.Message.ID != second.ID || len(entry.Message.Body) != 0 {
			t.Errorf("a webhook moved to another row = %+v, %v, %v; want its id and ErrUnreadable", entry, found, err)
		}
	})
}

func revive(t *testing.T, store *sqlstore.Store, id identity.ID) error {
	t.Helper()
	return store.Change(t.Context(), system, func(ctx context.Context, tx account.Tx) (audit.Event, error) {
		return audit.Event{Name: audit.AuthzAdmin}, tx.ReviveWebhook(ctx, id)
	})
}

func TestDeadWebhooks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		message := newWebhook(t, store)
		if err := revive(t, store, message.ID); !errors.Is(err, account.ErrMissing) {
			t.Errorf("ReviveWebhook of one that waits = %v, want ErrMissing", err)
		}
		if err := store.WebhookFailed(ctx, message.ID, 0, "status 500"); err != nil {
			t.Fatal(err)
		}
		if _, found, err := store.NextWebhook(ctx, "alerts", start+hour); found || err != nil {
			t.Errorf("a dead webhook was claimed: %v, %v", found, err)
		}
		dead, err := store.DeadWebhooks(ctx, math.MaxInt64, identity.ID{}, 5)
		if err != nil || len(dead) != 1 || dead[0].ID != message.ID || dead[0].Reason != "status 500" || dead[0].DeadMicros != start {
			t.Errorf("DeadWebhooks = %+v, %v", dead, err)
		}
		revived := fifty(t, func(int) (bool, error) {
			err := revive(t, store, message.ID)
			if errors.Is(err, account.ErrMissing) {
				return false, nil
			}
			return err == nil, err
		})
		entry, found, err := store.NextWebhook(ctx, "alerts", start)
		if revived != 1 || !found || err != nil || entry.Attempts != 1 || string(entry.Message.Body) != string(message.Body) {
			t.Errorf("revived %d times, then %+v, %v, %v", revived, entry, found, err)
		}
	})
}

func TestPurgeOfAlertsAndWebhooks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		dead := newWebhook(t, store)
		newWebhook(t, store)
		if err := store.WebhookFailed(ctx, dead.ID, 0, "status 410"); err != nil {
			t.Fatal(err)
		}
		changeAlerts(t, store, func(ctx context.Context, tx alerts.Tx) error {
			for _, kind := range []string{"spraying", "stuffing"} {
				if _, _, err := tx.RaiseAlert(ctx, alerts.Alert{Kind: kind}, start); err != nil {
					return err
				}
			}
			_, _, err := tx.CloseAlert(ctx, "spraying", "", math.MaxInt64, start)
			return err
		})
		if gone, err := store.Purge(ctx, start+29*24*hour); gone != 0 || err != nil {
			t.Errorf("Purge after 29 days = %d, %v; want nothing gone", gone, err)
		}
		if gone, err := store.Purge(ctx, start+91*24*hour); gone != 2 || err != nil {
			t.Errorf("Purge after 91 days = %d, %v; want what is over gone, and not what waits or is open", gone, err)
		}
	})
}
