//go:build !unix

package lane

// Memory is the working memory of one hash at a time; the zero Memory is empty and ready.
type Memory struct{ blocks []block }

// grow makes room for at least n blocks. What was there is lost.
func (m *Memory) grow(n int) error {
	if n > len(m.blocks) {
		m.blocks = make([]block, n)
	}
	return nil
}

// Release leaves the memory to the garbage collector. The Memory can be used again.
func (m *Memory) Release() { m.blocks = nil }
