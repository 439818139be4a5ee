package limits_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/limits"
)

// list is a store of blocks that can fail, and counts its reads.
type list struct {
	blocks atomic.Pointer[[]limits.Block]
	down   atomic.Bool
	reads  atomic.Int64
}

func (l *list) Blocks(context.Context, int64) ([]limits.Block, error) {
	l.reads.Add(1)
	if l.down.Load() {
		return nil, errors.New("the database is gone")
	}
	if held := l.blocks.Load(); held != nil {
		return *held, nil
	}
	return nil, nil
}

func blocks(t *testing.T, l *list, shared bool) *limits.Blocks {
	t.Helper()
	b, err := limits.NewBlocks(t.Context(), l, limits.BlocksOptions{Shared: shared, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keptOut(t *testing.T, b *limits.Blocks, address string) bool {
	t.Helper()
	if !b.Any(t.Context()) {
		return false
	}
	_, found := b.Find(netip.MustParseAddr(address))
	return found
}

func TestBlocksFindEveryForm(t *testing.T) {
	l := &list{}
	end := time.Now().Add(time.Hour).UnixMicro()
	l.blocks.Store(&[]limits.Block{
		{Prefix: netip.MustParsePrefix("203.0.113.0/24"), ExpiresMicros: end}, {Prefix: netip.MustParsePrefix("2001:db8::/48"), ExpiresMicros: end},
		{Prefix: netip.MustParsePrefix("198.51.100.0/24"), ExpiresMicros: time.Now().Add(-time.Second).UnixMicro()},
	})
	b := blocks(t, l, false)
	for address, want := range map[string]bool{
		"203.0.113.9": true, "::ffff:203.0.113.9": true, "2001:db8::1%eth0": true, "2001:db8:0:ffff::1": true,
		"203.0.114.1": false, "2001:db8:1::1": false, "198.51.100.1": false,
	} {
		if got := keptOut(t, b, address); got != want {
			t.Errorf("Find(%s) = %v, want %v", address, got, want)
		}
	}
	if _, found := b.Find(netip.Addr{}); found {
		t.Error("a peer without an address is kept out")
	}
}

// A block of another node acts within a second, without anybody asking meanwhile; and while the database is gone the last
// list stays.
func TestBlocksOfOthersActWithinASecond(t *testing.T) {
	l := &list{}
	b := blocks(t, l, true)
	if keptOut(t, b, "203.0.113.1") {
		t.Fatal("kept out without a block")
	}
	l.blocks.Store(&[]limits.Block{{Prefix: netip.MustParsePrefix("203.0.113.1/32"), ExpiresMicros: time.Now().Add(time.Hour).UnixMicro()}})
	written := time.Now()
	for !keptOut(t, b, "203.0.113.1") {
		if time.Since(written) > 10*time.Second {
			t.Fatal("the block of another node does not act")
		}
	}
	reads := l.reads.Load()
	for range 10_000 {
		b.Any(t.Context())
	}
	if more, most := l.reads.Load()-reads, int64(time.Since(written)/(500*time.Millisecond))+1; more > most {
		t.Errorf("ten thousand requests read the list %d times", more)
	}
	l.down.Store(true)
	before := l.reads.Load()
	for l.reads.Load() == before { // until it has been read in vain
		if !keptOut(t, b, "203.0.113.1") {
			t.Fatal("let in while the database is gone")
		}
	}
	if !keptOut(t, b, "203.0.113.1") {
		t.Error("let in after the database was gone")
	}
}

// While there is no block a request costs no memory, and on one node not even a clock.
func TestNoBlockCostsNothing(t *testing.T) {
	l := &list{}
	for _, shared := range []bool{false, true} {
		b := blocks(t, l, shared)
		ctx := t.Context()
		b.Any(ctx)
		if n := testing.AllocsPerRun(100, func() { b.Any(ctx) }); n > 0 {
			t.Errorf("shared %v: Any makes %v allocations", shared, n)
		}
	}
}
