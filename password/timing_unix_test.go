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
	fastest := make(map[string]int64)
	for range 5 { // interleaved; in CPU time, of which other processes take nothing, and the least, which caches disturbed least
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
	for name, took := range fastest {
		if ratio := float64(took) / float64(fastest["nobody"]); math.Abs(ratio-1) > 0.35 {
			t.Errorf("%s takes %.2f of the time of nobody; all, in ns: %v", name, ratio, fastest)
		}
	}
}

func cpuNanos(t *testing.T) int64 {
	t.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}
