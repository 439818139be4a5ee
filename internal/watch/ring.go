package watch

// ring is a queue of things in the order in which they were first seen, with room for a number of them that never
// changes.
type ring[T any] struct {
	slots []slot[T]
	first int
	size  int
	most  int
}

type slot[T any] struct {
	thing T
	at    int64 // in seconds
}

func newRing[T any](most int) ring[T] { return ring[T]{most: most} }

// push adds a thing. If there was no room, the oldest goes, and is returned.
func (r *ring[T]) push(at int64, thing T) (oldest T, full bool) {
	if r.size == r.most {
		oldest, full = r.slots[r.first].thing, true
		r.first, r.size = (r.first+1)%len(r.slots), r.size-1
	}
	if r.size == len(r.slots) { // memory is taken as it is needed
		grown := make([]slot[T], min(max(2*r.size, 64), r.most))
		for i := range r.size {
			grown[i] = r.slots[(r.first+i)%len(r.slots)]
		}
		r.slots, r.first = grown, 0
	}
	r.slots[(r.first+r.size)%len(r.slots)] = slot[T]{thing, at}
	r.size++
	return oldest, full
}

// pop takes the oldest thing out if it was first seen at a time or before.
func (r *ring[T]) pop(at int64) (thing T, ok bool) {
	if r.size == 0 || r.slots[r.first].at > at {
		return thing, false
	}
	thing = r.slots[r.first].thing
	r.first, r.size = (r.first+1)%len(r.slots), r.size-1
	return thing, true
}
