package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ringwalltest"
)

// limited has the limits of production, and a clock that stands: however slow the machine, nothing runs in meanwhile.
func limited(o *ringwall.Options) {
	at := time.Now()
	o.Now = func() time.Time { return at }
	o.LimitAddress = []ratelimit.Window{{Quota: 20, Per: time.Minute}, {Quota: 100, Per: time.Hour}}
}

// proxied has them behind a proxy, which names the client.
func proxied(o *ringwall.Options) {
	limited(o)
	behindProxy(o)
}

// guess is how many of so many wrong passwords, each for an account of its own, are looked at.
func guess(tries int, client func(i int) *ringwalltest.Client) int {
	looked := 0
	for i := range tries {
		if login(client(i), fmt.Sprintf("account-%d@example.org", i), "not the password, surely").Status == 401 {
			looked++
		}
	}
	return looked
}

// S049: one address, many accounts. A header that a stranger sends does not make another address of it.
func TestAddressIsLimitedOverManyAccounts(t *testing.T) {
	eachWith(t, limited, func(t *testing.T, s *ringwalltest.Server) {
		if got := guess(25, func(i int) *ringwalltest.Client { return from(s, fmt.Sprintf("203.0.113.%d", i)) }); got != 20 {
			t.Fatalf("of 25 guesses from one address, each with another X-Forwarded-For, %d were looked at, want 20", got)
		}
		refused := login(s.Client(), "other@example.org", "not the password, surely")
		want(t, "the next one", refused, 429, "too-many-requests")
		if got := refused.Header.Get("Retry-After"); got != "60" {
			t.Errorf("Retry-After = %q, want a whole minute", got)
		}
		for name := range refused.Header {
			if strings.HasPrefix(strings.ToLower(name), "ratelimit") { // D11
				t.Errorf("the answer of a sign-in tells the limit: %s", name)
			}
		}
		// What asks for a mail or has a code is held up too, alike for those who exist and those who do not.
		for path, body := range map[string]object{
			"/auth/v1/password/forgot": {"email": "a@example.org"}, "/auth/v1/email/resend": {"email": "a@example.org"},
			"/auth/v1/email/verify": {"email": "a@example.org", "code": "AAAA-AAAA"}, "/auth/v1/password/reset": {"token": "x", "password": ringwalltest.Password},
		} {
			want(t, path, s.Client().Post(path, body), 429, "too-many-requests")
		}
	})
}

// Behind a proxy the client counts, in every notation; an IPv6 customer counts by /64, and by /48 with four times as many.
func TestAddressesOfOneClientAreOne(t *testing.T) {
	eachWith(t, proxied, func(t *testing.T, s *ringwalltest.Server) {
		mapped := []string{"203.0.113.1", "::ffff:203.0.113.1", "[::FFFF:cb00:7101]:443", "203.0.113.1:1234", "0:0:0:0:0:ffff:203.0.113.1"}
		if got := guess(25, func(i int) *ringwalltest.Client { return from(s, mapped[i%len(mapped)]) }); got != 20 {
			t.Errorf("one IPv4 address in five notations: %d were looked at, want 20", got)
		}
		if got := guess(25, func(i int) *ringwalltest.Client { return from(s, fmt.Sprintf("2001:db8:0:1:%x::%x", i, i)) }); got != 20 {
			t.Errorf("addresses of one /64: %d were looked at, want 20", got)
		}
		if got := guess(100, func(i int) *ringwalltest.Client { return from(s, fmt.Sprintf("2001:db8:1:%x::1", i)) }); got != 80 {
			t.Errorf("a hundred /64 of one /48: %d were looked at, want 80", got)
		}
		// A thousand addresses that the client sent stand left of the one that the proxy saw.
		rows := make([]string, 1000)
		if got := guess(25, func(i int) *ringwalltest.Client {
			for j := range rows {
				rows[j] = fmt.Sprintf("198.51.%d.%d", i, j%256)
			}
			return from(s, strings.Join(rows, ", ")+", 203.0.113.77")
		}); got != 20 {
			t.Errorf("a thousand addresses in one header: %d were looked at, want 20", got)
		}
		want(t, "somebody elsewhere", login(from(s, "203.0.113.2"), "x@example.org", "not the password, surely"), 401, "login-failed")
	})
}

// S055: the same account from fifty addresses is held up by its own counter.
func TestAccountIsLimitedOverManyAddresses(t *testing.T) {
	eachWith(t, proxied, func(t *testing.T, s *ringwalltest.Server) {
		looked := 0
		for i := range 50 {
			if login(from(s, fmt.Sprintf("203.0.113.%d", i)), "one@example.org", "not the password, surely").Status == 401 {
				looked++
			}
		}
		if looked != 5 {
			t.Errorf("one account from fifty addresses: %d were looked at, want 5", looked)
		}
	})
}

// Nobody is locked out by those who share an address: a known device signs in at once. Somebody else's is worth nothing.
func TestKnownDevicePassesAnExhaustedAddress(t *testing.T) {
	eachWith(t, limited, func(t *testing.T, s *ringwalltest.Server) {
		owner, other := s.SignIn("owner@example.org"), s.SignIn("other@example.org")
		for _, c := range []*ringwalltest.Client{owner, other} {
			want(t, "sign out", c.Post("/auth/v1/logout", object{}), 204, "")
			c.CSRF = ""
		}
		guess(25, func(int) *ringwalltest.Client { return s.Client() })
		known, unknown := login(s.Client(), "owner@example.org", ringwalltest.Password), login(s.Client(), "nobody@example.org", ringwalltest.Password)
		want(t, "without a device", known, 429, "too-many-requests")
		sameAnswer(t, "known and unknown", known, unknown)
		known, unknown = login(other, "owner@example.org", ringwalltest.Password), login(other, "nobody@example.org", ringwalltest.Password)
		want(t, "with somebody else's device", known, 429, "too-many-requests")
		sameAnswer(t, "known and unknown, with somebody else's device", known, unknown)
		want(t, "the owner mistypes", login(owner, "owner@example.org", "not the password, surely"), 401, "login-failed")
		want(t, "the owner", login(owner, "owner@example.org", ringwalltest.Password), 200, "")
		want(t, "the owner proves it again", owner.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")
		want(t, "the owner forgot", owner.Post("/auth/v1/password/forgot", object{"email": "owner@example.org"}), 202, "")
		token := s.Mail("owner@example.org", 2).Token()
		want(t, "the owner chooses another", owner.Post("/auth/v1/password/reset", object{"token": token, "password": "another horse, another staple"}), 204, "")
	})
}

// Monday morning: thirty pupils behind one address sign in at once, some after a mistake, and again after the break.
func TestClassroomSignsIn(t *testing.T) {
	eachWith(t, limited, func(t *testing.T, s *ringwalltest.Server) {
		for i := range 30 {
			operate(t, s, "user.create", object{"email": fmt.Sprintf("pupil-%d@example.org", i), "password": ringwalltest.Password})
		}
		for _, lesson := range []string{"first", "second"} {
			var in atomic.Int64
			var wg sync.WaitGroup
			for i := range 30 {
				wg.Go(func() {
					c := s.Client()
					if i%10 == 0 {
						_, _ = c.Try("POST", "/auth/v1/login", object{"email": fmt.Sprintf("pupil-%d@example.org", i), "password": "mistyped, this was"})
					}
					for range 100 {
						got, err := c.Try("POST", "/auth/v1/login", object{"email": fmt.Sprintf("pupil-%d@example.org", i), "password": ringwalltest.Password})
						if err == nil && got.Status == http.StatusServiceUnavailable { // thirty hashes at once are more than a small machine queues
							time.Sleep(50 * time.Millisecond)
							continue
						}
						if err == nil && got.Status == 200 {
							in.Add(1)
						} else {
							t.Errorf("pupil %d: %d %s %v", i, got.Status, got.Body, err)
						}
						return
					}
				})
			}
			wg.Wait()
			if in.Load() != 30 {
				t.Errorf("%s lesson: %d of 30 signed in", lesson, in.Load())
			}
		}
	})
}

// C106: an address may ask for a quarter as many sign-ups.
func TestSignUpsOfAnAddressAreFewer(t *testing.T) {
	eachWith(t, limited, func(t *testing.T, s *ringwalltest.Server) {
		for i := range 5 {
			want(t, "a sign-up", signUp(s.Client(), fmt.Sprintf("new-%d@example.org", i), ringwalltest.Password), 202, "")
		}
		want(t, "the sixth", signUp(s.Client(), "new-6@example.org", ringwalltest.Password), 429, "too-many-requests")
		want(t, "a sign-in meanwhile", login(s.Client(), "x@example.org", "not the password, surely"), 401, "login-failed")
	})
}

// Of fifty guesses at once, each for another account, at most twenty are looked at.
func TestFiftyParallelGuessesFromOneAddress(t *testing.T) {
	eachWith(t, limited, func(t *testing.T, s *ringwalltest.Server) {
		looked := fifty(func(i int) bool {
			got, err := s.Client().Try("POST", "/auth/v1/login", object{"email": fmt.Sprintf("p-%d@example.org", i), "password": "not the password, surely"})
			return err == nil && got.Status == 401
		})
		if looked > 20 {
			t.Errorf("of fifty guesses at once %d were looked at, want at most 20", looked)
		}
	})
}

// Whoever is held up by the address costs the database nothing.
func TestRefusedAddressReadsNothing(t *testing.T) {
	db := testdb.Postgres(t)
	r, dsn := startRelay(t, db.DSN)
	o := ringwall.Options{Database: dsn, MasterKey: ringwall.NewSecret(masterKey)}
	limited(&o)
	s := ringwalltest.StartApp(t, o, nil)
	guess(22, func(int) *ringwalltest.Client { return s.Client() })              // the first refusal of a minute leaves a row
	within(t, 10*time.Second, "a refused guess that runs nothing", func() bool { // an alert may be written meanwhile
		return len(r.during(func() {
			want(t, "a guess", login(s.Client(), "x@example.org", "not the password, surely"), 429, "too-many-requests")
		})) == 0
	})
}

// Asking for challenges without end would keep the ceiling tripped for everybody, at no cost.
func TestUnsolvedChallengesCountAgainstTheAddress(t *testing.T) {
	o := ringwall.Options{LimitGlobal: 10}
	proxied(&o)
	s := start(t, o)
	for n := range 40 {
		login(from(s, fmt.Sprintf("198.51.%d.1", n)), fmt.Sprintf("flood-%d@example.org", n), "not the password, surely")
	}
	c, asked := from(s, "192.0.2.1"), 0
	for n := range 30 {
		switch got := login(c, fmt.Sprintf("one-%d@example.org", n), "not the password, surely"); got.Status {
		case 403:
			asked++
		case 429:
		default:
			t.Fatalf("try %d = %d %s", n, got.Status, got.Body)
		}
	}
	if asked != 20 {
		t.Errorf("one address was asked for %d challenges in a minute, want 20", asked)
	}
}
