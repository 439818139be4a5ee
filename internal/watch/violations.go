package watch

import "net/netip"

// violations are the pages of the window that broke their policy, by the networks that told so.
type violations struct {
	order    ring[violation]
	seen     map[violation]bool
	networks map[netip.Prefix]int
	pages    map[uint64]int
}

type violation struct {
	network netip.Prefix
	page    uint64 // and what it broke
}

func newViolations() violations {
	return violations{order: newRing[violation](mostViolations), seen: map[violation]bool{}, networks: map[netip.Prefix]int{}, pages: map[uint64]int{}}
}

// learn notes a report and returns whether it is a new one.
func (s *violations) learn(now int64, network netip.Prefix, page uint64) bool {
	v := violation{network, page}
	if s.seen[v] {
		return false
	}
	if oldest, full := s.order.push(now, v); full {
		s.end(oldest)
	}
	s.seen[v] = true
	s.networks[network]++
	s.pages[page]++
	return true
}

func (s *violations) end(v violation) {
	delete(s.seen, v)
	if s.networks[v.network]--; s.networks[v.network] == 0 {
		delete(s.networks, v.network)
	}
	if s.pages[v.page]--; s.pages[v.page] == 0 {
		delete(s.pages, v.page)
	}
}

// expire forgets what was first seen at oldest or before.
func (s *violations) expire(oldest int64) {
	for {
		v, ok := s.order.pop(oldest)
		if !ok {
			return
		}
		s.end(v)
	}
}
