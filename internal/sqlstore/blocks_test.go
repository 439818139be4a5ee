package sqlstore_test

import (
	"context"
	"net/netip"
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
