package watch

import (
	"fmt"
	"maps"
	"net/netip"
)

// Fault counts everything anew and says where a sum differs.
func (w *Watch) Fault() string {
	s := &w.signIn
	networks, accounts := map[netip.Prefix]counts{}, map[uint64]tries{}
	var all counts
	for p, known := range s.pairs {
		n, a := networks[p.network], accounts[p.account]
		a.pairs++
		a.failures += int(known.failures)
		if known.failures > 0 {
			n.failed++
			all.failed++
		}
		if known.signedIn {
			n.signedIn++
			all.signedIn++
		}
		networks[p.network], accounts[p.account] = n, a
	}
	places, singles, few := 0, 0, 0
	for network, n := range networks {
		if n.failed > 0 {
			places++
		}
		if have := s.networks[network]; have == nil || have.failed != n.failed || have.signedIn != n.signedIn {
			return fmt.Sprintf("%s has %+v, want %+v", network, have, n)
		}
	}
	for account, a := range accounts {
		switch {
		case a.failures == 1:
			singles++
		case a.failures > 1 && a.failures <= fewTries:
			few++
		}
		if have := s.accounts[account]; have == nil || *have != a {
			return fmt.Sprintf("an account has %+v, want %+v", have, a)
		}
	}
	sources := map[netip.Prefix]int{}
	for seen := range w.guess.seen {
		sources[seen.source]++
	}
	for source, n := range sources {
		if w.guess.sources[source] != n {
			return fmt.Sprintf("%s has sent %d tokens, want %d", source, w.guess.sources[source], n)
		}
	}
	reporters, pages := map[netip.Prefix]int{}, map[uint64]int{}
	for v := range w.broken.seen {
		reporters[v.network]++
		pages[v.page]++
	}
	switch {
	case !maps.Equal(reporters, w.broken.networks) || !maps.Equal(pages, w.broken.pages) || w.broken.order.size != len(w.broken.seen) || len(w.broken.seen) > mostViolations:
		return "reports of broken pages do not add up"
	case s.places != places || s.singles != singles || s.few != few || s.all.failed != all.failed || s.all.signedIn != all.signedIn:
		return fmt.Sprintf("%d places, %d singles, %d few, %+v; want %d, %d, %d, %+v", s.places, s.singles, s.few, s.all, places, singles, few, all)
	case len(s.networks) != len(networks) || len(s.accounts) != len(accounts) || s.order.size != len(s.pairs) || len(s.pairs) > mostPairs:
		return "something is kept that nobody asks for"
	case len(w.guess.sources) != len(sources) || w.guess.order.size != len(w.guess.seen):
		return "a source is kept that nobody asks for"
	}
	return ""
}
