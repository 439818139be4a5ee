package secret_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
	"pgregory.net/rapid"
)

const masterHex = "8f1d0ac4b7e2935066fb21cd7a3e94580b6cf2d18e37a9456d02bc1fe8759a33"

var now = func() time.Time { return time.Unix(1_700_000_000, 0) }

// memory is a KeyStore.
type memory struct {
	mu   sync.Mutex
	keys []secret.Wrapped
	hide int // this many reads see nothing, as if another node wrote meanwhile
}

func (m *memory) Keys(context.Context) ([]secret.Wrapped, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hide > 0 {
		m.hide--
		return nil, nil
	}
	return slices.Clone(m.keys), nil
}

func (m *memory) InsertKey(_ context.Context, key secret.Wrapped) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.ContainsFunc(m.keys, func(k secret.Wrapped) bool { return k.Purpose == key.Purpose }) {
		return false, nil
	}
	m.keys = append(m.keys, key)
	return true, nil
}

func master(t testing.TB, text string) secret.MasterKey {
	t.Helper()
	key, err := secret.ParseMasterKey(secret.NewText(text))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyring(t testing.TB, store *memory, environment string) *secret.Keyring {
	t.Helper()
	ring, err := secret.OpenKeyring(t.Context(), master(t, masterHex), environment, store, now)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestOpenKeyringIsTheSameOnEveryNode(t *testing.T) {
	store := &memory{}
	first := keyring(t, store, "test")
	sealed := first.Seal(secret.Links, "row", []byte("plain"))
	store.hide = 1 // the second node believes that it is the first, and loses every race
	second := keyring(t, store, "test")
	if got, err := second.Open(secret.Links, "row", sealed); err != nil || string(got) != "plain" {
		t.Errorf("Open on the second node = %q, %v", got, err)
	}
	if want := len(secret.Purposes()); len(store.keys) != want {
		t.Errorf("%d keys are stored, want %d", len(store.keys), want)
	}
	if !bytes.Equal(first.MAC(secret.CSRF, []byte("x")), second.MAC(secret.CSRF, []byte("x"))) {
		t.Error("two nodes make different MACs")
	}
}

func TestOpenKeyringInParallel(t *testing.T) {
	store := &memory{}
	rings := make([]*secret.Keyring, 16)
	var wait sync.WaitGroup
	for i := range rings {
		wait.Go(func() {
			ring, err := secret.OpenKeyring(t.Context(), master(t, masterHex), "test", store, now)
			if err != nil {
				t.Error(err)
				return
			}
			rings[i] = ring
		})
	}
	wait.Wait()
	for _, ring := range rings[1:] {
		if !bytes.Equal(ring.MAC(secret.Audit, nil), rings[0].MAC(secret.Audit, nil)) {
			t.Fatal("nodes that start together end up with different keys")
		}
	}
}

func TestOpenKeyringRefusesWhatIsNotItsOwn(t *testing.T) {
	store := &memory{}
	keyring(t, store, "production")
	other := master(t, strings.Repeat("00", 0)+"1b"+masterHex[2:])
	tests := []struct {
		name        string
		master      secret.MasterKey
		environment string
		spoil       func(*secret.Wrapped)
		want        error
	}{
		{"the database of another environment", master(t, masterHex), "staging", nil, secret.ErrOtherEnvironment},
		{"the database of another master key", other, "production", nil, secret.ErrOtherMaster},
		{"a key that was moved to another purpose", master(t, masterHex), "production", func(k *secret.Wrapped) { k.Purpose = secret.Cursors }, secret.ErrDamagedKey},
		{"a key under another id", master(t, masterHex), "production", func(k *secret.Wrapped) { k.ID[3] ^= 1 }, secret.ErrDamagedKey},
		{"a key that was made older", master(t, masterHex), "production", func(k *secret.Wrapped) { k.CreatedMicros++ }, secret.ErrDamagedKey},
		{"an empty key", master(t, masterHex), "production", func(k *secret.Wrapped) { k.Key = nil }, secret.ErrDamagedKey},
	}
	for _, tt := range tests {
		t.Run("refuses "+tt.name, func(t *testing.T) {
			spoiled := &memory{keys: slices.Clone(store.keys)}
			if tt.spoil != nil {
				tt.spoil(&spoiled.keys[0])
			}
			_, err := secret.OpenKeyring(t.Context(), tt.master, tt.environment, spoiled, now)
			if !errors.Is(err, tt.want) {
				t.Errorf("OpenKeyring = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestOpenKeyringRefusesEveryFlippedByte(t *testing.T) {
	store := &memory{}
	keyring(t, store, "production")
	for i := range store.keys[0].Key {
		for _, bit := range []byte{1, 0x80} {
			spoiled := &memory{keys: slices.Clone(store.keys)}
			spoiled.keys[0].Key = bytes.Clone(spoiled.keys[0].Key)
			spoiled.keys[0].Key[i] ^= bit
			if _, err := secret.OpenKeyring(t.Context(), master(t, masterHex), "production", spoiled, now); err == nil {
				t.Fatalf("a wrapped key with byte %d changed opens", i)
			}
		}
	}
}

// A restore into another environment must not work by editing the name in the stored head either (S101, D26).
func TestRenamedEnvironmentDoesNotOpen(t *testing.T) {
	store := &memory{}
	keyring(t, store, "development")
	for i := range store.keys {
		store.keys[i].Key = bytes.Replace(store.keys[i].Key, []byte("development"), []byte("integration"), 1)
	}
	_, err := secret.OpenKeyring(t.Context(), master(t, masterHex), "integration", store, now)
	if !errors.Is(err, secret.ErrDamagedKey) {
		t.Errorf("OpenKeyring = %v, want %v", err, secret.ErrDamagedKey)
	}
}

func TestOpenKeyringRefusesBadNames(t *testing.T) {
	for _, environment := range []string{"", "Prod", "a b", strings.Repeat("x", 33), "prod\n"} {
		if _, err := secret.OpenKeyring(t.Context(), master(t, masterHex), environment, &memory{}, now); err == nil {
			t.Errorf("environment %q is accepted", environment)
		}
	}
	if _, err := secret.OpenKeyring(t.Context(), secret.MasterKey{}, "test", &memory{}, now); err == nil {
		t.Error("no master key is accepted")
	}
}

// A newer version may have stored a key for a purpose that we do not know; it is none of our business.
func TestOpenKeyringLeavesUnknownPurposes(t *testing.T) {
	store := &memory{keys: []secret.Wrapped{{ID: identity.NewRandomID(), Purpose: "later", Key: []byte("?")}}}
	keyring(t, store, "test")
}

// What is to come with rotation: a second key of a purpose, newer than the first.
func TestTheNewestKeySealsAndTheOldStillOpens(t *testing.T) {
	store := &memory{}
	old := keyring(t, store, "test")
	sealed, mac := old.Seal(secret.Links, "row", []byte("plain")), old.MAC(secret.Links, []byte("x"))

	later := &memory{}
	if _, err := secret.OpenKeyring(t.Context(), master(t, masterHex), "test", later, func() time.Time { return now().Add(time.Hour) }); err != nil {
		t.Fatal(err)
	}
	store.keys = append(store.keys, later.keys...)
	both := keyring(t, store, "test")
	if got, err := both.Open(secret.Links, "row", sealed); err != nil || string(got) != "plain" {
		t.Errorf("Open of what the old key sealed = %q, %v", got, err)
	}
	if !both.CheckMAC(secret.Links, mac, []byte("x")) {
		t.Error("CheckMAC refuses a MAC of the old key")
	}
	if bytes.Equal(both.MAC(secret.Links, []byte("x")), mac) {
		t.Error("MAC still uses the old key")
	}
	if _, err := old.Open(secret.Links, "row", both.Seal(secret.Links, "row", nil)); err == nil {
		t.Error("Seal still uses the old key")
	}
}

func TestSealedOpensOnlyWhereItBelongs(t *testing.T) {
	store := &memory{}
	ring := keyring(t, store, "test")
	elsewhere := keyring(t, &memory{}, "production")
	sealed := ring.Seal(secret.Passwords, "users/1", []byte("plain"))
	if got, err := ring.Open(secret.Passwords, "users/1", sealed); err != nil || string(got) != "plain" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	attacks := []struct {
		name    string
		ring    *secret.Keyring
		purpose secret.Purpose
		row     string
		sealed  []byte
	}{
		{"another row", ring, secret.Passwords, "users/2", sealed},
		{"another purpose", ring, secret.Outbox, "users/1", sealed},
		{"another environment", elsewhere, secret.Passwords, "users/1", sealed},
		{"nothing", ring, secret.Passwords, "users/1", nil},
		{"only the key's id", ring, secret.Passwords, "users/1", sealed[:16]},
		{"one byte less", ring, secret.Passwords, "users/1", sealed[:len(sealed)-1]},
		{"one byte more", ring, secret.Passwords, "users/1", append(bytes.Clone(sealed), 0)},
	}
	for _, a := range attacks {
		if got, err := a.ring.Open(a.purpose, a.row, a.sealed); !errors.Is(err, secret.ErrUnopenable) || got != nil {
			t.Errorf("Open with %s = %q, %v; want %v", a.name, got, err, secret.ErrUnopenable)
		}
	}
	for i := range sealed {
		spoiled := bytes.Clone(sealed)
		spoiled[i] ^= 0x10
		if _, err := ring.Open(secret.Passwords, "users/1", spoiled); !errors.Is(err, secret.ErrUnopenable) {
			t.Errorf("Open with byte %d changed = %v", i, err)
		}
	}
	if bytes.Equal(sealed, ring.Seal(secret.Passwords, "users/1", []byte("plain"))) {
		t.Error("sealing twice gives the same bytes")
	}
}

func TestSealRoundTrips(t *testing.T) {
	ring := keyring(t, &memory{}, "test")
	rapid.Check(t, func(t *rapid.T) {
		purpose := rapid.SampledFrom(secret.Purposes()).Draw(t, "purpose")
		row, plain := rapid.String().Draw(t, "row"), rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed := ring.Seal(purpose, row, plain)
		got, err := ring.Open(purpose, row, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("Open(Seal(%x)) = %x, %v", plain, got, err)
		}
		if len(sealed) != len(plain)+44 {
			t.Fatalf("Seal of %d bytes has %d", len(plain), len(sealed))
		}
	})
}

func TestMACsAreApart(t *testing.T) {
	ring := keyring(t, &memory{}, "test")
	all := map[string]string{}
	note := func(name string, mac []byte) {
		if len(mac) != 32 {
			t.Errorf("MAC %s has %d bytes", name, len(mac))
		}
		if other, ok := all[string(mac)]; ok {
			t.Errorf("%s and %s have the same MAC", name, other)
		}
		all[string(mac)] = name
	}
	for _, purpose := range secret.Purposes() { // S081: a key of one purpose cannot validate for another
		note(string(purpose), ring.MAC(purpose, []byte("ab"), []byte("c")))
	}
	note("moved boundary", ring.MAC(secret.Links, []byte("a"), []byte("bc")))
	note("one part", ring.MAC(secret.Links, []byte("abc")))
	note("an empty part more", ring.MAC(secret.Links, []byte("ab"), []byte("c"), nil))
	note("no part", ring.MAC(secret.Links))
	note("one empty part", ring.MAC(secret.Links, nil))
	note("another environment", keyring(t, &memory{}, "production").MAC(secret.Links, []byte("ab"), []byte("c")))
}

func TestCheckMAC(t *testing.T) {
	ring := keyring(t, &memory{}, "test")
	mac := ring.MAC(secret.Audit, []byte("x"))
	for _, tt := range []struct {
		name string
		mac  []byte
		want bool
	}{
		{"whole", mac, true}, {"cut to 16", mac[:16], true},
		{"cut to 15", mac[:15], false}, {"empty", nil, false}, {"longer", append(bytes.Clone(mac), 0), false},
		{"its end", mac[16:], false},
	} {
		if got := ring.CheckMAC(secret.Audit, tt.mac, []byte("x")); got != tt.want {
			t.Errorf("CheckMAC of %s = %v, want %v", tt.name, got, tt.want)
		}
	}
	if ring.CheckMAC(secret.CSRF, mac, []byte("x")) || ring.CheckMAC(secret.Audit, mac, []byte("y")) {
		t.Error("CheckMAC accepts another purpose or other parts")
	}
}

func TestPersonKeys(t *testing.T) {
	ring := keyring(t, &memory{}, "test")
	alice, bob := identity.NewRandomID(), identity.NewRandomID()
	keyA, keyB := ring.NewPersonKey(alice), ring.NewPersonKey(bob)
	sealed, err := ring.SealWith(keyA, alice, "row", []byte("plain"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ring.OpenWith(keyA, alice, "row", sealed); err != nil || string(got) != "plain" {
		t.Errorf("OpenWith = %q, %v", got, err)
	}
	for _, attack := range []struct {
		name, row string
		wrapped   []byte
		user      identity.ID
	}{
		{"another row", "row2", keyA, alice},
		{"another person", "row", keyB, bob},
		{"another person's key", "row", keyB, alice},
		{"our key for another person", "row", keyA, bob},
		{"a new key of the person", "row", ring.NewPersonKey(alice), alice},
		{"an erased key", "row", nil, alice},
	} {
		if _, err := ring.OpenWith(attack.wrapped, attack.user, attack.row, sealed); !errors.Is(err, secret.ErrUnopenable) {
			t.Errorf("OpenWith %s = %v, want %v", attack.name, err, secret.ErrUnopenable)
		}
	}
	if _, err := ring.SealWith(nil, alice, "row", nil); !errors.Is(err, secret.ErrUnopenable) {
		t.Errorf("SealWith without a key = %v", err)
	}
}

func TestKeyringInParallel(t *testing.T) {
	ring := keyring(t, &memory{}, "test")
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for range 200 {
				row := fmt.Sprint(i)
				if _, err := ring.Open(secret.Links, row, ring.Seal(secret.Links, row, []byte(row))); err != nil {
					t.Error(err)
				}
				ring.MAC(secret.Links, []byte(row))
			}
		})
	}
	wait.Wait()
}

func TestASlipInThePurposePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Seal for an unknown purpose does not panic")
		}
	}()
	keyring(t, &memory{}, "test").Seal("misspelt", "row", nil)
}
