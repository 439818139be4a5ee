package password

import (
	"errors"
	"testing"

	"github.com/ringwall/ringwall/password/internal/lane"
)

func TestSelfTestFindsAWrongBit(t *testing.T) {
	var memory lane.Memory
	defer memory.Release()
	if err := selfTest(memory.Key); err != nil {
		t.Errorf("selfTest = %v on a working machine", err)
	}
	bent := func(password, salt []byte, cost lane.Cost, size uint32) ([]byte, error) {
		key, err := memory.Key(password, salt, cost, size)
		if cost.Time == 3 {
			key[31] ^= 1
		}
		return key, err
	}
	if err := selfTest(bent); !errors.Is(err, ErrSelfTest) {
		t.Errorf("selfTest with one bit bent = %v, want ErrSelfTest", err)
	}
}
