package e2e_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// Whom the hash queue turns away leaves nothing in the database, also when they all come at the same moment and each of them
// finds the queue empty: a flood must not keep the disk busy, nor make rows for addresses that it invents.
func TestAFullQueueWritesNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), HashSlots: 1})
		var busy, checked atomic.Int64
		clients := make([]*ringwalltest.Client, 50)
		for i := range clients {
			clients[i] = s.Client()
		}
		for round := range 4 {
			fifty(func(i int) bool {
				got, err := clients[i].Try("POST", "/auth/v1/login", object{"email": fmt.Sprintf("nobody-%d-%d@example.org", round, i), "password": "not the password, surely"})
				switch {
				case err == nil && got.Code() == "busy":
					busy.Add(1)
				case err == nil && got.Code() == "login-failed":
					checked.Add(1)
				default:
					t.Errorf("a sign-in = %d %s, %v", got.Status, got.Code(), err)
				}
				return false
			})
		}
		var rows int64
		if err := onDatabase(t, db).QueryRowContext(t.Context(), `SELECT count(*) FROM ringwall_attempts`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d were busy, %d were checked, %d rows", busy.Load(), checked.Load(), rows)
		if most := checked.Load() + busy.Load()/20; rows > most { // who waits in the line for two seconds has left one
			t.Errorf("%d rows of attempts, want at most %d: %d were checked, and %d turned away", rows, most, checked.Load(), busy.Load())
		}
		if busy.Load() == 0 {
			t.Error("nobody was turned away: the queue was not full")
		}
	})
}
