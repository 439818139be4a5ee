package alerts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// told is what has gone out: the subjects of mails, the types of webhooks, the events of the audit log.
func told(t *testing.T, store *sqlstore.Store, c *clock) (mails, hooks, events []string) {
	t.Helper()
	for {
		entry, ok, err := store.NextMail(t.Context(), c.now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		mails = append(mails, entry.Message.Subject)
	}
	for {
		entry, ok, err := store.NextWebhook(t.Context(), "alerts", c.now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		var body struct {
			Type string
			Data alerts.View
		}
		if err := json.Unmarshal(entry.Message.Body, &body); err != nil || body.Data.Kind == "" || entry.Message.Target != "alerts" {
			t.Errorf("webhook %s: %v", entry.Message.Body, err)
		}
		hooks = append(hooks, body.Type)
	}
	rows, err := store.Search(t.Context(), audit.Filter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range slices.Backward(rows) {
		events = append(events, row.Name+" "+row.Reason)
	}
	return mails, hooks, events
}

func openOnes(t *testing.T, store *sqlstore.Store) []alerts.Open {
	t.Helper()
	list, err := store.OpenAlerts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAnAlertOpensGoesOnAndCloses(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		c, log := newClock(), &lines{}
		store := open(t, db, c)
		bell := alerts.New(store, options(c, log.logger()))
		start(t, bell)
		bell.Raise(t.Context(), spraying)
		eventually(t, "it opens", func() bool { return len(openOnes(t, store)) == 1 })
		more := spraying
		more.Where, more.Count = []string{"198.51.100.0/24", "203.0.113.0/24"}, 5
		c.forward(time.Minute)
		bell.Raise(t.Context(), more)
		bell.Raise(t.Context(), more)
		eventually(t, "it goes on", func() bool { return openOnes(t, store)[0].Count == 30 })
		if o := openOnes(t, store)[0]; !slices.Equal(o.Where, []string{"203.0.113.0/24", "198.51.100.0/24"}) || o.SeenMicros != c.now().UnixMicro() || o.OpenedMicros >= o.SeenMicros || o.Help != spraying.Help {
			t.Errorf("the open alert is %+v", o)
		}
		mails, hooks, events := told(t, store, c)
		if !slices.Equal(mails, []string{"Alert for Example"}) || !slices.Equal(hooks, []string{"alert.opened"}) || !slices.Equal(events, []string{"alert_opened spraying"}) {
			t.Errorf("while it goes on: mails %q, webhooks %q, events %q; want one of each", mails, hooks, events)
		}
		if log.count("alert opened") != 1 || log.count("alert goes on") != 0 || log.count("level=WARN")-log.count("alerts cannot be recorded") != 1 { // the database of a busy machine may have been late
			t.Errorf("the log has %s", log.text.String())
		}
		c.forward(6 * time.Minute)
		bell.Raise(t.Context(), more)
		eventually(t, "the log hears that it goes on", func() bool { return log.count("alert goes on") == 1 })

		c.forward(14 * time.Minute)
		if err := store.ChangeAlerts(t.Context(), identity.NewSystem("test"), func(ctx context.Context, tx alerts.Tx) error {
			_, ok, err := tx.CloseAlert(ctx, alerts.Spraying, "", c.now().Add(-15*time.Minute).UnixMicro(), c.now().UnixMicro())
			if ok {
				t.Error("it closed before it was quiet")
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		c.forward(2 * time.Minute)
		eventually(t, "it closes by itself", func() bool { return len(openOnes(t, store)) == 0 })
		mails, hooks, events = told(t, store, c)
		if !slices.Equal(mails[len(mails)-1:], []string{"Alert for Example is over"}) || !slices.Contains(hooks, "alert.closed") || events[len(events)-1] != "alert_closed spraying" {
			t.Errorf("at its end: mails %q, webhooks %q, events %q", mails, hooks, events)
		}
		eventually(t, "the log hears of its end", func() bool { return log.count("alert closed") == 1 })

		bell.Raise(t.Context(), spraying)
		eventually(t, "another one opens", func() bool { return len(openOnes(t, store)) == 1 })
		bell.Close(t.Context(), alerts.Spraying, "")
		eventually(t, "and closes by its word", func() bool { return len(openOnes(t, store)) == 0 })
		all, err := store.Alerts(t.Context(), math.MaxInt64, identity.ID{}, 10)
		if err != nil || len(all) != 2 || all[0].Count != 20 || all[1].Count != 35 || all[0].ClosedMicros == 0 {
			t.Errorf("Alerts = %+v, %v; want two closed ones, the latest first", all, err)
		}
	})
}

// S093: fifty nodes see one attack, and there is one alert, one mail, one webhook and one event.
func TestFiftyNodesOpenOneAlert(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		c, log := newClock(), &lines{}
		stores := []*sqlstore.Store{open(t, db, c)}
		if db.Engine == "postgres" { // two processes; a SQLite file has one
			stores = append(stores, open(t, db, c))
		}
		var nodes []*alerts.Alerts
		for i := range 50 {
			nodes = append(nodes, alerts.New(stores[i%len(stores)], options(c, log.logger())))
		}
		var all sync.WaitGroup
		stops := make([]func(), len(nodes))
		for i, node := range nodes {
			all.Go(func() {
				mine := spraying
				mine.Where, mine.Count = []string{fmt.Sprintf("198.51.%d.0/24", i)}, 1
				node.Raise(t.Context(), mine)
				stops[i] = start(t, node)
			})
		}
		all.Wait()
		eventually(t, "all are counted", func() bool { // one asks, because fifty keep a slow database from counting
			list, err := stores[0].OpenAlerts(t.Context())
			return err == nil && len(list) == 1 && list[0].Count >= 50 // more, where a database that is late did not say that it had counted
		})
		for _, stop := range stops {
			stop()
		}
		list := openOnes(t, stores[0])
		if len(list) != 1 || len(list[0].Where) != 21 || list[0].Where[20] != alerts.MorePlaces {
			t.Errorf("open are %+v, want one with twenty places and more", list)
		}
		mails, hooks, events := told(t, stores[0], c)
		if len(mails) != 1 || len(hooks) != 1 || len(events) != 1 || log.count("alert opened") != 1 {
			t.Errorf("mails %q, webhooks %q, events %q, log %d; want one of each", mails, hooks, events, log.count("alert opened"))
		}
		closed := atomic.Int64{}
		for range 50 {
			all.Go(func() {
				err := stores[len(stores)-1].ChangeAlerts(t.Context(), identity.NewSystem("test"), func(ctx context.Context, tx alerts.Tx) error {
					_, ok, err := tx.CloseAlert(ctx, alerts.Spraying, "", math.MaxInt64, 1)
					if ok {
						closed.Add(1)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if closed.Load() != 1 {
			t.Errorf("it was closed %d times", closed.Load())
		}
	})
}

// faulty is a store whose every call first asks a test what it should do.
type faulty struct {
	alerts.Store
	before func() error
}

func (f faulty) ChangeAlerts(ctx context.Context, by identity.Actor, change func(context.Context, alerts.Tx) error) error {
	if err := f.before(); err != nil {
		return err
	}
	return f.Store.ChangeAlerts(ctx, by, change)
}

// A database that hangs holds up nobody who raises; what finds no room is counted and told.
func TestRaiseNeverWaits(t *testing.T) {
	c, log := newClock(), &lines{}
	store := open(t, testdb.SQLite(t), c)
	hold, entered := make(chan struct{}), make(chan struct{}, 1000)
	bell := alerts.New(faulty{store, func() error {
		entered <- struct{}{}
		<-hold
		return nil
	}}, options(c, log.logger()))
	start(t, bell)
	bell.Raise(t.Context(), spraying)
	<-entered
	begun := time.Now()
	for i := range 100_000 {
		mine := spraying
		mine.Key = fmt.Sprint(i % 100)
		bell.Raise(t.Context(), mine)
		bell.Close(t.Context(), "ceiling", "")
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("200,000 calls took %v while the database hangs", took)
	}
	close(hold)
	eventually(t, "what is left out is told", func() bool { return log.count("alerts left out") == 1 })
	eventually(t, "what fitted is written", func() bool { return len(openOnes(t, store)) == 64 })
}

// While the database is gone nothing is lost: the notes wait, the log says so once, and the counts are right afterwards.
func TestNotesOutliveTheStore(t *testing.T) {
	c, log := newClock(), &lines{}
	store := open(t, testdb.SQLite(t), c)
	var broken atomic.Bool
	broken.Store(true)
	bell := alerts.New(faulty{store, func() error {
		if broken.Load() {
			return errors.New("the database is gone")
		}
		return nil
	}}, options(c, log.logger()))
	stop := start(t, bell)
	bell.Raise(t.Context(), spraying)
	eventually(t, "the log tells", func() bool { return log.count("alerts cannot be recorded") == 1 })
	bell.Raise(t.Context(), spraying)
	broken.Store(false)
	stop() // the end writes what waits
	if list := openOnes(t, store); len(list) != 1 || list[0].Count != 40 {
		t.Errorf("afterwards open are %+v, want one with a count of 40", list)
	}
}

// What a transaction cannot finish it has not begun: no mail and no event without the alert.
func TestAnAlertIsWrittenWholeOrNotAtAll(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		c := newClock()
		store := open(t, db, c)
		boom := errors.New("boom")
		err := store.ChangeAlerts(t.Context(), identity.NewSystem("test"), func(ctx context.Context, tx alerts.Tx) error {
			if _, opened, err := tx.RaiseAlert(ctx, spraying, 1); err != nil || !opened {
				t.Errorf("RaiseAlert = %v, %v", opened, err)
			}
			return boom
		})
		if !errors.Is(err, boom) || len(openOnes(t, store)) != 0 {
			t.Errorf("ChangeAlerts = %v and %d open alerts, want boom and none", err, len(openOnes(t, store)))
		}
		if err := store.ChangeAlerts(t.Context(), identity.Actor{}, func(context.Context, alerts.Tx) error { return nil }); err == nil {
			t.Error("nobody changed alerts")
		}
	})
}

func TestNilTellsNobody(t *testing.T) {
	var bell *alerts.Alerts
	bell.Raise(t.Context(), spraying)
	bell.Close(t.Context(), alerts.Spraying, "")
}

// Without a mail address and a webhook the log and the audit log are told all the same.
func TestWithoutReceivers(t *testing.T) {
	c, log := newClock(), &lines{}
	store := open(t, testdb.SQLite(t), c)
	bell := alerts.New(store, alerts.Options{By: identity.NewSystem("alerts"), Now: c.now, Log: log.logger()})
	stop := start(t, bell)
	bell.Raise(t.Context(), spraying)
	eventually(t, "the log is told", func() bool { return log.count("alert opened") == 1 })
	stop()
	mails, hooks, events := told(t, store, c)
	if len(mails) != 0 || len(hooks) != 0 || len(events) != 1 || !strings.Contains(log.text.String(), spraying.Help) {
		t.Errorf("mails %q, webhooks %q, events %q", mails, hooks, events)
	}
}
