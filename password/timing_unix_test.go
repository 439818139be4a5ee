//go:build unix

package password_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/ringwall/ringwall/password"
	"golang.org/x/sys/unix"
)

// Time must not tell an account from none: not with a hash of the current parameters, not with an older, cheaper one, not with a broken one.
func TestFailuresTakeTheSameTime(t *testing.T) {
	ctx := context.Background()
	h := newHasher(t, password.Params{}, password.QueueOptions{Slots: 1})
	now, old := mustHash(t, "correct horse", password.Params{}), mustHash(t, "correct horse", floor())
	ways := map[string]func() error{
		"nobody":  func() error { return h.VerifyNobody(ctx, password.SignIn, false, "wrong") },
		"current": func() error { _, _, err := h.Verify(ctx, password.SignIn, false, now, "wrong"); return err },
		"older":   func() error { _, _, err := h.Verify(ctx, password.SignIn, false, old, "wrong"); return err },
		"broken": func() error {
			if _, _, err := h.Verify(ctx, password.SignIn, false, "broken", "wrong"); !errors.Is(err, password.ErrMalformed) {
				return errors.New("want ErrMalformed")
			}
			return nil
		},
	}
	fastest := fastestOf(t, ways)
	for name, took := range fastest {
		if ratio := float64(took) / float64(fastest["nobody"]); math.Abs(ratio-1) > 0.35 {
			t.Errorf("%s takes %.2f of the time of nobody; all, in ns: %v", name, ratio, fastest)
		}
	}
}

// A hash that came from another system costs another time. Once the hasher knows that there are such, every check costs as much, for whoever
// it is: nobody, somebody with a hash of ours, with the dearest of theirs, a cheaper one, or one of another family; and with the right password.
func TestImportedHashesTakeTheSameTimeAsNobody(t *testing.T) {
	ctx := context.Background()
	h := newHasher(t, floor(), password.QueueOptions{Slots: 1})
	const dear, cheap = "$2b$10$", "$2b$08$"
	pbkdf2 := password.OfShape("$pbkdf2-sha256$i=200000,l=32")
	h.Prepare([]string{dear[:6], cheap[:6], "$pbkdf2-sha256$i=200000,l=32", "$2b$31", "nonsense"})
	hashes := map[string]string{
		"ours": mustHash(t, "correct horse", floor()), "dear": dear + zeros53, "cheap": cheap + zeros53, "of another family": pbkdf2,
		"cheap, and right": "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	}
	ways := map[string]func() error{"nobody": func() error { return h.VerifyNobody(ctx, password.SignIn, false, "U*U") }}
	for name, stored := range hashes {
		ways[name] = func() error { _, _, err := h.Verify(ctx, password.SignIn, false, stored, "U*U"); return err }
	}
	fastest := fastestOf(t, ways)
	for name, took := range fastest {
		if ratio := float64(took) / float64(fastest["nobody"]); math.Abs(ratio-1) > 0.35 {
			t.Errorf("%s takes %.2f of the time of nobody; all, in ns: %v", name, ratio, fastest)
		}
	}
	unprepared := newHasher(t, floor(), password.QueueOptions{Slots: 1})
	if alone := fastestOf(t, map[string]func() error{"": func() error { return unprepared.VerifyNobody(ctx, password.SignIn, false, "U*U") }})[""]; alone*2 > fastest["nobody"] {
		t.Errorf("nobody costs %d ns alone and %d beside imported hashes: nothing was borne", alone, fastest["nobody"])
	}
}

// fastestOf runs the ways five times, interleaved; in CPU time, of which other processes take nothing, and the least, which caches disturbed least.
func fastestOf(t *testing.T, ways map[string]func() error) map[string]int64 {
	t.Helper()
	fastest := make(map[string]int64)
	for range 5 {
		for name, way := range ways {
			began := cpuNanos(t)
			if err := way(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if took := cpuNanos(t) - began; fastest[name] == 0 || took < fastest[name] {
				fastest[name] = took
			}
		}
	}
	return fastest
}

func cpuNanos(t *testing.T) int64 {
	t.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}
