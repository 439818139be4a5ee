package sqlstore_test

import (
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/testdb"
)

// S031: a row that somebody deletes by hand in the file is noticed within a second.
func TestARowDeletedByHandIsNoticed(t *testing.T) {
	db := testdb.SQLite(t)
	store := open(t, db)
	ada := addUser(t, store, "ada@example.org")
	s := addSession(t, store, ada.ID, 1)
	noticed := make(chan bool, 1)
	store.OnInvalidate(func(i sessions.Invalidation) {
		if i.All {
			select {
			case noticed <- true:
			default:
			}
		}
	})
	addSession(t, store, ada.ID, 2) // our own commits are no news
	select {
	case <-noticed:
		t.Error("our own commit was taken for somebody else's")
	case <-time.After(900 * time.Millisecond):
	}
	if _, err := raw(t, db).Exec(`DELETE FROM ringwall_sessions WHERE id = $1`, s.ID[:]); err != nil {
		t.Fatal(err)
	}
	select {
	case <-noticed:
	case <-time.After(20 * time.Second): // a second, where nothing else runs
		t.Error("nobody knows")
	}
}
