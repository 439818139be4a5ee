// Package watch recognises attacks that no limit on one account or one address sees as such, from how sign-ins end
// and from session tokens that are none, and raises alerts about them.
//
//	w := watch.New(bell, watch.Options{})
//	…
//	w.SignIn(ctx, address, mac, watch.Failed) // after each attempt
//	w.UnknownSession(ctx, address, token)     // a token that no session has
//	w.Violation(ctx, address, page)           // a browser says that a page broke its policy
//
// # What it recognises
//
// All of it within ten minutes. An account counts as failed in a network (IPv4 /24, IPv6 /64) as long as it has
// failed there and has not been signed in to from there: people mistype and then get it right; attackers do not.
//
//   - Spraying from one network: twenty failed accounts, and a quarter as many as were signed in to from there.
//   - Spraying from many: fifty accounts with exactly one failure, in twenty networks, and a quarter as many as
//     were signed in to from anywhere.
//   - Stuffing: fifty accounts with two to five failures, in twenty networks, at most ten to a network, and nine
//     failed accounts or more for each that was signed in to. A list of stolen pairs has one to a few passwords an
//     address, is spread over proxies so that each sends little, and fits in 0.1 to 2 of a hundred cases (OWASP
//     Credential Stuffing Prevention; the Shape and Akamai reports). With one try each it is told as spraying: from
//     outside it is the same.
//   - Session guessing: two hundred different unknown tokens from one address (IPv6: /64), and ten times as many as
//     accounts were signed in to from its network. An office whose sessions ended over the weekend sends as many,
//     and signs in.
//   - A foreign script: pages that broke their Content-Security-Policy, reported from three networks. One person's
//     browser says so of many pages, for reasons of its own; several people's have met what stands in the page.
//
// The shares are there so that a threshold means the same for a classroom and for a network of a hundred thousand
// people behind one address: there, twenty forgotten passwords in ten minutes are an ordinary morning.
//
// What goes on at the same time is one attack: a node tells sign-ins under the kind that it recognised first, until
// nothing has fitted any kind for ten minutes, and the key of every alert is empty, so that no attacker chooses how
// many mails operators get.
//
// # Memory and time
//
// Nothing is stored, and no address of a person is kept: accounts come as a MAC, tokens are hashed with a key of the
// process. At most 32,768 pairs of network and account, 16,384 tokens and 4,096 reports are remembered, less than 32 MiB; beyond
// them the oldest go first. Whoever wants to be forgotten that way must make 32,768 attempts in ten minutes, for
// which the other limits wait. A call costs a few lookups under a lock.
//
// Each node sees its own share of the requests: what nodes know is not joined, because that would be a write an
// attempt. Behind a balancer that spreads evenly over n nodes an attack is recognised after n times as many attempts;
// counters that must be exact (accounts, the ceiling) lie in the database, and the alerts of several nodes are one
// there.
//
// # What it does not do
//
// It stops nobody and answers nobody: that is the matter of the limits and of the operator who reads the alert. Slow
// attacks, below twenty accounts in ten minutes, are not recognised; the limits of accounts and addresses hold for
// those too. What it knows is gone after a restart.
package watch

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/alerts"
)

const (
	window   = 10 * time.Minute
	stepBack = time.Minute // a clock that goes back further has been set: what was seen before means nothing

	oneNetworkAccounts = 20  // failed accounts in one network
	manyAccounts       = 50  // failed accounts in many networks
	manyNetworks       = 20  // more than a person has, and fewer than anybody rents who wants to stay unseen
	oneIn              = 4   // of ordinary sign-ins one in twenty stays failed; at one in five something else goes on
	fewTries           = 5   // to an account: as many as its own limit admits
	fewToANetwork      = 10  // accounts: half of what is spraying from one network
	failedForOne       = 9   // a tenth fits: five times what lists of stolen pairs are known to reach
	guessedTokens      = 200 // one every three seconds
	tokensToSignIns    = 10  // somebody who comes back with an old cookie signs in

	severalPeople = 3  // networks: two may be one person's
	toldReports   = 64 // in the window, to the log

	mostPairs      = 1 << 15
	mostTokens     = 1 << 14
	mostViolations = 1 << 12
	mostTold       = 20 // networks, when an alert opens
)

// Outcome is how an attempt to sign in ended.
type Outcome uint8

// The outcomes. The zero Outcome is none.
const (
	_         Outcome = iota
	Failed            // the password was wrong, or there is no such account
	Refused           // there had been too many
	Succeeded         // somebody is signed in
)

// Raiser is where alerts go; [alerts.Alerts] is the one implementation.
type Raiser interface {
	Raise(ctx context.Context, alert alerts.Alert)
}

// Options may be left empty.
type Options struct {
	Now func() time.Time // default: time.Now
}

// Watch remembers what was seen. It is safe for concurrent use. The nil Watch sees nothing.
type Watch struct {
	bell Raiser
	now  func() time.Time
	seed maphash.Seed

	mu     sync.Mutex
	last   int64 // seconds since 1970, never backwards but by a set clock
	signIn signIns
	guess  guesses
	broken violations
}

// New makes a Watch. It starts nothing.
func New(bell Raiser, o Options) *Watch {
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Watch{bell: bell, now: o.Now, seed: maphash.MakeSeed()}
	w.forget()
	return w
}

func (w *Watch) forget() {
	w.signIn, w.guess, w.broken = newSignIns(), newGuesses(), newViolations()
}

// SignIn learns how an attempt ended. Account is a MAC of the canonical address, of eight bytes or more.
func (w *Watch) SignIn(ctx context.Context, from netip.Addr, account []byte, outcome Outcome) {
	if w == nil || !from.IsValid() || len(account) < 8 || outcome == 0 {
		return
	}
	network := input.Network(from)
	w.mu.Lock()
	now := w.tick()
	alert, tell := w.signIn.learn(now, network, binary.BigEndian.Uint64(account), outcome == Succeeded)
	w.mu.Unlock()
	if tell {
		w.bell.Raise(ctx, alert)
	}
}

// UnknownSession learns of a session token that no session has.
func (w *Watch) UnknownSession(ctx context.Context, from netip.Addr, token string) {
	if w == nil || !from.IsValid() {
		return
	}
	source, hash := sourceOf(from), maphash.String(w.seed, token)
	w.mu.Lock()
	now := w.tick()
	before, after := w.guess.learn(now, source, hash)
	signIns := w.signIn.succeeded(input.Network(from))
	w.mu.Unlock()
	if after == before || after < guessedTokens || after < tokensToSignIns*signIns {
		return
	}
	more := int64(1)
	if after == guessedTokens {
		more = guessedTokens
	}
	w.bell.Raise(ctx, alerts.Alert{
		Kind: alerts.SessionGuessing, What: fmt.Sprintf("%d different session tokens from one address within ten minutes, all of them none.", guessedTokens),
		Where: []string{source.String()}, Count: more, Help: block(source, alerts.SessionGuessing),
	})
}

// Violation learns that a browser reported a page. Page names it, with what it broke. It returns whether the log should
// tell: the first time, of as many as somebody reads.
func (w *Watch) Violation(ctx context.Context, from netip.Addr, page string) (tell bool) {
	if w == nil || !from.IsValid() {
		return false
	}
	network, hash := input.Network(from), maphash.String(w.seed, page)
	w.mu.Lock()
	now := w.tick()
	news := w.broken.learn(now, network, hash)
	reports, networks, pages := len(w.broken.seen), len(w.broken.networks), len(w.broken.pages)
	more, where := int64(1), []string{network.String()}
	if news && networks == severalPeople && w.broken.networks[network] == 1 { // it opens, or has just come back
		more, where = int64(reports), where[:0]
		for n := range w.broken.networks {
			where = append(where, n.String())
		}
	}
	w.mu.Unlock()
	if news && networks >= severalPeople {
		slices.Sort(where)
		w.bell.Raise(ctx, alerts.Alert{
			Kind: alerts.ForeignScript, What: fmt.Sprintf("Pages broke their Content-Security-Policy in %d ways, reported from %d networks within ten minutes.", pages, networks),
			Where: where, Count: more, Help: "ringwall audit tail --event malicious_csp_violation",
		})
	}
	return news && reports <= toldReports
}

// tick is the time in seconds, and forgets what is older than the window.
func (w *Watch) tick() int64 {
	now := w.now().Unix()
	if now < w.last-int64(stepBack/time.Second) {
		w.forget()
		w.last = now
	}
	w.last = max(w.last, now)
	oldest := w.last - int64(window/time.Second)
	w.signIn.expire(oldest)
	w.guess.expire(oldest)
	w.broken.expire(oldest)
	return w.last
}

// sourceOf is what one client is taken to be: an IPv4 address, an IPv6 /64.
func sourceOf(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	if from.Is4() {
		return netip.PrefixFrom(from, 32)
	}
	return input.Network(from)
}

// block is the command that keeps a network out.
func block(network netip.Prefix, reason string) string {
	return "ringwall limits block " + network.String() + " --for 1h --reason " + reason
}
