package bench_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// The attack of `make attack`: ten simulated minutes against two nodes on one PostgreSQL, from thousands of addresses in
// the header of a trusted proxy. Only the clock is simulated; requests, limits, database and hashes are real.
const (
	attackMinutes = 10
	attackSteps   = 20 // a minute
	attackClients = 64
	attackPeople  = 2000
	attackCeiling = 600 // a minute
	attackOwner   = 0   // the person who signs in every minute from a known device, and whom guessing and lock-out are aimed at

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
	next       func(r *rand.Rand, n int) guess
}

func attacks() []attack {
	owner := addressOf(attackOwner)
	return []attack{
		{"Guessing", "100,000 passwords for one account, from 5,000 addresses", 10_000, func(r *rand.Rand, n int) guess {
			return guess{owner, fmt.Sprintf("password number %d", n), addressNumber(n % 5000)}
		}},
		{"Spraying", "one password for 2,000 accounts over and over, from 3,000 addresses", 2000, func(_ *rand.Rand, n int) guess {
			return guess{addressOf(1 + n%(attackPeople-1)), "summer summer summer 2026", addressNumber(n % 3000)}
		}},
		{"Stuffing", "20,000 pairs of another site, one in a hundred right, from 10,000 addresses", 2000, func(r *rand.Rand, n int) guess {
			g := guess{fmt.Sprintf("stranger-%06d@example.net", n), "a password of elsewhere", addressNumber(n % 10_000)}
			if n%100 == 99 {
				g.email, g.password = addressOf(1+r.IntN(attackPeople-1)), passphrase
			}
			return g
		}},
		{"Lock-out", "1,000 wrong passwords a minute for one account, from everywhere", 1000, func(_ *rand.Rand, n int) guess {
			return guess{owner, "wrong on purpose, again", addressNumber(n)}
		}},
	}
}

// minute is what became of the attempts of a minute.
type minute struct {
	Sent, Limited, Challenged, Busy, Checked, Entered int
	OwnerIn                                           bool
	Other                                             string // the first answer of another kind
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
		c.print(b)
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
	Minutes []minute
}

func (c campaign) total() (sum minute) {
	sum.OwnerIn = true
	for _, m := range c.Minutes {
		sum.Sent += m.Sent
		sum.Limited += m.Limited
		sum.Challenged += m.Challenged
		sum.Busy += m.Busy
		sum.Checked += m.Checked
		sum.Entered += m.Entered
		sum.OwnerIn = sum.OwnerIn && m.OwnerIn
		if sum.Other == "" {
			sum.Other = m.Other
		}
	}
	return sum
}

func (c campaign) print(b *testing.B) {
	fmt.Printf("\n%s: %s\n%8s %8s %8s %10s %6s %8s %8s  %s\n", c.name, c.what, "minute", "sent", "limited", "challenged", "busy", "checked", "entered", "owner")
	for i, m := range c.Minutes {
		owner := "in"
		if !m.OwnerIn {
			owner = "kept out"
		}
		fmt.Printf("%8d %8d %8d %10d %6d %8d %8d  %s\n", i+1, m.Sent, m.Limited, m.Challenged, m.Busy, m.Checked, m.Entered, owner)
	}
}

// siege is two nodes under attack.
type siege struct {
	nodes  []*ringwalltest.Server
	client *http.Client
	ahead  atomic.Int64
	began  time.Time
	device string // the owner's known device
}

func besiege(b *testing.B, a attack) campaign {
	b.Helper()
	s := newSiege(b)
	c := campaign{attack: a}
	r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- the same attack every time
	sent := 0
	for i := range attackMinutes {
		m := &minute{}
		for range attackSteps {
			var guesses []guess
			for range a.aMinute / attackSteps {
				guesses = append(guesses, a.next(r, sent))
				sent++
			}
			s.send(guesses, m)
			s.ahead.Add(int64(time.Minute / attackSteps))
		}
		status, code, _ := s.signIn(i%2, guess{addressOf(attackOwner), passphrase, addressNumber(60_000 + i)}, s.device)
		if m.OwnerIn = status == http.StatusOK; !m.OwnerIn {
			b.Logf("the owner was answered %d %s", status, code)
		}
		c.Minutes = append(c.Minutes, *m)
	}
	return c
}

func newSiege(b *testing.B) *siege {
	b.Helper()
	db := testdb.Postgres(b)
	at := place{Database: db.DSN, MasterKey: masterKey, Origin: "http://127.0.0.1", Cheap: true}
	settle(b, at, attackPeople, 0)
	s := &siege{began: time.Now().Truncate(time.Minute), client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		MaxIdleConnsPerHost: attackClients, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- our own nodes
	}}}
	for range 2 {
		o := at.options()
		// Hashing is cheap here, so that the attack does not take an hour; the ceiling is the one of two slots at the default cost.
		o.Origins, o.NoLimitAddress, o.LimitAddress, o.LimitGlobal = nil, false, limits.Default(), attackCeiling
		o.Now = func() time.Time { return s.began.Add(time.Duration(s.ahead.Load())) }
		o.TrustedProxies, o.TrustedProxyHeader = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, "X-Forwarded-For"
		s.nodes = append(s.nodes, ringwalltest.StartApp(b, o, nil))
	}
	status, _, device := s.signIn(0, guess{addressOf(attackOwner), passphrase, addressNumber(60_999)}, "")
	if status != http.StatusOK || device == "" {
		b.Fatalf("the owner's first sign-in = %d, device cookie %q", status, device)
	}
	s.device = device
	return s
}

// send makes all guesses at the same time, as far as clients reach, half of them at each node.
func (s *siege) send(guesses []guess, into *minute) {
	var (
		mu   sync.Mutex
		all  sync.WaitGroup
		next atomic.Int64
	)
	for range attackClients {
		all.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(guesses) {
					return
				}
				status, code, _ := s.signIn(n%2, guesses[n], "")
				mu.Lock()
				into.count(status, code)
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

const deviceCookie = "__Host-ringwall-device"

// signIn tries to sign in and tells the status, the code of the problem and the cookie of the known device.
func (s *siege) signIn(node int, g guess, device string) (status int, code, known string) {
	body, _ := json.Marshal(map[string]string{"email": g.email, "password": g.password})
	r, err := http.NewRequest(http.MethodPost, s.nodes[node].URL+"/auth/v1/login", bytes.NewReader(body))
	if err != nil {
		return 0, err.Error(), ""
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", browser)
	r.Header.Set("X-Forwarded-For", g.from.String())
	if device != "" { // a browser
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.AddCookie(&http.Cookie{Name: deviceCookie, Value: device}) // #nosec G124 -- sent, not set
	}
	response, err := s.client.Do(r)
	if err != nil {
		return 0, err.Error(), ""
	}
	defer func() { _ = response.Body.Close() }()
	var problem struct{ Type string }
	text, _ := io.ReadAll(response.Body)
	_ = json.Unmarshal(text, &problem)
	for _, c := range response.Cookies() {
		if c.Name == deviceCookie {
			known = c.Value
		}
	}
	return response.StatusCode, problem.Type[strings.LastIndex(problem.Type, "/")+1:], known
}
