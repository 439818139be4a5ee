package ceiling_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/problem"
)

// broken is a store that is gone, or hangs.
type broken struct {
	ceiling.Store
	hang bool
}

func (b broken) LeaseAttempts(ctx context.Context, l ceiling.Lease) (ceiling.Minute, error) {
	return ceiling.Minute{}, b.fail(ctx)
}

func (b broken) CeilingMinutes(ctx context.Context, first, last int64) ([]ceiling.Minute, error) {
	return nil, b.fail(ctx)
}

func (b broken) fail(ctx context.Context) error {
	if b.hang {
		<-ctx.Done()
	}
	return problem.New(problem.Unavailable, "unavailable", "x").Because(errors.New("gone"))
}

func TestAStoreThatIsGoneAdmitsNobody(t *testing.T) {
	for name, store := range map[string]broken{"gone": {}, "slow": {hang: true}} {
		t.Run(name, func(t *testing.T) {
			c := ceiling.New(ceiling.Options{Store: store, Challenger: doorman{new(sync.Map)}, Limit: 30, Capacity: func() int64 { return 60 }, Now: time.Now})
			var all sync.WaitGroup
			for n := range 10 {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
					defer cancel()
					a := solver(n)
					if n%2 == 0 {
						a = friend(byte(n))
					}
					if _, err := c.Pass(ctx, a); problem.From(err).Kind != problem.Unavailable {
						t.Errorf("Pass = %v, want unavailable", err)
					}
				})
			}
			all.Wait()
		})
	}
}
