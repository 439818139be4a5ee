package password

import (
	"fmt"
	"strconv"
	"strings"
)

// The bounds. The floor is OWASP's minimum; what lies beyond the ceilings is no password hash but an attack on memory or time.
const (
	floorMemoryKiB = 19456
	floorTime      = 2
	maxMemoryKiB   = 256 << 10
	maxWorkKiB     = 2 << 20 // memory times passes: about two seconds
	maxParallelism = 16
	lowMemoryKiB   = 8 // for each lane: RFC 9106, 3.1
)

// Params is the cost of an Argon2id hash. The zero Params is [DefaultParams]; anything else must be whole.
type Params struct {
	MemoryKiB   uint32 // Floor: 19456. Ceiling: 262144.
	Time        uint32 // Passes over the memory. Floor: 2. MemoryKiB times Time: at most 2097152.
	Parallelism uint8  // Lanes, 1 to 16. More than one is computed in threads of normal priority.
}

// DefaultParams is 64 MiB, three passes, one lane.
func DefaultParams() Params { return Params{MemoryKiB: 65536, Time: 3, Parallelism: 1} }

// ParseParams reads "m=65536,t=3,p=1". The error says what is wrong and how to mend it.
func ParseParams(text string) (Params, error) {
	p, ok := readParams(text)
	if !ok {
		return Params{}, fmt.Errorf("write the Argon2id parameters like %q: memory in KiB, passes, lanes", DefaultParams())
	}
	if p == (Params{}) {
		return Params{}, fmt.Errorf("the Argon2id parameters are all zero: leave them out for %q", DefaultParams())
	}
	return p, p.Check()
}

// Check returns an error that says what to change if the parameters lie below the floor or above the ceilings. The zero Params is good.
func (p Params) Check() error {
	p = p.orDefault()
	switch {
	case p.Time < floorTime:
		return fmt.Errorf("the Argon2id passes are t=%d: take t=%d or more (%q is the default)", p.Time, floorTime, DefaultParams())
	case p.MemoryKiB < floorMemoryKiB:
		return fmt.Errorf("the Argon2id memory is m=%d KiB: take m=%d or more (%q is the default)", p.MemoryKiB, floorMemoryKiB, DefaultParams())
	case p.MemoryKiB > maxMemoryKiB:
		return fmt.Errorf("the Argon2id memory is m=%d KiB: take m=%d or less", p.MemoryKiB, maxMemoryKiB)
	case p.Parallelism < 1 || p.Parallelism > maxParallelism:
		return fmt.Errorf("the Argon2id lanes are p=%d: take p=1, at most p=%d", p.Parallelism, maxParallelism)
	case p.work() > maxWorkKiB:
		return fmt.Errorf("the Argon2id memory times passes is %d KiB: at most %d, so take t=%d with m=%d",
			p.work(), maxWorkKiB, max(floorTime, maxWorkKiB/p.MemoryKiB), p.MemoryKiB)
	}
	return nil
}

// String is the form that [ParseParams] reads.
func (p Params) String() string {
	p = p.orDefault()
	return fmt.Sprintf("m=%d,t=%d,p=%d", p.MemoryKiB, p.Time, p.Parallelism)
}

func (p Params) orDefault() Params {
	if p == (Params{}) {
		return DefaultParams()
	}
	return p
}

func (p Params) work() uint64 { return uint64(p.MemoryKiB) * uint64(p.Time) }

// storable reports whether a stored hash may have these parameters: below the floor too, so that old ones can be verified and replaced.
func (p Params) storable() bool {
	return p.Parallelism >= 1 && p.Parallelism <= maxParallelism && p.Time >= 1 &&
		p.MemoryKiB >= lowMemoryKiB*uint32(p.Parallelism) && p.MemoryKiB <= maxMemoryKiB && p.work() <= maxWorkKiB
}

// readParams reads the three numbers in their order. It does not judge them.
func readParams(text string) (Params, bool) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return Params{}, false
	}
	var n [3]uint64
	for i, name := range [3]string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(fields[i], name)
		if !ok {
			return Params{}, false
		}
		size := 32
		if i == 2 {
			size = 8
		}
		value, err := strconv.ParseUint(digits, 10, size)
		if err != nil {
			return Params{}, false
		}
		n[i] = value
	}
	return Params{MemoryKiB: uint32(n[0]), Time: uint32(n[1]), Parallelism: uint8(n[2])}, true // #nosec G115 -- parsed at these sizes
}
