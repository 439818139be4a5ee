package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"
)

// clock counts the nanoseconds since a limiter was made, and never backwards. A time that carries a monotonic reading, as
// time.Now gives it, is measured by that; of any other one a step back is left out, as if no time had passed.
type clock struct {
	start time.Time
	last  atomic.Int64
	ahead atomic.Int64 // what steps back have taken away so far
	step  sync.Mutex
}

// jitter is by how much the times of callers side by side may be out of order.
const jitter = int64(time.Second)

func (c *clock) now(t time.Time) int64 {
	read := int64(t.Sub(c.start))
	for {
		last, now := c.last.Load(), read+c.ahead.Load()
		switch {
		case now <= last-jitter:
			c.step.Lock()
			if last := c.last.Load(); read+c.ahead.Load() <= last-jitter {
				c.ahead.Store(last - read)
			}
			c.step.Unlock()
		case now <= last:
			return last
		case c.last.CompareAndSwap(last, now):
			return now
		}
	}
}
