package ceiling

import (
	"context"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
)

// How long what there is to tell may wait, and how often a node that knows of an alert looks whether it is over.
const (
	whileTripped = 250 * time.Millisecond
	whileCalm    = 10 * time.Second
	whileOpen    = time.Second
	atTheEnd     = 2 * time.Second
	idle         = time.Hour
)

// Run tells the store what was counted, and people when the ceiling trips and when that is over, until ctx ends. It wakes
// only when there is something to do.
func (c *Ceiling) Run(ctx context.Context) {
	if c.Limit < 0 {
		return
	}
	c.begin(ctx)
	told := time.Now()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), atTheEnd)
			defer cancel()
			c.tend(last)
			return
		case <-c.wake:
		case <-timer.C:
			c.tend(ctx)
			told = time.Now()
		}
		timer.Reset(max(c.rest()-time.Since(told), 0))
	}
}

// begin learns whether the ceiling is tripped. An alert that an earlier run left open is closed if it is not.
func (c *Ceiling) begin(ctx context.Context) {
	if err := c.look(ctx); err != nil {
		return // the first attempt looks again
	}
	c.mu.Lock()
	tripped := c.tripped()
	c.mu.Unlock()
	if !tripped && c.Alerts != nil {
		c.Alerts.Close(ctx, alerts.Ceiling, "")
	}
}

// rest is how long there is nothing to do.
func (c *Ceiling) rest() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.heat > 0:
		return 0
	case c.view.wanted+int64(len(c.late)) == 0 && !c.open:
		return idle
	case c.view.wanted+int64(len(c.late)) == 0:
		return whileOpen
	case c.tripped():
		return whileTripped
	case c.open:
		return whileOpen
	}
	return whileCalm
}

// tend tells the store and the alerts.
func (c *Ceiling) tend(ctx context.Context) {
	if err := c.tell(ctx); err != nil && ctx.Err() == nil {
		c.Log.WarnContext(ctx, "attempts not told to the other nodes; trying again", "error", err)
	}
	c.mu.Lock()
	c.enter()
	heat, over := c.heat, c.open && !c.tripped()
	_, _, all := c.limits()
	c.heat = 0
	if over {
		c.open = false
	}
	c.mu.Unlock()
	if c.Alerts == nil {
		return
	}
	if heat > 0 {
		c.Alerts.Raise(ctx, alerts.Alert{
			Kind: alerts.Ceiling, Count: heat, Help: "ringwall limits show",
			What: "Very many attempts to sign in or up: " + strconv.FormatInt(heat, 10) + " in a minute, of which at most " + strconv.FormatInt(all, 10) +
				" are admitted. Whoever comes from an unknown device has to solve a challenge until two minutes are calm.",
		})
	}
	if over {
		c.Alerts.Close(ctx, alerts.Ceiling, "")
	}
}

func (c *Ceiling) tell(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.turn }()
	c.mu.Lock()
	late, wanted := c.late, c.view.wanted
	c.late = nil
	c.mu.Unlock()
	for i, l := range late {
		row, err := c.Store.LeaseAttempts(ctx, l)
		c.mu.Lock()
		if err != nil {
			c.late = append(c.late, late[i:]...)
			c.mu.Unlock()
			return err
		}
		c.hear(row)
		if row.Heated {
			c.heat = row.Wanted
		}
		c.mu.Unlock()
	}
	if wanted == 0 {
		return nil
	}
	if err := c.look(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	c.enter()
	news := c.news()
	c.mu.Unlock()
	_, err := c.get(ctx, news, func() answer { return answer{} })
	return err
}
