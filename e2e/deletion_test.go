package e2e_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// deletes asks for the deletion of one's own account.
func deletes(c *ringwalltest.Client, password string) ringwalltest.Answer {
	return c.Do("DELETE", "/auth/v1/me", object{"password": password})
}

// Asking for a deletion shuts the account; the mailed link, and nothing else, opens it again.
func TestDeletionCanBeUndone(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "leaver@example.org"
		c := s.SignIn(address)
		want(t, "nobody", deletes(s.Client(), ringwalltest.Password), 401, "unauthenticated")
		want(t, "a wrong password", deletes(c, "not the password, surely"), 401, "login-failed")
		want(t, "no password", c.Do("DELETE", "/auth/v1/me", object{}), 422, "invalid")
		s.Clock.Advance(6 * time.Minute)
		want(t, "not fresh", deletes(c, ringwalltest.Password), 403, "fresh-required")
		want(t, "prove again", c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")
		got := deletes(c, ringwalltest.Password)
		want(t, "delete", got, 202, "")
		var told struct {
			DeleteAt time.Time `json:"delete_at"`
			Lost     []string
		}
		got.Into(t, &told)
		if left := told.DeleteAt.Sub(s.Clock.Now()); left < 14*24*time.Hour-time.Minute || left > 14*24*time.Hour || len(told.Lost) == 0 {
			t.Errorf("the answer tells %+v", told)
		}
		want(t, "the session", c.Get("/"), 401, "unauthenticated")
		mail := mailAbout(t, s, address, "will be deleted", 1)
		c.CSRF = ""
		want(t, "the right password", login(c, address, ringwalltest.Password), 403, "deletion-pending")
		sameAnswer(t, "a wrong one", login(s.Client(), address, "not the password, surely"), login(s.Client(), "nobody@example.org", "not the password, surely"))
		mailAbout(t, s, address, "will be deleted", 2)

		stranger := s.Client()
		want(t, "the page", stranger.Get("/auth/keep-account?token="+mail.Token()), 200, "")
		want(t, "a not-me link it is not", stranger.Post("/auth/v1/not-me", object{"token": mail.Token()}), 422, "link-invalid")
		want(t, "still", login(c, address, ringwalltest.Password), 403, "deletion-pending")
		s.Clock.Advance(14*24*time.Hour - 10*time.Minute)
		wins := fifty(func(int) bool {
			got, err := stranger.Try("POST", "/auth/v1/keep-account", object{"token": mail.Token()})
			return err == nil && got.Status == 204
		})
		if wins != 1 {
			t.Errorf("fifty parallel uses of one link: %d succeeded, want 1", wins)
		}
		want(t, "sign in", login(c, address, ringwalltest.Password), 200, "")
	})
}

// "This was not me" undoes a deletion that somebody else asked for.
func TestNotMeUndoesADeletion(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "robbed@example.org"
		s.SignIn(address)
		thief := s.Client()
		thief.SignIn(address, ringwalltest.Password)
		notMe := mailAbout(t, s, address, "New sign-in", 1)
		want(t, "the thief deletes", deletes(thief, ringwalltest.Password), 202, "")
		keep := mailAbout(t, s, address, "will be deleted", 1)
		want(t, "not me", s.Client().Post("/auth/v1/not-me", object{"token": notMe.Token()}), 204, "")
		want(t, "the other link is needless", s.Client().Post("/auth/v1/keep-account", object{"token": keep.Token()}), 422, "link-invalid")
		want(t, "the thief", login(s.Client(), address, ringwalltest.Password), 403, "reset-required")
	})
}

// The last administrator stays; of two, one may go, and then the other stays.
func TestLastAdministratorIsNotDeleted(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		first, second := s.SignIn("first@example.org"), s.SignIn("second@example.org")
		for _, address := range []string{"first@example.org", "second@example.org"} {
			operate(t, s, "user.grant", object{"user": address, "role": "admin"})
		}
		for _, c := range []*ringwalltest.Client{first, second} {
			want(t, "prove again", c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")
		}
		want(t, "the first", deletes(first, ringwalltest.Password), 202, "")
		want(t, "the second", deletes(second, ringwalltest.Password), 409, "last-administrator")
		want(t, "the second is still here", second.Get("/"), 200, "")
		for _, now := range []bool{false, true} {
			if _, err := s.Ringwall.Operate(t.Context(), "tester", "user.delete", []byte(fmt.Sprintf(`{"user":"second@example.org","now":%v}`, now))); err == nil {
				t.Error("an operator deleted the last administrator")
			}
		}
	})
}

// When the delay is over every row of the person is gone, what stays in the audit log is whole and cannot be read, and the
// last mail is sent. Nobody else loses anything.
func TestDueDeletionIsDone(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		const address = "gone@example.org"
		o := ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey)}
		before := ringwalltest.StartApp(t, o, application)
		c, stays := before.SignIn(address), before.SignIn("stays@example.org")
		before.Client().SignIn(address, ringwalltest.Password)
		operate(t, before, "user.grant", object{"user": address, "role": "editor"})
		var me struct{ User struct{ ID string } }
		c.Get("/auth/v1/session").Into(t, &me)
		want(t, "prove again", c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")
		want(t, "delete", deletes(c, ringwalltest.Password), 202, "")
		keep := mailAbout(t, before, address, "will be deleted", 1).Token()
		want(t, "the bystander", stays.Get("/"), 200, "")
		if err := before.Ringwall.Close(t.Context()); err != nil {
			t.Fatal(err)
		}

		o.Now = func() time.Time { return time.Now().Add(15 * 24 * time.Hour) }
		after := ringwalltest.StartApp(t, o, application)
		mailAbout(t, after, address, "is gone", 1)
		want(t, "sign in", login(after.Client(), address, ringwalltest.Password), 401, "login-failed")
		want(t, "the link", after.Client().Post("/auth/v1/keep-account", object{"token": keep}), 422, "link-invalid")
		want(t, "the bystander signs in", login(after.Client(), "stays@example.org", ringwalltest.Password), 200, "")
		leftovers(t, after, me.User.ID)
		events := operate(t, after, "audit.tail", object{"limit": 1000})["events"].([]any)
		unreadable := 0
		for _, e := range events {
			event := e.(object)
			if event["user"] != me.User.ID {
				continue
			}
			unreadable++
			if event["private"] != nil || event["ip"] != nil || strings.Contains(fmt.Sprint(event), address) {
				t.Errorf("an event of the deleted person tells %v", event)
			}
		}
		if unreadable < 5 {
			t.Errorf("%d events about the deleted person, want their whole history", unreadable)
		}
		if report := operate(t, after, "audit.verify", object{}); report["ok"] != true {
			t.Errorf("audit verify after a deletion = %v", report)
		}
		want(t, "the address is free again", after.Client().Post("/auth/v1/signup", object{"email": address, "password": ringwalltest.Password}), 202, "")
	})
}

// leftovers looks for rows of somebody in every table that has people.
func leftovers(t *testing.T, s *ringwalltest.Server, user string) {
	t.Helper()
	id, err := identity.ParseID(user)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{"ringwall_audit": "append-only", "ringwall_person_keys": "emptied, so that no later event makes another"}
	db := openDatabase(t, s)
	for _, table := range append(personTables(t, s), "ringwall_users") {
		column := "user_id"
		if table == "ringwall_users" {
			column = "id"
		}
		if n := countRows(t, db, "SELECT COUNT(*) FROM "+table+" WHERE "+column+" = $1", id[:]); n != 0 && kept[table] == "" {
			t.Errorf("%d rows of the deleted person in %s", n, table)
		}
	}
	if n := countRows(t, db, "SELECT COUNT(*) FROM ringwall_person_keys WHERE user_id = $1 AND length(wrapped) = 0", id[:]); n != 1 {
		t.Error("the key of the deleted person is not emptied")
	}
}

func countRows(t *testing.T, db *sql.DB, statement string, argument any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), statement, argument).Scan(&n); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return n
}

// Operators delete too, after the delay or at once.
func TestOperatorDeletesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("now@example.org")
		var me struct{ User struct{ ID string } }
		c.Get("/auth/v1/session").Into(t, &me)
		operate(t, s, "user.delete", object{"user": "now@example.org", "now": true})
		want(t, "the session", c.Get("/"), 401, "unauthenticated")
		mailAbout(t, s, "now@example.org", "is gone", 1)
		leftovers(t, s, me.User.ID)
		if report := operate(t, s, "audit.verify", object{}); report["ok"] != true {
			t.Errorf("audit verify = %v", report)
		}
	})
}
