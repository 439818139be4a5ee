//go:build !amd64 || !gc || purego

package lane

func compress(out, a, b, work *block, keep bool) { compressPlain(out, a, b, work, keep) }
