package audit

import (
	"context"
	"log/slog"

	"github.com/ringwall/ringwall/internal/identity"
)

// Row is an event as the database stores it. Every field is stored and read back exactly as it is: a changed byte is
// a finding of [Verify]. The store gives Seq and Tx when it inserts the row, everything else comes from [Builder].
// ID is unique in the table.
type Row struct {
	Seq        int64 // rises, with gaps where transactions failed
	Tx         int64 // the transaction (PostgreSQL: its xid8, never falling, also after a restore elsewhere); SQLite: 0
	ID         identity.ID
	TimeMicros int64
	Name       string
	ActorKind  string // [identity.Kind] as text
	ActorName  string // account of an operator, name of a worker
	ActorUser  identity.ID
	User       identity.ID
	Session    identity.ID
	RequestID  string
	Route      string
	Reason     string
	Count      int64  // 1, or how many refusals this row stands for
	Personal   []byte // sealed; nil if there is nothing personal. NULL and empty are the same.
	Mark       []byte // 16 bytes, NOT NULL: proof that a server with the keys wrote this row, also before it is sealed
}

// LogValue is the row in the words of the OWASP logging vocabulary, without personal fields.
func (r Row) LogValue() slog.Value { return slog.GroupValue(LogAttrs(r)...) }

// PersonKeys is what [Builder] needs of the transaction that writes the row. The keys lie in a table
// ringwall_person_keys (user_id PRIMARY KEY, wrapped). To erase a person, set wrapped to the empty string: their
// personal fields can then never be read again, later rows about them carry none, and the chain stays whole.
type PersonKeys interface {
	PersonKeyReader
	// InsertPersonKey stores a key unless the person has one (ON CONFLICT DO NOTHING); the builder reads it back.
	InsertPersonKey(ctx context.Context, user identity.ID, wrapped []byte) error
}

// PersonKeyReader is what reading personal fields needs.
type PersonKeyReader interface {
	// PersonKey is the wrapped key of a person; false if there is none yet. Empty and true: the person was erased.
	PersonKey(ctx context.Context, user identity.ID) (wrapped []byte, ok bool, err error)
}
