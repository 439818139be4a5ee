package lane

import (
	"math/rand/v2"
	"testing"
)

// Both ways to compress must agree on every machine that has both; elsewhere this holds the one against itself.
func TestCompressAgreesWithThePlainOne(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var a, b, got, want, work block
	for n := range 200 {
		for i := range a {
			a[i], b[i], got[i] = random.Uint64(), random.Uint64(), random.Uint64()
		}
		want = got
		keep := n%2 == 0
		compress(&got, &a, &b, &work, keep)
		compressPlain(&want, &a, &b, &work, keep)
		if got != want {
			t.Fatalf("compress differs from compressPlain, keep %v", keep)
		}
	}
}
