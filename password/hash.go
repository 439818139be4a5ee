package password

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"

	"github.com/ringwall/ringwall/password/internal/lane"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// maxBytes bounds what is ever normalised and hashed: 256 code points of 4 bytes, each written as four.
const maxBytes = 4096

// ErrTooLong is the error of [Hash] for a password of more than 4,096 bytes.
var ErrTooLong = errors.New("the password has more than 4096 bytes")

// Hash is the PHC string of a password, with a new random salt. It waits for no queue: use a [Hasher] in a server. Errors: [ErrTooLong], bad
// parameters (see [Params.Check]), or the system gave no memory.
func Hash(password string, params Params) (string, error) {
	var memory lane.Memory
	defer memory.Release()
	return hash(&memory, password, params)
}

// Verify reports whether phc was made from the password and, if so, whether it should be made again: its parameters are not those that
// hold now, or it is a hash of another system (see [Adopt]). It waits for no queue: use a [Hasher] in a server. A password of more than 4,096
// bytes is wrong. Errors: [ErrMalformed], or the system gave no memory.
func Verify(phc, password string, now Params) (ok, rehash bool, err error) {
	s, err := parseAny(phc)
	if err != nil || len(password) > maxBytes {
		return false, false, err
	}
	var memory lane.Memory
	defer memory.Release()
	ok, err = s.matches(&memory, password)
	return ok, ok && s.renewable(password, now), err
}

func hash(memory *lane.Memory, password string, params Params) (string, error) {
	if err := params.Check(); err != nil {
		return "", err
	}
	if len(password) > maxBytes {
		return "", ErrTooLong
	}
	s := stored{params: params.orDefault(), salt: make([]byte, saltBytes)}
	_, _ = rand.Read(s.salt) // never fails: crypto/rand ends the process instead
	key, err := derive(memory, password, s, keyBytes)
	if err != nil {
		return "", err
	}
	s.key = key
	return s.String(), nil
}

func (s stored) matches(memory *lane.Memory, password string) (bool, error) {
	key, err := derive(memory, password, s, uint32(len(s.key))) // #nosec G115 -- parse bounds it
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, s.key) == 1, nil
}

func (s stored) renewable(_ string, now Params) bool {
	return s.variant != lane.ID || s.params != now.orDefault() || len(s.salt) != saltBytes || len(s.key) != keyBytes
}

func (s stored) shape() string { return prefixOf(s.variant) + s.params.String() }

func (s stored) family() family { return argon2Family }

func (s stored) bytes() int64 { return int64(s.params.MemoryKiB) << 10 }

func (s stored) work() uint64 { return s.params.work() }

// derive computes the key of s's parameters and salt.
func derive(memory *lane.Memory, password string, s stored, size uint32) ([]byte, error) {
	text := norm.NFC.Bytes([]byte(password))
	if s.params.Parallelism > 1 {
		if s.variant == lane.I {
			return argon2.Key(text, s.salt, s.params.Time, s.params.MemoryKiB, s.params.Parallelism, size), nil
		}
		return argon2.IDKey(text, s.salt, s.params.Time, s.params.MemoryKiB, s.params.Parallelism, size), nil
	}
	return memory.Key(text, s.salt, lane.Cost{MemoryKiB: s.params.MemoryKiB, Time: s.params.Time, Variant: s.variant}, size)
}
