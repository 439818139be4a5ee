package bench_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

// The attack of `make attack`: ten simulated minutes against two nodes on one PostgreSQL, from thousands of addresses in
// the header of a trusted proxy. Only the clock is simulated, and runs three times as fast as one that guesses needs, or faster:
// requests, limits, database and hashes are real. Beside it the owner signs in and sessions are checked, as marks 8 and 5 want it.
const (
	attackMinutes = 10
	attackSteps   = 20 // a minute
	attackClients = 64
	attackRate    = 500 // attempts a second
	attackPeople  = 2000
	attackCeiling = 600              // a minute
	attackOwner   = attackPeople - 1 // who signs in from a known device, and whom guessing and lock-out are aimed at
	ownerEvery    = 5                // steps: four times a minute

	folderVariable = "RINGWALL_ATTACK_FOLDER" // where the picture and its page go
)

// guess is one attempt of an attacker.
type guess struct {
	email, password string
	from            netip.Addr
}

// attack is a way to get in, or to keep others out.
type attack struct {
	name, what string
	aMinute    int
	cheap      bool // hashes, because more reach them in the shortened minutes than the default cost would let through
	next       func(r *rand.Rand, n int) guess
}

func attacks() []attack {
	owner := addressOf(attackOwner)
	return []attack{
		{"Guessing", "100,000 passwords for one account, from 5,000 addresses", 10_000, false, func(r *rand.Rand, n int) guess {
			return guess{owner, fmt.Sprintf("password number %d", n), addressNumber(n % 5000)}
		}},
		{"Spraying", "one password for 2,000 accounts over and over, from 3,000 addresses", 2000, true, func(_ *rand.Rand, n int) guess {
			return guess{addressOf(n % attackOwner), "summer summer summer 2026", addressNumber(n % 3000)}
		}},
		{"Stuffing", "20,000 pairs of another site, one in a hundred right, from 10,000 addresses", 2000, true, func(r *rand.Rand, n int) guess {
			g := guess{fmt.Sprintf("stranger-%06d@example.net", n), "a password of elsewhere", addressNumber(n % 10_000)}
			if n%100 == 99 {
				g.email, g.password = addressOf(r.IntN(attackOwner)), passphrase
			}
			return g
		}},
		{"Lock-out", "1,000 wrong passwords a minute for one account, from everywhere", 1000, false, func(_ *rand.Rand, n int) guess {
			return guess{owner, "wrong on purpose, again", addressNumber(n)}
		}},
	}
}

// minute is what became of the attempts of a minute.
type minute struct {
	Sent, Limited, Challenged, Busy, Checked, Entered int
	Owner                                             []time.Duration // of the owner's sign-ins that were admitted
	OwnerOut                                          int             // the others
	Other                                             string          // the first answer of another kind
}

func (m *minute) count(status int, code string) {
	m.Sent++
	switch {
	case status == http.StatusOK:
		m.Checked++
		m.Entered++
	case status == http.StatusUnauthorized && code == "login-failed":
		m.Checked++
	case status == http.StatusTooManyRequests:
		m.Limited++
	case status == http.StatusForbidden && code == "challenge-required":
		m.Challenged++
	case status == http.StatusServiceUnavailable:
		m.Busy++
	case m.Other == "":
		m.Other = fmt.Sprintf("%d %s", status, code)
	}
}

// BenchmarkAttack is `make attack`. It fails where the attack reaches more than it may.
func BenchmarkAttack(b *testing.B) {
	var all []campaign
	for _, a := range attacks() {
		c := besiege(b, a)
		c.print()
		c.judge(b)
		all = append(all, c)
	}
	if folder := os.Getenv(folderVariable); folder != "" {
		for name, text := range map[string]string{"attack.svg": picture(all), "attack.md": report(all)} {
			if err := os.WriteFile(folder+"/"+name, []byte(text), 0o644); err != nil { // #nosec G306 -- documentation
				b.Fatal(err)
			}
		}
	}
}

// campaign is an attack and what came of it.
type campaign struct {
	attack
	Minutes      []minute
	Calm, Beside outcome // checks before it and during it
	Took         time.Duration
}

func (c campaign) total() (sum minute) {
	for _, m := range c.Minutes {
		sum.Sent += m.Sent
		sum.Limited += m.Limited
		sum.Challenged += m.Challenged
		sum.Busy += m.Busy
		sum.Checked += m.Checked
		sum.Entered += m.Entered
		sum.Owner = append(sum.Owner, m.Owner...)
		sum.OwnerOut += m.OwnerOut
		if sum.Other == "" {
			sum.Other = m.Other
		}
	}
	slices.Sort(sum.Owner)
	return sum
}

func (c campaign) print() {
	fmt.Printf("\n%s: %s\n%8s %8s %8s %10s %6s %8s %8s  %s\n", c.name, c.what, "minute", "sent", "limited", "challenged", "busy", "checked", "entered", "owner")
	for i, m := range c.Minutes {
		owner := "in"
		if m.OwnerOut > 0 {
			owner = "kept out"
		}
		fmt.Printf("%8d %8d %8d %10d %6d %8d %8d  %s\n", i+1, m.Sent, m.Limited, m.Challenged, m.Busy, m.Checked, m.Entered, owner)
	}
	fmt.Printf("the owner: %s\nchecks: %s\nall this in %.0f s, %.0f attempts a second\n", c.ownerTimes(), c.checkTimes(), c.Took.Seconds(), float64(c.total().Sent)/c.Took.Seconds())
}

// ownerTimes is mark 8.
func (c campaign) ownerTimes() string {
	sum := c.total()
	p99 := quantile(sum.Owner, 0.99)
	return fmt.Sprintf("%d of %d sign-ins admitted, p50 %s ms, p99 %s ms (at most 2500: %s)", len(sum.Owner), len(sum.Owner)+sum.OwnerOut,
		millis(quantile(sum.Owner, 0.5)), millis(p99), verdict(sum.OwnerOut == 0 && p99 <= 2500*time.Millisecond))
}

// checkTimes is mark 5.
func (c campaign) checkTimes() string {
	p99, limit := c.Beside.quantile(0.99), max(3*c.Calm.quantile(0.99), 8*time.Millisecond)
	return fmt.Sprintf("p99 %s ms calm, %s ms during (at most %s: %s), %d of %d failed", millis(c.Calm.quantile(0.99)), millis(p99), millis(limit),
		verdict(p99 <= limit && c.Beside.failed == 0), c.Beside.failed, c.Beside.done+c.Beside.failed)
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}
