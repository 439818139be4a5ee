package secret

import (
	"crypto/cipher"
	"crypto/rand"

	"github.com/ringwall/ringwall/internal/identity"
)

// NewPersonKey makes a random key for a person and returns it wrapped, to be stored. Whoever drops it has made
// everything that [Keyring.SealWith] sealed with it unreadable, also in copies of the data that lack the key.
func (k *Keyring) NewPersonKey(user identity.ID) (wrapped []byte) {
	key := make([]byte, keyBytes)
	rand.Read(key) // never fails
	return k.Seal(Personal, personRow(user), key)
}

// SealWith is [Keyring.Seal] under the key of a person. It returns [ErrUnopenable] if wrapped is not the person's key.
func (k *Keyring) SealWith(wrapped []byte, user identity.ID, row string, plain []byte) ([]byte, error) {
	aead, err := k.personKey(wrapped, user)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plain, sealContext(Personal, row)), nil
}

// OpenWith opens what [Keyring.SealWith] made for the same person and row; [ErrUnopenable] for everything else.
func (k *Keyring) OpenWith(wrapped []byte, user identity.ID, row string, sealed []byte) ([]byte, error) {
	aead, err := k.personKey(wrapped, user)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, sealed, sealContext(Personal, row))
	if err != nil {
		return nil, ErrUnopenable
	}
	return plain, nil
}

func personRow(user identity.ID) string { return "person_keys/" + user.String() }

func (k *Keyring) personKey(wrapped []byte, user identity.ID) (cipher.AEAD, error) {
	key, err := k.Open(Personal, personRow(user), wrapped)
	if err != nil || len(key) != keyBytes {
		return nil, ErrUnopenable
	}
	return newGCM(derive(key, "ringwall person v1"))
}
