package identity

import (
	"database/sql/driver"
	"errors"
	"time"

	"github.com/google/uuid"
)

// ID is a UUID as the database stores it: sixteen bytes in both engines, text everywhere else.
// The zero ID names nothing.
type ID [16]byte

// ErrID says that a text is not a UUID in the canonical form of RFC 9562.
var ErrID = errors.New("not a UUID in canonical form")

// NewID returns a UUIDv7. Use it where the order of making may show.
func NewID() ID { return ID(uuid.Must(uuid.NewV7())) }

// NewRandomID returns a UUIDv4. Use it where the order of making must not show.
func NewRandomID() ID { return ID(uuid.New()) }

// ParseID reads the canonical form only (36 characters, lower case) and returns [ErrID] for any other spelling,
// so that one thing has one name.
func ParseID(text string) (ID, error) {
	parsed, err := uuid.Parse(text)
	if err != nil || parsed.String() != text {
		return ID{}, ErrID
	}
	return ID(parsed), nil
}

// String is the canonical form.
func (id ID) String() string { return uuid.UUID(id).String() }

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText is the canonical form.
func (id ID) MarshalText() ([]byte, error) { return uuid.UUID(id).MarshalText() }

// UnmarshalText is [ParseID].
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// Value hands sixteen bytes to a database; the zero ID is NULL.
func (id ID) Value() (driver.Value, error) {
	if id.IsZero() {
		return nil, nil
	}
	return id[:], nil
}

// Scan reads sixteen bytes from a database; NULL is the zero ID.
func (id *ID) Scan(from any) error {
	switch from := from.(type) {
	case nil:
		*id = ID{}
		return nil
	case []byte:
		if len(from) == len(id) {
			copy(id[:], from)
			return nil
		}
	}
	return ErrID
}

// Time is a stored time: microseconds since 1970, UTC.
func Time(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
