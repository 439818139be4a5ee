package lineartest

import (
	"testing"
	"time"
)

// What is planted here grows with the square. However busy the machine is, that must not get through.
func TestTheSquareIsCaught(t *testing.T) {
	var done int
	loop := func(n int) {
		sum := done
		for i := range n {
			sum ^= i
		}
		done = sum + 1
	}
	for name, call := range map[string]func(n int) func(){
		"time":                   func(n int) func() { return func() { loop(n / 1000 * (n / 20)) } },
		"time, a line at first,": func(n int) func() { return func() { loop(50*n + n/1000*(n/10)) } },
		"memory": func(n int) func() {
			return func() {
				for range n / 25_000 {
					done += len(make([]byte, n))
				}
			}
		},
	} {
		l := newLadder(call)
		l.climb(t)
		l.climbAgain(t)
		if l.growth() <= Limit {
			t.Errorf("%s that grows with the square gets through: %v", name, l.best)
		}
	}
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
