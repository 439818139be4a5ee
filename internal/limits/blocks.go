package limits

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// MostBlocks is how many blocks may hold at a time.
const MostBlocks = 1000

const (
	blocksStale    = 500 * time.Millisecond // on several nodes: then a request reads them anew
	blocksLate     = time.Second            // then it waits for that
	blocksPatience = time.Second
)

// Block keeps a network out until its end.
type Block struct {
	Prefix        netip.Prefix // IPv4 as IPv4, without bits beyond its length
	CreatedMicros int64
	ExpiresMicros int64
	Reason        string
	By            string // the operator's name
}

// BlockStore is where blocks lie.
type BlockStore interface {
	// Blocks are those that hold at that time, at most [MostBlocks], the newest first.
	Blocks(ctx context.Context, nowMicros int64) ([]Block, error)
}

// BlocksOptions say whether the store has writers besides this process.
type BlocksOptions struct {
	Shared bool
	Now    func() time.Time
	Log    *slog.Logger
}

// Blocks know which addresses are kept out. While there is no block that costs one look at a pointer and, on a shared store, at a
// clock. On a shared store a request reads the list anew when it is half a second old; nothing runs while nobody asks. A
// store that fails leaves the last list in force. It is safe for concurrent use.
type Blocks struct {
	store   BlockStore
	options BlocksOptions
	list    atomic.Pointer[[]Block] // nil: none
	began   time.Time
	read    atomic.Int64 // when, in nanoseconds since it began; zero: never
	reading sync.Mutex
	failing bool
}

// NewBlocks makes Blocks, with the list as it lies in the store.
func NewBlocks(ctx context.Context, store BlockStore, o BlocksOptions) (*Blocks, error) {
	b := &Blocks{store: store, options: o, began: time.Now()} // the interval is real time, whatever clock a test sets
	return b, b.Reload(ctx)
}

// Any reports whether there may be a block. Where there are no Blocks there is none.
func (b *Blocks) Any(ctx context.Context) bool {
	if b == nil {
		return false
	}
	if b.options.Shared {
		b.refresh(ctx)
	}
	return b.list.Load() != nil
}

// Find is the block that keeps an address out, if one does.
func (b *Blocks) Find(address netip.Addr) (Block, bool) {
	list := b.list.Load()
	if list == nil {
		return Block{}, false
	}
	address = address.Unmap().WithZone("")
	now := b.options.Now().UnixMicro()
	for _, block := range *list {
		if now < block.ExpiresMicros && block.Prefix.Contains(address) {
			return block, true
		}
	}
	return Block{}, false
}

// Reload reads the list: after a change, so that it acts at once.
func (b *Blocks) Reload(ctx context.Context) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	return b.reload(ctx)
}

func (b *Blocks) reload(ctx context.Context) error {
	list, err := b.store.Blocks(ctx, b.options.Now().UnixMicro())
	b.read.Store(max(int64(time.Since(b.began)), 1))
	if err != nil {
		return err
	}
	if len(list) == 0 {
		b.list.Store(nil)
	} else {
		b.list.Store(&list)
	}
	return nil
}

// refresh lets one request read a list that has become stale. Others go on with it, unless it is so old that a block could
// have been missed for a second.
func (b *Blocks) refresh(ctx context.Context) {
	age := time.Since(b.began) - time.Duration(b.read.Load())
	if age < blocksStale {
		return
	}
	if age >= blocksLate {
		b.reading.Lock()
	} else if !b.reading.TryLock() {
		return
	}
	defer b.reading.Unlock()
	if time.Since(b.began)-time.Duration(b.read.Load()) < blocksStale {
		return // somebody else has
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), blocksPatience)
	defer cancel()
	err := b.reload(ctx)
	if failing := err != nil; failing != b.failing {
		b.failing = failing
		if failing {
			b.options.Log.WarnContext(ctx, "the list of blocks cannot be read; the last one stays in force", "error", err)
		} else {
			b.options.Log.InfoContext(ctx, "the list of blocks is read again")
		}
	}
}
