package password

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" // #nosec G505 -- to verify what others have hashed with it, never to hash
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"github.com/ringwall/ringwall/password/internal/lane"
)

// The bounds on hashes of other systems: at most about a second of one core, and 128 MiB. They hold when a hash is adopted and whenever it is read.
const (
	minBcryptCost, maxBcryptCost = 4, 14
	maxBcryptBytes               = 72 // bcrypt reads no more of a password

	minScryptLog, maxScryptLog = 10, 20
	maxScryptR, maxScryptP     = 32, 16
	maxScryptBytes             = 128 << 20 // 128·N·r
	maxScryptWork              = 2 << 20   // N·r·p

	minIterations, maxIterations = 1000, 2_000_000 // of PBKDF2, for all the blocks of its key

	minForeignSalt  = 4 // bytes
	maxSignerKey    = 128
	maxForeignBytes = 640 // of a stored text
)

// scheme is a stored hash, taken apart, within the bounds.
type scheme interface {
	// matches reports whether it was made from the password.
	matches(memory *lane.Memory, password string) (bool, error)
	// renewable reports whether the hash should be made anew from the password that was right.
	renewable(password string, now Params) bool
	// shape is everything before the salt: what it costs.
	shape() string
	family() family
	// work is the cost, in a unit of the family's own.
	work() uint64
	String() string
}

// parseAny reads whatever may be stored; all else is [ErrMalformed].
func parseAny(text string) (scheme, error) {
	if strings.HasPrefix(text, "$argon2") {
		return parse(text)
	}
	s, err := parseForeign(text)
	if err != nil {
		return nil, ErrMalformed
	}
	return s, nil
}

// parseForeign reads the one spelling that String gives. Its errors say what is wrong and repeat nothing but numbers.
func parseForeign(text string) (scheme, error) {
	if len(text) > maxForeignBytes {
		return nil, errors.New("longer than any hash within the bounds")
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(text, "$"), "$")
	var s scheme
	var err error
	switch name {
	case "2a", "2b", "2y":
		s, err = parseBcrypt(text)
	case "scrypt":
		s, err = parseScrypt(strings.Split(rest, "$"))
	case "firebase-scrypt":
		s, err = parseFirebase(strings.Split(rest, "$"))
	case "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512":
		s, err = parsePBKDF2(strings.TrimPrefix(name, "pbkdf2-"), strings.Split(rest, "$"))
	default:
		return nil, errors.New("no hash that is known here: bcrypt, scrypt, Firebase scrypt, PBKDF2 and Argon2 are")
	}
	if err != nil {
		return nil, err
	}
	if s.String() != text {
		return nil, errors.New("not spelt as it would be here")
	}
	return s, nil
}

// bcryptHash is "$2b$12$…". The three versions differ in how old implementations went wrong, not in what is right.
type bcryptHash struct {
	text string
	cost int
}

const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func parseBcrypt(text string) (scheme, error) {
	if len(text) != 60 || text[6] != '$' || strings.Trim(text[7:], bcryptAlphabet) != "" || strings.Trim(text[4:6], "0123456789") != "" {
		return nil, errors.New("bcrypt: not $2b$, two digits, $ and 53 letters of its alphabet")
	}
	cost := int(text[4]-'0')*10 + int(text[5]-'0')
	if cost < minBcryptCost || cost > maxBcryptCost {
		return nil, fmt.Errorf("bcrypt: the cost is %d, and %d to %d are taken", cost, minBcryptCost, maxBcryptCost)
	}
	return bcryptHash{text, cost}, nil
}

// matches compares what bcrypt reads of a password, 72 bytes. Implementations disagree on NUL: most stop there, and with the others
// "a" and "a\x00a" are one password. So one with a NUL is wrong, at the same cost.
func (h bcryptHash) matches(_ *lane.Memory, password string) (bool, error) {
	err := bcrypt.CompareHashAndPassword([]byte(h.text), []byte(password))
	if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, ErrMalformed
	}
	return err == nil && !strings.Contains(password, "\x00"), nil
}

// renewable says no to a password of which bcrypt has not seen the end: a slip there would become part of the new hash.
func (h bcryptHash) renewable(password string, _ Params) bool { return len(password) <= maxBcryptBytes }

func (h bcryptHash) shape() string  { return h.text[:6] }
func (h bcryptHash) family() family { return bcryptFamily }
func (h bcryptHash) work() uint64   { return 1 << h.cost }
func (h bcryptHash) String() string { return h.text }

// scryptHash is "$scrypt$ln=14,r=8,p=1$salt$key", as passlib writes it.
type scryptHash struct {
	log, r, p int
	salt, key []byte
}

func parseScrypt(fields []string) (scheme, error) {
	if len(fields) != 3 {
		return nil, errors.New("scrypt: not $scrypt$ln=…,r=…,p=…$salt$key")
	}
	n, err := readNumbers(fields[0], "ln=", "r=", "p=")
	if err != nil {
		return nil, fmt.Errorf("scrypt: %w", err)
	}
	h := scryptHash{log: n[0], r: n[1], p: n[2]}
	if h.salt, h.key, err = readSaltAndKey(fields[1], fields[2]); err != nil {
		return nil, fmt.Errorf("scrypt: %w", err)
	}
	return h, h.check()
}

func (h scryptHash) check() error {
	switch {
	case h.log < minScryptLog || h.log > maxScryptLog:
		return fmt.Errorf("scrypt: N is 2 to the %d, and %d to %d are taken", h.log, minScryptLog, maxScryptLog)
	case h.r < 1 || h.r > maxScryptR || h.p < 1 || h.p > maxScryptP:
		return fmt.Errorf("scrypt: r is %d and p is %d, and at most %d and %d are taken", h.r, h.p, maxScryptR, maxScryptP)
	case h.bytes() > maxScryptBytes:
		return fmt.Errorf("scrypt: it takes %d MiB of memory, and at most %d are given", h.bytes()>>20, maxScryptBytes>>20)
	case h.work() > maxScryptWork:
		return fmt.Errorf("scrypt: N times r times p is %d, and at most %d is taken", h.work(), maxScryptWork)
	}
	return nil
}

func (h scryptHash) bytes() int64 { return 128 << h.log * int64(h.r) }

func (h scryptHash) derive(password string, salt []byte, size int) ([]byte, error) {
	return scrypt.Key([]byte(password), salt, 1<<h.log, h.r, h.p, size)
}

func (h scryptHash) matches(_ *lane.Memory, password string) (bool, error) {
	key, err := h.derive(password, h.salt, len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1, err
}

func (h scryptHash) renewable(string, Params) bool { return true }
func (h scryptHash) shape() string                 { return fmt.Sprintf("$scrypt$ln=%d,r=%d,p=%d", h.log, h.r, h.p) }
func (h scryptHash) family() family                { return scryptFamily }
func (h scryptHash) work() uint64                  { return uint64(h.r*h.p) << h.log } // #nosec G115 -- none is negative
func (h scryptHash) String() string                { return h.shape() + "$" + encode(h.salt) + "$" + encode(h.key) }

// firebaseHash is scrypt of Firebase: its key encrypts the project's signer key, and that is stored. Written here as
// "$firebase-scrypt$ln=14,r=8$salt$separator$signer key$hash".
type firebaseHash struct {
	scryptHash
	separator, signer []byte
}

func parseFirebase(fields []string) (scheme, error) {
	if len(fields) != 5 {
		return nil, errors.New("Firebase scrypt: not $firebase-scrypt$ln=…,r=…$salt$separator$signer key$hash")
	}
	n, err := readNumbers(fields[0], "ln=", "r=")
	if err != nil {
		return nil, fmt.Errorf("Firebase scrypt: %w", err)
	}
	h := firebaseHash{scryptHash: scryptHash{log: n[0], r: n[1], p: 1}}
	if h.salt, h.key, err = readSaltAndHash(fields[1], fields[4], maxSignerKey); err != nil {
		return nil, fmt.Errorf("Firebase scrypt: %w", err)
	}
	if h.separator, err = decode(fields[2]); err != nil || len(h.separator) > maxSaltBytes {
		return nil, errors.New("Firebase scrypt: the salt separator is no base64 of at most 64 bytes")
	}
	if h.signer, err = decode(fields[3]); err != nil || len(h.signer) != len(h.key) {
		return nil, errors.New("Firebase scrypt: the signer key is no base64, or not as long as the hash")
	}
	return h, h.check()
}

func (h firebaseHash) matches(_ *lane.Memory, password string) (bool, error) {
	key, err := h.derive(password, append(h.salt[:len(h.salt):len(h.salt)], h.separator...), 32)
	if err != nil {
		return false, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return false, err
	}
	out := make([]byte, len(h.signer))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(out, h.signer) // #nosec G407 -- Firebase's scheme: the key is another for every salt
	return subtle.ConstantTimeCompare(out, h.key) == 1, nil
}

func (h firebaseHash) shape() string { return fmt.Sprintf("$firebase-scrypt$ln=%d,r=%d", h.log, h.r) }
func (h firebaseHash) String() string {
	return h.shape() + "$" + encode(h.salt) + "$" + encode(h.separator) + "$" + encode(h.signer) + "$" + encode(h.key)
}

// pbkdf2Hash is "$pbkdf2-sha256$i=600000,l=32$salt$key".
type pbkdf2Hash struct {
	hash       string // "sha1", "sha256" or "sha512"
	iterations int
	salt, key  []byte
}

func parsePBKDF2(hash string, fields []string) (scheme, error) {
	if len(fields) != 3 {
		return nil, errors.New("PBKDF2: not $pbkdf2-sha256$i=…,l=…$salt$key")
	}
	n, err := readNumbers(fields[0], "i=", "l=")
	if err != nil {
		return nil, fmt.Errorf("PBKDF2: %w", err)
	}
	h := pbkdf2Hash{hash: hash, iterations: n[0]}
	if h.salt, h.key, err = readSaltAndKey(fields[1], fields[2]); err != nil {
		return nil, fmt.Errorf("PBKDF2: %w", err)
	}
	if len(h.key) != n[1] {
		return nil, fmt.Errorf("PBKDF2: the key has %d bytes, not %d", len(h.key), n[1])
	}
	if h.iterations < minIterations || h.work() > maxIterations {
		return nil, fmt.Errorf("PBKDF2: the iterations are %d, and %d to %d are taken, for all blocks of the key together", h.iterations, minIterations, maxIterations)
	}
	return h, nil
}

func (h pbkdf2Hash) matches(_ *lane.Memory, password string) (ok bool, err error) {
	key, err := derivePBKDF2(h.hash, password, h.salt, h.iterations, len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1, err
}

func derivePBKDF2(hash, password string, salt []byte, iterations, size int) ([]byte, error) {
	switch hash {
	case "sha1":
		return pbkdf2.Key(sha1.New, password, salt, iterations, size)
	case "sha256":
		return pbkdf2.Key(sha256.New, password, salt, iterations, size)
	}
	return pbkdf2.Key(sha512.New, password, salt, iterations, size)
}

func (h pbkdf2Hash) renewable(string, Params) bool { return true }
func (h pbkdf2Hash) shape() string {
	return fmt.Sprintf("$pbkdf2-%s$i=%d,l=%d", h.hash, h.iterations, len(h.key))
}
func (h pbkdf2Hash) family() family {
	return map[string]family{"sha1": sha1Family, "sha256": sha256Family, "sha512": sha512Family}[h.hash]
}

// work is the iterations of all blocks of the key.
func (h pbkdf2Hash) work() uint64 {
	size := map[string]int{"sha1": sha1.Size, "sha256": sha256.Size, "sha512": sha512.Size}[h.hash]
	return uint64(h.iterations) * uint64((len(h.key)+size-1)/size) // #nosec G115 -- neither is negative, and the bounds keep it small
}

func (h pbkdf2Hash) String() string { return h.shape() + "$" + encode(h.salt) + "$" + encode(h.key) }
