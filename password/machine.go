package password

import (
	"io/fs"
	"math"
	"os"
	"runtime"
)

const (
	defaultSlotBytes = 64 << 20
	memoryFraction   = 4 // a quarter of the memory may go to hashes at a time
)

// machine is what the process may use.
type machine struct {
	cores  int
	procs  int     // GOMAXPROCS: a host may want less than all cores
	quota  float64 // cores' worth of CPU time; 0: no quota below the number of cores
	memory int64   // bytes; 0: unknown
}

func readMachine() machine {
	m := machine{cores: runtime.NumCPU(), procs: runtime.GOMAXPROCS(0)} // 0 only asks
	if runtime.GOOS == "linux" {
		m.read(os.DirFS("/"))
	}
	return m
}

// read looks for the limits in a Linux file system.
func (m *machine) read(root fs.FS) {
	limits := readCgroups(root)
	if limits.quota > 0 && limits.quota < float64(m.cores) {
		m.quota = limits.quota
	}
	m.memory = physicalMemory(root)
	if limits.memory > 0 && (m.memory == 0 || limits.memory < m.memory) {
		m.memory = limits.memory
	}
}

// slots is how many jobs of slotBytes may run at a time.
func (m machine) slots(slotBytes int64, niced bool) int {
	if slotBytes == 0 {
		slotBytes = defaultSlotBytes
	}
	n := min(m.cores, m.procs)
	switch {
	case m.quota > 0:
		n = int(math.Floor(m.quota)) - 1
	case !niced:
		n--
	}
	if m.memory > 0 {
		n = int(min(int64(n), m.memory/memoryFraction/slotBytes))
	}
	return min(max(n, 1), 1024)
}
