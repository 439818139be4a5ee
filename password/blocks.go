package password

import (
	"sync"
	"time"

	"github.com/ringwall/ringwall/password/internal/lane"
)

// idleBlocks is how long memory is kept after the last hash. Mapping it anew costs a hash a few milliseconds.
const idleBlocks = 2 * time.Second

// blockPool lends out the memory of hashes. There are never more blocks than jobs at a time, which the queue bounds. The last lent block is
// the next to go, so that few callers touch few blocks.
type blockPool struct {
	mu    sync.Mutex
	free  []*lane.Memory
	timer *time.Timer
}

func (p *blockPool) take() *lane.Memory {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if n := len(p.free); n > 0 {
		m := p.free[n-1]
		p.free = p.free[:n-1]
		return m
	}
	return new(lane.Memory)
}

func (p *blockPool) put(m *lane.Memory) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, m)
	if p.timer == nil {
		p.timer = time.AfterFunc(idleBlocks, p.release)
		return
	}
	p.timer.Reset(idleBlocks)
}

func (p *blockPool) release() {
	p.mu.Lock()
	free := p.free
	p.free = nil
	p.mu.Unlock()
	for _, m := range free {
		m.Release()
	}
}
