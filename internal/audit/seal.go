package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/secret"
)

const (
	batchRows   = 1000
	memberBytes = 8 + tagBytes
)

// Seal is a link of the chain as the database stores it: it proves a batch of rows and the seal before it.
// N is the primary key. Members is at most 24,000 bytes.
type Seal struct {
	N             int64 // 1, 2, 3…
	FirstSeq      int64 // of the first member
	LastSeq       int64 // of the last member, in the order (tx, seq)
	LastTx        int64 // of the last member
	Members       []byte
	Previous      []byte // the MAC of seal N-1; 32 zero bytes in the first
	MAC           []byte // 32 bytes, over everything above and CreatedMicros
	CreatedMicros int64
}

// SealStore is where rows and seals are read, and seals written.
type SealStore interface {
	// Unsealed reads rows after the position (lastTx, lastSeq), ordered by (tx, seq), but only rows whose transaction is
	// older than every running one, because a row that commits later must not appear before the position. Waiting
	// reports that committed rows exist after the position that this rule still holds back (SQLite: always false).
	Unsealed(ctx context.Context, lastTx, lastSeq int64, limit int) (rows []Row, waiting bool, err error)
	// LastSeal is the one with the highest N; false if there is none.
	LastSeal(ctx context.Context) (Seal, bool, error)
	// InsertSeal stores a seal; false if N is taken: another node sealed first.
	InsertSeal(ctx context.Context, seal Seal) (bool, error)
	// Seals reads seals with a higher N, ordered by N.
	Seals(ctx context.Context, afterN int64, limit int) ([]Seal, error)
	// Rows reads rows with a higher seq, ordered by seq.
	Rows(ctx context.Context, afterSeq int64, limit int) ([]Row, error)
}

type tag [tagBytes]byte

type member struct {
	seq int64
	tag tag
}

// newSeal proves rows and what came before. Rows are in the order of [SealStore.Unsealed].
func newSeal(keys *secret.Keyring, before Head, rows []Row, now time.Time) Seal {
	first, last := rows[0], rows[len(rows)-1]
	s := Seal{
		N:             before.N + 1,
		FirstSeq:      first.Seq,
		LastSeq:       last.Seq,
		LastTx:        last.Tx,
		Members:       make([]byte, 0, len(rows)*memberBytes),
		Previous:      before.previous(),
		CreatedMicros: now.UnixMicro(),
	}
	for i := range rows {
		t := rows[i].digest().tag(keys)
		s.Members = appendNumber(s.Members, rows[i].Seq)
		s.Members = append(s.Members, t[:]...)
	}
	s.MAC = keys.MAC(secret.Audit, s.parts()...)
	return s
}

// members reads Members. Bytes that are no whole member are left out.
func (s *Seal) members() []member {
	out := make([]member, 0, len(s.Members)/memberBytes)
	for rest := s.Members; len(rest) >= memberBytes; rest = rest[memberBytes:] {
		seq := int64(binary.BigEndian.Uint64(rest)) // #nosec G115 -- its bits, as they were written
		out = append(out, member{seq: seq, tag: tag(rest[8:memberBytes])})
	}
	return out
}

func (s *Seal) head() Head { return Head{N: s.N, MAC: s.MAC} }

// Head names the end of the chain. It is no secret; keep it where whoever can write to the database cannot, and give
// it to [Verify] to find out whether the end was cut off.
type Head struct {
	N   int64
	MAC []byte
}

// ErrHead says that a text is no head.
var ErrHead = errors.New("not the head of a chain: it looks like 42-9f86d0…, a number and 64 hexadecimal digits")

// ParseHead reads what [Head.String] wrote.
func ParseHead(text string) (Head, error) {
	number, digits, _ := strings.Cut(text, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return Head{}, ErrHead
	}
	if n == 0 && digits == "" {
		return Head{}, nil
	}
	mac, err := hex.DecodeString(digits)
	if err != nil || len(mac) != sha256.Size || n == 0 {
		return Head{}, ErrHead
	}
	return Head{N: n, MAC: mac}, nil
}

// String is the number of seals and the MAC of the last one; "0" for an empty chain.
func (h Head) String() string {
	if h.N == 0 {
		return "0"
	}
	return strconv.FormatInt(h.N, 10) + "-" + hex.EncodeToString(h.MAC)
}

// MarshalText is String.
func (h Head) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is [ParseHead].
func (h *Head) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHead(string(text))
	return err
}

func (h Head) equal(other Head) bool { return h.N == other.N && bytes.Equal(h.MAC, other.MAC) }

// previous is what the next seal stores in Previous.
func (h Head) previous() []byte {
	if h.N == 0 {
		return make([]byte, sha256.Size)
	}
	return bytes.Clone(h.MAC)
}
