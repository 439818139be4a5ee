package password_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/password"
	"golang.org/x/crypto/argon2"
)

func floor() password.Params { return password.Params{MemoryKiB: 19456, Time: 2, Parallelism: 1} }

func mustHash(t testing.TB, pw string, params password.Params) string {
	t.Helper()
	phc, err := password.Hash(pw, params)
	if err != nil {
		t.Fatal(err)
	}
	return phc
}

func TestHashesHaveSaltsOfTheirOwn(t *testing.T) {
	const shape = `^\$argon2id\$v=19\$m=65536,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`
	one, two := mustHash(t, "correct horse battery staple", password.Params{}), mustHash(t, "correct horse battery staple", password.Params{})
	if !regexp.MustCompile(shape).MatchString(one) {
		t.Errorf("Hash = %q, want 16 bytes of salt and 32 of key", one)
	}
	a, b := strings.Split(one, "$"), strings.Split(two, "$")
	if a[4] == b[4] || a[5] == b[5] {
		t.Errorf("the same password twice: %q and %q share salt or key", one, two)
	}
}

func TestVerifyComparesTheWholePassword(t *testing.T) {
	long := strings.Repeat("ü", 255)
	tests := []struct {
		name, made, typed string
		want              bool
	}{
		{"takes the same", "correct horse battery staple", "correct horse battery staple", true},
		{"refuses another", "correct horse battery staple", "correct horse battery stapl3", false},
		{"refuses the empty one", "correct horse battery staple", "", false},
		{"takes NFD for NFC", "K\u00e4seh\u00fctte \u1e9b\u0323", "Ka\u0308sehu\u0308tte \u017f\u0323\u0307", true},
		{"takes NFC for NFD", "e\u0301 accent aigu", "\u00e9 accent aigu", true},
		{"keeps compatibility forms apart", "ｐａｓｓｗｏｒｄ", "password", false},
		{"keeps case", "Correct Horse", "correct horse", false},
		{"keeps spaces before", " correct horse", "correct horse", false},
		{"keeps spaces behind", "correct horse ", "correct horse", false},
		{"does not stop at NUL", "correct\x00horse", "correct\x00house", false},
		{"takes NUL", "correct\x00horse", "correct\x00horse", true},
		{"does not stop at 72 bytes", strings.Repeat("a", 72) + "b", strings.Repeat("a", 72) + "c", false},
		{"compares the 256th code point", long + "a", long + "b", false},
		{"takes 256 code points", long + "a", long + "a", true},
		{"takes bytes that are no UTF-8 as they stand", "\xff\xfe correct", "\xff\xfe correct", true},
		{"keeps bytes that are no UTF-8 apart", "\xff\xfe correct", "\xff\xff correct", false},
		{"never hashes more than 4096 bytes", "a", strings.Repeat("a", 4097), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ok, rehash, err := password.Verify(mustHash(t, tt.made, floor()), tt.typed, floor())
			if ok != tt.want || rehash || err != nil {
				t.Errorf("Verify = %v, %v, %v, want %v, false, nil", ok, rehash, err, tt.want)
			}
		})
	}
	if _, err := password.Hash(strings.Repeat("a", 4097), floor()); !errors.Is(err, password.ErrTooLong) {
		t.Errorf("Hash of 4097 bytes = %v, want ErrTooLong", err)
	}
	if _, err := password.Hash("a", password.Params{MemoryKiB: 1024, Time: 1, Parallelism: 1}); err == nil {
		t.Error("Hash below the floor = nil error, want a refusal")
	}
}

func TestRehashWhenTheParametersDiffer(t *testing.T) {
	higher, lanes := floor(), floor()
	higher.Time, lanes.Parallelism = 3, 2
	phc := mustHash(t, "correct horse", floor())
	for _, now := range []password.Params{higher, lanes, {}} {
		if ok, rehash, err := password.Verify(phc, "correct horse", now); !ok || !rehash || err != nil {
			t.Errorf("Verify with %v in force = %v, %v, %v, want true, true, nil", now, ok, rehash, err)
		}
		if ok, rehash, err := password.Verify(phc, "wrong horse", now); ok || rehash || err != nil {
			t.Errorf("Verify of a wrong password with %v in force = %v, %v, %v, want false, false, nil", now, ok, rehash, err)
		}
	}
	if ok, _, err := password.Verify(mustHash(t, "correct horse", lanes), "correct horse", lanes); !ok || err != nil {
		t.Errorf("Verify of two lanes = %v, %v, want true, nil", ok, err)
	}
}

func newHasher(t testing.TB, params password.Params, options password.QueueOptions) *password.Hasher {
	t.Helper()
	h, err := password.NewHasher(newQueue(t, options), params)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHasher(t *testing.T) {
	ctx := context.Background()
	h := newHasher(t, password.Params{}, password.QueueOptions{Slots: 2})
	phc, err := h.Hash(ctx, password.Other, false, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if ok, rehash, err := h.Verify(ctx, password.SignIn, false, phc, "correct horse"); !ok || rehash || err != nil {
		t.Errorf("Verify = %v, %v, %v, want true, false, nil", ok, rehash, err)
	}
	if ok, rehash, err := h.Verify(ctx, password.SignIn, false, phc, "wrong"); ok || rehash || err != nil {
		t.Errorf("Verify of a wrong password = %v, %v, %v, want false, false, nil", ok, rehash, err)
	}
	if ok, rehash, err := h.Verify(ctx, password.SignIn, false, mustHash(t, "correct horse", floor()), "correct horse"); !ok || !rehash || err != nil {
		t.Errorf("Verify of an old hash = %v, %v, %v, want true, true, nil", ok, rehash, err)
	}
	if ok, _, err := h.Verify(ctx, password.SignIn, false, "$argon2id$v=19$m=4194304,t=1,p=1$", "correct horse"); ok || !errors.Is(err, password.ErrMalformed) {
		t.Errorf("Verify of a malformed hash = %v, %v, want false, ErrMalformed", ok, err)
	}
	if err := h.VerifyNobody(ctx, password.SignIn, false, "correct horse"); err != nil {
		t.Errorf("VerifyNobody = %v, want nil", err)
	}
	huge := strings.Repeat("a", 1<<20)
	if ok, _, err := h.Verify(ctx, password.SignIn, false, phc, huge); ok || err != nil {
		t.Errorf("Verify of a megabyte = %v, %v, want false, nil", ok, err)
	}
	if _, err := h.Hash(ctx, password.Other, false, huge); !errors.Is(err, password.ErrTooLong) {
		t.Errorf("Hash of a megabyte = %v, want ErrTooLong", err)
	}
	gone, hangUp := context.WithCancel(ctx)
	hangUp()
	if _, err := h.Hash(gone, password.Other, false, "correct horse"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash for a client that hung up = %v, want Canceled", err)
	}
	if _, err := password.NewHasher(nil, password.Params{MemoryKiB: 1}); err == nil {
		t.Error("NewHasher below the floor = nil error, want a refusal")
	}
}

// What a machine can hash in a minute is told by its quickest check: waiting does not count, and a check of any hash costs
// at least what one of ours does.
func TestHashesAMinute(t *testing.T) {
	h := newHasher(t, floor(), password.QueueOptions{Slots: 2})
	if got := h.PerMinute(); got != 1200 {
		t.Errorf("PerMinute before the first hash = %d, want 600 a slot", got)
	}
	began := time.Now()
	if err := h.VerifyNobody(t.Context(), password.SignIn, false, "correct horse"); err != nil {
		t.Fatal(err)
	}
	if got, least := h.PerMinute(), int64(2*(time.Minute/time.Since(began))); got < least || got == 1200 {
		t.Errorf("PerMinute = %d, want %d or more", got, least)
	}
	before := h.PerMinute()
	if err := h.VerifyNobody(t.Context(), password.SignIn, false, "correct horse"); err != nil || h.PerMinute() < before {
		t.Errorf("PerMinute fell from %d to %d, %v", before, h.PerMinute(), err)
	}
}

// Fifty sign-ins at a time: every one is answered, right or Busy, and memory stays near slots times 64 MiB.
func TestStormStaysWithinItsMemory(t *testing.T) {
	h := newHasher(t, password.Params{}, password.QueueOptions{Slots: 2, Length: 16, Wait: time.Minute})
	phc := mustHash(t, "correct horse", password.Params{})
	idle, most := residentMiB(t), 0
	var wg sync.WaitGroup
	var mu sync.Mutex
	counts := make(map[string]int)
	for i := range 50 {
		wg.Go(func() {
			typed := []string{"correct horse", "wrong"}[i%2]
			ok, _, err := h.Verify(context.Background(), password.SignIn, i%3 == 0, phc, typed)
			_, busy := errors.AsType[*password.Busy](err)
			if (err != nil && !busy) || (err == nil && ok != (typed == "correct horse")) {
				t.Errorf("Verify of %q = %v, %v", typed, ok, err)
			}
			mu.Lock()
			defer mu.Unlock()
			counts[map[bool]string{true: "busy", false: "answered"}[busy]]++
			most = max(most, residentMiB(t))
		})
	}
	wg.Wait()
	if counts["answered"] < 2 || counts["busy"] == 0 || counts["answered"]+counts["busy"] != 50 {
		t.Errorf("counts = %v, want 50, some busy", counts)
	}
	if runtime.GOOS == "linux" && most > idle+2*64*5/4 {
		t.Errorf("resident memory rose from %d to %d MiB, want at most 1.25 times 2 slots of 64 MiB", idle, most)
	}
}

func TestMemoryGoesBackWhenIdle(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // nothing to measure with
	}
	h := newHasher(t, password.Params{}, password.QueueOptions{Slots: 1})
	busy, later := 0, 0
	for range 3 { // on a busy machine it may be gone before it was looked at
		for range 2 {
			if err := h.VerifyNobody(context.Background(), password.SignIn, false, "anything"); err != nil {
				t.Fatal(err)
			}
		}
		busy = residentMiB(t)
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if later = residentMiB(t); later <= busy-60 {
				return
			}
		}
	}
	t.Errorf("resident memory is %d MiB after the last hash and %d later", busy, later)
}

// residentMiB is what the process holds in memory, or 0 where /proc does not tell.
func residentMiB(t testing.TB) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(status))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

func BenchmarkHash(b *testing.B) {
	h := newHasher(b, password.Params{}, password.QueueOptions{Slots: 1})
	b.ReportAllocs()
	for b.Loop() {
		if err := h.VerifyNobody(b.Context(), password.SignIn, false, "correct horse"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkXCrypto is the same hash by golang.org/x/crypto/argon2, to compare with.
func BenchmarkXCrypto(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		argon2.IDKey([]byte("correct horse"), []byte("0123456789abcdef"), 3, 65536, 1, 32)
	}
}
