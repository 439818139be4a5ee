package bench_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
)

const attackers = 10_000

// BenchmarkLimits is what each layer takes to decide about one wrong attempt, then all of them together, and beside them
// throttled, which has one layer with one window in memory. The attempts come from ten thousand addresses and are for as many
// accounts. What is shared lies in SQLite and in PostgreSQL (make bench PKG=./bench BENCH=Limits).
func BenchmarkLimits(b *testing.B) {
	b.Run("throttled", func(b *testing.B) {
		store, err := memstore.NewCtx(2 * attackers)
		if err != nil {
			b.Fatal(err)
		}
		l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerMin(20), MaxBurst: 19})
		if err != nil {
			b.Fatal(err)
		}
		decide(b, func(i int) error {
			_, _, err := l.RateLimitCtx(b.Context(), source(i).String(), 1)
			return err
		})
	})
	for _, db := range []testdb.DB{testdb.SQLite(b), testdb.Postgres(b)} {
		l, name := newLayers(b, db), db.Engine
		b.Run(name+"/block", func(b *testing.B) { decide(b, l.block) })
		b.Run(name+"/address", func(b *testing.B) { decide(b, l.address) })
		b.Run(name+"/account", func(b *testing.B) { decide(b, l.account) })
		b.Run(name+"/global", func(b *testing.B) { decide(b, l.global) })
		b.Run(name+"/all", func(b *testing.B) {
			decide(b, func(i int) error {
				for _, layer := range []func(int) error{l.block, l.address, l.account, l.global} {
					if err := layer(i); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

func decide(b *testing.B, layer func(i int) error) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := layer(i); err != nil {
			b.Fatal(err)
		}
	}
}

func source(i int) netip.Addr {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], uint32(i%attackers)+20<<24)
	return netip.AddrFrom4(raw)
}

// layers are those of an attempt, with the limits as they are when nothing is set, but for the ceiling, which nobody reaches.
type layers struct {
	ctx       context.Context
	store     *sqlstore.Store
	blocks    *limits.Blocks
	addresses *limits.Addresses
	ceiling   *ceiling.Ceiling
}

func newLayers(b *testing.B, db testdb.DB) *layers {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := sqlstore.Open(b.Context(), sqlstore.Config{Database: db.DSN, Now: time.Now, Log: log})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	l := &layers{ctx: b.Context(), store: store}
	if l.blocks, err = limits.NewBlocks(b.Context(), store, limits.BlocksOptions{Shared: store.Shared(), Now: time.Now, Log: log}); err != nil {
		b.Fatal(err)
	}
	if l.addresses, err = limits.NewAddresses(limits.Options{Windows: limits.Default(), Now: time.Now, Log: log}); err != nil {
		b.Fatal(err)
	}
	l.ceiling = ceiling.New(ceiling.Options{Store: store, Limit: 1 << 40, Capacity: func() int64 { return 600 }, Now: time.Now, Log: log})
	return l
}

func (l *layers) block(i int) error {
	if l.blocks.Any(l.ctx) {
		_, _ = l.blocks.Find(source(i))
	}
	return nil
}

func (l *layers) address(i int) error {
	if try, wait := l.addresses.Enter(l.ctx, source(i)); wait == 0 {
		try.Leave(l.ctx, false)
	}
	return nil
}

func (l *layers) account(i int) error {
	_, err := l.store.Reserve(l.ctx, fmt.Appendf(nil, "bench-%026d", i%attackers), account.AttemptPolicy{
		Max: 5, WindowMicros: (5 * time.Minute).Microseconds(), LockMicros: (5 * time.Minute).Microseconds(), MaxMicros: time.Hour.Microseconds(),
	}, time.Now().UnixMicro())
	return err
}

func (l *layers) global(i int) error {
	_, err := l.ceiling.Pass(l.ctx, ceiling.Attempt{Form: "login", Client: source(i), Who: identity.ID{}})
	return err
}
