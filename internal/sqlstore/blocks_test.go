package sqlstore_test

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/testdb"
)

func TestBlocks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		block := limits.Block{Prefix: netip.MustParsePrefix("2001:db8::/48"), CreatedMicros: start, ExpiresMicros: start + hour, Reason: "guesses", By: "ops"}
		put := func(b limits.Block) {
			t.Helper()
			change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.InsertBlock(ctx, b) })
		}
		put(block)
		block.ExpiresMicros, block.Reason = start+2*hour, "still guesses"
		put(block) // replaces it
		other := limits.Block{Prefix: netip.MustParsePrefix("203.0.113.7/32"), CreatedMicros: start + 1, ExpiresMicros: start + minute, Reason: "x", By: "ops"}
		put(other)
		for at, want := range map[int64][]limits.Block{start: {other, block}, start + minute: {block}, start + 2*hour: nil} {
			got, err := store.Blocks(ctx, at)
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); err != nil || diff != "" {
				t.Errorf("Blocks = %v (-want +got):\n%s", err, diff)
			}
		}
		lift := func(at int64) (there bool) {
			t.Helper()
			change(t, store, func(ctx context.Context, tx account.Tx) (err error) {
				there, err = tx.DeleteBlock(ctx, block.Prefix, at)
				return err
			})
			return there
		}
		if lift(start+3*hour) || !lift(start+hour) || lift(start+hour) {
			t.Error("DeleteBlock: want it once, while the block holds")
		}
		if gone, err := store.Purge(ctx, start+minute); gone != 1 || err != nil {
			t.Errorf("Purge = %d, %v, want the one that has ended", gone, err)
		}
	})
}

func TestCounter(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		for range 6 {
			reserve(t, store, "ada", start)
		}
		want := account.Counter{Tries: 6, WindowMicros: start, LockedMicros: start + minute}
		if got, err := store.Counter(ctx, []byte("ada"), start); err != nil || got != want {
			t.Errorf("Counter = %+v, %v, want %+v", got, err, want)
		}
		if got, err := store.Counter(ctx, []byte("nobody"), start); err != nil || got != (account.Counter{}) {
			t.Errorf("Counter of nobody = %+v, %v", got, err)
		}
	})
}

// All counters whose keys begin alike are found and cleared, and no other; a hundred at most are read, the locked ones first.
func TestCountersThatBeginAlike(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		store, ctx := open(t, db), t.Context()
		begin := "\x00\xff\xfe"
		reserve(t, store, "\x00\xff\xfd\xff", start)
		reserve(t, store, "\x00\xff\xff", start)
		reserve(t, store, begin+"\x00old", start)
		reserve(t, store, begin+"\xff\xff\xff", start+second)
		for range 6 {
			reserve(t, store, begin, start-second)
		}
		want := []account.Counter{{Tries: 6, WindowMicros: start - second, LockedMicros: start - second + minute}, {Tries: 1, WindowMicros: start + second}, {Tries: 1, WindowMicros: start}}
		if got, err := store.Counters(ctx, []byte(begin), start); err != nil || !slices.Equal(got, want) {
			t.Errorf("Counters = %+v, %v, want %+v", got, err, want)
		}
		for i := range 100 {
			reserve(t, store, begin+"more"+strconv.Itoa(i), start)
		}
		if got, err := store.Counters(ctx, []byte(begin), start); err != nil || len(got) != 100 || got[0] != want[0] {
			t.Errorf("of 103 Counters reads %d, %v, first %+v", len(got), err, got[:1])
		}
		if got, err := store.Counters(ctx, []byte(begin), start+24*hour); err != nil || len(got) != 0 {
			t.Errorf("a day later Counters = %+v, %v", got, err)
		}
		change(t, store, func(ctx context.Context, tx account.Tx) error { return tx.ClearCounters(ctx, []byte(begin)) })
		for of, want := range map[string]int{begin: 0, "\x00\xff\xfd": 1, "\x00\xff\xff": 1} {
			if got, err := store.Counters(ctx, []byte(of), start); err != nil || len(got) != want {
				t.Errorf("cleared, Counters of %q = %+v, %v, want %d", of, got, err, want)
			}
		}
	})
}
