package lane

import "math/bits"

// compressPlain is G of RFC 9106, 3.5, in Go: out = G(a, b), or out ^= G(a, b) if keep. work is scratch.
func compressPlain(out, a, b, work *block, keep bool) {
	for i := range work {
		work[i] = a[i] ^ b[i]
	}
	for i := 0; i < blockWords; i += 16 {
		round(work, i, 2)
	}
	for i := 0; i < 16; i += 2 {
		round(work, i, 16)
	}
	if !keep {
		for i := range out {
			out[i] = a[i] ^ b[i] ^ work[i]
		}
		return
	}
	for i := range out {
		out[i] ^= a[i] ^ b[i] ^ work[i]
	}
}

// round is P of RFC 9106, 3.6, over eight pairs of words: pair k begins at start + k·stride.
func round(w *block, start, stride int) {
	p0, p1, p2, p3 := start, start+stride, start+2*stride, start+3*stride
	p4, p5, p6, p7 := start+4*stride, start+5*stride, start+6*stride, start+7*stride
	v00, v01, v02, v03 := w[p0], w[p0+1], w[p1], w[p1+1]
	v04, v05, v06, v07 := w[p2], w[p2+1], w[p3], w[p3+1]
	v08, v09, v10, v11 := w[p4], w[p4+1], w[p5], w[p5+1]
	v12, v13, v14, v15 := w[p6], w[p6+1], w[p7], w[p7+1]

	v00, v04, v08, v12 = mix(v00, v04, v08, v12)
	v01, v05, v09, v13 = mix(v01, v05, v09, v13)
	v02, v06, v10, v14 = mix(v02, v06, v10, v14)
	v03, v07, v11, v15 = mix(v03, v07, v11, v15)

	v00, v05, v10, v15 = mix(v00, v05, v10, v15)
	v01, v06, v11, v12 = mix(v01, v06, v11, v12)
	v02, v07, v08, v13 = mix(v02, v07, v08, v13)
	v03, v04, v09, v14 = mix(v03, v04, v09, v14)

	w[p0], w[p0+1], w[p1], w[p1+1] = v00, v01, v02, v03
	w[p2], w[p2+1], w[p3], w[p3+1] = v04, v05, v06, v07
	w[p4], w[p4+1], w[p5], w[p5+1] = v08, v09, v10, v11
	w[p6], w[p6+1], w[p7], w[p7+1] = v12, v13, v14, v15
}

func mix(a, b, c, d uint64) (uint64, uint64, uint64, uint64) {
	a = times(a, b)
	d = bits.RotateLeft64(d^a, -32)
	c = times(c, d)
	b = bits.RotateLeft64(b^c, -24)
	a = times(a, b)
	d = bits.RotateLeft64(d^a, -16)
	c = times(c, d)
	b = bits.RotateLeft64(b^c, -63)
	return a, b, c, d
}

// times is the multiplication that hardens BLAKE2's addition: x + y + 2·lo(x)·lo(y).
func times(x, y uint64) uint64 {
	return x + y + 2*uint64(uint32(x))*uint64(uint32(y)) // #nosec G115 -- the low halves are meant
}
