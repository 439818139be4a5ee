package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Adopt reads a password hash that another system made and returns the spelling in which it is stored here, which [Verify] reads. It takes
//
//	$2a$, $2b$, $2y$                                  bcrypt, cost 4 to 14
//	$scrypt$ln=14,r=8,p=1$salt$key                    scrypt as passlib and PHC write it, at most 128 MiB
//	scrypt$16384$salt$8$1$key                         scrypt as Django writes it
//	$firebase-scrypt$ln=14,r=8$salt$separator$signer key$hash
//	$pbkdf2-sha256$600000$salt$key                    PBKDF2 as passlib writes it; SHA-1 and SHA-512 too, at most 2,000,000 iterations
//	$pbkdf2-sha256$i=600000,l=32$salt$key             … as PHC writes it, with or without l
//	pbkdf2_sha256$600000$salt$key                     … as Django writes it
//	$argon2id$v=19$m=65536,t=3,p=4$salt$key           Argon2id, Argon2i, and Argon2d with one lane, within the bounds of this package
//
// with what Django puts in front of bcrypt and Argon2. The errors say what is wrong, for people, and never repeat the hash.
func Adopt(text string) (string, error) {
	if len(text) > 2*maxForeignBytes {
		return "", errors.New("longer than any hash within the bounds")
	}
	for _, django := range []string{"bcrypt$", "argon2$"} {
		if rest, ok := strings.CutPrefix(text, django); ok {
			text = "$" + strings.TrimPrefix(rest, "$")
		}
	}
	if strings.HasPrefix(text, "$argon2") {
		s, err := parse(unpad(text))
		if err != nil {
			return "", fmt.Errorf("Argon2: not version 19, or beyond m=%d, m times t=%d, p=%d (Argon2d: p=1), or no PHC string", maxMemoryKiB, maxWorkKiB, maxParallelism)
		}
		return s.String(), nil
	}
	canonical, err := respell(text)
	if err != nil {
		return "", err
	}
	s, err := parseForeign(canonical)
	if err != nil {
		return "", err
	}
	return s.String(), nil
}

// respell writes the forms of others as [scheme] would. It judges nothing but what it has to read.
func respell(text string) (string, error) {
	fields := strings.Split(text, "$")
	switch {
	case len(fields) == 6 && fields[0] == "scrypt":
		n, err := cardinal(fields[1])
		if err != nil || bits.OnesCount(uint(n)) != 1 { // #nosec G115 -- cardinal gives none below zero
			return "", errors.New("scrypt: N is no power of two")
		}
		shape := fmt.Sprintf("$scrypt$ln=%d,r=%s,p=%s", bits.Len(uint(n))-1, fields[3], fields[4]) // #nosec G115 -- as above
		return respellTail(shape, encode([]byte(fields[2])), fields[5])
	case len(fields) == 4 && strings.HasPrefix(fields[0], "pbkdf2_"):
		return respellPBKDF2(strings.TrimPrefix(fields[0], "pbkdf2_"), fields[1], encode([]byte(fields[2])), fields[3])
	case len(fields) == 5 && (fields[1] == "pbkdf2" || strings.HasPrefix(fields[1], "pbkdf2-")):
		hash := strings.TrimPrefix(strings.TrimPrefix(fields[1], "pbkdf2"), "-")
		if hash == "" {
			hash = "sha1" // passlib's name for it
		}
		iterations, _, _ := strings.Cut(strings.TrimPrefix(fields[2], "i="), ",")
		return respellPBKDF2(hash, iterations, fields[3], fields[4])
	case len(fields) == 5 && fields[1] == "scrypt":
		return respellTail("$scrypt$"+fields[2], fields[3], fields[4])
	case len(fields) == 7 && fields[1] == "firebase-scrypt":
		return respellTail("$firebase-scrypt$"+fields[2], fields[3:]...)
	}
	return text, nil
}

func respellPBKDF2(hash, iterations, salt, key string) (string, error) {
	raw, err := decode(key)
	if err != nil {
		return "", errors.New("PBKDF2: the key is no base64")
	}
	return respellTail(fmt.Sprintf("$pbkdf2-%s$i=%s,l=%d", hash, iterations, len(raw)), salt, key)
}

// respellTail writes base64 in the one spelling.
func respellTail(shape string, fields ...string) (string, error) {
	for _, field := range fields {
		raw, err := decode(field)
		if err != nil {
			return "", errors.New("salt or key is no base64")
		}
		shape += "$" + encode(raw)
	}
	return shape, nil
}

func unpad(text string) string {
	fields := strings.Split(text, "$")
	for i := range fields {
		if i >= len(fields)-2 {
			fields[i] = strings.TrimRight(fields[i], "=")
		}
	}
	return strings.Join(fields, "$")
}

// decode reads base64 in the alphabets that are about: the standard one, that for addresses, passlib's; padded or not.
func decode(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.NewReplacer(".", "+", "-", "+", "_", "/").Replace(strings.TrimRight(text, "=")))
}

// readNumbers reads "ln=14,r=8" in that order.
func readNumbers(text string, names ...string) ([]int, error) {
	fields := strings.Split(text, ",")
	if len(fields) != len(names) {
		return nil, fmt.Errorf("the parameters are not %s", strings.Join(names, "…,")+"…")
	}
	numbers := make([]int, len(names))
	for i, name := range names {
		digits, ok := strings.CutPrefix(fields[i], name)
		n, err := cardinal(digits)
		if !ok || err != nil {
			return nil, fmt.Errorf("the parameters are not %s", strings.Join(names, "…,")+"…")
		}
		numbers[i] = n
	}
	return numbers, nil
}

// cardinal reads up to nine digits.
func cardinal(digits string) (int, error) {
	if digits == "" || len(digits) > 9 || strings.Trim(digits, "0123456789") != "" {
		return 0, errors.New("not a number of at most nine digits")
	}
	return strconv.Atoi(digits)
}

func readSaltAndKey(salt, key string) ([]byte, []byte, error) {
	return readSaltAndHash(salt, key, maxKeyBytes)
}

func readSaltAndHash(salt, key string, most int) ([]byte, []byte, error) {
	s, err := decode(salt)
	if err != nil || len(s) < minForeignSalt || len(s) > maxSaltBytes {
		return nil, nil, fmt.Errorf("the salt is no base64 of %d to %d bytes", minForeignSalt, maxSaltBytes)
	}
	k, err := decode(key)
	if err != nil || len(k) < minKeyBytes || len(k) > most {
		return nil, nil, fmt.Errorf("the key is no base64 of %d to %d bytes", minKeyBytes, most)
	}
	return s, k, nil
}

// Shape is what a stored hash costs a check beyond an Argon2id that is made here: its sort and its parameters, for [Hasher.Prepare]. It is
// empty for one that costs no more, and for what is no hash. It holds nothing of salt and key.
func (h *Hasher) Shape(stored string) string {
	s, err := parseAny(stored)
	if err != nil || s.family() == argon2Family && s.work() <= h.params.work() {
		return ""
	}
	return s.shape()
}

// exampleOf is a hash of the shape that no password has.
func exampleOf(shape string) string {
	salt, key := "$"+encode(make([]byte, saltBytes)), "$"+encode(make([]byte, keyBytes))
	switch {
	case strings.HasPrefix(shape, "$2"):
		return shape + "$" + strings.Repeat(".", 53)
	case strings.HasPrefix(shape, "$firebase-scrypt$"):
		return shape + salt + "$" + key + key
	case strings.HasPrefix(shape, "$pbkdf2-"):
		_, length, _ := strings.Cut(shape, ",l=")
		if n, err := cardinal(length); err == nil && n <= maxKeyBytes {
			key = "$" + encode(make([]byte, n))
		}
	}
	return shape + salt + key
}
