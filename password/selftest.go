package password

import (
	"bytes"
	"errors"

	"github.com/ringwall/ringwall/password/internal/lane"
	"golang.org/x/crypto/argon2"
)

// ErrSelfTest says that this machine computes Argon2id wrongly: nothing may be hashed on it, or the hashes would be
// worth nothing elsewhere.
var ErrSelfTest = errors.New("the Argon2id self-test failed on this machine: report it, with the output of `go version` and the model of the processor")

// selfTest holds the code that will hash here, on this processor, against golang.org/x/crypto/argon2. It takes a millisecond.
func selfTest(derive func(password, salt []byte, cost lane.Cost, size uint32) ([]byte, error)) error {
	typed, salt := []byte("a password \x00 that is none"), []byte("sixteen bytes it")
	for _, cost := range []lane.Cost{{MemoryKiB: 64, Time: 1}, {MemoryKiB: 256, Time: 2}, {MemoryKiB: 1024, Time: 3}} {
		got, err := derive(typed, salt, cost, keyBytes)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, argon2.IDKey(typed, salt, cost.Time, cost.MemoryKiB, 1, keyBytes)) {
			return ErrSelfTest
		}
	}
	return nil
}
