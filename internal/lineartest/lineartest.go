// Package lineartest measures whether the cost of a call grows no faster than its input.
//
// The cost is processor time and memory, each for itself. The garbage collector rests meanwhile: it begins when four
// megabytes were allocated, and again when the heap has doubled. So its work is in proportion to what is allocated, but comes
// in steps, and twice the input costs three times as much where the first step lies between. What it has to do shows in
// the bytes that are allocated, which come out the same in each run. Each measurement starts without memory, since
// otherwise short input would get it from the last one and long input from the system.
package lineartest

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

// Limit is how many times the cost of twice the input may be.
const Limit = 2.5

const (
	steps     = 8 // from 8 kB to 1 MB
	longest   = 1_000_000
	climbs    = 12
	enough    = 20 * time.Millisecond // that a call is repeated for
	leastTime = 2 * time.Millisecond  // below, it is caches that are measured
	leastSize = 1 << 20               // bytes: below, it is what the first call of all sets up
)

// cost is what one call takes.
type cost struct {
	time  time.Duration // of the processor, for this process: others on the machine do not count
	bytes uint64        // allocated, in all
}

// Run doubles the input from 8 kB to 1 MB, and fails where the cost grows more than [Limit] times. Call gets a number of
// bytes and returns what is measured with an input as long as that. The best of all rounds counts, up to twelve if they are needed.
func Run(b *testing.B, call func(n int) func()) {
	l := newLadder(func() time.Duration { return worked(b) }, call)
	for b.Loop() {
		l.climb()
	}
	l.climbAgain()
	b.ReportMetric(l.growth(), "max-ratio")
	b.ReportMetric(float64(l.best[steps-1].time.Microseconds())/1000, "ms/MB")
	b.ReportMetric(float64(l.best[steps-1].bytes)/longest, "allocated-B/B")
	b.ReportMetric(0, "ns/op")
	if l.growth() > Limit {
		b.Errorf("twice the input takes %.1f times as much: %v", l.growth(), l.best)
	}
}

type ladder struct {
	worked func() time.Duration // that was used up so far
	calls  [steps]func()
	best   [steps]cost
	tried  int
}

func newLadder(worked func() time.Duration, call func(n int) func()) *ladder {
	l := &ladder{worked: worked}
	for i := range steps {
		l.calls[i] = call(longest >> (steps - 1 - i))
	}
	return l
}

// climbAgain gives steps that are too high another chance: a busy machine disturbs one, not each time the same.
func (l *ladder) climbAgain() {
	for l.tried < climbs && l.growth() > Limit {
		l.climb()
	}
}

func (l *ladder) climb() {
	for i, call := range l.calls {
		took := l.measure(call)
		if l.tried > 0 {
			took.time, took.bytes = min(took.time, l.best[i].time), min(took.bytes, l.best[i].bytes)
		}
		l.best[i] = took
	}
	l.tried++
}

func (l *ladder) measure(call func()) cost {
	debug.FreeOSMemory()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	started, took, count := l.worked(), time.Duration(0), 0
	for ; took < enough; count++ {
		call()
		took = l.worked() - started
	}
	runtime.ReadMemStats(&after)
	return cost{took / time.Duration(count), (after.TotalAlloc - before.TotalAlloc) / uint64(count)}
}

// growth is the largest ratio between a step and the one before it.
func (l *ladder) growth() (largest float64) {
	for i := 1; i < steps; i++ {
		before, after := l.best[i-1], l.best[i]
		largest = max(largest,
			float64(max(after.time, leastTime))/float64(max(before.time, leastTime)),
			float64(max(after.bytes, leastSize))/float64(max(before.bytes, leastSize)))
	}
	return largest
}

// String is for the message of a failure.
func (c cost) String() string { return fmt.Sprintf("%v %d kB", c.time, c.bytes/1000) }

func worked(t testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
