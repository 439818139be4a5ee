package watch

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ringwall/ringwall/internal/alerts"
)

// signIns are the pairs of network and account of the window, and sums over them that are always right.
type signIns struct {
	order    ring[pair]
	pairs    map[pair]*state
	networks map[netip.Prefix]*counts
	accounts map[uint64]*tries

	all     counts // networks together
	places  int    // networks with a failed account
	singles int    // accounts with exactly one failure
	few     int    // accounts with two to fewTries

	kind    string // under which the attack that goes on is told; empty: none does
	matched int64  // when something fitted last, in seconds
}

type pair struct {
	network netip.Prefix
	account uint64
}

// state is what is known of a pair. Signed in once, it stays so: whoever holds the password fails no more.
type state struct {
	failures uint8
	signedIn bool
}

type counts struct {
	failed, signedIn int
	told             bool // its failed accounts are in the count of an alert
}

type tries struct {
	failures int // in networks from which it was not signed in to
	pairs    int
}

func newSignIns() signIns {
	return signIns{
		order: newRing[pair](mostPairs), pairs: map[pair]*state{}, networks: map[netip.Prefix]*counts{}, accounts: map[uint64]*tries{},
	}
}

// learn notes one attempt, and says what is to be told of it.
func (s *signIns) learn(now int64, network netip.Prefix, account uint64, signedIn bool) (alerts.Alert, bool) {
	p := pair{network, account}
	known := s.pairs[p]
	if known == nil {
		known = s.begin(now, p)
	}
	switch {
	case signedIn && !known.signedIn:
		s.forgive(p, known)
		known.signedIn = true
		s.networks[network].signedIn++
		s.all.signedIn++
	case !signedIn && !known.signedIn:
		s.fail(p, known)
		return s.judge(now, network)
	}
	return alerts.Alert{}, false
}

func (s *signIns) begin(now int64, p pair) *state {
	if oldest, full := s.order.push(now, p); full {
		s.end(oldest)
	}
	known := &state{}
	s.pairs[p] = known
	if s.networks[p.network] == nil {
		s.networks[p.network] = &counts{}
	}
	if s.accounts[p.account] == nil {
		s.accounts[p.account] = &tries{}
	}
	s.accounts[p.account].pairs++
	return known
}

func (s *signIns) fail(p pair, known *state) {
	if known.failures == 255 {
		return // more would change nothing
	}
	if known.failures == 0 {
		if s.networks[p.network].failed == 0 {
			s.places++
		}
		s.networks[p.network].failed++
		s.all.failed++
	}
	known.failures++
	s.change(p.account, 1)
}

// forgive takes the failures of a pair back.
func (s *signIns) forgive(p pair, known *state) {
	if known.failures == 0 {
		return
	}
	s.change(p.account, -int(known.failures))
	known.failures = 0
	s.networks[p.network].failed--
	s.all.failed--
	if s.networks[p.network].failed == 0 {
		s.places--
	}
}

// change counts failures of an account, and keeps the sums by number of failures.
func (s *signIns) change(account uint64, by int) {
	a := s.accounts[account]
	s.sort(a.failures, -1)
	a.failures += by
	s.sort(a.failures, 1)
}

func (s *signIns) sort(failures, by int) {
	switch {
	case failures == 1:
		s.singles += by
	case failures > 1 && failures <= fewTries:
		s.few += by
	}
}

// end forgets a pair.
func (s *signIns) end(p pair) {
	known := s.pairs[p]
	s.forgive(p, known)
	n, a := s.networks[p.network], s.accounts[p.account]
	if known.signedIn {
		n.signedIn--
		s.all.signedIn--
	}
	if a.pairs--; a.pairs == 0 {
		delete(s.accounts, p.account)
	}
	if n.failed == 0 && n.signedIn == 0 {
		delete(s.networks, p.network)
	}
	delete(s.pairs, p)
}

// expire forgets what was first seen at oldest or before.
func (s *signIns) expire(oldest int64) {
	for {
		p, ok := s.order.pop(oldest)
		if !ok {
			break
		}
		s.end(p)
	}
	if s.matched <= oldest {
		s.kind = ""
	}
}

// succeeded is how many accounts were signed in to from a network.
func (s *signIns) succeeded(network netip.Prefix) int {
	if n := s.networks[network]; n != nil {
		return n.signedIn
	}
	return 0
}

// judge asks whether a failure from a network is part of an attack.
func (s *signIns) judge(now int64, network netip.Prefix) (alerts.Alert, bool) {
	n := s.networks[network]
	spread := s.places >= manyNetworks
	alert := alerts.Alert{Kind: alerts.Spraying, Where: []string{network.String()}, Count: 1, Help: "ringwall limits show"}
	switch {
	case n.failed >= oneNetworkAccounts && n.failed*oneIn >= n.signedIn:
		alert.What, alert.Help = fmt.Sprintf("Failed sign-ins on %d accounts from one network within ten minutes.", n.failed), block(network, alerts.Spraying)
		if s.kind == "" {
			n.told = false
		}
	case spread && s.singles >= manyAccounts && s.singles*oneIn >= s.all.signedIn:
		alert.What = fmt.Sprintf("%d accounts with one failed sign-in each, from %d networks, within ten minutes.", s.singles, s.places)
		s.tellAll(&alert)
	case spread && s.few >= manyAccounts && s.few >= failedForOne*s.all.signedIn && s.all.failed <= fewToANetwork*s.places:
		alert.Kind = alerts.Stuffing
		alert.What = fmt.Sprintf("%d accounts with two to five failed sign-ins each, from %d networks, within ten minutes.", s.few, s.places)
		s.tellAll(&alert)
	default:
		return alert, false
	}
	if !n.told {
		alert.Count, n.told = int64(n.failed), true
	}
	if s.kind == "" {
		s.kind = alert.Kind
	}
	alert.Kind, s.matched = s.kind, now
	return alert, true
}

// tellAll lets an alert that opens tell of every network.
func (s *signIns) tellAll(alert *alerts.Alert) {
	if s.kind != "" {
		return
	}
	alert.Where, alert.Count = s.worst(), int64(s.all.failed)
	for _, n := range s.networks {
		n.told = true
	}
}

// worst are the networks with the most failed accounts.
func (s *signIns) worst() []string {
	all := slices.SortedFunc(maps.Keys(s.networks), func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(s.networks[b].failed, s.networks[a].failed), a.Addr().Compare(b.Addr()))
	})
	told := []string{}
	for _, network := range all {
		if s.networks[network].failed == 0 || len(told) > mostTold { // one more than is told shows that there are more
			break
		}
		told = append(told, network.String())
	}
	return told
}
