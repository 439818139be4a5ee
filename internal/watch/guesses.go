package watch

import "net/netip"

// guesses are the different unknown tokens of the window, by where they came from.
type guesses struct {
	order   ring[token]
	seen    map[token]bool
	sources map[netip.Prefix]int
}

type token struct {
	source netip.Prefix
	hash   uint64
}

func newGuesses() guesses {
	return guesses{order: newRing[token](mostTokens), seen: map[token]bool{}, sources: map[netip.Prefix]int{}}
}

// learn notes a token and returns how many its source has sent before it and with it.
func (g *guesses) learn(now int64, source netip.Prefix, hash uint64) (before, after int) {
	t := token{source, hash}
	if g.seen[t] {
		return g.sources[source], g.sources[source]
	}
	if oldest, full := g.order.push(now, t); full {
		g.end(oldest)
	}
	before = g.sources[source]
	g.seen[t] = true
	g.sources[source]++
	return before, before + 1
}

func (g *guesses) end(t token) {
	delete(g.seen, t)
	if g.sources[t.source]--; g.sources[t.source] == 0 {
		delete(g.sources, t.source)
	}
}

// expire forgets what was first seen at oldest or before.
func (g *guesses) expire(oldest int64) {
	for {
		t, ok := g.order.pop(oldest)
		if !ok {
			return
		}
		g.end(t)
	}
}
