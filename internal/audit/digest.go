package audit

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/ringwall/ringwall/internal/secret"
)

// tagBytes is the length of marks and of member tags: HMAC-SHA256, cut to 128 bits.
const tagBytes = 16

// The first part of every MAC under [secret.Audit] says what it is of.
var (
	tagMark = []byte("ringwall audit mark v1")
	tagRow  = []byte("ringwall audit row v1")
	tagSeal = []byte("ringwall audit seal v1")
)

type digest [sha256.Size]byte

func appendNumber(to []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(to, uint64(n)) // #nosec G115 -- its bits, whatever the sign
}

func number(n int64) []byte { return appendNumber(nil, n) }

// appendPart puts the length before a part, so that no two lists of parts give the same bytes.
func appendPart(to []byte, part []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(part))) // #nosec G115 -- fields of a row are far below 4 GiB
	return append(to, part...)
}

// content is everything that a row says, without its place in the table.
func (r *Row) content() []byte {
	out := make([]byte, 0, 512)
	out = append(out, r.ID[:]...)
	out = appendNumber(out, r.TimeMicros)
	for _, text := range [...]string{r.Name, r.ActorKind, r.ActorName, r.RequestID, r.Route, r.Reason} {
		out = appendPart(out, []byte(text))
	}
	out = append(out, r.ActorUser[:]...)
	out = append(out, r.User[:]...)
	out = append(out, r.Session[:]...)
	out = appendNumber(out, r.Count)
	return appendPart(out, r.Personal)
}

func (r *Row) mark(keys *secret.Keyring) []byte {
	return keys.MAC(secret.Audit, tagMark, r.content())[:tagBytes]
}

func (r *Row) markFits(keys *secret.Keyring) bool {
	return len(r.Mark) == tagBytes && keys.CheckMAC(secret.Audit, r.Mark, tagMark, r.content())
}

// digest is of the row as it lies in the table, place and mark included.
func (r *Row) digest() digest {
	out := appendPart(r.content(), r.Mark)
	out = appendNumber(out, r.Seq)
	out = appendNumber(out, r.Tx)
	return sha256.Sum256(out)
}

func (d digest) tag(keys *secret.Keyring) (t tag) {
	copy(t[:], keys.MAC(secret.Audit, tagRow, d[:]))
	return t
}

func (d digest) fits(keys *secret.Keyring, t tag) bool {
	return keys.CheckMAC(secret.Audit, t[:], tagRow, d[:])
}

func (s *Seal) parts() [][]byte {
	return [][]byte{
		tagSeal, number(s.N), number(s.FirstSeq), number(s.LastSeq), number(s.LastTx),
		s.Members, s.Previous, number(s.CreatedMicros),
	}
}

func (s *Seal) fits(keys *secret.Keyring) bool {
	return len(s.MAC) == sha256.Size && keys.CheckMAC(secret.Audit, s.MAC, s.parts()...)
}
