package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

func enqueue(t testing.TB, store *sqlstore.Store) mail.Message {
	t.Helper()
	message := newMail()
	change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.Enqueue(ctx, message) })
	return message
}

func TestOutbox(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		if _, waits, err := store.NextDue(ctx); waits || err != nil {
			t.Fatalf("NextDue of an empty outbox = %v, %v", waits, err)
		}
		message := enqueue(t, store)
		if due, waits, err := store.NextDue(ctx); due != start || !waits || err != nil {
			t.Errorf("NextDue = %d, %v, %v; want %d", due, waits, err, start)
		}
		if _, found, err := store.NextMail(ctx, start-1); found || err != nil {
			t.Errorf("NextMail before it is due = %v, %v", found, err)
		}
		got, found, err := store.NextMail(ctx, start)
		want := mail.Entry{Message: message, Attempts: 1, CreatedMicros: start}
		if diff := cmp.Diff(want, got); !found || err != nil || diff != "" {
			t.Fatalf("NextMail: %v, %v\n%s", found, err, diff)
		}
		if _, found, err := store.NextMail(ctx, start+mail.ClaimMicros-1); found || err != nil {
			t.Errorf("a claimed mail was claimed again: %v, %v", found, err)
		}
		if got, found, err = store.NextMail(ctx, start+mail.ClaimMicros); !found || err != nil || got.Attempts != 2 {
			t.Errorf("after its claim ran out: %+v, %v, %v; want the second attempt", got, found, err)
		}
		if err := store.MailFailed(ctx, message.ID, start+hour); err != nil {
			t.Fatalf("MailFailed: %v", err)
		}
		if due, waits, err := store.NextDue(ctx); due != start+hour || !waits || err != nil {
			t.Errorf("NextDue after a failure = %d, %v, %v; want in an hour", due, waits, err)
		}
		other := enqueue(t, store)
		for range 2 {
			if err := errors.Join(store.MailSent(ctx, message.ID), store.MailFailed(ctx, other.ID, 0)); err != nil {
				t.Errorf("MailSent, MailFailed: %v", err)
			}
		}
		if _, waits, err := store.NextDue(ctx); waits || err != nil {
			t.Errorf("sent and given up, and still there: %v, %v", waits, err)
		}
	})
}

func TestFiftyWorkersClaimEachMailOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store := open(t, db)
		for range 3 {
			enqueue(t, store)
		}
		n := fifty(t, func(int) (bool, error) {
			_, found, err := store.NextMail(t.Context(), start)
			return found, err
		})
		if n != 3 {
			t.Errorf("three mails were claimed %d times", n)
		}
	})
}

func TestMailsAreSealedToTheirRow(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		first, second := enqueue(t, store), enqueue(t, store)
		admin := raw(t, db)
		var sealed []byte
		if err := admin.QueryRow(`SELECT sealed FROM ringwall_outbox WHERE id = $1`, first.ID[:]).Scan(&sealed); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(sealed), "canary") || strings.Contains(string(sealed), "example.org") {
			t.Error("a mail lies open in the database")
		}
		if _, err := admin.Exec(`UPDATE ringwall_outbox SET sealed = $1 WHERE id = $2`, sealed, second.ID[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Exec(`DELETE FROM ringwall_outbox WHERE id = $1`, first.ID[:]); err != nil {
			t.Fatal(err)
		}
		entry, found, err := store.NextMail(ctx, start)
		if !found || !errors.Is(err, mail.ErrUnreadable) || entry.Message.ID != second.ID || entry.Message.To != "" {
			t.Errorf("a mail moved to another row = %+v, %v, %v; want its id and ErrUnreadable", entry, found, err)
		}
	})
}

func TestDevMail(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		sender := sqlstore.DevSender{Store: store}
		var last mail.Message
		for range 103 {
			last = newMail()
			if err := errors.Join(sender.Send(ctx, last), sender.Send(ctx, last)); err != nil {
				t.Fatalf("Send: %v", err)
			}
		}
		mails, err := store.DevMails(ctx)
		if err != nil || len(mails) != 100 {
			t.Fatalf("DevMails = %d, %v; want the last hundred", len(mails), err)
		}
		if diff := cmp.Diff(last, mails[0].Message); diff != "" || mails[0].CreatedMicros != start {
			t.Errorf("the newest is not first:\n%s", diff)
		}
	})
}

// S014 and S097: what the database holds opens nothing by itself.
func TestNoMailTextInTheFile(t *testing.T) {
	db := testdb.SQLite(t)
	store := open(t, db)
	enqueue(t, store)
	path := strings.TrimPrefix(db.DSN, "sqlite:")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "canary-in-a-mail") {
			t.Errorf("%s holds a mail in the clear", path+suffix)
		}
	}
}
