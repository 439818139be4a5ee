package secret

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"github.com/ringwall/ringwall/internal/identity"
)

// minMAC is the shortest truncated MAC that CheckMAC looks at.
const minMAC = 16

const (
	idBytes  = len(identity.ID{})
	overhead = 12 + 16 // nonce and tag
)

type dataKey struct {
	id      identity.ID
	purpose Purpose
	aead    cipher.AEAD
	mac     []byte
}

func newDataKey(id identity.ID, purpose Purpose, key []byte, environment string) (*dataKey, error) {
	// Two derived keys, because one key must not serve two algorithms.
	use := " v1 " + string(purpose) + " " + environment
	aead, err := newGCM(derive(key, "ringwall seal"+use))
	if err != nil {
		return nil, err
	}
	return &dataKey{id: id, purpose: purpose, aead: aead, mac: derive(key, "ringwall mac"+use)}, nil
}

func (k *dataKey) sum(parts [][]byte) []byte {
	h := hmac.New(sha256.New, k.mac)
	_, _ = h.Write(join(parts...)) // a hash never fails
	return h.Sum(nil)
}

func (k *Keyring) currentKey(purpose Purpose) *dataKey {
	key := k.hidden.current[purpose]
	if key == nil {
		panic(fmt.Sprintf("secret: %q is no purpose", purpose)) // a slip in our own code
	}
	return key
}

func sealContext(purpose Purpose, row string) []byte {
	return join([]byte(purpose), []byte(row))
}

// Seal encrypts plain so that only [Keyring.Open] with the same purpose and row gives it back. Row names the place where
// the result will lie, such as "users/<id>/password". The result is 44 bytes longer than plain and begins with the key's id.
func (k *Keyring) Seal(purpose Purpose, row string, plain []byte) []byte {
	key := k.currentKey(purpose)
	out := make([]byte, 0, idBytes+len(plain)+overhead)
	out = append(out, key.id[:]...)
	return key.aead.Seal(out, nil, plain, sealContext(purpose, row))
}

// Open decrypts what [Keyring.Seal] made for the same purpose and row, also with an older key. It returns [ErrUnopenable]
// for everything else, and does not tell why.
func (k *Keyring) Open(purpose Purpose, row string, sealed []byte) ([]byte, error) {
	if len(sealed) < idBytes+overhead {
		return nil, ErrUnopenable
	}
	key := k.hidden.all[identity.ID(sealed[:idBytes])]
	if key == nil || key.purpose != purpose {
		return nil, ErrUnopenable
	}
	plain, err := key.aead.Open(nil, nil, sealed[idBytes:], sealContext(purpose, row))
	if err != nil {
		return nil, ErrUnopenable
	}
	return plain, nil
}

// MAC is 32 bytes that only a holder of the keyring can make: HMAC-SHA256 over the parts, each with its length. Make the
// first part a constant that names the use, where a purpose has several.
func (k *Keyring) MAC(purpose Purpose, parts ...[]byte) []byte {
	return k.currentKey(purpose).sum(parts)
}

// CheckMAC reports, in constant time for each key, whether mac is the MAC of the parts or its first 16 or more bytes,
// made with the current or an older key.
func (k *Keyring) CheckMAC(purpose Purpose, mac []byte, parts ...[]byte) bool {
	if len(mac) < minMAC || len(mac) > sha256.Size {
		return false
	}
	k.currentKey(purpose) // the same panic as MAC
	for _, key := range k.hidden.of[purpose] {
		if hmac.Equal(mac, key.sum(parts)[:len(mac)]) {
			return true
		}
	}
	return false
}
