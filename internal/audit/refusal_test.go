package audit_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
)

func stranger(address, route string) identity.Actor {
	return identity.NewAnonymous(identity.Request{Address: netip.MustParseAddr(address), UserAgent: "Flood/1.0", Route: route})
}

func failed() audit.Event { return audit.Event{Name: audit.LoginFail, User: alice, Reason: "password"} }

type counted struct {
	Name, Route, Reason, Address, Network string
	User                                  identity.ID
	Count                                 int64
}

func told(t *testing.T, m *memory) (out []counted) {
	t.Helper()
	for _, r := range m.rows {
		d, err := m.build.Open(t.Context(), m, r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, counted{r.Name, r.Route, r.Reason, d.Address, d.Private["network"], r.User, r.Count})
	}
	return out
}

func TestRefusalsWriteTheFirstAndCountTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newMemory(t, time.Now)
		r := audit.NewRefusals(m, audit.RefusalsOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { r.Run(ctx) })
		for i := range 5 {
			r.Count(ctx, stranger(fmt.Sprintf("192.0.2.%d", i+1), "POST /login"), failed())
		}
		if rows, _, _ := m.count(); rows != 1 {
			t.Errorf("%d rows within the minute, want the first", rows)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		want := []counted{
			{"authn_login_fail", "POST /login", "password", "192.0.2.1", "", alice, 1},
			{"authn_login_fail", "POST /login", "password", "", "192.0.2.0/24", identity.ID{}, 4},
		}
		if got := told(t, m); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("rows = %v\nwant   %v", got, want)
		}
		r.Count(ctx, stranger("192.0.2.9", "POST /login"), failed())
		if rows, _, _ := m.count(); rows != 3 {
			t.Errorf("%d rows, want the first of the next minute too", rows)
		}
		cancel()
		done.Wait()
		if rows, _, _ := m.count(); rows != 3 {
			t.Errorf("%d rows after the end, want no empty count", rows)
		}
	})
}

func TestRefusalsTellGroupsApart(t *testing.T) {
	m, _ := newMemory(t, time.Now)
	at := time.Unix(1_700_000_000, 0)
	r := audit.NewRefusals(m, audit.RefusalsOptions{Now: func() time.Time { return at }})
	same := stranger("2001:db8:1:2::1", "a")
	r.Count(t.Context(), same, failed())
	for name, first := range map[string]struct {
		by    identity.Actor
		event audit.Event
		want  int
	}{
		"an address of the same /64": {stranger("2001:db8:1:2:ffff::1", "a"), failed(), 0},
		"another /64":                {stranger("2001:db8:1:3::1", "a"), failed(), 1},
		"another route":              {stranger("2001:db8:1:2::1", "b"), failed(), 1},
		"another event":              {same, audit.Event{Name: audit.MaliciousCSRF}, 1},
		"IPv4":                       {stranger("198.51.100.1", "a"), failed(), 1},
		"the same /24 in IPv6":       {stranger("::ffff:198.51.101.1", "a"), failed(), 1},
		"no address":                 {identity.NewAnonymous(identity.Request{Route: "a"}), failed(), 1},
	} {
		before, _, _ := m.count()
		r.Count(t.Context(), first.by, first.event)
		if after, _, _ := m.count(); after-before != first.want {
			t.Errorf("%s: %d rows at once, want %d", name, after-before, first.want)
		}
	}
	before, _, _ := m.count()
	r.Count(t.Context(), stranger("198.51.101.7", "a"), failed()) // mapped and plain are one network
	if after, _, _ := m.count(); after != before {
		t.Error("an IPv4-mapped address is another network")
	}
}

// A million refusals from a million networks, with names of their own, cost a bounded number of rows and bytes.
func TestAMillionRefusalsWriteAFewRows(t *testing.T) {
	m, keys := newMemory(t, time.Now)
	at := time.Unix(1_700_000_000, 0)
	r := audit.NewRefusals(m, audit.RefusalsOptions{Now: func() time.Time { return at }})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	names := []audit.Name{audit.LoginFail, audit.MaliciousCSRF, audit.InputValidationFail}
	for i := range 1_000_000 {
		address := netip.AddrFrom16([16]byte{0x20, 1, 0, byte(i >> 16), byte(i >> 8), byte(i), byte(i * 7), byte(i * 13)})
		by := identity.NewAnonymous(identity.Request{Address: address, Route: "POST /login"})
		r.Count(t.Context(), by, audit.Event{Name: names[i%3], Reason: "flood"})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("a million refusals hold %d bytes", grown)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, _, _ := m.count()
	if limit := 2*1024 + len(audit.Vocabulary()); rows > limit {
		t.Errorf("%d rows, want at most %d", rows, limit)
	}
	total := int64(0)
	for _, row := range m.rows {
		total += row.Count
	}
	if total != 1_000_000 {
		t.Errorf("the rows stand for %d refusals, want every one", total)
	}
	seal(m, keys, time.Now)
	if report := verify(t, m, keys, audit.VerifyOptions{}); !report.OK() {
		t.Errorf("Verify = %v", report.Findings[:1])
	}
}

// The database is gone: nobody waits for it, memory stays bounded, and afterwards every refusal is told.
func TestRefusalsOutliveTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newMemory(t, time.Now)
		log := &lines{}
		r := audit.NewRefusals(m, audit.RefusalsOptions{Groups: 8, Log: slog.New(slog.NewJSONHandler(log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { r.Run(ctx) })
		m.set(func() { m.down = true })
		total := int64(0)
		for minute := range 30 {
			for i := range 40 {
				r.Count(ctx, stranger(fmt.Sprintf("10.%d.%d.1", minute, i), "a"), failed())
				total++
			}
			time.Sleep(time.Minute)
		}
		m.set(func() { m.down = false })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		sum := int64(0)
		for _, row := range m.rows {
			sum += row.Count
		}
		if sum != total || len(m.rows) > 40 {
			t.Errorf("%d rows stand for %d refusals, want a few for %d", len(m.rows), sum, total)
		}
		if gone, back := log.with("cannot be recorded"), log.with("recorded again"); len(gone) != 1 || len(back) != 1 {
			t.Errorf("%d and %d log lines about one fault", len(gone), len(back))
		}
		cancel()
		done.Wait()
	})
}

func TestRefusalsDoNotWaitForAStoreThatFails(t *testing.T) {
	m, _ := newMemory(t, time.Now)
	m.down = true
	at := time.Unix(1_700_000_000, 0)
	r := audit.NewRefusals(m, audit.RefusalsOptions{Now: func() time.Time { return at }})
	for i := range 100 {
		r.Count(t.Context(), stranger(fmt.Sprintf("10.0.%d.1", i), "a"), failed())
	}
	if _, _, calls := m.count(); calls != 1 {
		t.Errorf("the store was tried %d times within five seconds", calls)
	}
}

func TestRefusalsSleepWhileNothingIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newMemory(t, time.Now)
		r := audit.NewRefusals(m, audit.RefusalsOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { r.Run(ctx) })
		r.Count(ctx, stranger("192.0.2.1", "a"), failed())
		_, _, before := m.count()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if _, _, after := m.count(); after != before {
			t.Errorf("the store was called %d times in an idle day", after-before)
		}
		cancel()
		done.Wait()
	})
}

func TestRefusalsEndWithTheirCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newMemory(t, time.Now)
		r := audit.NewRefusals(m, audit.RefusalsOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { r.Run(ctx) })
		for range 3 {
			r.Count(ctx, stranger("192.0.2.1", "a"), failed())
		}
		cancel()
		done.Wait()
		if got := told(t, m); len(got) != 2 || got[1].Count != 2 {
			t.Errorf("rows = %v", got)
		}
		gone, cancel := context.WithCancel(t.Context()) // a client that hangs up cannot hide
		cancel()
		r.Count(gone, stranger("198.51.100.1", "a"), failed())
		if rows, _, _ := m.count(); rows != 3 {
			t.Error("a refusal of a client that went away is not told")
		}
	})
}

func TestRefusalsOfSeveralReasonsNameNone(t *testing.T) {
	m, _ := newMemory(t, time.Now)
	at := time.Unix(1_700_000_000, 0)
	r := audit.NewRefusals(m, audit.RefusalsOptions{Now: func() time.Time { return at }})
	for _, reason := range []string{"first", "one", "two"} {
		r.Count(t.Context(), stranger("192.0.2.1", "a"), audit.Event{Name: audit.LoginFail, Reason: reason})
	}
	r.Count(t.Context(), stranger("192.0.2.1", "a"), audit.Event{Name: "no_such_event"}) // must not spoil the others
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := told(t, m); len(got) != 2 || got[1].Reason != "" || got[1].Count != 2 {
		t.Errorf("rows = %v", got)
	}
}

func TestRefusalsInParallel(t *testing.T) {
	m, _ := newMemory(t, time.Now)
	r := audit.NewRefusals(m, audit.RefusalsOptions{Groups: 16})
	ctx, cancel := context.WithCancel(t.Context())
	var run, count sync.WaitGroup
	run.Go(func() { r.Run(ctx) })
	for i := range 8 {
		count.Go(func() {
			for j := range 500 {
				r.Count(ctx, stranger(fmt.Sprintf("10.0.%d.%d", j%40, i), "a"), failed())
				if j%100 == 0 {
					_ = r.Close(ctx) // the store cannot fail
				}
			}
		})
	}
	count.Wait()
	cancel()
	run.Wait()
	total := int64(0)
	for _, row := range m.rows {
		total += row.Count
	}
	if total != 8*500 {
		t.Errorf("the rows stand for %d refusals, want %d", total, 8*500)
	}
}
