package password

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/ringwall/ringwall/password/internal/lane"
)

const (
	saltBytes = 16
	keyBytes  = 32

	minSaltBytes, maxSaltBytes = 8, 64
	minKeyBytes, maxKeyBytes   = 16, 64

	maxPHC = 256 // bytes; the longest within the bounds has fewer
)

// ErrMalformed is the error of [Verify] for a stored text that is no password hash within the bounds of this package.
var ErrMalformed = errors.New("not a password hash within bounds")

// stored is a PHC string of Argon2, taken apart.
type stored struct {
	variant   lane.Variant
	params    Params
	salt, key []byte
}

// prefixOf is how the PHC strings of a variant begin.
func prefixOf(v lane.Variant) string {
	return [...]string{lane.ID: "$argon2id$v=19$", lane.I: "$argon2i$v=19$", lane.D: "$argon2d$v=19$"}[v]
}

func (s stored) String() string { return s.shape() + "$" + encode(s.salt) + "$" + encode(s.key) }

func encode(raw []byte) string { return base64.RawStdEncoding.EncodeToString(raw) }

// parse reads the one spelling that String gives; all else is ErrMalformed.
func parse(phc string) (stored, error) {
	if len(phc) > maxPHC {
		return stored{}, ErrMalformed
	}
	for _, v := range []lane.Variant{lane.ID, lane.I, lane.D} {
		if rest, ok := strings.CutPrefix(phc, prefixOf(v)); ok {
			return parseArgon2(v, phc, rest)
		}
	}
	return stored{}, ErrMalformed
}

func parseArgon2(v lane.Variant, phc, rest string) (stored, error) {
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return stored{}, ErrMalformed
	}
	params, ok := readParams(fields[0])
	if !ok || !params.storable() || v == lane.D && params.Parallelism > 1 { // x/crypto has no Argon2d, and ours one lane
		return stored{}, ErrMalformed
	}
	salt, err := base64.RawStdEncoding.DecodeString(fields[1])
	if err != nil || len(salt) < minSaltBytes || len(salt) > maxSaltBytes {
		return stored{}, ErrMalformed
	}
	key, err := base64.RawStdEncoding.DecodeString(fields[2])
	if err != nil || len(key) < minKeyBytes || len(key) > maxKeyBytes {
		return stored{}, ErrMalformed
	}
	s := stored{variant: v, params: params, salt: salt, key: key}
	if s.String() != phc { // leading zeros and signs of numbers, line ends and spare bits of base64
		return stored{}, ErrMalformed
	}
	return s, nil
}
