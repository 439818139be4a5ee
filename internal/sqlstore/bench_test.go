package sqlstore_test

import (
	"context"
	"testing"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/testdb"
)

func eachEngine(b *testing.B, bench func(b *testing.B, db testdb.DB)) {
	b.Run("sqlite", func(b *testing.B) { bench(b, testdb.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { bench(b, testdb.Postgres(b)) })
}

func BenchmarkSessionByHash(b *testing.B) {
	eachEngine(b, func(b *testing.B, db testdb.DB) {
		store := open(b, db)
		s := addSession(b, store, addUser(b, store, "ada@example.org").ID, 1)
		ctx, cancel := context.WithCancel(context.Background()) // as a request's is
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := store.SessionByHash(ctx, s.TokenHash); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkChange has sixteen clients, whose changes share commits.
func BenchmarkChange(b *testing.B) {
	eachEngine(b, func(b *testing.B, db testdb.DB) {
		store := open(b, db)
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := try(store, func(context.Context, account.Tx) error { return nil }); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkReserve counts tries against accounts that have many left, one after the other.
func BenchmarkReserve(b *testing.B) {
	eachEngine(b, func(b *testing.B, db testdb.DB) {
		store := open(b, db)
		policy := account.AttemptPolicy{Max: 1 << 30, WindowMicros: 1 << 40, LockMicros: 1, MaxMicros: 1}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.Reserve(b.Context(), []byte("one account"), policy, 1_000_000); err != nil {
				b.Fatal(err)
			}
		}
	})
}
