package secret

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
)

// Purpose is what a data key is for. Each purpose has its own random key, so that what is made for one opens nothing of another.
type Purpose string

// The purposes.
const (
	Passwords Purpose = "passwords" // PHC strings at rest
	Links     Purpose = "links"     // tokens in mailed links
	Codes     Purpose = "codes"     // mailed codes
	Flows     Purpose = "flows"     // the cookie that ties a sign-up to its browser
	CSRF      Purpose = "csrf"      // form tokens
	Devices   Purpose = "devices"   // the cookie of a known device
	Outbox    Purpose = "outbox"    // mails that wait
	Audit     Purpose = "audit"     // seals and marks of the audit log, personal fields that belong to nobody
	Personal  Purpose = "personal"  // wraps the keys of people
	Attempts  Purpose = "attempts"  // keys of attempt counters
	Cursors   Purpose = "cursors"   // list cursors
	Puzzles   Purpose = "puzzles"   // challenges to solve before an attempt
	Metadata  Purpose = "metadata"  // what the application keeps about people
)

// Purposes lists all of them.
func Purposes() []Purpose {
	return []Purpose{Passwords, Links, Codes, Flows, CSRF, Devices, Outbox, Audit, Personal, Attempts, Cursors, Puzzles, Metadata}
}

// What can be wrong with keys and with what was sealed by them.
var (
	ErrOtherMaster      = errors.New("the database was made with another master key")
	ErrOtherEnvironment = errors.New("the database belongs to another environment")
	ErrDamagedKey       = errors.New("a stored key is damaged")
	ErrUnopenable       = errors.New("sealed data does not open here") // moved, changed, of another purpose, or sealed by a key that is gone
)

// Wrapped is a data key as the database stores it: sealed under the master key, bound to its id, purpose, time and environment.
type Wrapped struct {
	ID            identity.ID
	Purpose       Purpose
	Key           []byte // opaque; about 90 bytes
	CreatedMicros int64
}

// KeyStore is where wrapped keys lie.
type KeyStore interface {
	// Keys reads all of them, in any order.
	Keys(ctx context.Context) ([]Wrapped, error)
	// InsertKey stores a key unless its purpose has one; false says that another node was first.
	InsertKey(ctx context.Context, key Wrapped) (inserted bool, err error)
}

// Keyring holds the data keys of one environment. It never changes once opened and is safe for concurrent use.
// The zero Keyring has no keys: using it panics.
type Keyring struct {
	_      [0]func() // compare nothing that holds keys
	hidden *keys     // behind a pointer, so that fmt prints an address even where it cannot call String
}

type keys struct {
	current map[Purpose]*dataKey // what new things are sealed with
	all     map[identity.ID]*dataKey
	of      map[Purpose][]*dataKey // newest first
}

// OpenKeyring loads the keys and makes those that are missing. Environment (1 to 32 of a-z, 0-9 and -) is bound into every
// key: [ErrOtherEnvironment] or [ErrOtherMaster] say that the database is not this server's, [ErrDamagedKey] that a key was changed.
func OpenKeyring(ctx context.Context, master MasterKey, environment string, store KeyStore, now func() time.Time) (*Keyring, error) {
	w, err := newWrapper(master, environment)
	if err != nil {
		return nil, err
	}
	// A second round sees the keys that another node made while we made ours.
	for range 3 {
		stored, err := store.Keys(ctx)
		if err != nil {
			return nil, fmt.Errorf("read keys: %w", err)
		}
		k, missing, err := w.open(stored)
		if err != nil {
			return nil, err
		}
		if len(missing) == 0 {
			return &Keyring{hidden: k}, nil
		}
		for _, purpose := range missing {
			wrapped, err := w.make(purpose, now())
			if err != nil {
				return nil, err
			}
			if _, err := store.InsertKey(ctx, wrapped); err != nil {
				return nil, fmt.Errorf("store key for %s: %w", purpose, err)
			}
		}
	}
	return nil, errors.New("read keys: the store does not keep the keys it is given")
}
