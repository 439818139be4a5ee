package watch_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/watch"
)

// midnight is a Monday's.
var midnight = time.Date(2026, time.November, 2, 0, 0, 0, 0, time.UTC)

// bell notes what is raised.
type bell struct{ raised []alerts.Alert }

func (b *bell) Raise(_ context.Context, alert alerts.Alert) { b.raised = append(b.raised, alert) }

func (b *bell) kinds() (kinds []string) {
	for _, a := range b.raised {
		if !slices.Contains(kinds, a.Kind) {
			kinds = append(kinds, a.Kind)
		}
	}
	return kinds
}

// act is one thing that happens in a day: a sign-in, or a request with a session that has gone.
type act struct {
	at      time.Time
	from    netip.Addr
	who     int
	outcome watch.Outcome
	token   string
}

// mac stands for the MAC of an address.
func mac(who int) []byte {
	h := hmac.New(sha256.New, []byte("key"))
	_ = binary.Write(h, binary.BigEndian, int64(who))
	return h.Sum(nil)
}

// replay plays acts in the order of their times and returns what was raised.
func replay(acts []act) *bell {
	slices.SortStableFunc(acts, func(a, b act) int { return a.at.Compare(b.at) })
	b, now := &bell{}, midnight
	w := watch.New(b, watch.Options{Now: func() time.Time { return now }})
	for _, a := range acts {
		now = a.at
		if a.token != "" {
			w.UnknownSession(context.Background(), a.from, a.token)
		} else {
			w.SignIn(context.Background(), a.from, mac(a.who), a.outcome)
		}
	}
	return b
}

// town is a day of two thousand people, the same for the same seed.
type town struct {
	*rand.Rand
	acts []act
}

// between is a moment of the day, in hours, more often near the middle of the span.
func (d *town) between(from, to float64) time.Time {
	share := (d.Float64() + d.Float64()) / 2
	return midnight.Add(time.Duration((from + share*(to-from)) * float64(time.Hour)))
}

// signIn is how people sign in: of a hundred, eight mistype and get it right within a minute, two of these after
// several tries, one has forgotten the password, tries it five times, is locked out, and comes back an hour later
// from a reset. Three of ten still hold yesterday's cookie.
func (d *town) signIn(who int, from netip.Addr, at time.Time) {
	add := func(outcome watch.Outcome) {
		d.acts = append(d.acts, act{at: at, from: from, who: who, outcome: outcome})
	}
	if d.IntN(10) < 3 {
		d.acts = append(d.acts, act{at: at.Add(-20 * time.Second), from: from, token: fmt.Sprintf("of %d at %s", who, at)})
	}
	switch luck := d.IntN(100); {
	case luck == 0:
		for range 5 {
			add(watch.Failed)
			at = at.Add(time.Duration(10+d.IntN(20)) * time.Second)
		}
		add(watch.Refused)
		at = at.Add(time.Hour)
	case luck <= 2:
		for range 1 + d.IntN(3) {
			add(watch.Failed)
			at = at.Add(time.Duration(8+d.IntN(20)) * time.Second)
		}
		fallthrough
	case luck <= 8:
		add(watch.Failed)
		at = at.Add(time.Duration(5+d.IntN(40)) * time.Second)
	}
	add(watch.Succeeded)
}

// ordinary is a Monday: 800 people arrive at an office behind one address, 900 work at home, 240 pupils in eight
// classes of thirty begin their lessons behind one address, and everybody uses a telephone in the evening, through
// the few addresses of a carrier.
func ordinary(seed uint64) []act {
	d := &town{Rand: rand.New(rand.NewPCG(seed, 0))}
	office, school := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.44")
	home := func(who int) netip.Addr {
		if who%3 == 0 {
			return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(who >> 8), byte(who), 0, 0, 15: 1})
		}
		return netip.AddrFrom4([4]byte{100, 70, byte(who >> 8), byte(who)})
	}
	for who := range 2000 {
		switch {
		case who < 800:
			d.signIn(who, office, d.between(8, 9.5))
			if d.IntN(4) == 0 { // after lunch, or on another machine
				d.signIn(who, office, d.between(12.5, 14))
			}
		case who < 1700:
			d.signIn(who, home(who), d.between(7, 10))
		case who < 1940:
			lesson := 8 + float64((who-1700)/30)*0.75 // each class within four minutes
			d.signIn(who, school, d.between(lesson, lesson+0.07))
		default:
			d.signIn(who, home(who), d.between(0, 24))
		}
		if d.IntN(2) == 0 {
			d.signIn(who, netip.AddrFrom4([4]byte{203, 0, 113, byte(d.IntN(4))}), d.between(17, 23))
		}
	}
	return d.acts
}

func TestAnOrdinaryDayRaisesNothing(t *testing.T) {
	for seed := range uint64(40) {
		acts := ordinary(seed)
		if b := replay(acts); len(b.raised) > 0 {
			t.Errorf("day %d, of %d acts: %d alerts, the first %+v", seed, len(acts), len(b.raised), b.raised[0])
		}
	}
}

// An attack within an ordinary day is seen all the same, also from the office itself.
func TestAnAttackInAnOrdinaryDay(t *testing.T) {
	for name, attack := range map[string]struct {
		kind string
		from func(i int) netip.Addr
		at   float64
	}{
		"from one network at night":               {alerts.Spraying, func(int) netip.Addr { return netip.MustParseAddr("233.252.0.9") }, 3},
		"from the office while people arrive":     {alerts.Spraying, func(int) netip.Addr { return netip.MustParseAddr("198.51.100.200") }, 8.75},
		"from three hundred networks in the rush": {alerts.Spraying, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{45, byte(i % 300 / 256), byte(i % 300), 1}) }, 8.75},
	} {
		acts := ordinary(1)
		for i := range 400 {
			at := midnight.Add(time.Duration(attack.at*float64(time.Hour)) + time.Duration(i)*time.Second)
			acts = append(acts, act{at: at, from: attack.from(i), who: 5000 + i, outcome: watch.Failed})
		}
		if b := replay(acts); len(b.raised) == 0 || !slices.Equal(b.kinds(), []string{attack.kind}) {
			t.Errorf("%s: %d alerts of %v, want some of %s", name, len(b.raised), b.kinds(), attack.kind)
		}
	}
}
