package watch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/watch"
)

// somewhere is the nth of many networks, IPv4 and IPv6 in turn.
func somewhere(n int) netip.Addr {
	if n%2 == 0 {
		return netip.AddrFrom4([4]byte{45, byte(n >> 8), byte(n), 9})
	}
	return netip.AddrFrom16([16]byte{0x2a, 0, byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 1, 15: 1})
}

// tape is an attack: one act a second, and the number of the act with which it must be recognised.
func tape(length int, each func(i int) act) []act {
	acts := make([]act, length)
	for i := range acts {
		acts[i] = each(i)
		acts[i].at = midnight.Add(time.Duration(i) * time.Second / 4)
	}
	return acts
}

func TestAttacksAreRecognised(t *testing.T) {
	one, mapped := netip.MustParseAddr("233.252.0.9"), netip.MustParseAddr("::ffff:233.252.0.200")
	six := netip.MustParsePrefix("2a00:1:2:3::/64").Addr()
	tests := []struct {
		name   string
		kind   string
		within int // acts
		acts   []act
		where  string
	}{
		{"one password on a thousand accounts, from one address", alerts.Spraying, 20, tape(1000, func(i int) act { return act{from: one, who: i, outcome: watch.Failed} }), "233.252.0.0/24"},
		{"from a /24, in two notations", alerts.Spraying, 20, tape(100, func(i int) act { return act{from: []netip.Addr{one, mapped}[i%2], who: i, outcome: watch.Failed} }), "233.252.0.0/24"},
		{"from a /64", alerts.Spraying, 20, tape(100, func(i int) act {
			a := six.As16()
			a[15] = byte(i)
			return act{from: netip.AddrFrom16(a), who: i, outcome: watch.Failed}
		}), "2a00:1:2:3::/64"},
		{"locked accounts count too", alerts.Spraying, 20, tape(100, func(i int) act { return act{from: one, who: i, outcome: watch.Refused} }), "233.252.0.0/24"},
		{"one guess in fifty is right", alerts.Spraying, 21, tape(200, func(i int) act {
			if i%50 == 7 {
				return act{from: one, who: i, outcome: watch.Succeeded}
			}
			return act{from: one, who: i, outcome: watch.Failed}
		}), "233.252.0.0/24"},
		{"one try an account, each from another network", alerts.Spraying, 50, tape(1000, func(i int) act { return act{from: somewhere(i), who: i, outcome: watch.Failed} }), ""},
		{"three tries an account from many networks", alerts.Stuffing, 3*50 - 1, tape(900, func(i int) act { return act{from: somewhere(i % 200), who: i / 3, outcome: watch.Failed} }), ""},
		{"the same, one in a hundred fits", alerts.Stuffing, 3 * 60, tape(900, func(i int) act {
			if i%300 == 2 {
				return act{from: somewhere(i % 200), who: i / 3, outcome: watch.Succeeded}
			}
			return act{from: somewhere(i % 200), who: i / 3, outcome: watch.Failed}
		}), ""},
		{"guessed sessions", alerts.SessionGuessing, 200, tape(500, func(i int) act { return act{from: one, token: fmt.Sprint("guess ", i)} }), "233.252.0.9/32"},
		{"guessed sessions from a /64", alerts.SessionGuessing, 200, tape(500, func(i int) act {
			a := six.As16()
			a[15], a[14] = byte(i), byte(i>>8)
			return act{from: netip.AddrFrom16(a), token: fmt.Sprint("guess ", i)}
		}), "2a00:1:2:3::/64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if b := replay(slices.Clone(tt.acts[:tt.within-1])); tt.name != "the same, one in a hundred fits" && tt.name != "one guess in fifty is right" && len(b.raised) > 0 {
				t.Errorf("after %d acts: %+v, want nothing yet", tt.within-1, b.raised[0])
			}
			b := replay(slices.Clone(tt.acts[:tt.within]))
			if len(b.raised) == 0 || b.raised[0].Kind != tt.kind || !strings.Contains(b.raised[0].Where[0], tt.where) || b.raised[0].Help == "" || b.raised[0].Key != "" {
				t.Fatalf("after %d acts: %+v, want %s", tt.within, b.raised, tt.kind)
			}
			whole := replay(slices.Clone(tt.acts))
			var count int64
			for _, a := range whole.raised {
				count += a.Count
			}
			if kinds := whole.kinds(); len(kinds) != 1 || count < int64(len(tt.acts))*9/10 || count > int64(len(tt.acts)) {
				t.Errorf("the whole attack: kinds %v and a count of %d, want one and about %d", kinds, count, len(tt.acts))
			}
		})
	}
}

// What looks alike and is none: people who get it right, one account that somebody guesses at, a cookie that is sent
// again and again.
func TestWhatIsNoAttack(t *testing.T) {
	one := netip.MustParseAddr("233.252.0.9")
	for name, acts := range map[string][]act{
		"nineteen accounts":                 tape(19, func(i int) act { return act{from: one, who: i, outcome: watch.Failed} }),
		"twenty accounts in eleven minutes": spread(20, 11*time.Minute, func(i int) act { return act{from: one, who: i, outcome: watch.Failed} }),
		"a class that mistypes": tape(400, func(i int) act {
			return act{from: one, who: i / 2, outcome: []watch.Outcome{watch.Failed, watch.Succeeded}[i%2]}
		}),
		"one account, a thousand times":          tape(1000, func(i int) act { return act{from: somewhere(i), who: 1, outcome: watch.Failed} }),
		"fifty accounts from nineteen networks":  tape(50, func(i int) act { return act{from: somewhere(i % 19), who: i, outcome: watch.Failed} }),
		"one old cookie, a thousand times":       tape(1000, func(int) act { return act{from: one, token: "old"} }),
		"an office with old cookies":             tape(1000, func(i int) act { return oldCookie(one, i) }),
		"a request from a socket has no address": tape(1000, func(i int) act { return act{who: i, outcome: watch.Failed} }),
	} {
		if b := replay(acts); len(b.raised) > 0 {
			t.Errorf("%s: %+v", name, b.raised[0])
		}
	}
}

func oldCookie(from netip.Addr, i int) act {
	if i%2 == 0 {
		return act{from: from, token: fmt.Sprint("old ", i)}
	}
	return act{from: from, who: i, outcome: watch.Succeeded}
}

func spread(length int, over time.Duration, each func(i int) act) []act {
	acts := make([]act, length)
	for i := range acts {
		acts[i] = each(i)
		acts[i].at = midnight.Add(over * time.Duration(i) / time.Duration(length-1))
	}
	return acts
}

// A clock that is set forgets; one that trembles does not.
func TestClockSteps(t *testing.T) {
	one, now := netip.MustParseAddr("233.252.0.9"), midnight
	b := &bell{}
	w := watch.New(b, watch.Options{Now: func() time.Time { return now }})
	try := func(who int) { w.SignIn(context.Background(), one, mac(who), watch.Failed) }
	for who := range 19 {
		try(who)
		now = now.Add([]time.Duration{2 * time.Second, -time.Second}[who%2])
	}
	now = now.Add(-30 * time.Second)
	if try(19); len(b.raised) != 1 {
		t.Fatalf("with a clock that trembles %d alerts, want one", len(b.raised))
	}
	for name, step := range map[string]time.Duration{"an hour back": -time.Hour, "a day on": 24 * time.Hour, "a year back": -365 * 24 * time.Hour} {
		now = now.Add(step)
		before := len(b.raised)
		for who := range 19 {
			try(who)
		}
		if len(b.raised) != before {
			t.Errorf("%s: what was seen before counts still", name)
		}
		if try(19); len(b.raised) == before {
			t.Errorf("%s: nothing is recognised any more", name)
		}
	}
}

// Three people's browsers say so, or one says so of anything: only the first is an attack, and it is one.
func TestBrokenPagesAreRecognised(t *testing.T) {
	now := midnight
	b := &bell{}
	w := watch.New(b, watch.Options{Now: func() time.Time { return now }})
	report := func(n int, page string) bool { return w.Violation(t.Context(), somewhere(n), page) }
	told := 0
	for i := range 1000 {
		if report(1, fmt.Sprint("/page/", i)) {
			told++
		}
		report(2, "/one")
	}
	if len(b.raised) > 0 || told > 64 {
		t.Fatalf("two people raise %+v, and %d lines are written to the log", b.raised, told)
	}
	now = now.Add(11 * time.Minute)
	if !report(1, "/one") || report(1, "/one") || !report(2, "/one") || len(b.raised) > 0 {
		t.Fatalf("what is old is not forgotten: %+v", b.raised)
	}
	report(3, "/one")
	if len(b.raised) != 1 || b.raised[0].Kind != alerts.ForeignScript || b.raised[0].Key != "" || b.raised[0].Count != 3 || len(b.raised[0].Where) != 3 {
		t.Fatalf("three people raise %+v, want one alert of three", b.raised)
	}
	for i := range 100_000 {
		report(i, fmt.Sprint(i%7777))
	}
	if fault := w.Fault(); fault != "" {
		t.Error(fault)
	}
}

func TestNilSeesNothing(t *testing.T) {
	var w *watch.Watch
	w.SignIn(t.Context(), netip.MustParseAddr("233.252.0.9"), mac(1), watch.Failed)
	w.UnknownSession(t.Context(), netip.MustParseAddr("233.252.0.9"), "x")
	w.Violation(t.Context(), netip.MustParseAddr("233.252.0.9"), "x")
}

// A million random events, each of another account, network and token, stay within the memory that the package's
// comment states.
func TestMemoryIsBounded(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	now := midnight
	w := watch.New(&silent{}, watch.Options{Now: func() time.Time { return now }})
	random := rand.New(rand.NewPCG(1, 2))
	before := heap()
	var account [8]byte
	for i := range 1_000_000 {
		for j := range account {
			account[j] = byte(random.Uint32())
		}
		from := somewhere(random.IntN(1 << 23))
		w.SignIn(context.Background(), from, account[:], watch.Outcome(1+random.IntN(3)))
		if i%4 == 0 {
			w.UnknownSession(context.Background(), from, fmt.Sprint(random.Uint64()))
		}
	}
	if used := int64(heap()) - int64(before); used > 32<<20 {
		t.Errorf("a million events hold %d KiB, want at most 32 MiB", used>>10)
	} else {
		t.Logf("a million events hold %d KiB", used>>10)
	}
	now = now.Add(time.Hour)
	w.SignIn(context.Background(), somewhere(1), account[:], watch.Failed)
	runtime.KeepAlive(w)
}

type silent struct{}

func (silent) Raise(context.Context, alerts.Alert) {}

// FuzzWatch: whatever comes in whatever order, with whatever clock, the sums are those of counting anew.
func FuzzWatch(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07"))
	f.Add([]byte(strings.Repeat("\x01\x00\x07\x40\x02\x31\xff\x80", 40)))
	f.Fuzz(func(t *testing.T, script []byte) {
		script = script[:min(len(script), 4096)] // each event is followed by counting all of them
		now := midnight
		w := watch.New(silent{}, watch.Options{Now: func() time.Time { return now }})
		for i := 0; i+3 < len(script); i += 4 {
			now = now.Add(time.Duration(int8(script[i])) * 10 * time.Second)
			from := somewhere(int(script[i+1] % 32))
			if script[i+3]%5 == 4 {
				w.UnknownSession(context.Background(), from, string(script[i+2:i+3]))
			} else {
				w.SignIn(context.Background(), from, mac(int(script[i+2]%32)), watch.Outcome(script[i+3]%4))
			}
			if fault := w.Fault(); fault != "" {
				t.Fatalf("after %d events: %s", i/4+1, fault)
			}
		}
	})
}
