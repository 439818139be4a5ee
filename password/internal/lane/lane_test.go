package lane_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/password/internal/lane"
	"golang.org/x/crypto/argon2"
	"pgregory.net/rapid"
)

// The vectors for version 0x13, one lane, in the test.c of the reference implementation (P-H-C/phc-winner-argon2).
func TestKeyGivesThePublishedVectors(t *testing.T) {
	tests := []struct {
		name, password, salt, want string
		cost                       lane.Cost
	}{
		{"64 MiB, two passes", "password", "somesalt", "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7", lane.Cost{MemoryKiB: 65536, Time: 2}},
		{"256 KiB, two passes", "password", "somesalt", "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe", lane.Cost{MemoryKiB: 256, Time: 2}},
		{"64 MiB, one pass", "password", "somesalt", "f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98", lane.Cost{MemoryKiB: 65536, Time: 1}},
		{"64 MiB, four passes", "password", "somesalt", "9025d48e68ef7395cca9079da4c4ec3affb3c8911fe4f86d1a2520856f63172c", lane.Cost{MemoryKiB: 65536, Time: 4}},
		{"another password", "differentpassword", "somesalt", "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde", lane.Cost{MemoryKiB: 65536, Time: 2}},
		{"another salt", "password", "diffsalt", "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c", lane.Cost{MemoryKiB: 65536, Time: 2}},
	}
	// The first is of the same test.c, the others were made with the reference implementation's program (argon2 0~20171227).
	tests = append(tests, []struct {
		name, password, salt, want string
		cost                       lane.Cost
	}{
		{"Argon2i, 256 KiB, two passes", "password", "somesalt", "89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f", lane.Cost{MemoryKiB: 256, Time: 2, Variant: lane.I}},
		{"Argon2i, 1 MiB, three passes", "password", "somesalt", "d8f2fa0c6c059398281481de8e9a3384b94dd03986b8627bc13f9bd080aa7937", lane.Cost{MemoryKiB: 1024, Time: 3, Variant: lane.I}},
		{"Argon2d, 256 KiB, two passes", "password", "somesalt", "25c4ee8ba448054b49efc804e478b9d823be1f9bd2e99f51d6ec4007a3a1501f", lane.Cost{MemoryKiB: 256, Time: 2, Variant: lane.D}},
		{"Argon2d, 1 MiB, three passes", "password", "somesalt", "9b8180df6f2059807fa0f2f0f4e95f3f7a813b2a4e09b48d8f3d2161c4294ede", lane.Cost{MemoryKiB: 1024, Time: 3, Variant: lane.D}},
	}...)
	var m lane.Memory
	defer m.Release()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := m.Key([]byte(tt.password), []byte(tt.salt), tt.cost, 32)
			if err != nil {
				t.Fatal(err)
			}
			if hex.EncodeToString(got) != tt.want {
				t.Errorf("Key(%q, %q, %+v) = %x, want %s", tt.password, tt.salt, tt.cost, got, tt.want)
			}
		})
	}
}

func TestKeyEqualsTheStandardImplementation(t *testing.T) {
	var m lane.Memory // the same for every draw: what a hash leaves behind must not touch the next
	defer m.Release()
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "password")
		salt := rapid.SliceOfN(rapid.Byte(), 8, 64).Draw(t, "salt")
		cost := lane.Cost{MemoryKiB: rapid.Uint32Range(8, 1100).Draw(t, "memory"), Time: rapid.Uint32Range(1, 4).Draw(t, "time")}
		keyBytes := rapid.Uint32Range(4, 200).Draw(t, "key")
		got, err := m.Key(password, salt, cost, keyBytes)
		if err != nil {
			t.Fatal(err)
		}
		if want := argon2.IDKey(password, salt, cost.Time, cost.MemoryKiB, 1, keyBytes); !bytes.Equal(got, want) {
			t.Fatalf("Key(%+v) = %x, want %x", cost, got, want)
		}
		cost.Variant = lane.I
		if got, err = m.Key(password, salt, cost, keyBytes); err != nil {
			t.Fatal(err)
		}
		if want := argon2.Key(password, salt, cost.Time, cost.MemoryKiB, 1, keyBytes); !bytes.Equal(got, want) {
			t.Fatalf("Key(%+v) = %x, want %x", cost, got, want)
		}
	})
}

func TestKeyRefusesACostBelowTheLimits(t *testing.T) {
	var m lane.Memory
	for _, cost := range []lane.Cost{{}, {MemoryKiB: 7, Time: 1}, {MemoryKiB: 8}, {MemoryKiB: 8, Time: 1, Variant: 3}} {
		if _, err := m.Key([]byte("password"), []byte("somesalt"), cost, 32); err == nil {
			t.Errorf("Key(%+v) = nil error, want a refusal", cost)
		}
	}
	if _, err := m.Key(nil, nil, lane.Cost{MemoryKiB: 8, Time: 1}, 0); err == nil {
		t.Error("Key with no key bytes = nil error, want a refusal")
	}
}

func TestKeyWorksAgainAfterRelease(t *testing.T) {
	var m lane.Memory
	cost := lane.Cost{MemoryKiB: 64, Time: 1}
	before, err := m.Key([]byte(strings.Repeat("a", 300)), []byte("somesalt"), cost, 32)
	if err != nil {
		t.Fatal(err)
	}
	m.Release()
	m.Release()
	after, err := m.Key([]byte(strings.Repeat("a", 300)), []byte("somesalt"), cost, 32)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("Key after Release = %x, %v, want %x", after, err, before)
	}
	m.Release()
}

func BenchmarkKey(b *testing.B) {
	var m lane.Memory
	defer m.Release()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Key([]byte("password"), []byte("0123456789abcdef"), lane.Cost{MemoryKiB: 65536, Time: 3}, 32); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStandardImplementation(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		argon2.IDKey([]byte("password"), []byte("0123456789abcdef"), 3, 65536, 1, 32)
	}
}
