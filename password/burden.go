package password

import (
	"maps"
	"math/bits"
	"slices"
	"sync"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"github.com/ringwall/ringwall/password/internal/lane"
)

// family is a sort of hash whose costs can be added and subtracted.
type family uint8

const (
	argon2Family family = iota
	bcryptFamily
	scryptFamily // Firebase's too
	sha1Family   // PBKDF2 with it, and so on
	sha256Family
	sha512Family
)

// burden is what every check costs, whoever is asked for: of each family the dearest hash that somebody has.
type burden struct {
	mu      sync.Mutex
	dearest map[family]scheme
}

// Prepare says which sorts of hashes there are among the accounts: what [Shape] says of each. From then on every check costs what
// the dearest of each family costs, one Argon2id included, also for those who have another hash, or none: nobody can be told apart by time.
// A sort that is met without having been named is borne from then on. Shapes that are out of bounds are passed over.
func (h *Hasher) Prepare(shapes []string) {
	dearest := make(map[family]scheme, len(shapes))
	for _, shape := range shapes {
		if s, err := parseAny(exampleOf(shape)); err == nil {
			dearer(dearest, s)
		}
	}
	h.burden.mu.Lock()
	defer h.burden.mu.Unlock()
	if !maps.EqualFunc(h.burden.dearest, dearest, func(a, b scheme) bool { return a.work() == b.work() }) {
		h.least.Store(0) // checks take another time from here on
	}
	h.burden.dearest = dearest
}

// dearer takes s in if nothing of its family costs more.
func dearer(dearest map[family]scheme, s scheme) {
	if old, ok := dearest[s.family()]; !ok || s.work() > old.work() {
		dearest[s.family()] = s
	}
}

// bear is what a check of s costs besides s: the dearest of each family.
func (b *burden) bear(s scheme) map[family]scheme {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dearest == nil {
		b.dearest = make(map[family]scheme, 2)
	}
	dearer(b.dearest, s)
	return maps.Clone(b.dearest)
}

// check does the work of matches and whatever the others' hashes would cost more. It does so for a right password too: an account
// that is locked answers like a wrong one.
func (h *Hasher) check(memory *lane.Memory, s scheme, password string) (bool, error) {
	dearest := h.burden.bear(s)
	dearer(dearest, h.decoy)
	ok, err := h.compute(memory, s, password)
	for _, f := range slices.Sorted(maps.Keys(dearest)) {
		if err != nil {
			return false, err
		}
		most := dearest[f]
		switch {
		case s.family() != f:
			_, err = h.compute(memory, most, password)
		case s.work() < most.work():
			err = fill(memory, f, most.work()-s.work())
		}
	}
	return ok && err == nil, err
}

// compute is matches. What takes more memory than a slot is meant to have runs alone, and gives it back.
func (h *Hasher) compute(memory *lane.Memory, s scheme, password string) (bool, error) {
	if large, ok := s.(interface{ bytes() int64 }); ok && large.bytes() > max(defaultSlotBytes, h.decoy.bytes()) {
		h.large.Lock()
		defer h.large.Unlock()
		defer memory.Release()
	}
	return s.matches(memory, password)
}

// fill does so much work of a family, in pieces. What is less than the least piece is left out.
func fill(memory *lane.Memory, f family, work uint64) (err error) {
	salt := make([]byte, saltBytes)
	switch f {
	case argon2Family:
		if cost, ok := argon2Cost(work); ok {
			_, err = memory.Key(nil, salt, cost, keyBytes)
		}
	case bcryptFamily:
		for cost := minBcryptCost; cost <= maxBcryptCost && err == nil; cost++ {
			if work&(1<<cost) != 0 {
				_, err = bcrypt.GenerateFromPassword(salt, cost)
			}
		}
	case scryptFamily: // with r=8
		for work >= 8<<minScryptLog && err == nil {
			log := min(bits.Len64(work/8)-1, 14)
			_, err = scrypt.Key(nil, salt, 1<<log, 8, 1, keyBytes)
			work -= 8 << log
		}
	case sha1Family, sha256Family, sha512Family:
		_, err = derivePBKDF2(map[family]string{sha1Family: "sha1", sha256Family: "sha256", sha512Family: "sha512"}[f], "", salt, int(work), 20) // #nosec G115 -- the bounds hold
	}
	return err
}

// argon2Cost is so much work in at most the default's memory.
func argon2Cost(work uint64) (lane.Cost, bool) {
	memory := min(work/uint64(DefaultParams().Time), uint64(DefaultParams().MemoryKiB))
	if memory < lowMemoryKiB {
		return lane.Cost{}, false
	}
	return lane.Cost{MemoryKiB: uint32(memory), Time: uint32(work / memory)}, true // #nosec G115 -- the bounds of work hold
}
