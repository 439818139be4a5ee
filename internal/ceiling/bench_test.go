package ceiling_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

// BenchmarkRefuses is the decision about somebody who has no solution while the ceiling is tripped, from memory; and
// BenchmarkPass that about somebody who is admitted, the statements for their leases included.
func BenchmarkRefuses(b *testing.B) {
	c := benchCeiling(b, 30)
	for n := range 16 {
		code(c, stranger(n))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Refuses(stranger(1)); err == nil {
			b.Fatal("admitted")
		}
	}
}

func BenchmarkPass(b *testing.B) {
	c := benchCeiling(b, 1<<40)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Pass(b.Context(), stranger(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func benchCeiling(b *testing.B, limit int64) *ceiling.Ceiling {
	store, err := sqlstore.Open(b.Context(), sqlstore.Config{Database: testdb.SQLite(b).DSN})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	return ceiling.New(ceiling.Options{Store: store, Challenger: doorman{new(sync.Map)}, Limit: limit, Capacity: func() int64 { return 60 }, Now: time.Now})
}
