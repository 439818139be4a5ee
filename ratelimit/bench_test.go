package ratelimit_test

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"

	"github.com/ringwall/ringwall/ratelimit"
)

func addresses(n int) []netip.Addr {
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
	}
	return list
}

// BenchmarkTake is one decision among ten thousand addresses: with one window and with two, and of throttled, which has one.
func BenchmarkTake(b *testing.B) {
	from := addresses(10_000)
	for _, windows := range [][]ratelimit.Window{{{20, time.Minute}}, {{20, time.Minute}, {100, time.Hour}}} {
		b.Run("ringwall/windows="+strconv.Itoa(len(windows)), func(b *testing.B) {
			l := limiter(b, windows, ratelimit.Options{})
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, err := l.Take(b.Context(), ratelimit.Address(from[i%len(from)]), 1); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	b.Run("throttled/windows=1", func(b *testing.B) {
		store, err := memstore.NewCtx(len(from) * 2)
		if err != nil {
			b.Fatal(err)
		}
		l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerMin(20), MaxBurst: 19})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, _, err := l.RateLimitCtx(b.Context(), from[i%len(from)].String(), 1); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkMillionKeys is the memory of a key, at a million, and how many of these have no bucket of their own in the
// default bound.
func BenchmarkMillionKeys(b *testing.B) {
	const keys = 1_000_000
	from := addresses(keys)
	for b.Loop() {
		before := heap()
		l := limiter(b, []ratelimit.Window{{20, time.Minute}, {100, time.Hour}}, ratelimit.Options{Now: newClock().now})
		for _, a := range from {
			take(b, l, ratelimit.Address(a), 1)
		}
		b.ReportMetric(float64(heap()-before)/keys, "B/key")
		shared := 0
		for _, a := range from {
			if take(b, l, ratelimit.Address(a), 0).Windows[0].Left != 19 {
				shared++
			}
		}
		b.ReportMetric(float64(shared), "shared")
	}
}
