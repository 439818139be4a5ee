package secret

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// Derived seals and makes MACs under keys that come from a text which somebody else holds: whoever has only what it
// made can neither read it nor make the like. It is as strong as the text is hard to guess.
type Derived struct{ hidden *derived } // behind a pointer, which fmt does not follow

type derived struct {
	aead cipher.AEAD
	mac  []byte
}

// Derive makes a Derived for one use of a text, by HKDF-SHA256 (RFC 5869).
func Derive(text Text, use string) (Derived, error) {
	key, err := hkdf.Key(sha256.New, []byte(text.Reveal()), nil, "ringwall derived v1 "+use, keyBytes)
	if err != nil {
		return Derived{}, err
	}
	aead, err := newGCM(derive(key, "ringwall seal"))
	return Derived{&derived{aead, derive(key, "ringwall mac")}}, err
}

// Seal encrypts plain so that only the same text, use and row give it back. The result is 28 bytes longer.
func (d Derived) Seal(row string, plain []byte) []byte {
	return d.hidden.aead.Seal(nil, nil, plain, []byte(row))
}

// Open decrypts what [Derived.Seal] made. It returns [ErrUnopenable] for everything else, and does not tell why.
func (d Derived) Open(row string, sealed []byte) ([]byte, error) {
	plain, err := d.hidden.aead.Open(nil, nil, sealed, []byte(row))
	if err != nil {
		return nil, ErrUnopenable
	}
	return plain, nil
}

// MAC is HMAC-SHA256 over the parts, each with its length. Make the first part a constant that names the use.
func (d Derived) MAC(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, d.hidden.mac)
	_, _ = h.Write(join(parts...)) // a hash never fails
	return h.Sum(nil)
}
