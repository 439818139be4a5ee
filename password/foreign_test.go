package password_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/password"
)

const (
	firebaseSigner = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
	firebaseHash   = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
	oddSalt        = "MDEyMzQ1Njc4Ofvv//4+Pw" // of bytes that become + and / in base64
	zeros53        = "....................................................."
)

// vectors are hashes of other systems: published ones, and others made with libxcrypt, Python's hashlib and the reference implementation of Argon2.
func vectors() []struct{ name, foreign, password string } {
	return []struct{ name, foreign, password string }{
		{"bcrypt 2a, of crypt_blowfish's wrapper.c", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"bcrypt 2b with an umlaut", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.FJj9w2dMxG/OMSU5q.D3h/cEq6ERrnu", "pässword"},
		{"bcrypt 2y of more than 72 bytes", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.ODcEJfYFxKziEakDsjep8mcF3zSCvHq", strings.Repeat("a", 72) + "b"},
		{"bcrypt as Django writes it", "bcrypt$$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"},
		{"scrypt as passlib writes it", "$scrypt$ln=12,r=8,p=1$" + oddSalt + "$ldssxjHOtQmPn6HFXc+U5XhsGdGboDpi8Kl3eK7iNYM", "password"},
		{"scrypt as Django writes it", "scrypt$4096$seasalt0seasalt$8$2$c0dWuK1qR4QogW2mkF6Zguw11k+V40c5abf/t3N56Yf6JoPWssRZ6jTRYs3TkK+WaybHmUuHhE8RRrR5Md8Vlw==", "password"},
		{"Firebase, of the README of firebase/scrypt", "$firebase-scrypt$ln=14,r=8$42xEC+ixf3L2lw==$Bw==$" + firebaseSigner + "$" + firebaseHash, "user1password"},
		{"PBKDF2 as Django's tests have it", "pbkdf2_sha256$36000$seasalt$mEUPPFJkT/xtwDU8rB7Q+puHRZnR07WRjerTkt/3HI0=", "lètmein"},
		{"PBKDF2 with SHA-1, of passlib's tests", "pbkdf2_sha1$10000$wz5B6WkasRoF$atJmJ1o+XfJxKq1+Nu1f1i57Z5I=", "not a password"},
		{"PBKDF2 with SHA-1 as passlib writes it", "$pbkdf2$1500$MDEyMzQ1Njc4Ofvv//4.Pw$mZvzhFkwJfx4uW/8FsqMfeyo/.E", "password"},
		{"PBKDF2 with SHA-256 as passlib writes it", "$pbkdf2-sha256$1500$MDEyMzQ1Njc4Ofvv//4.Pw$yi/gS/PXTTEiPVPGxpqKL67VpLKC3CaMsZm07Ab46NA", "password"},
		{"PBKDF2 with SHA-512 as PHC writes it", "$pbkdf2-sha512$i=1500$" + oddSalt + "$ClUANLBN2A/oa5Kei1nKCSdVV1MMlQ0RoSzUY4mwa7GYI5O76HRojgjYkCDI4wltL/j4K0E+sMCXHbHDZnj6vw", "password"},
		{"PBKDF2 with a key of two blocks, as Keycloak has it", "$pbkdf2-sha256$i=1500,l=64$" + oddSalt + "==$yi/gS/PXTTEiPVPGxpqKL67VpLKC3CaMsZm07Ab46NC9hhSG8RG2ymJHTLawTo5TrclBsoomgSv4ygwNIDmKaw==", "password"},
		{"Argon2i", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8", "password"},
		{"Argon2i with two lanes", "$argon2i$v=19$m=256,t=2,p=2$c29tZXNhbHQ$T/XOJ2mh1/TIpJHfCdQan76Q5esCFVoT5MAeIM1Oq2E", "password"},
		{"Argon2d", "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$JcTui6RIBUtJ78gE5Hi52CO+H5vS6Z9R1uxAB6OhUB8", "password"},
		{"Argon2id with other parameters", "$argon2id$v=19$m=1024,t=3,p=1$c29tZXNhbHQ$hTSfg0+ZxUVA6Ay8Et01seNt2tx1T18Xh5elxNhrNJk", "password"},
		{"Argon2id as Django writes it", "argon2$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"},
	}
}

func TestHashesOfOtherSystemsAreVerifiedAndRenewed(t *testing.T) {
	h := newHasher(t, floor(), password.QueueOptions{Slots: 1})
	for _, tt := range vectors() {
		t.Run(tt.name, func(t *testing.T) {
			stored, err := password.Adopt(tt.foreign)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := password.Adopt(stored); again != stored || err != nil {
				t.Errorf("Adopt(%q) = %q, %v, want the same", stored, again, err)
			}
			wantRehash := len(tt.password) <= 72
			if ok, rehash, err := password.Verify(stored, tt.password, floor()); !ok || rehash != wantRehash || err != nil {
				t.Errorf("Verify = %v, %v, %v, want true, %v, nil", ok, rehash, err, wantRehash)
			}
			if ok, rehash, err := h.Verify(context.Background(), password.SignIn, false, stored, tt.password); !ok || rehash != wantRehash || err != nil {
				t.Errorf("Hasher.Verify = %v, %v, %v, want true, %v, nil", ok, rehash, err, wantRehash)
			}
			if ok, rehash, err := h.Verify(context.Background(), password.SignIn, false, stored, "x"+tt.password); ok || rehash || err != nil {
				t.Errorf("Hasher.Verify of a wrong password = %v, %v, %v, want false, false, nil", ok, rehash, err)
			}
			if shape := h.Shape(stored); shape != "" {
				if spelling, _, ok := password.ParseAny(password.OfShape(shape)); !ok || h.Shape(spelling) != shape {
					t.Errorf("the example of %q is %q", shape, spelling)
				}
			}
		})
	}
}

// bcrypt reads 72 bytes. Whoever knows them knows the password, as in the system it came from; the rest was never checked, so it is not hashed anew.
func TestBcryptReadsNoMoreThan72Bytes(t *testing.T) {
	const stored = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.ODcEJfYFxKziEakDsjep8mcF3zSCvHq"
	for typed, want := range map[string][2]bool{
		strings.Repeat("a", 72):                 {true, true},
		strings.Repeat("a", 72) + "another end": {true, false},
		strings.Repeat("a", 71):                 {false, false},
	} {
		if ok, rehash, err := password.Verify(stored, typed, floor()); ok != want[0] || rehash != want[1] || err != nil {
			t.Errorf("Verify of %d bytes = %v, %v, %v, want %v", len(typed), ok, rehash, err, want)
		}
	}
}

// With the bytes of a NUL and the password again, bcrypt's key is that of the password: it must not open the account.
func TestBcryptTakesNoNUL(t *testing.T) {
	for _, typed := range []string{"U*U\x00U*U", "U*U\x00", "U*U\x00anything"} {
		if ok, _, err := password.Verify("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", typed, floor()); ok || err != nil {
			t.Errorf("Verify(%q) = %v, %v, want false, nil", typed, ok, err)
		}
	}
}

// hostileForeign are what an import might bring to take a machine's time or memory, or to hide behind a second spelling.
func hostileForeign() map[string]string {
	tail := "$" + oddSalt + "$" + key32
	return map[string]string{
		"bcrypt of hours":                     "$2b$31$" + zeros53,
		"bcrypt of a cost of 15":              "$2b$15$" + zeros53,
		"bcrypt below its least cost":         "$2b$03$" + zeros53,
		"bcrypt with the sign fault":          "$2x$05$" + zeros53,
		"bcrypt cut off":                      "$2b$05$" + zeros53[1:],
		"bcrypt with more behind":             "$2b$05$" + zeros53 + ".",
		"bcrypt with a letter that is none":   "$2b$05$" + zeros53[1:] + "=",
		"bcrypt with a signed cost":           "$2b$+5$" + zeros53,
		"scrypt of a gibibyte":                "$scrypt$ln=20,r=8,p=1" + tail,
		"scrypt of 256 MiB":                   "$scrypt$ln=18,r=8,p=1" + tail,
		"scrypt of many lanes":                "$scrypt$ln=14,r=8,p=17" + tail,
		"scrypt of long work":                 "$scrypt$ln=17,r=8,p=3" + tail,
		"scrypt that overflows":               "$scrypt$ln=63,r=8,p=1" + tail,
		"scrypt whose r overflows":            "$scrypt$ln=10,r=4294967296,p=1" + tail,
		"scrypt without r":                    "$scrypt$ln=10,r=0,p=1" + tail,
		"scrypt of nothing":                   "$scrypt$ln=0,r=8,p=1" + tail,
		"scrypt as Django, N no power of two": "scrypt$16385$seasalt0$8$1$" + key32,
		"scrypt as Django, endless":           "scrypt$1073741824$seasalt0$8$1$" + key32,
		"Firebase of a gibibyte":              "$firebase-scrypt$ln=20,r=8$42xEC+ixf3L2lw$Bw$" + key32 + "$" + key32,
		"Firebase with another length":        "$firebase-scrypt$ln=14,r=8$42xEC+ixf3L2lw$Bw$" + key32 + key32[:4] + "$" + key32,
		"Firebase without a signer key":       "$firebase-scrypt$ln=14,r=8$42xEC+ixf3L2lw$Bw$$",
		"PBKDF2 of minutes":                   "$pbkdf2-sha256$i=999999999,l=32" + tail,
		"PBKDF2 beyond the bound":             "$pbkdf2-sha512$2000001" + tail,
		"PBKDF2 with many blocks":             "$pbkdf2-sha1$i=1000000,l=64$" + oddSalt + "$" + strings.Repeat("A", 86),
		"PBKDF2 of one iteration":             "$pbkdf2-sha256$i=1,l=32" + tail,
		"PBKDF2 with MD5":                     "pbkdf2_md5$600000$seasalt0$" + key32,
		"PBKDF2 of a negative number":         "pbkdf2_sha256$-600000$seasalt0$" + key32,
		"PBKDF2 with a key of a megabyte":     "pbkdf2_sha256$600000$seasalt0$" + strings.Repeat("A", 1<<20),
		"PBKDF2 without a salt":               "pbkdf2_sha256$600000$$" + key32,
		"PBKDF2 with a short key":             "pbkdf2_sha256$600000$seasalt0$AAAA",
		"PBKDF2 with no base64":               "pbkdf2_sha256$600000$seasalt0$" + strings.Repeat("ä", 32),
		"PBKDF2 with another length":          "$pbkdf2-sha256$i=1500,l=64" + tail + "$",
		"Argon2id of four gibibytes":          "$argon2id$v=19$m=4194304,t=1,p=1" + tail,
		"Argon2id of an old version":          "$argon2id$v=16$m=64,t=1,p=1" + tail,
		"a plain hash":                        "5f4dcc3b5aa765d61d8327deb882cf99",
		"a plain password":                    "hunter2",
		"nothing":                             "",
		"an unusable password of Django":      "!aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHiJkLmN",
	}
}

func TestAdoptRefusesHostileHashesBeforeAnyWork(t *testing.T) {
	for name, text := range hostileForeign() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			stored, err := password.Adopt(text)
			ok, rehash, verifyErr := password.Verify(text, "password", floor())
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatalf("Adopt = %q, want a refusal", stored)
			}
			if len(text) > 30 && strings.Contains(err.Error(), text[20:30]) {
				t.Errorf("the error %q repeats the hash", err)
			}
			if ok || rehash || !errors.Is(verifyErr, password.ErrMalformed) {
				t.Errorf("Verify = %v, %v, %v, want false, false, ErrMalformed", ok, rehash, verifyErr)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<16 {
				t.Errorf("took %d bytes to refuse it", taken)
			}
		})
	}
}

// Whatever is adopted is stored in one spelling, which Verify reads, within the bounds; shapes come back as they went. Nothing is computed.
func FuzzAdopt(f *testing.F) {
	for _, text := range hostileForeign() {
		if len(text) < 1000 {
			f.Add(text)
		}
	}
	for _, tt := range vectors() {
		f.Add(tt.foreign)
	}
	f.Fuzz(func(t *testing.T, text string) {
		stored, err := password.Adopt(text)
		if err != nil {
			return
		}
		spelling, excess, ok := password.ParseAny(stored)
		if !ok || spelling != stored || excess || len(stored) > 640 {
			t.Errorf("Adopt(%q) = %q, which reads as %q, %v, %v", text, stored, spelling, excess, ok)
		}
		if again, err := password.Adopt(stored); again != stored || err != nil {
			t.Errorf("Adopt(%q) = %q, %v", stored, again, err)
		}
	})
}
