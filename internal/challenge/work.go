package challenge

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/secret"
)

const (
	algorithm = "SHA-256"

	// life is from the making of a challenge to the end of its solution: long enough to type a password meanwhile, too short to hoard.
	life = 5 * time.Minute
	// skew is how far the clocks of two nodes may be apart.
	skew = time.Minute

	// least and most are how many numbers there are to try; half of them on average. A slow phone tries 50,000 in a second,
	// so it needs a quarter of a second in the mean when the ceiling has just tripped, and four seconds at the very worst.
	least = 25_000
	most  = 200_000
)

// Puzzle is a challenge in the wire format of ALTCHA.
type Puzzle struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"` // hex of SHA-256(salt + number)
	MaxNumber int64  `json:"maxnumber"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

// solution is a solved Puzzle, as it comes in base64.
type solution struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	Number    int64  `json:"number"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

// SpentStore remembers which solutions were used.
type SpentStore interface {
	// SpendPuzzle notes a key until it expires. Of any number of calls one is true.
	SpendPuzzle(ctx context.Context, key []byte, expiresMicros int64) (bool, error)
}

// WorkOptions are what [Work] needs; all of it.
type WorkOptions struct {
	Keys  *secret.Keyring
	Store SpentStore
	Now   func() time.Time
}

// Work is the [Challenger] of Ringwall: proof of work.
//
// A challenge is bound, by its signature, to everything in it, to a form, to the next five minutes and to the network it was
// asked from (IPv4 /24, IPv6 /64). Not to a cookie: a cookie can be handed to any number of machines together with its
// challenge, so one machine could fetch and solve for all, while an address cannot be handed on. And not to the single address:
// carriers move a phone between addresses of one network. Who changes networks while a challenge is solved gets another one.
// The salt ends in a delimiter and is signed whole, so that no digit can move between it and the number.
type Work struct{ WorkOptions }

var _ Challenger = Work{}

// NewWork makes a Work.
func NewWork(o WorkOptions) Work { return Work{o} }

// Challenge is a new [Puzzle].
func (w Work) Challenge(asked Asked) (any, error) {
	size := int64(least * min(max(asked.Excess, 1), most/least))
	number, err := rand.Int(rand.Reader, big.NewInt(size+1))
	if err != nil {
		return nil, err
	}
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails: the process ends instead (crypto/rand)
	p := Puzzle{Algorithm: algorithm, MaxNumber: size}
	p.Salt = hex.EncodeToString(random[:]) + "?expires=" + strconv.FormatInt(w.Now().Add(life).Unix(), 10) + "&form=" + asked.Form + "&max=" + strconv.FormatInt(size, 10) + "&"
	p.Challenge = hash(p.Salt, number.Int64())
	p.Signature = hex.EncodeToString(w.sign(asked, p.Salt, p.Challenge))
	return p, nil
}

// Check reports whether a solution is right, in time, and for this form and client. Whether it was used already is not looked at.
func (w Work) Check(asked Asked, text string) bool {
	_, _, ok := w.read(asked, text)
	return ok
}

// Redeem notes that a solution is used.
func (w Work) Redeem(ctx context.Context, asked Asked, text string) (bool, error) {
	key, expires, ok := w.read(asked, text)
	if !ok {
		return false, nil
	}
	// Kept for longer than any node, with whatever clock, would take it.
	return w.Store.SpendPuzzle(ctx, key, expires.Add(life+2*skew).UnixMicro())
}

func (w Work) read(asked Asked, text string) (key []byte, expires time.Time, ok bool) {
	if len(text) > MaxBytes {
		return nil, expires, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	var s solution
	if err != nil || json.Unmarshal(raw, &s) != nil || s.Algorithm != algorithm {
		return nil, expires, false
	}
	key, err = hex.DecodeString(s.Signature)
	if err != nil || !hmac.Equal(key, w.sign(asked, s.Salt, s.Challenge)) {
		return nil, expires, false
	}
	// From here on the salt is one of ours.
	_, query, _ := strings.Cut(strings.TrimSuffix(s.Salt, "&"), "?")
	said, err := url.ParseQuery(query)
	if err != nil {
		return nil, expires, false
	}
	seconds, err := strconv.ParseInt(said.Get("expires"), 10, 64)
	if err != nil {
		return nil, expires, false
	}
	size, err := strconv.ParseInt(said.Get("max"), 10, 64)
	if err != nil {
		return nil, expires, false
	}
	expires = time.Unix(seconds, 0)
	now := w.Now()
	inTime := now.Before(expires) && expires.Before(now.Add(life+skew)) // a clock that was set back brings nothing to life
	return key, expires, inTime && s.Number >= 0 && s.Number <= size && hash(s.Salt, s.Number) == s.Challenge
}

func (w Work) sign(asked Asked, salt, challenge string) []byte {
	network := ""
	if asked.Client.IsValid() {
		network = input.Network(asked.Client).String()
	}
	return w.Keys.MAC(secret.Puzzles, []byte(asked.Form), []byte(network), []byte(salt), []byte(challenge))
}

func hash(salt string, number int64) string {
	sum := sha256.Sum256([]byte(salt + strconv.FormatInt(number, 10)))
	return hex.EncodeToString(sum[:])
}
