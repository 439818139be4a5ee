//go:build gc && !purego

package lane

import "golang.org/x/sys/cpu"

// compressAVX2 is compressPlain with 256-bit registers.
//
//go:noescape
func compressAVX2(out, a, b, work *block, keep bool)

func compress(out, a, b, work *block, keep bool) {
	if cpu.X86.HasAVX2 {
		compressAVX2(out, a, b, work, keep)
		return
	}
	compressPlain(out, a, b, work, keep)
}
