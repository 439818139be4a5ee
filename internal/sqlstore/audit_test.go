package sqlstore_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

func TestEventsBearTheirActor(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		ada := addUser(t, store, "ada@example.org")
		session := identity.NewRandomID()
		by := identity.NewAnonymous(identity.Request{ID: "req-1", Address: netip.MustParseAddr("192.0.2.7"), UserAgent: "canary-agent", Route: "POST /v1/login"})
		err := store.Change(ctx, by, func(ctx context.Context, tx account.Tx) (audit.Event, error) {
			return audit.Event{Name: audit.LoginSuccess, User: ada.ID, Session: session},
				tx.Record(ctx, audit.Event{Name: audit.SessionCreated, User: ada.ID, Session: session})
		})
		if err != nil {
			t.Fatalf("Change: %v", err)
		}
		last, err := store.Search(ctx, audit.Filter{Limit: 2})
		if err != nil || len(last) != 2 || last[0].Seq <= last[1].Seq {
			t.Fatalf("Search = %v, %v; want two, newest first", last, err)
		}
		want := audit.Row{
			Name: "authn_login_success", ActorKind: "anonymous", User: ada.ID, Session: session, RequestID: "req-1", Route: "POST /v1/login", Count: 1, TimeMicros: start,
		}
		if diff := cmp.Diff(want, last[0], cmpopts.IgnoreFields(audit.Row{}, "Seq", "Tx", "ID", "Personal", "Mark")); diff != "" {
			t.Errorf("the row of the event:\n%s", diff)
		}
		if len(last[0].Personal) == 0 || strings.Contains(string(last[0].Personal), "canary") || len(last[0].Mark) != 16 {
			t.Errorf("personal fields are missing or not sealed: %q, mark %d", last[0].Personal, len(last[0].Mark))
		}
		if key, ok, err := store.PersonKey(ctx, ada.ID); !ok || err != nil || len(key) == 0 {
			t.Errorf("PersonKey = %v, %v; want the one that the event made", ok, err)
		}
		if _, ok, err := store.PersonKey(ctx, identity.NewRandomID()); ok || err != nil {
			t.Errorf("PersonKey of nobody = %v, %v", ok, err)
		}
	})
}

func TestRowsComeBackAsTheyWere(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		for range 5 {
			change(t, store, func(context.Context, account.Tx) error { return nil })
		}
		all, err := store.Rows(ctx, 0, 10)
		if err != nil || len(all) != 5 {
			t.Fatalf("Rows = %d, %v; want 5", len(all), err)
		}
		after, err := store.Rows(ctx, all[1].Seq, 2)
		if diff := cmp.Diff(all[2:4], after); err != nil || diff != "" {
			t.Errorf("Rows after the second: %v\n%s", err, diff)
		}
		unsealed, waiting, err := settled(t, store, all[1].Tx, all[1].Seq, 2)
		if diff := cmp.Diff(all[2:4], unsealed); err != nil || waiting || diff != "" {
			t.Errorf("Unsealed after the second: %v, %v\n%s", waiting, err, diff)
		}
		if (all[0].Tx == 0) != (db.Engine == "sqlite") {
			t.Errorf("tx = %d on %s", all[0].Tx, db.Engine)
		}
	})
}

// A row that is committed late must not appear before a position that was sealed already.
func TestUnsealedWaitsForTransactionsThatStillRun(t *testing.T) {
	db := testdb.Postgres(t)
	store, ctx := open(t, db), t.Context()
	change(t, store, func(context.Context, account.Tx) error { return nil })

	if _, _, err := settled(t, store, 0, 0, 10); err != nil {
		t.Fatal(err)
	}

	late, err := raw(t, db).Begin()
	if err != nil {
		t.Fatal(err)
	}
	id := identity.NewID()
	if _, err := late.Exec(`INSERT INTO ringwall_audit (id, time_micros, name, actor_kind, actor_name, request_id, route, reason, count, mark)
		VALUES ($1, 0, 'late', '', '', '', '', '', 1, '')`, id[:]); err != nil {
		t.Fatal(err)
	}
	change(t, store, func(context.Context, account.Tx) error { return nil })

	rows, waiting, err := store.Unsealed(ctx, 0, 0, 10)
	if err != nil || len(rows) != 1 || !waiting {
		t.Errorf("beside a running transaction: %d rows, %v, %v; want the one before it, and waiting", len(rows), waiting, err)
	}
	if err := late.Commit(); err != nil {
		t.Fatal(err)
	}
	rows, waiting, err = settled(t, store, 0, 0, 10)
	if err != nil || len(rows) != 3 || waiting || rows[1].Name != "late" {
		t.Errorf("after it: %v, %v, %v; want three in the order of their transactions", rows, waiting, err)
	}
}

func TestSeals(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		if _, ok, err := store.LastSeal(ctx); ok || err != nil {
			t.Errorf("LastSeal of an empty chain = %v, %v", ok, err)
		}
		var made []audit.Seal
		for n := range int64(3) {
			made = append(made, audit.Seal{N: n + 1, FirstSeq: 1, LastSeq: 2, LastTx: 3, Members: []byte("m"), Previous: []byte("p"), MAC: []byte("mac"), CreatedMicros: start})
			if ok, err := store.InsertSeal(ctx, made[n]); !ok || err != nil {
				t.Fatalf("InsertSeal = %v, %v", ok, err)
			}
		}
		if ok, err := store.InsertSeal(ctx, audit.Seal{N: 2}); ok || err != nil {
			t.Errorf("InsertSeal of a number that is taken = %v, %v; want false", ok, err)
		}
		last, ok, err := store.LastSeal(ctx)
		if diff := cmp.Diff(made[2], last); !ok || err != nil || diff != "" {
			t.Errorf("LastSeal: %v, %v\n%s", ok, err, diff)
		}
		some, err := store.Seals(ctx, 1, 1)
		if diff := cmp.Diff(made[1:2], some); err != nil || diff != "" {
			t.Errorf("Seals after the first: %v\n%s", err, diff)
		}
		n := fifty(t, func(int) (bool, error) { return store.InsertSeal(ctx, audit.Seal{N: 4}) })
		if n != 1 {
			t.Errorf("fifty nodes sealed number 4 %d times", n)
		}
	})
}

func TestSealerAndVerifyOnTheRealStore(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		ring := keyring(t, store)
		ctx, stop := context.WithCancel(context.Background())
		sealer := audit.NewSealer(store, ring, audit.SealerOptions{})
		store.OnCommit(nil, sealer.Wake)
		done := make(chan struct{})
		go func() { sealer.Run(ctx); close(done) }()
		for range 5 {
			change(t, store, func(context.Context, account.Tx) error { return nil })
		}
		refusals := []audit.Refusal{{By: system, Event: audit.Event{Name: audit.AuthzFail}, Count: 1}, {By: system, Event: audit.Event{Name: audit.MaliciousCSRF}, Count: 7}}
		if err := store.InsertRefusals(ctx, refusals); err != nil {
			t.Fatalf("InsertRefusals: %v", err)
		}
		stop()
		<-done
		report, err := audit.Verify(context.Background(), store, ring, audit.VerifyOptions{})
		if err != nil || len(report.Findings) != 0 || report.Rows != 7 || report.Seals == 0 {
			t.Errorf("Verify = %+v, %v; want seven sealed rows", report, err)
		}
		if _, err := raw(t, db).Exec(`UPDATE ringwall_audit SET reason = 'forged' WHERE seq = $1`, int64(3)); err != nil {
			t.Fatal(err)
		}
		report, err = audit.Verify(context.Background(), store, ring, audit.VerifyOptions{})
		if err != nil || len(report.Findings) == 0 || report.Findings[0].Seq != 3 {
			t.Errorf("Verify after tampering = %+v, %v; want row 3 named", report, err)
		}
	})
}

// settled is Unsealed once nothing holds rows back: on PostgreSQL any transaction of the server does, those of other tests too.
func settled(t *testing.T, store *sqlstore.Store, tx, seq int64, limit int) (rows []audit.Row, waiting bool, err error) {
	t.Helper()
	for range 300 {
		rows, waiting, err = store.Unsealed(t.Context(), tx, seq, limit)
		if err != nil || !waiting {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return rows, waiting, err
}
