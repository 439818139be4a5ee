package password

import (
	"encoding/base64"
	"errors"
	"strings"
)

const (
	saltBytes = 16
	keyBytes  = 32

	minSaltBytes, maxSaltBytes = 8, 64
	minKeyBytes, maxKeyBytes   = 16, 64

	phcPrefix = "$argon2id$v=19$"
	maxPHC    = 256 // bytes; the longest within the bounds has fewer
)

// ErrMalformed is the error of [Verify] for a stored text that is no Argon2id PHC string within the bounds of this package.
var ErrMalformed = errors.New("not an Argon2id PHC string within bounds")

// stored is a PHC string, taken apart.
type stored struct {
	params    Params
	salt, key []byte
}

func (s stored) String() string {
	return phcPrefix + s.params.String() + "$" + base64.RawStdEncoding.EncodeToString(s.salt) + "$" + base64.RawStdEncoding.EncodeToString(s.key)
}

// parse reads the one spelling that String gives; all else is ErrMalformed.
func parse(phc string) (stored, error) {
	rest, ok := strings.CutPrefix(phc, phcPrefix)
	if !ok || len(phc) > maxPHC {
		return stored{}, ErrMalformed
	}
	fields := strings.Split(rest, "$")
	if len(fields) != 3 {
		return stored{}, ErrMalformed
	}
	params, ok := readParams(fields[0])
	if !ok || !params.storable() {
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
	s := stored{params: params, salt: salt, key: key}
	if s.String() != phc { // leading zeros and signs of numbers, line ends and spare bits of base64
		return stored{}, ErrMalformed
	}
	return s, nil
}
