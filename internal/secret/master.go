package secret

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrWeakMaster says that a master key is not 32 random bytes.
var ErrWeakMaster = errors.New("the master key is weak")

const mendMaster = "make one with: openssl rand -hex 32"

// MasterKey wraps the data keys. It cannot print, log or encode itself. The zero MasterKey is none.
type MasterKey struct {
	_      [0]func()
	hidden *string // not an array: fmt follows a pointer to one, when the verb does not fit
}

// IsZero reports whether there is no key.
func (m MasterKey) IsZero() bool { return m.hidden == nil }

// ParseMasterKey reads 32 bytes as 64 hexadecimal digits or as base64 (either alphabet, padded or not). Space around it is
// cut. It returns [ErrWeakMaster] for bytes that nobody drew at random: repeated, counted up, few different ones, or text.
// No error repeats the input.
func ParseMasterKey(text Text) (MasterKey, error) {
	trimmed := strings.TrimSpace(text.Reveal())
	key, err := hex.DecodeString(trimmed)
	if err != nil {
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(trimmed, "="))
		key, err = base64.RawStdEncoding.Strict().DecodeString(plain)
	}
	if err != nil {
		return MasterKey{}, errors.New("the master key is neither hexadecimal nor base64: " + mendMaster)
	}
	if len(key) != keyBytes {
		return MasterKey{}, fmt.Errorf("the master key has %d bytes, not %d: %s", len(key), keyBytes, mendMaster)
	}
	if why := weakness(key); why != "" {
		return MasterKey{}, fmt.Errorf("%w: %s; %s", ErrWeakMaster, why, mendMaster)
	}
	hidden := string(key)
	return MasterKey{hidden: &hidden}, nil
}

// weakness says why nobody drew these bytes at random. A random key is refused less than once in 10^13.
func weakness(key []byte) string {
	seen := make(map[byte]bool)
	text, steps := true, true
	for i, b := range key {
		seen[b] = true
		text = text && b >= ' ' && b <= '~'
		steps = steps && (i < 2 || b-key[i-1] == key[1]-key[0])
	}
	switch {
	case len(seen) == 1:
		return "all its bytes are equal"
	case steps:
		return "its bytes count up or down"
	case bytes.Equal(key[:keyBytes/2], key[keyBytes/2:]):
		return "its second half repeats the first"
	case len(seen) < 16:
		return "it has few different bytes"
	case text:
		return "it spells text, and passphrases can be guessed"
	}
	return ""
}

func (m MasterKey) bytes() []byte { return []byte(*m.hidden) }

// Fingerprint names the key without telling anything about it.
func (m MasterKey) Fingerprint() string {
	if m.IsZero() {
		return ""
	}
	return hex.EncodeToString(m.fingerprint())
}

func (m MasterKey) fingerprint() []byte {
	h := hmac.New(sha256.New, m.bytes())
	_, _ = h.Write([]byte("ringwall fingerprint v1"))
	return h.Sum(nil)[:fingerprintSize]
}
