package bench_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

// `make timing` asks whether the time of an answer tells what the answer does not: whether an account exists, is locked,
// or waits for its address to be confirmed. Each case is asked as often as the others, in random order, each time from
// another address and for another account, and compared with the first case of its group by the test of Mann and Whitney.
//
// What is looked at is the chance that an answer of one case takes longer than one of the other: 0.5 if nothing can be
// told. A case fails if that chance is surely (p < 0.001) and usefully (by more than 0.1) another; a third of a
// millisecond in thirty, say, stays below that, and drowns in any network.
const (
	timingSamples = 400
	timingLocked  = timingSamples // people from here on are locked
	timingPeople  = 2 * timingSamples
	worthTelling  = 0.1
	sureEnough    = 0.001
)

// timed is one case; its body is of the n-th request.
type timed struct {
	name, path string
	body       func(n int) map[string]string
}

func timedGroups() [][]timed {
	login := func(name string, address func(int) string) timed {
		return timed{name, "/auth/v1/login", func(n int) map[string]string {
			return map[string]string{"email": address(n), "password": "not the right password"}
		}}
	}
	mail := func(name, path string, address func(int) string) timed {
		return timed{name, path, func(n int) map[string]string { return map[string]string{"email": address(n)} }}
	}
	signUp := func(name string, address func(int) string) timed {
		return timed{name, "/auth/v1/signup", func(n int) map[string]string {
			return map[string]string{"email": address(n), "password": "a password that nobody has"}
		}}
	}
	nobody := func(n int) string { return fmt.Sprintf("nobody-%06d@example.org", n) }
	pending := func(n int) string { return fmt.Sprintf("pending-%06d@example.org", n) }
	locked := func(n int) string { return addressOf(timingLocked + n) }
	return [][]timed{
		{login("sign-in: an account, a wrong password", addressOf), login("no account", nobody), login("locked by an operator", locked), login("not confirmed yet", pending)},
		{mail("forgotten password: an account", "/auth/v1/password/forgot", addressOf), mail("no account", "/auth/v1/password/forgot", nobody), mail("locked by an operator", "/auth/v1/password/forgot", locked)},
		{mail("another confirmation: waiting", "/auth/v1/email/resend", pending), mail("nothing waits", "/auth/v1/email/resend", nobody)},
		{signUp("sign-up: a free address", func(n int) string { return fmt.Sprintf("newcomer-%06d@example.org", n) }), signUp("an address with an account", addressOf)},
	}
}

// BenchmarkTiming is `make timing`.
func BenchmarkTiming(b *testing.B) {
	ask := timedServer(b)
	fmt.Printf("%-44s %10s %10s %22s %9s\n", "", "median ms", "p90 ms", "chance to take longer", "p")
	for _, group := range timedGroups() {
		took := make([][]time.Duration, len(group))
		for _, turn := range rand.New(rand.NewPCG(3, 4)).Perm(len(group) * timingSamples) { // #nosec G404 -- an order
			which := turn % len(group)
			took[which] = append(took[which], ask(group[which], turn/len(group)))
		}
		for i, c := range group {
			slices.Sort(took[i])
			if i == 0 {
				fmt.Printf("%-44s %10.2f %10.2f\n", c.name, ms(took[0][timingSamples/2]), ms(took[0][timingSamples*9/10]))
				continue
			}
			chance, p := mannWhitney(took[i], took[0])
			fmt.Printf("  %-42s %10.2f %10.2f %22.3f %9.4f\n", c.name, ms(took[i][timingSamples/2]), ms(took[i][timingSamples*9/10]), chance, p)
			if math.Abs(chance-0.5) > worthTelling && p < sureEnough {
				b.Errorf("%s: its time tells it from %q", c.name, group[0].name)
			}
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// timedServer has people, locked ones, and sign-ups that wait.
func timedServer(b *testing.B) func(timed, int) time.Duration {
	b.Helper()
	at := place{Database: "sqlite:" + filepath.Join(b.TempDir(), "ringwall.db"), Origin: "http://127.0.0.1", Cheap: true}
	settle(b, at, timingPeople, 0)
	o := at.options()
	o.Origins, o.TrustedProxyHeader = nil, "X-Forwarded-For"
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	server := ringwalltest.StartApp(b, o, nil)
	for n := range timingSamples {
		body := fmt.Sprintf(`{"user":%q,"reason":"bench"}`, addressOf(timingLocked+n))
		if _, err := server.Ringwall.Operate(b.Context(), "bench", "user.lock", []byte(body)); err != nil {
			b.Fatal(err)
		}
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // #nosec G402 -- our own server
	asked := 0
	ask := func(c timed, n int) time.Duration {
		asked++
		body, _ := json.Marshal(c.body(n))
		r, err := http.NewRequest(http.MethodPost, server.URL+c.path, bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", addressNumber(asked).String())
		began := time.Now()
		response, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		took := time.Since(began)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized && response.StatusCode != http.StatusAccepted {
			b.Fatalf("%s, request %d: %s", c.name, n, response.Status)
		}
		server.Clock.Advance(time.Second)
		return took
	}
	for n := range timingSamples {
		ask(timed{"a sign-up that waits", "/auth/v1/signup", func(n int) map[string]string {
			return map[string]string{"email": fmt.Sprintf("pending-%06d@example.org", n), "password": "a password that nobody has"}
		}}, n)
	}
	return ask
}

// mannWhitney is the chance that one of a is larger than one of b (ties half), and how likely as much would be by accident.
// Both are sorted.
func mannWhitney(a, b []time.Duration) (chance, p float64) {
	var wins float64
	for _, x := range a {
		below, _ := slices.BinarySearch(b, x)
		upTo, _ := slices.BinarySearch(b, x+1)
		wins += float64(below) + float64(upTo-below)/2
	}
	n, m := float64(len(a)), float64(len(b))
	z := (wins - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return wins / (n * m), math.Erfc(math.Abs(z) / math.Sqrt2)
}
