package password_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/password"
)

const (
	// Both from the test.c of the reference implementation (P-H-C/phc-winner-argon2): version 0x13, Argon2id, 256 KiB and 64 MiB.
	published  = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	published2 = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
	cheap      = "$argon2id$v=19$m=64,t=1,p=1$"
	salt16     = "MDEyMzQ1Njc4OWFiY2RlZg"
	key32      = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
)

func TestVerifyTakesThePublishedVectors(t *testing.T) {
	for _, phc := range []string{published, published2} {
		ok, rehash, err := password.Verify(phc, "password", password.Params{})
		if !ok || !rehash || err != nil {
			t.Errorf("Verify(%q) = %v, %v, %v, want true, true (other parameters), nil", phc, ok, rehash, err)
		}
		if ok, rehash, err := password.Verify(phc, "Password", password.Params{}); ok || rehash || err != nil {
			t.Errorf("Verify(%q) of a wrong password = %v, %v, %v, want false, false, nil", phc, ok, rehash, err)
		}
	}
}

// hostile are strings that an import, or whoever can write to the database, might bring.
func hostile() map[string]string {
	return map[string]string{
		"nothing":                          "",
		"another algorithm":                "$6$rounds=5000$usesomesillystri$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr/36eYaA",
		"argon2d with two lanes":           "$argon2d$v=19$m=64,t=1,p=2$" + salt16 + "$" + key32,
		"version 0x10":                     "$argon2id$v=16$m=64,t=1,p=1$" + salt16 + "$" + key32,
		"no version":                       "$argon2id$m=64,t=1,p=1$" + salt16 + "$" + key32,
		"4 GiB of memory":                  "$argon2id$v=19$m=4194304,t=1,p=1$" + salt16 + "$" + key32,
		"4 TiB of memory":                  "$argon2id$v=19$m=4294967295,t=1,p=1$" + salt16 + "$" + key32,
		"memory that overflows":            "$argon2id$v=19$m=4294967360,t=1,p=1$" + salt16 + "$" + key32,
		"memory below the lanes'":          "$argon2id$v=19$m=15,t=1,p=2$" + salt16 + "$" + key32,
		"no memory":                        "$argon2id$v=19$m=0,t=1,p=1$" + salt16 + "$" + key32,
		"no passes":                        "$argon2id$v=19$m=64,t=0,p=1$" + salt16 + "$" + key32,
		"endless passes":                   "$argon2id$v=19$m=64,t=4294967295,p=1$" + salt16 + "$" + key32,
		"memory and passes of ten seconds": "$argon2id$v=19$m=262144,t=40,p=1$" + salt16 + "$" + key32,
		"no lanes":                         "$argon2id$v=19$m=64,t=1,p=0$" + salt16 + "$" + key32,
		"too many lanes":                   "$argon2id$v=19$m=262144,t=1,p=17$" + salt16 + "$" + key32,
		"lanes that overflow":              "$argon2id$v=19$m=64,t=1,p=257$" + salt16 + "$" + key32,
		"a negative number":                "$argon2id$v=19$m=-64,t=1,p=1$" + salt16 + "$" + key32,
		"a sign":                           "$argon2id$v=19$m=+64,t=1,p=1$" + salt16 + "$" + key32,
		"a leading zero":                   "$argon2id$v=19$m=064,t=1,p=1$" + salt16 + "$" + key32,
		"a hexadecimal number":             "$argon2id$v=19$m=0x40,t=1,p=1$" + salt16 + "$" + key32,
		"another order":                    "$argon2id$v=19$t=1,m=64,p=1$" + salt16 + "$" + key32,
		"a parameter twice":                "$argon2id$v=19$m=64,m=64,t=1,p=1$" + salt16 + "$" + key32,
		"a parameter instead of another":   "$argon2id$v=19$m=64,t=1,t=1$" + salt16 + "$" + key32,
		"an unknown parameter":             "$argon2id$v=19$m=64,t=1,p=1,keyid=AA$" + salt16 + "$" + key32,
		"a missing parameter":              "$argon2id$v=19$m=64,t=1$" + salt16 + "$" + key32,
		"a space":                          "$argon2id$v=19$m=64, t=1,p=1$" + salt16 + "$" + key32,
		"no salt":                          cheap + "$" + key32,
		"a short salt":                     cheap + "MDEyMzQ1Ng$" + key32,
		"a huge salt":                      cheap + strings.Repeat("A", 1<<20) + "$" + key32,
		"a salt beyond the bound":          cheap + strings.Repeat("A", 88) + "$" + key32,
		"padded base64":                    cheap + salt16 + "==$" + key32,
		"base64 for addresses":             cheap + "__8yMzQ1Njc4OWFiY2RlZg$" + key32,
		"base64 with spare bits":           cheap + "MDEyMzQ1Njc4OWFiY2RlZh$" + key32,
		"base64 with a line end":           cheap + "MDEyMzQ1Njc4\nOWFiY2RlZg$" + key32,
		"no key":                           cheap + salt16 + "$",
		"truncated before the key":         cheap + salt16,
		"a short key":                      cheap + salt16 + "$MDEyMzQ1Njc4OQ",
		"a huge key":                       cheap + salt16 + "$" + strings.Repeat("A", 1<<20),
		"garbage behind":                   cheap + salt16 + "$" + key32 + "$",
		"a line end behind":                cheap + salt16 + "$" + key32 + "\n",
		"a space before":                   " " + cheap + salt16 + "$" + key32,
		"NUL":                              cheap + salt16 + "$" + key32 + "\x00",
		"upper case":                       "$ARGON2ID$v=19$m=64,t=1,p=1$" + salt16 + "$" + key32,
	}
}

func TestVerifyRefusesHostileStringsBeforeItTakesMemory(t *testing.T) {
	for name, phc := range hostile() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ok, rehash, err := password.Verify(phc, "password", password.Params{})
			runtime.ReadMemStats(&after)
			if ok || rehash || !errors.Is(err, password.ErrMalformed) {
				t.Errorf("Verify = %v, %v, %v, want false, false, ErrMalformed", ok, rehash, err)
			}
			if len(phc) > 40 && strings.Contains(err.Error(), phc[30:40]) {
				t.Errorf("the error %q repeats the string", err)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<16 {
				t.Errorf("took %d bytes to refuse it", taken)
			}
		})
	}
	// What they were made from is good: it is the change that is refused.
	if ok, _, err := password.Verify(cheap+salt16+"$"+key32, "password", password.Params{}); ok || err != nil {
		t.Errorf("Verify of the unchanged string = %v, %v, want false, nil", ok, err)
	}
}

func TestParseParams(t *testing.T) {
	good := map[string]password.Params{
		"m=65536,t=3,p=1":  {MemoryKiB: 65536, Time: 3, Parallelism: 1},
		"m=19456,t=2,p=1":  {MemoryKiB: 19456, Time: 2, Parallelism: 1},
		"m=262144,t=8,p=4": {MemoryKiB: 262144, Time: 8, Parallelism: 4},
	}
	for text, want := range good {
		got, err := password.ParseParams(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseParams(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	bad := map[string]string{ // the mend that the error must name
		"":                         "m=65536,t=3,p=1",
		"strong":                   "m=65536,t=3,p=1",
		"m=0,t=0,p=0":              "m=65536,t=3,p=1",
		"m=65536,t=3":              "m=65536,t=3,p=1",
		"m=65536,t=3,p=1,x=1":      "m=65536,t=3,p=1",
		"m=64MiB,t=3,p=1":          "m=65536,t=3,p=1",
		"m=19455,t=2,p=1":          "m=19456",
		"m=65536,t=1,p=1":          "t=2",
		"m=65536,t=3,p=0":          "p=1",
		"m=65536,t=3,p=17":         "p=16",
		"m=4194304,t=2,p=1":        "m=262144",
		"m=262144,t=9,p=1":         "t=8",
		"m=65536,t=4294967295,p=1": "t=32",
	}
	for text, mend := range bad {
		if got, err := password.ParseParams(text); err == nil || !strings.Contains(err.Error(), mend) {
			t.Errorf("ParseParams(%q) = %v, %v, want an error that names %s", text, got, err, mend)
		}
	}
	if got := (password.Params{}).String(); got != "m=65536,t=3,p=1" {
		t.Errorf("the zero Params is %q", got)
	}
}

// Whatever is taken must have one spelling and stay within the bounds; nothing may make the parser panic. Hostile costs are never computed.
func FuzzParsePHC(f *testing.F) {
	for _, phc := range hostile() {
		if len(phc) < 1000 {
			f.Add(phc)
		}
	}
	f.Add(published)
	f.Add(cheap + salt16 + "$" + key32)
	f.Fuzz(func(t *testing.T, phc string) {
		again, p, ok := password.ParsePHC(phc)
		if !ok {
			return
		}
		if again != phc {
			t.Errorf("read %q as %q", phc, again)
		}
		if p.MemoryKiB > 256<<10 || uint64(p.MemoryKiB)*uint64(p.Time) > 2<<20 || p.Time == 0 || p.Parallelism == 0 || p.Parallelism > 16 || len(phc) > 256 {
			t.Errorf("took %q, out of bounds", phc)
		}
	})
}
