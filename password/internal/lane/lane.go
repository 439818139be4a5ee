// Package lane computes Argon2 (RFC 9106, version 0x13) with one lane, in memory that is used again, on the thread
// that calls it: Argon2id for what is hashed here, Argon2i and Argon2d for hashes that were made elsewhere.
//
// golang.org/x/crypto/argon2 allocates its memory for every hash and runs each segment on a goroutine of its own. The
// first makes the heap grow to several times what is in use; the second means that a thread made less important by its
// caller does not carry the work. Here both are the caller's:
//
//	var m lane.Memory
//	defer m.Release()
//	key, err := m.Key(password, salt, lane.Cost{MemoryKiB: 65536, Time: 3}, 32)
//
// It knows neither more lanes, nor a secret or associated data: golang.org/x/crypto/argon2 does the
// first, Ringwall has no use for the rest. The tests hold it against that package and against the published vectors.
package lane

import (
	"encoding/binary"
	"errors"
	"hash"

	"golang.org/x/crypto/blake2b"
)

const (
	version    = 0x13
	slices     = 4   // of a lane: RFC 9106, 3.4
	blockWords = 128 // of 64 bits: a block is 1 KiB
	blockBytes = blockWords * 8
)

type block [blockWords]uint64

// Variant says in which order the memory is read. The zero Variant is Argon2id.
type Variant uint8

// The variants.
const (
	ID Variant = iota
	I          // an order that does not depend on the password
	D          // one that does
)

// code is the variant's number: RFC 9106, 3.2.
func (v Variant) code() uint32 { return [...]uint32{ID: 2, I: 1, D: 0}[v] }

// Cost says how much work one hash is: MemoryKiB of memory, at least 8, gone over Time times, at least once.
type Cost struct {
	MemoryKiB, Time uint32
	Variant         Variant
}

var errCost = errors.New("lane: too little memory, no passes, no such variant, or no key")

// Key derives keyBytes bytes from a password and a salt. It holds the memory of the largest cost it has seen until Release. The
// error is that the cost is below the limits of [Cost] or that the system gave no memory.
func (m *Memory) Key(password, salt []byte, cost Cost, keyBytes uint32) ([]byte, error) {
	if cost.MemoryKiB < 2*slices || cost.Time < 1 || cost.Variant > D || keyBytes < 4 {
		return nil, errCost
	}
	f := filler{total: cost.MemoryKiB / slices * slices, passes: cost.Time, variant: cost.Variant}
	if err := m.grow(int(f.total)); err != nil {
		return nil, err
	}
	f.blocks = m.blocks[:f.total]

	seed := firstHash(password, salt, cost, keyBytes)
	for i := range uint32(2) {
		f.blocks[i] = firstBlock(seed, i)
	}
	for pass := range cost.Time {
		for slice := range uint32(slices) {
			f.segment(pass, slice)
		}
	}
	var last [blockBytes]byte
	for i, word := range f.blocks[f.total-1] {
		binary.LittleEndian.PutUint64(last[i*8:], word)
	}
	key := make([]byte, keyBytes)
	longHash(key, last[:])
	return key, nil
}

// filler goes over the memory: RFC 9106, 3.4.
type filler struct {
	blocks        []block
	total, passes uint32
	variant       Variant
	work          block // of compress
}

func (f *filler) segment(pass, slice uint32) {
	length := f.total / slices
	independent := f.variant == I || f.variant == ID && pass == 0 && slice < slices/2
	var input, addresses block
	if independent {
		input = block{0: uint64(pass), 2: uint64(slice), 3: uint64(f.total), 4: uint64(f.passes), 5: uint64(f.variant.code())}
	}
	first := uint32(0)
	if pass == 0 && slice == 0 {
		first = 2
	}
	for i := first; i < length; i++ {
		here := slice*length + i
		before := here - 1
		if here == 0 {
			before = f.total - 1
		}
		random := f.blocks[before][0]
		if independent {
			if i == first || i%blockWords == 0 {
				f.addresses(&addresses, &input)
			}
			random = addresses[i%blockWords]
		}
		from := reference(uint32(random), pass, slice, i, length) // #nosec G115 -- the low half is what the RFC takes
		compress(&f.blocks[here], &f.blocks[before], &f.blocks[from], &f.work, pass > 0)
	}
}

// addresses makes the next 128 addresses of a segment whose order does not depend on the password.
func (f *filler) addresses(out, input *block) {
	var zero block
	input[6]++
	compress(out, &zero, input, &f.work, false)
	again := *out
	compress(out, &zero, &again, &f.work, false)
}

// reference maps the pseudo-random value j1 to an earlier block: RFC 9106, 3.4.2.
func reference(j1, pass, slice, i, length uint32) uint32 {
	area, start := 3*length+i-1, (slice+1)%slices*length
	if pass == 0 {
		area, start = slice*length+i-1, 0
	}
	x := uint64(j1)
	x = x * x >> 32
	x = x * uint64(area) >> 32
	return uint32((uint64(start) + uint64(area) - 1 - x) % uint64(slices*length))
}

func firstHash(password, salt []byte, cost Cost, keyBytes uint32) [blake2b.Size]byte {
	h := newHash(blake2b.Size)
	number := func(n uint32) { _, _ = h.Write(binary.LittleEndian.AppendUint32(nil, n)) }
	for _, n := range []uint32{1, keyBytes, cost.MemoryKiB, cost.Time, version, cost.Variant.code()} {
		number(n)
	}
	for _, part := range [][]byte{password, salt, nil, nil} {
		number(uint32(len(part)))
		_, _ = h.Write(part)
	}
	return [blake2b.Size]byte(h.Sum(nil))
}

func firstBlock(seed [blake2b.Size]byte, i uint32) (b block) {
	in := binary.LittleEndian.AppendUint32(seed[:], i)
	in = binary.LittleEndian.AppendUint32(in, 0) // the lane
	var out [blockBytes]byte
	longHash(out[:], in)
	for w := range b {
		b[w] = binary.LittleEndian.Uint64(out[w*8:])
	}
	return b
}

// longHash is H' of RFC 9106, 3.3: BLAKE2b of any length.
func longHash(out, in []byte) {
	h := newHash(min(len(out), blake2b.Size))
	_, _ = h.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(out))))
	_, _ = h.Write(in)
	sum := h.Sum(nil)
	for len(out) > blake2b.Size {
		copy(out, sum[:blake2b.Size/2])
		out = out[blake2b.Size/2:]
		h = newHash(min(len(out), blake2b.Size))
		_, _ = h.Write(sum)
		sum = h.Sum(nil)
	}
	copy(out, sum)
}

// newHash is BLAKE2b of size bytes, 1 to 64: then it has no error.
func newHash(size int) hash.Hash {
	h, _ := blake2b.New(size, nil)
	return h
}
