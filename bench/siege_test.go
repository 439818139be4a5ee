package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
)

// siegeNode is the setting of the role "node".
type siegeNode struct {
	Place place
	Began time.Time
}

// node is one of the servers under attack: the library with the limits of somebody who sets none, behind a trusted proxy, and
// with a clock that stands where it was last told to.
func node(setting []byte) (http.Handler, error) {
	var n siegeNode
	if err := json.Unmarshal(setting, &n); err != nil {
		return nil, err
	}
	var ahead atomic.Int64
	o := n.Place.options()
	o.NoLimitAddress, o.LimitMails = false, 0
	o.LimitGlobal = attackCeiling // that of two slots at the default cost, whatever this machine has
	o.Now = func() time.Time { return n.Began.Add(time.Duration(ahead.Load())) }
	o.TrustedProxies, o.TrustedProxyHeader = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, "X-Forwarded-For"
	rw, err := ringwall.New(context.Background(), o)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", rw.Handler())
	mux.HandleFunc("/bench/clock/{ahead}", func(w http.ResponseWriter, r *http.Request) {
		to, err := strconv.ParseInt(r.PathValue("ahead"), 10, 64)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		ahead.Store(to)
	})
	return mux, nil
}

// siege is two nodes under attack.
type siege struct {
	nodes   []*process
	clients []*client  // of the attacker, half of them at each node
	owner   []*client  // one at each node
	mu      sync.Mutex // held by the owner, who does one thing after the other
	device  string     // the owner's known device
}

func besiege(b *testing.B, a attack) campaign {
	b.Helper()
	s := newSiege(b, a.cheap)
	c := campaign{attack: a}
	c.Calm = s.check(b, 6*time.Second)
	var beside sync.WaitGroup
	beside.Go(func() { c.Beside = s.check(b, time.Duration(attackMinutes*a.aMinute)*time.Second/attackRate) })
	began := time.Now()
	c.Minutes = s.send(b, a)
	c.Took = time.Since(began)
	beside.Wait()
	for _, node := range s.nodes {
		node.stop()
	}
	return c
}

func newSiege(b *testing.B, cheap bool) *siege {
	b.Helper()
	at := place{Database: testdb.Postgres(b).DSN, MasterKey: masterKey, Origin: "https://" + host, Cheap: cheap}
	settle(b, at, attackPeople, 1)
	s := &siege{}
	began := time.Now().Truncate(time.Minute)
	for range 2 {
		s.nodes = append(s.nodes, child(b, "node", siegeNode{at, began}))
	}
	for i := range attackClients {
		s.clients = append(s.clients, s.dial(b, i%2))
	}
	s.owner = []*client{s.dial(b, 0), s.dial(b, 1)}
	status, code, device := signInFrom(s.owner[0], guess{addressOf(attackOwner), passphrase, addressNumber(60_999)}, "")
	if status != http.StatusOK || device == "" {
		b.Fatalf("the owner's first sign-in = %d %s, device cookie %q", status, code, device)
	}
	s.device = device
	return s
}

func (s *siege) dial(b *testing.B, node int) *client {
	b.Helper()
	c, err := dial(s.nodes[node].address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.conn.Close() })
	return c
}

func (s *siege) setClock(b *testing.B, ahead time.Duration) {
	b.Helper()
	for _, node := range s.nodes {
		response, err := http.Get(fmt.Sprintf("http://%s/bench/clock/%d", node.address, ahead))
		if err != nil {
			b.Error(err) // not Fatal: this is not the goroutine of the test
			return
		}
		_ = response.Body.Close()
	}
}

// check looks up sessions of people who are none of the attacked, at a constant rate, half of them at each node.
func (s *siege) check(b *testing.B, during time.Duration) outcome {
	b.Helper()
	var halves [2]outcome
	var all sync.WaitGroup
	for i, node := range s.nodes {
		all.Go(func() {
			got, err := atConstantRate(node.address, stormChecks/2, during, checks("/auth/v1/session", host, attackOwner))
			if err != nil {
				b.Error(err)
			}
			halves[i] = got
		})
	}
	all.Wait()
	return results(halves[:]).outcome(during)
}

// ownerSignsIn is in the middle of what the attacker sends.
func (s *siege) ownerSignsIn(b *testing.B, node int, from netip.Addr, m *minute) {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	status, code, _ := signInFrom(s.owner[node], guess{addressOf(attackOwner), passphrase, from}, s.device)
	if status != http.StatusOK {
		m.OwnerOut++
		b.Logf("the owner was answered %d %s", status, code)
		return
	}
	m.Owner = append(m.Owner, time.Since(began))
}

// send makes the guesses of an attack at its rate, as far as the servers and 64 clients keep up, and moves the clock along.
func (s *siege) send(b *testing.B, a attack) []minute {
	b.Helper()
	const aMinute = attackSteps / ownerEvery
	var (
		mu      sync.Mutex
		all     sync.WaitGroup
		sent    int
		minutes = make([]minute, attackMinutes)
		r       = rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- the same attack every time
		step    = a.aMinute / attackSteps
	)
	draw := func() (guess, *minute) {
		mu.Lock()
		defer mu.Unlock()
		m := &minutes[min(sent/a.aMinute, attackMinutes-1)]
		if sent%step == 0 {
			s.setClock(b, time.Duration(sent/step)*time.Minute/attackSteps)
		}
		if visit := sent / step / ownerEvery; sent%(step*ownerEvery) == step*ownerEvery/2 {
			all.Go(func() { s.ownerSignsIn(b, visit%len(s.owner), addressNumber(60_000+visit/aMinute), m) })
		}
		sent++
		return a.next(r, sent-1), m
	}
	due := makeDue(attackRate, time.Duration(attackMinutes*a.aMinute)*time.Second/attackRate)
	for _, c := range s.clients {
		all.Go(func() {
			for range due {
				g, m := draw()
				status, code, _ := signInFrom(c, g, "")
				mu.Lock()
				m.count(status, code)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return minutes
}

var (
	deviceCookie = regexp.MustCompile(`Set-Cookie: __Host-ringwall-device=([^;\r]+)`)
	problemCode  = regexp.MustCompile(`"type":"[^"]*/([^"/]+)"`)
)

// signInFrom tries to sign in and tells the status, the code of the problem and the cookie of the known device.
func signInFrom(c *client, g guess, device string) (status int, code, known string) {
	body, err := json.Marshal(map[string]string{"email": g.email, "password": g.password})
	if err != nil {
		return 0, err.Error(), ""
	}
	var request strings.Builder
	fmt.Fprintf(&request, "POST /auth/v1/login HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nX-Forwarded-For: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		host, browser, g.from, len(body))
	if device != "" { // a browser
		fmt.Fprintf(&request, "Sec-Fetch-Site: same-origin\r\nCookie: __Host-ringwall-device=%s\r\n", device)
	}
	request.WriteString("\r\n")
	request.Write(body)
	status, head, answer, err := c.do([]byte(request.String()))
	if err != nil {
		return 0, err.Error(), ""
	}
	if found := problemCode.FindSubmatch(answer); found != nil {
		code = string(found[1])
	}
	if found := deviceCookie.FindSubmatch(head); found != nil {
		known = string(found[1])
	}
	return status, code, known
}
