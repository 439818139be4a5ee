package lineartest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Each call works for as long as it says, and then for up to a third longer, as beside others on a busy machine.
func TestTheSquareIsCaught(t *testing.T) {
	var kept []byte
	for _, tt := range []struct {
		name   string
		work   func(n int) time.Duration
		memory func(n int) int // times n bytes
		caught bool
	}{
		{"a line", func(n int) time.Duration { return time.Duration(50 * n) }, func(int) int { return 4 }, false},
		{"time, the square", func(n int) time.Duration { return time.Duration(n / 100 * (n / 100)) }, func(int) int { return 0 }, true},
		{"time, a line at first", func(n int) time.Duration { return time.Duration(10*n + n/100*(n/100)) }, func(int) int { return 0 }, true},
		{"memory, the square", func(n int) time.Duration { return time.Duration(50 * n) }, func(n int) int { return n / 25_000 }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var clock time.Duration
			noise := rand.New(rand.NewPCG(1, 2))
			l := newLadder(func() time.Duration { return clock }, func(n int) func() {
				return func() {
					for range tt.memory(n) {
						kept = make([]byte, n)
					}
					clock += time.Duration(float64(tt.work(n)) * (1 + noise.Float64()/3))
				}
			})
			l.climb()
			l.climbAgain()
			if caught := l.growth() > Limit; caught != tt.caught {
				t.Errorf("caught is %v: %v", caught, l.best)
			}
		})
	}
	_ = kept
}

func TestGrowthIsTheHighestStep(t *testing.T) {
	line := func(time time.Duration, bytes uint64) (l ladder) {
		for i := range steps {
			l.best[i] = cost{time << i, bytes << i}
		}
		return l
	}
	high := line(4*time.Millisecond, 4<<20)
	high.best[5].bytes = 3 * high.best[4].bytes
	early := line(4*time.Millisecond, 4<<20)
	early.best[0].time = time.Millisecond
	for _, tt := range []struct {
		name string
		l    ladder
		want float64
	}{
		{"a line", line(4*time.Millisecond, 4<<20), 2},
		{"one step of memory is higher", high, 3},
		{"one step of time is higher", early, 4},
		{"what is too short to be measured", line(time.Microsecond, 1), 1},
	} {
		if got := tt.l.growth(); got != tt.want {
			t.Errorf("%s: growth() = %v, want %v", tt.name, got, tt.want)
		}
	}
}
