package bench_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/sessions"
)

// BenchmarkFind is the engine alone: the hash of the token, and the mirror.
func BenchmarkFind(b *testing.B) {
	for _, size := range []struct {
		name     string
		sessions int
	}{{"sessions=10000", 10_000}, {"sessions=1000000", 1_000_000}} {
		b.Run(size.name, func(b *testing.B) {
			engine := sessions.New(crowd{People: size.sessions / 10}, sessions.Options{
				Idle: time.Hour, Absolute: 12 * time.Hour, CacheBytes: 256 << 20, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			})
			go engine.Run(b.Context())
			tokens := make([]string, size.sessions)
			for i := range tokens {
				tokens[i] = tokenOf(uint64(i))
				if _, _, err := engine.Find(context.Background(), tokens[i]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = (n + 7919) % len(tokens)
				if _, _, err := engine.Find(context.Background(), tokens[n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
