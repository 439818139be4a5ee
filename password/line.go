package password

import "slices"

// waiter is a job in the line. Its fields but err belong to whoever made it; err is set before done is closed.
type waiter struct {
	class  Class
	known  bool
	job    func()
	number uint64 // the order of arrival

	done chan struct{}
	err  error
}

func (w *waiter) end(err error) {
	w.err = err
	close(w.done)
}

// line is who waits, by class in the order of arrival.
type line struct {
	waiters [2][]*waiter
	unknown int // how many of them are strangers
	arrived uint64
	last    Class // of the job that was started last
}

func (l *line) waiting() int { return len(l.waiters[Other]) + len(l.waiters[SignIn]) }

func (l *line) all() []*waiter { return slices.Concat(l.waiters[SignIn], l.waiters[Other]) }

func (l *line) add(w *waiter) {
	l.arrived++
	w.number = l.arrived
	l.waiters[w.class] = append(l.waiters[w.class], w)
	if !w.known {
		l.unknown++
	}
}

// remove reports whether w stood in the line.
func (l *line) remove(w *waiter) bool {
	i := slices.Index(l.waiters[w.class], w)
	if i < 0 {
		return false
	}
	l.waiters[w.class] = slices.Delete(l.waiters[w.class], i, i+1)
	if !w.known {
		l.unknown--
	}
	return true
}

// next takes out who comes next: the first that came. But while sign-ins wait, other jobs run one at a time, and where there is
// only one slot, in turn with sign-ins.
func (l *line) next(slots, othersRunning int) *waiter {
	signIns, others := l.waiters[SignIn], l.waiters[Other]
	var w *waiter
	switch {
	case len(signIns) == 0 && len(others) == 0:
		return nil
	case len(signIns) == 0:
		w = others[0]
	case len(others) == 0, others[0].number > signIns[0].number, othersRunning > 0, slots == 1 && l.last == Other:
		w = signIns[0]
	default:
		w = others[0]
	}
	l.remove(w)
	l.last = w.class
	return w
}

// newestOther is the waiting job of class Other that came last, or nil. The one that came first keeps its place: a flood
// of sign-ins slows everything else, and does not stop it.
func (l *line) newestOther(stranger bool) *waiter {
	if len(l.waiters[Other]) == 0 {
		return nil
	}
	for _, w := range slices.Backward(l.waiters[Other][1:]) {
		if !stranger || !w.known {
			return w
		}
	}
	return nil
}
