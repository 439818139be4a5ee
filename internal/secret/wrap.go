package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
)

// A wrapped key is: version (1), fingerprint of the master key (8), length of the environment (1), the environment,
// then nonce, key and tag of AES-256-GCM. The head stands in clear so that errors can say what is wrong; it is authenticated.
const (
	wrapVersion     = 1
	keyBytes        = 32
	fingerprintSize = 8
	maxEnvironment  = 32
)

var environmentName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

type wrapper struct {
	aead        cipher.AEAD
	fingerprint []byte
	environment string
}

func newWrapper(master MasterKey, environment string) (*wrapper, error) {
	if master.IsZero() {
		return nil, errors.New("no master key")
	}
	if !environmentName.MatchString(environment) {
		return nil, errors.New("the environment's name must be 1 to 32 of a-z, 0-9 and -")
	}
	aead, err := newGCM(derive(master.bytes(), "ringwall wrap v1"))
	if err != nil {
		return nil, err
	}
	return &wrapper{aead: aead, fingerprint: master.fingerprint(), environment: environment}, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("prepare key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// derive gives 32 bytes for one use of a key that is itself random.
func derive(key []byte, use string) []byte {
	out, err := hkdf.Expand(sha256.New, key, use, keyBytes)
	if err != nil { // only for lengths over 8,160 bytes
		panic("secret: " + err.Error())
	}
	return out
}

// join puts a length before each part, so that no two lists of parts give the same bytes.
func join(parts ...[]byte) []byte {
	size := 0
	for _, p := range parts {
		size += 8 + len(p)
	}
	out := make([]byte, 0, size)
	for _, p := range parts {
		out = binary.BigEndian.AppendUint64(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}

func (w *wrapper) head() []byte {
	head := append([]byte{wrapVersion}, w.fingerprint...)
	head = append(head, byte(len(w.environment))) // #nosec G115 -- at most maxEnvironment
	return append(head, w.environment...)
}

func wrapContext(head []byte, k Wrapped) []byte {
	created := binary.BigEndian.AppendUint64(nil, uint64(k.CreatedMicros)) // #nosec G115 -- its bits, whatever the sign
	return join(head, k.ID[:], []byte(k.Purpose), created)
}

// make gives a new random key for a purpose.
func (w *wrapper) make(purpose Purpose, now time.Time) (Wrapped, error) {
	key := make([]byte, keyBytes)
	rand.Read(key) // never fails
	k := Wrapped{ID: identity.NewRandomID(), Purpose: purpose, CreatedMicros: now.UnixMicro()}
	head := w.head()
	k.Key = w.aead.Seal(head, nil, key, wrapContext(head, k))
	return k, nil
}

// open unwraps all stored keys, and names the purposes that have none. Purposes of later versions are left alone.
func (w *wrapper) open(stored []Wrapped) (*keys, []Purpose, error) {
	k := &keys{
		current: make(map[Purpose]*dataKey),
		all:     make(map[identity.ID]*dataKey),
		of:      make(map[Purpose][]*dataKey),
	}
	// Newest first; ids decide between equals, so that every node takes the same.
	sorted := slices.SortedFunc(slices.Values(stored), func(a, b Wrapped) int {
		if a.CreatedMicros != b.CreatedMicros {
			return int(min(1, max(-1, b.CreatedMicros-a.CreatedMicros)))
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	for _, s := range sorted {
		if !slices.Contains(Purposes(), s.Purpose) {
			continue
		}
		opened, err := w.unwrap(s)
		if err != nil {
			return nil, nil, err
		}
		k.all[s.ID] = opened
		k.of[s.Purpose] = append(k.of[s.Purpose], opened)
		if k.current[s.Purpose] == nil {
			k.current[s.Purpose] = opened
		}
	}
	var missing []Purpose
	for _, purpose := range Purposes() {
		if k.current[purpose] == nil {
			missing = append(missing, purpose)
		}
	}
	return k, missing, nil
}

func (w *wrapper) unwrap(s Wrapped) (*dataKey, error) {
	damaged := fmt.Errorf("%w: key %s for %s: restore it from a backup", ErrDamagedKey, s.ID, s.Purpose)
	if len(s.Key) < 2+fingerprintSize || s.Key[0] != wrapVersion {
		return nil, damaged
	}
	size := int(s.Key[1+fingerprintSize])
	end := 2 + fingerprintSize + size
	if size == 0 || size > maxEnvironment || len(s.Key) < end {
		return nil, damaged
	}
	environment := s.Key[2+fingerprintSize : end]
	if !environmentName.Match(environment) {
		return nil, damaged
	}
	if string(environment) != w.environment {
		return nil, fmt.Errorf("%w: it is %q, this server is %q: set ENVIRONMENT to that of the database, or use a database of its own",
			ErrOtherEnvironment, environment, w.environment)
	}
	if fingerprint := s.Key[1 : 1+fingerprintSize]; !hmac.Equal(fingerprint, w.fingerprint) {
		return nil, fmt.Errorf("%w: its fingerprint is %s, that of ours is %s: set MASTER_KEY to the key that belongs to this database",
			ErrOtherMaster, hex.EncodeToString(fingerprint), hex.EncodeToString(w.fingerprint))
	}
	key, err := w.aead.Open(nil, nil, s.Key[end:], wrapContext(s.Key[:end], s))
	if err != nil || len(key) != keyBytes {
		return nil, damaged
	}
	return newDataKey(s.ID, s.Purpose, key, w.environment)
}
