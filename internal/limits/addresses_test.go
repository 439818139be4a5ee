package limits_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/limits"
)

func addresses(t *testing.T, change func(*limits.Options)) *limits.Addresses {
	t.Helper()
	start := time.Now()
	o := limits.Options{Windows: limits.Default(), Now: func() time.Time { return start }, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	a, err := limits.NewAddresses(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tries is how many of fifty at once are admitted, each of which is right or wrong a moment later.
func tries(t *testing.T, a *limits.Addresses, from netip.Addr, right func(i int) bool) int {
	t.Helper()
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			try, wait := a.Enter(t.Context(), from)
			if wait > 0 {
				return
			}
			admitted.Add(1)
			try.Leave(t.Context(), right(i))
		})
	}
	wg.Wait()
	return int(admitted.Load())
}

// Of fifty wrong tries at once twenty are made, and of fifty right ones all: they wait for each other.
func TestOnlyWrongTriesCount(t *testing.T) {
	a := addresses(t, nil)
	school, guesser := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	for range 3 {
		if got := tries(t, a, school, func(int) bool { return true }); got != 50 {
			t.Fatalf("fifty right tries at once: %d were admitted", got)
		}
	}
	if got := tries(t, a, guesser, func(int) bool { return false }); got != 20 {
		t.Errorf("fifty wrong tries at once: %d were admitted, want 20", got)
	}
	if _, wait := a.Enter(t.Context(), guesser); wait <= 0 {
		t.Error("another try of the guesser was admitted")
	}
	if got := tries(t, a, school, func(i int) bool { return i%10 != 0 }); got != 50 {
		t.Errorf("five mistakes in fifty: %d were admitted", got)
	}
}

// Whoever waits for a try under way does not wait for ever, nor after they have gone.
func TestWaitingEnds(t *testing.T) {
	a := addresses(t, nil)
	from := netip.MustParseAddr("203.0.113.1")
	held := make([]limits.Try, 20)
	for i := range held {
		held[i], _ = a.Enter(t.Context(), from)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, wait := a.Enter(gone, from); wait <= 0 {
		t.Error("a try beyond the limit was admitted")
	}
	result := make(chan time.Duration)
	go func() {
		_, wait := a.Enter(t.Context(), from)
		result <- wait
	}()
	held[0].Leave(t.Context(), true)
	if wait := <-result; wait != 0 {
		t.Errorf("a place became free, and the wait is %v", wait)
	}
}

func TestSignUpsHaveAQuarter(t *testing.T) {
	a := addresses(t, nil)
	from := netip.MustParseAddr("203.0.113.1")
	passed := 0
	for range 20 {
		if a.CountSignUp(t.Context(), from) == 0 {
			passed++
		}
	}
	if passed != 5 {
		t.Errorf("of twenty sign-ups %d were admitted, want 5", passed)
	}
	if wait := a.Count(t.Context(), from); wait != 0 {
		t.Errorf("sign-ups hold up the rest for %v", wait)
	}
	if held := a.Look(t.Context(), from); len(held) != 4 || held[0].Tries != 1 || held[2].Tries != 5 || held[2].Wait <= 0 || held[0].Wait != 0 {
		t.Errorf("Look = %+v", held)
	}
	a.Clear(t.Context(), from)
	if held := a.Look(t.Context(), from); len(held) != 0 {
		t.Errorf("Look after Clear = %+v", held)
	}
}

// bell remembers alerts.
type bell []alerts.Alert

func (b *bell) Raise(_ context.Context, a alerts.Alert) { *b = append(*b, a) }

// Pain 16: a proxy that nobody named is noticed once, and a public address or several ones never.
func TestOnePrivateAddressIsNoticed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		tell  bool
		from  func(i int) string
		warns int
	}{
		{"loopback alone", true, func(int) string { return "127.0.0.1" }, 1},
		{"a private address alone", true, func(int) string { return "10.1.2.3" }, 1},
		{"a private address of IPv6", true, func(int) string { return "fd00::1" }, 1},
		{"a public address alone", true, func(int) string { return "203.0.113.1" }, 0},
		{"two private addresses", true, func(i int) string { return fmt.Sprintf("10.0.0.%d", i/50%2) }, 0},
		{"a named header", false, func(int) string { return "127.0.0.1" }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			var rung bell
			a := addresses(t, func(o *limits.Options) {
				o.TellProxy, o.Alerts, o.Log = tt.tell, &rung, slog.New(slog.NewTextHandler(&log, nil))
			})
			for i := range 500 {
				a.Count(t.Context(), netip.MustParseAddr(tt.from(i)))
			}
			if got := strings.Count(log.String(), "TRUSTED_PROXY_HEADER"); got != tt.warns {
				t.Errorf("%d warnings, want %d:\n%s", got, tt.warns, log.String())
			}
			if len(rung) != tt.warns || len(rung) == 1 && (rung[0].Kind != alerts.OneAddress || rung[0].Where[0] != tt.from(0)) {
				t.Errorf("the alerts are %+v, want %d", rung, tt.warns)
			}
		})
	}
}
