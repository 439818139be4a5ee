//go:build unix

package lane

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Memory is the working memory of one hash at a time; the zero Memory is empty and ready. It is mapped outside of Go's heap: it
// neither hastens nor delays the garbage collector, and Release gives it back to the system at once.
type Memory struct {
	blocks []block
	mapped []byte
}

// grow makes room for at least n blocks. What was there is lost.
func (m *Memory) grow(n int) error {
	if n <= len(m.blocks) {
		return nil
	}
	m.Release()
	mapped, err := unix.Mmap(-1, 0, n*blockBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("map %d KiB for a password hash: %w", n, err)
	}
	advise(mapped)
	m.mapped = mapped
	m.blocks = unsafe.Slice((*block)(unsafe.Pointer(&mapped[0])), n) // #nosec G103 -- pages are aligned and n blocks long
	return nil
}

// Release gives the memory back. The Memory can be used again.
func (m *Memory) Release() {
	if m.mapped != nil {
		_ = unix.Munmap(m.mapped) // cannot fail for a mapping of ours
	}
	m.mapped, m.blocks = nil, nil
}
