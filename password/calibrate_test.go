package password_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/ringwall/ringwall/password"
)

// machines are what a hash costs elsewhere.
func machines() map[string]func(p password.Params) time.Duration {
	work := func(p password.Params) float64 { return float64(p.MemoryKiB) * float64(p.Time) }
	return map[string]func(p password.Params) time.Duration{
		"fast":     func(p password.Params) time.Duration { return time.Duration(work(p) * 100) },
		"usual":    func(p password.Params) time.Duration { return time.Duration(work(p) * 400) },
		"slow":     func(p password.Params) time.Duration { return time.Duration(work(p) * 2000) },
		"overhead": func(p password.Params) time.Duration { return 5*time.Millisecond + time.Duration(work(p)*400) },
		// Memory beyond the caches costs more than its share.
		"small caches": func(p password.Params) time.Duration {
			return time.Duration(work(p) * (300 + 100*math.Log2(float64(p.MemoryKiB)/19456)))
		},
	}
}

// S022: within a quarter of the target, wherever the bounds allow it; never below the floor or above what a slot may take; memory before passes.
func TestCalibrateMeetsItsTarget(t *testing.T) {
	for name, cost := range machines() {
		for _, target := range []time.Duration{100 * time.Millisecond, 250 * time.Millisecond, 400 * time.Millisecond, time.Second} {
			for _, slotBytes := range []int64{1 << 20, 64 << 20, 128 << 20, 1 << 40} {
				calls := 0
				params, took, err := password.Calibrate(t.Context(), target, slotBytes, func(_ context.Context, p password.Params) (time.Duration, error) {
					calls++
					if err := p.Check(); err != nil {
						t.Errorf("%s: measures %v: %v", name, p, err)
					}
					return cost(p), nil
				})
				if err != nil || params.Check() != nil || took != cost(params) || calls > 8 {
					t.Fatalf("%s, %s: %v, %s, %v after %d calls", name, target, params, took, err, calls)
				}
				most := min(max(slotBytes>>10, 19456), 256<<10)
				if int64(params.MemoryKiB) > most || params.Parallelism != 1 {
					t.Errorf("%s, %s: %v takes more than a slot's %d KiB", name, target, params, most)
				}
				atMost := uint64(params.MemoryKiB)*uint64(params.Time) > 2<<20-uint64(params.Time)*1024
				if ratio := float64(took) / float64(target); math.Abs(ratio-1) > 0.25 && !atMost {
					t.Errorf("%s, %s with %d MiB: %v takes %s", name, target, slotBytes>>20, params, took)
				}
				if params.Time > 2 && float64(params.MemoryKiB) < 0.6*float64(most) {
					t.Errorf("%s, %s with %d KiB: %v makes passes before it has taken the memory", name, target, most, params)
				}
			}
		}
	}
}

func TestCalibrateTellsWhereItCannot(t *testing.T) {
	snail := func(context.Context, password.Params) (time.Duration, error) { return 3 * time.Second, nil }
	params, took, err := password.Calibrate(t.Context(), 400*time.Millisecond, 64<<20, snail)
	if !errors.Is(err, password.ErrSlow) || params != floor() || took != 3*time.Second {
		t.Errorf("on a snail: %v, %s, %v, want the floor and ErrSlow", params, took, err)
	}
	for _, target := range []time.Duration{0, -time.Second, time.Millisecond, time.Minute} {
		if _, _, err := password.Calibrate(t.Context(), target, 64<<20, snail); err == nil || errors.Is(err, password.ErrSlow) {
			t.Errorf("a target of %s = %v, want a refusal", target, err)
		}
	}
	broken := errors.New("no memory")
	if _, _, err := password.Calibrate(t.Context(), 400*time.Millisecond, 64<<20, func(context.Context, password.Params) (time.Duration, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("a measure that fails = %v", err)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if _, err := password.Measure(gone, floor()); !errors.Is(err, context.Canceled) {
		t.Errorf("Measure for nobody = %v", err)
	}
	if bytes := password.SlotMemory(2); bytes < 19456<<10 || bytes > 256<<20 {
		t.Errorf("SlotMemory = %d", bytes)
	}
}
