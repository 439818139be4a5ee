package ratelimit_test

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ringwall/ringwall/ratelimit"
)

// clock is a time without a monotonic reading, which a test moves both ways.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time           { return time.UnixMicro(c.micros.Load()) }
func (c *clock) advance(by time.Duration) { c.micros.Add(by.Microseconds()) }

func minute(quota int) []ratelimit.Window {
	return []ratelimit.Window{{Quota: quota, Per: time.Minute}}
}

func limiter(t testing.TB, windows []ratelimit.Window, options ratelimit.Options) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New("test", windows, options)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func take(t testing.TB, l *ratelimit.Limiter, key ratelimit.Key, cost int) ratelimit.Decision {
	t.Helper()
	d, err := l.Take(t.Context(), key, cost)
	if err != nil {
		t.Fatalf("Take: %v", err)
	}
	return d
}

// admitted is how many of so many tries pass.
func admitted(t testing.TB, l *ratelimit.Limiter, key ratelimit.Key, tries int) int {
	t.Helper()
	n := 0
	for range tries {
		if take(t, l, key, 1).Admitted {
			n++
		}
	}
	return n
}

func address(text string) ratelimit.Key { return ratelimit.Address(netip.MustParseAddr(text)) }

func TestNewRefusesWhatBoundsNothing(t *testing.T) {
	for _, tt := range []struct {
		name    string
		limit   string
		windows []ratelimit.Window
		bytes   int64
	}{
		{"a name that breaks the field", `a"b`, minute(1), 0},
		{"no name", "", minute(1), 0},
		{"no window", "a", nil, 0},
		{"four windows", "a", []ratelimit.Window{{1, time.Second}, {2, time.Minute}, {3, time.Hour}, {4, 24 * time.Hour}}, 0},
		{"two windows of one length", "a", []ratelimit.Window{{1, time.Minute}, {2, time.Minute}}, 0},
		{"a quota of nothing", "a", minute(0), 0},
		{"a window of half a second", "a", []ratelimit.Window{{1, time.Second / 2}}, 0},
		{"a window of a year", "a", []ratelimit.Window{{1, 365 * 24 * time.Hour}}, 0},
		{"a quota that runs in faster than a clock tells", "a", []ratelimit.Window{{10_000_000, time.Second}}, 0},
		{"a quota beyond what can be counted", "a", []ratelimit.Window{{1<<62 + 1, time.Minute}}, 0}, // it was admitted, and each request divided by zero
		{"no memory", "a", minute(1), 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ratelimit.New(tt.limit, tt.windows, ratelimit.Options{MemoryBytes: tt.bytes}); err == nil {
				t.Errorf("New(%q, %v) = nil, want an error", tt.limit, tt.windows)
			}
		})
	}
}

func TestEveryWindowMustAdmit(t *testing.T) {
	c := newClock()
	l := limiter(t, []ratelimit.Window{{20, time.Minute}, {30, time.Hour}}, ratelimit.Options{Now: c.now})
	key := address("192.0.2.1")
	if got := admitted(t, l, key, 25); got != 20 {
		t.Errorf("25 tries at once: %d admitted, want the 20 of a minute", got)
	}
	c.advance(time.Minute)
	if got := admitted(t, l, key, 25); got != 10 {
		t.Errorf("25 tries a minute later: %d admitted, want the 10 that are left of the hour", got)
	}
	d := take(t, l, key, 1)
	if d.Admitted || d.Windows[0].Wait != 0 || d.Windows[1].Wait <= 0 || d.Wait != d.Windows[1].Wait {
		t.Errorf("Take = %+v, want a refusal by the hour alone", d)
	}
	c.advance(d.Wait)
	if !take(t, l, key, 1).Admitted {
		t.Errorf("after the wait of %v: refused", d.Wait)
	}
}

func TestCostAndGiveBack(t *testing.T) {
	l := limiter(t, minute(10), ratelimit.Options{Now: newClock().now})
	key := ratelimit.Text("somebody")
	for _, tt := range []struct {
		cost     int
		admitted bool
		left     int
	}{{4, true, 6}, {7, false, 6}, {11, false, 6}, {0, true, 6}, {-5, true, 6}, {6, true, 0}, {1, false, 0}} {
		if d := take(t, l, key, tt.cost); d.Admitted != tt.admitted || d.Windows[0].Left != tt.left {
			t.Errorf("Take(%d) = %+v, want %v and %d left", tt.cost, d, tt.admitted, tt.left)
		}
	}
	if err := l.GiveBack(t.Context(), key, 3); err != nil {
		t.Fatal(err)
	}
	if got := admitted(t, l, key, 10); got != 3 {
		t.Errorf("after 3 were given back: %d admitted", got)
	}
	for range 5 { // more than ever was taken
		if err := l.GiveBack(t.Context(), key, 1000); err != nil {
			t.Fatal(err)
		}
	}
	if got := admitted(t, l, key, 100); got != 10 {
		t.Errorf("after too much was given back: %d admitted, want the quota of 10", got)
	}
	if err := l.Clear(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if got := admitted(t, l, key, 100); got != 10 {
		t.Errorf("after Clear: %d admitted, want 10", got)
	}
}

func TestFiftyParallelTriesAdmitTheQuota(t *testing.T) {
	for _, key := range []ratelimit.Key{address("192.0.2.1"), address("2001:db8::1"), ratelimit.Text("somebody")} {
		l := limiter(t, []ratelimit.Window{{20, time.Minute}, {100, time.Hour}}, ratelimit.Options{Now: newClock().now})
		var count atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if d, err := l.Take(t.Context(), key, 1); err == nil && d.Admitted {
					count.Add(1)
				}
			})
		}
		wg.Wait()
		if count.Load() != 20 {
			t.Errorf("%v: of fifty at once %d were admitted, want 20", key, count.Load())
		}
	}
}

// Whatever is asked for and whenever, a window admits at most twice its quota in any stretch of its length, what it says of
// waiting is true, and what it says is left can be had.
func TestLimitProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		quota := rapid.IntRange(1, 30).Draw(t, "quota")
		per := time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second
		l, err := ratelimit.New("test", []ratelimit.Window{{quota, per}}, ratelimit.Options{Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		key := address(rapid.SampledFrom([]string{"192.0.2.1", "2001:db8::1"}).Draw(t, "address"))
		type passed struct {
			at   time.Time
			cost int
		}
		var log []passed
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c.advance(time.Duration(rapid.Int64Range(0, int64(per)/2).Draw(t, "pause")))
			cost := rapid.IntRange(1, quota).Draw(t, "cost")
			before, _ := l.Take(context(), key, 0)
			d, _ := l.Take(context(), key, cost)
			if d.Admitted != (before.Windows[0].Left >= cost) {
				t.Fatalf("%d were left, and a cost of %d: admitted %v", before.Windows[0].Left, cost, d.Admitted)
			}
			if s := d.Windows[0]; s.Left < 0 || s.Left > quota || s.Whole < 0 || s.Whole > per || d.Wait > per || d.Admitted && d.Wait != 0 {
				t.Fatalf("Take = %+v of %d in %v", d, quota, per)
			}
			if !d.Admitted {
				c.advance(d.Wait + time.Microsecond)
				if d, _ = l.Take(context(), key, cost); !d.Admitted {
					t.Fatalf("refused after the wait: %+v", d)
				}
			}
			log = append(log, passed{c.now(), cost})
		}
		for i, from := range log {
			sum := 0
			for _, p := range log[i:] {
				if p.at.Sub(from.at) < per {
					sum += p.cost
				}
			}
			if sum > 2*quota {
				t.Fatalf("%d in %v, the quota is %d", sum, per, quota)
			}
		}
	})
}

// A clock that steps back neither gives anybody more nor keeps anybody out for longer.
func TestClockSteps(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, -24 * 365 * time.Hour, -2 * time.Second} {
		c := newClock()
		l := limiter(t, minute(6), ratelimit.Options{Now: c.now})
		used, fresh := address("192.0.2.1"), address("192.0.2.2")
		if got := admitted(t, l, used, 10); got != 6 {
			t.Fatalf("%d admitted, want 6", got)
		}
		c.advance(step)
		if take(t, l, used, 1).Admitted {
			t.Errorf("a step of %v gave an empty bucket something", step)
		}
		if got := admitted(t, l, fresh, 10); got != 6 {
			t.Errorf("a step of %v: a new key has %d, want 6", step, got)
		}
		c.advance(10 * time.Second)
		if !take(t, l, used, 1).Admitted {
			t.Errorf("ten seconds after a step of %v nothing has run in", step)
		}
	}
	c := newClock()
	l := limiter(t, minute(6), ratelimit.Options{Now: c.now})
	admitted(t, l, address("192.0.2.1"), 10)
	for range 1000 { // back and forth makes no time
		c.advance(-time.Hour)
		take(t, l, address("192.0.2.1"), 1)
		c.advance(time.Hour)
		c.advance(-time.Hour)
	}
}

// The flood: so many fresh keys that no bucket has room. Whoever had used up theirs stays so, memory stays bounded, and
// the flood itself has only the common buckets.
func TestFreshKeysCannotEvictAnAttacker(t *testing.T) {
	c := newClock()
	l := limiter(t, []ratelimit.Window{{20, time.Minute}, {100, time.Hour}}, ratelimit.Options{Now: c.now, MemoryBytes: 64 << 10})
	attackers := make([]ratelimit.Key, 50)
	for i := range attackers {
		attackers[i] = address(fmt.Sprintf("198.51.100.%d", i))
		admitted(t, l, attackers[i], 20)
	}
	passed := 0
	const flood = 50_000
	for i := range flood {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if take(t, l, ratelimit.Address(a), 1).Admitted {
			passed++
		}
	}
	for _, key := range attackers {
		if take(t, l, key, 1).Admitted {
			t.Fatalf("%v is forgotten", key)
		}
	}
	// 64 KiB have room for fewer than 2,800 keys; beyond them there are 32 common buckets of twenty for the one /16.
	if passed > 2800+32*20 {
		t.Errorf("of %d fresh addresses %d passed", flood, passed)
	}
	// An hour later all buckets are full again, and somebody new has the whole quota.
	c.advance(time.Hour)
	if got := admitted(t, l, address("203.0.113.9"), 30); got != 20 {
		t.Errorf("after the flood a new address has %d, want 20", got)
	}
}

// Whoever shared an empty bucket does not get a full one of their own by a place's becoming free.
func TestOwnBucketInheritsTheCommonOne(t *testing.T) {
	c := newClock()
	l := limiter(t, []ratelimit.Window{{4, time.Hour}}, ratelimit.Options{Now: c.now, MemoryBytes: 64 << 10})
	for i := range 50_000 {
		take(t, l, ratelimit.Text(fmt.Sprint("fresh ", i)), 1) // each leaves a bucket that takes 15 minutes
	}
	var late []ratelimit.Key
	for i := range 200 {
		key := ratelimit.Text(fmt.Sprint("late ", i))
		if admitted(t, l, key, 8) < 4 {
			late = append(late, key)
		}
	}
	if len(late) < 100 {
		t.Fatalf("%d of 200 share, want most", len(late))
	}
	c.advance(16 * time.Minute) // own buckets are full again, common ones hold one or two
	for _, key := range late {
		if got := admitted(t, l, key, 8); got > 2 {
			t.Fatalf("a key that shared an empty bucket has %d, want what has run in since", got)
		}
	}
}

func TestWiderNetworkHasFourTimesTheQuota(t *testing.T) {
	l := limiter(t, minute(5), ratelimit.Options{Now: newClock().now})
	total := 0
	for i := range 100 {
		total += admitted(t, l, address(fmt.Sprintf("2001:db8:1:%x::1", i)), 10)
	}
	if total != 20 {
		t.Errorf("a hundred /64 of one /48 have %d, want 20", total)
	}
	if got := admitted(t, l, address("2001:db8:2::1"), 10); got != 5 {
		t.Errorf("the next /48 has %d, want 5", got)
	}
}

// An address and its wider network may fall into one set of places: the second to come took the place of the first, in which
// nothing was counted yet, and the network had one try more.
func TestAddressAndItsNetworkHavePlacesOfTheirOwn(t *testing.T) {
	for range 5000 { // each limiter spreads its keys in another way
		l := limiter(t, minute(1), ratelimit.Options{Now: newClock().now})
		total := 0
		for i := range 6 {
			total += admitted(t, l, address(fmt.Sprintf("2001:db8:1:%x::1", i)), 1)
		}
		if total != 4 {
			t.Fatalf("six /64 of one /48 have %d, want 4", total)
		}
	}
}

func TestMemoryStaysBounded(t *testing.T) {
	const bytes = 1 << 20
	l := limiter(t, minute(5), ratelimit.Options{Now: newClock().now, MemoryBytes: bytes})
	before := heap()
	for i := range 300_000 {
		take(t, l, ratelimit.Address(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1})), 1)
	}
	if grown := heap() - before; grown > bytes {
		t.Errorf("300,000 keys take %d bytes, want at most %d", grown, bytes)
	}
	if take(t, l, address("192.0.2.1"), 0).Windows[0].Left > 5 { // keeps l alive
		t.Error("more is left than there is")
	}
}
