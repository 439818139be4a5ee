package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// ceilingTown runs servers on one database with a ceiling of their own, behind a proxy that tells addresses. Their clock stands
// at the beginning of a minute until the test moves it.
func ceilingTown(t *testing.T, db testdb.DB, limit, servers int) (nodes []*ringwalltest.Server, later *atomic.Int64) {
	t.Helper()
	noon := time.Now().Truncate(time.Minute)
	later = new(atomic.Int64)
	for range servers {
		nodes = append(nodes, ringwalltest.StartApp(t, ringwall.Options{
			Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), LimitGlobal: limit, Log: (&logBuffer{}).logger(),
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, TrustedProxyHeader: "X-Forwarded-For",
			Now: func() time.Time { return noon.Add(time.Duration(later.Load())) },
		}, application))
	}
	return nodes, later
}

// trip makes so many attempts that the ceiling trips.
func trip(t *testing.T, s *ringwalltest.Server) {
	t.Helper()
	for n := range 100 {
		got := login(from(s, fmt.Sprintf("198.51.%d.9", n)), fmt.Sprintf("trip-%d@example.org", n), "not the password, surely")
		if got.Code() == "challenge-required" {
			return
		}
		want(t, "an attempt before it trips", got, 401, "login-failed")
	}
	t.Fatal("a hundred attempts did not trip the ceiling")
}

// solutionOf solves the challenge of a refusal as any program can.
func solutionOf(t *testing.T, refused ringwalltest.Answer) string {
	t.Helper()
	want(t, "the refusal", refused, 403, "challenge-required")
	var doc struct {
		Challenge struct {
			Algorithm, Challenge, Salt, Signature string
			MaxNumber                             int
		}
	}
	refused.Into(t, &doc)
	p := doc.Challenge
	for n := range p.MaxNumber + 1 {
		if sum := sha256.Sum256([]byte(p.Salt + strconv.Itoa(n))); hex.EncodeToString(sum[:]) == p.Challenge {
			text, err := json.Marshal(object{"algorithm": p.Algorithm, "challenge": p.Challenge, "number": n, "salt": p.Salt, "signature": p.Signature})
			if err != nil {
				t.Fatal(err)
			}
			return base64.StdEncoding.EncodeToString(text)
		}
	}
	t.Fatalf("the challenge has no solution: %s", refused.Body)
	return ""
}

func solving(c *ringwalltest.Client, address, password, solution string) ringwalltest.Answer {
	return c.Post("/auth/v1/login", object{"email": address, "password": password, "challenge": solution})
}

// S052, S053, D25: guesses from 500 addresses over two nodes. At most the ceiling reaches the hash; the owner's known device
// signs in at once, everybody else with a challenge; and it is over when it is over.
func TestAFloodFromEverywhere(t *testing.T) {
	t.Parallel()
	const ceiling = 30
	db := testdb.Postgres(t)
	nodes, later := ceilingTown(t, db, ceiling, 2)
	owner := nodes[0].SignIn("owner@example.org")
	want(t, "sign out", owner.Post("/auth/v1/logout", object{}), 204, "")
	nodes[0].SignUp("other@example.org")
	later.Add(int64(time.Minute))

	var hashed, busy, asked, strange atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for n := range 25 {
				n += 25 * i
				c := from(nodes[n%2], fmt.Sprintf("203.%d.%d.9", n/250, n%250))
				got, err := c.Try("POST", "/auth/v1/login", object{"email": fmt.Sprintf("guess-%d@example.org", n), "password": "not the password, surely"})
				switch {
				case err == nil && got.Status == 401:
					hashed.Add(1)
				case err == nil && got.Code() == "busy": // it gave its place back
					busy.Add(1)
				case err == nil && got.Code() == "challenge-required":
					asked.Add(1)
				default:
					strange.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := hashed.Load(); n > ceiling/2 || n+busy.Load() < ceiling/2-4 || strange.Load() != 0 {
		t.Errorf("of 500 guesses %d reached the hash, %d were asked for a challenge, %d went elsewhere, want %d at most to reach it", n, asked.Load(), strange.Load(), ceiling/2)
	}
	for n := range ceiling {
		c := from(nodes[n%2], fmt.Sprintf("203.9.%d.9", n))
		address := fmt.Sprintf("solver-%d@example.org", n)
		first := login(c, address, "not the password, surely")
		if first.Status == 429 {
			break
		}
		switch got := solving(c, address, "not the password, surely", solutionOf(t, first)); {
		case got.Status == 401:
			hashed.Add(1)
		case got.Code() == "busy":
			busy.Add(1)
		case got.Status != 429:
			t.Errorf("a guess with a solution = %d %q", got.Status, got.Code())
		}
	}
	if n := hashed.Load(); n > ceiling*2/3 || n+busy.Load() < ceiling*2/3-4 {
		t.Errorf("with solutions %d guesses reached the hash, want %d at most", n, ceiling*2/3)
	}
	owner.CSRF = ""
	want(t, "the owner at the other node", login(at(nodes[1], owner), "owner@example.org", ringwalltest.Password), 403, "challenge-required") // without the cookie of the device
	want(t, "the owner's known device", login(owner, "owner@example.org", ringwalltest.Password), 200, "")
	want(t, "what is signed in", owner.Get("/"), 200, "")

	later.Add(int64(time.Minute))
	c := from(nodes[1], "192.0.2.77")
	first := login(c, "other@example.org", ringwalltest.Password)
	want(t, "somebody without a known device", first, 403, "challenge-required")
	if first.Header.Get("Cache-Control") != "no-store" {
		t.Error("the challenge may be stored")
	}
	want(t, "with a solution", solving(c, "other@example.org", ringwalltest.Password, solutionOf(t, first)), 200, "")
	later.Add(int64(2 * time.Minute))
	want(t, "two calm minutes later", login(from(nodes[1], "192.0.2.78"), "other@example.org", "not the password, surely"), 401, "login-failed")
}

// A solution works once, here and now: for one form, one network, within five minutes. A refusal for want of one costs the
// account no try.
func TestChallenges(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		nodes, later := ceilingTown(t, db, 120, 1)
		s := nodes[0]
		s.SignUp("known@example.org")
		if shown := operate(t, s, "limits.show", object{})["limits"].([]any); len(shown) != 0 {
			t.Errorf("limits.show while it is calm = %v", shown)
		}
		trip(t, s)
		if shown := operate(t, s, "limits.show", object{})["limits"].([]any); len(shown) != 1 || shown[0].(object)["layer"] != "global" || shown[0].(object)["until"] == nil {
			t.Errorf("limits.show of a tripped ceiling = %v", shown)
		}
		c := from(s, "192.0.2.1")
		for range 20 { // far more than an account has tries
			want(t, "without a solution", login(c, "known@example.org", ringwalltest.Password), 403, "challenge-required")
			want(t, "with nonsense", solving(c, "known@example.org", ringwalltest.Password, "e30="), 403, "challenge-required")
		}
		solution := solutionOf(t, login(c, "known@example.org", ringwalltest.Password))
		forgot := object{"email": "known@example.org", "challenge": solution}
		want(t, "for another form", c.Post("/auth/v1/password/forgot", forgot), 403, "challenge-required")
		want(t, "from another network", solving(from(s, "192.0.3.1"), "known@example.org", ringwalltest.Password, solution), 403, "challenge-required")
		won := fifty(func(n int) bool {
			got, err := from(s, "192.0.2.200").Try("POST", "/auth/v1/login", object{"email": fmt.Sprintf("parallel-%d@example.org", n), "password": "not the password, surely", "challenge": solution})
			return err == nil && got.Status != 403 && got.Code() != "busy" // the queue was full, and the solution is not used
		})
		if won > 1 { // none, if the one whose solution it was met a full queue after all
			t.Errorf("of fifty parallel uses of a solution %d were taken, want 1", won)
		}
		want(t, "once more", solving(c, "known@example.org", ringwalltest.Password, solution), 403, "challenge-required")

		// The other forms.
		first := signUp(c, "new@example.org", ringwalltest.Password)
		want(t, "a sign-up", c.Post("/auth/v1/signup", object{"email": "new@example.org", "password": ringwalltest.Password, "challenge": solutionOf(t, first)}), 202, "")
		first = c.Post("/auth/v1/password/forgot", object{"email": "known@example.org"})
		want(t, "a forgotten password", c.Post("/auth/v1/password/forgot", object{"email": "known@example.org", "challenge": solutionOf(t, first)}), 202, "")
		token := s.Mail("known@example.org", 2).Token()
		want(t, "the mailed link", c.Post("/auth/v1/password/reset", object{"token": token, "password": newPassword}), 204, "")
		want(t, "the browser that the link made known", login(c, "known@example.org", newPassword), 200, "")

		late := solutionOf(t, login(from(s, "192.0.2.1"), "late@example.org", newPassword))
		later.Add(int64(time.Minute))
		trip(t, s)
		later.Add(int64(2 * time.Minute))
		trip(t, s)
		later.Add(int64(2*time.Minute + time.Second))
		want(t, "late", solving(from(s, "192.0.2.1"), "late@example.org", newPassword, late), 403, "challenge-required")
	})
}

// riddle is a captcha of a host's own.
type riddle struct {
	asked atomic.Pointer[ringwall.ChallengeRequest]
}

func (r *riddle) Challenge(asked ringwall.ChallengeRequest) (any, error) {
	r.asked.Store(&asked)
	return object{"riddle": "What has roots as nobody sees?"}, nil
}
func (*riddle) Check(_ ringwall.ChallengeRequest, solution string) bool { return solution != "" }
func (*riddle) Redeem(_ context.Context, _ ringwall.ChallengeRequest, solution string) (bool, error) {
	return solution == "a mountain", nil
}

// A host can put a captcha in the place of ours.
func TestCaptchaOfTheHost(t *testing.T) {
	r, at := &riddle{}, time.Now()
	s := ringwalltest.StartApp(t, ringwall.Options{LimitGlobal: 30, Challenger: r, Now: func() time.Time { return at }}, application) // all of it within a minute
	s.SignUp("known@example.org")
	for n := range 20 {
		login(s.Client(), fmt.Sprintf("riddle-%d@example.org", n), "not the password, surely")
	}
	c := s.Client()
	first := login(c, "known@example.org", ringwalltest.Password)
	want(t, "without an answer", first, 403, "challenge-required")
	if !strings.Contains(string(first.Body), `"challenge":{"riddle":"What has roots as nobody sees?"}`) {
		t.Errorf("the riddle is missing: %s", first.Body)
	}
	if asked := r.asked.Load(); asked.Form != "login" || !asked.Client.IsLoopback() {
		t.Errorf("the captcha was asked for %+v", asked)
	}
	page := s.Client()
	page.Header.Set("Accept", "text/html")
	if got := page.Get("/auth/login"); got.Status != 200 || !strings.Contains(string(got.Body), "What has roots") {
		t.Errorf("the page = %d, want the riddle on it", got.Status)
	}
	want(t, "a wrong answer", solving(c, "known@example.org", ringwalltest.Password, "a tree"), 403, "challenge-required")
	want(t, "the answer", solving(c, "known@example.org", ringwalltest.Password, "a mountain"), 200, "")
}

// D17: asked for a challenge, with a wrong password behind one, and beyond the ceiling: alike for known and unknown, in answers and statements.
func TestChallengesTellNobodyWhoHasAnAccount(t *testing.T) {
	db := testdb.Postgres(t)
	r, dsn := startRelay(t, db.DSN)
	relayed := db
	relayed.DSN = dsn
	nodes, _ := ceilingTown(t, relayed, 90, 1)
	s := nodes[0]
	s.SignUp("known@example.org")
	trip(t, s)
	within(t, 20*time.Second, "the alert, which is written meanwhile", func() bool { return len(events(t, s, "alert_opened")) > 0 })
	c := from(s, "192.0.2.1")
	withoutPuzzle := func(a ringwalltest.Answer) ringwalltest.Answer {
		var doc object
		a.Into(t, &doc)
		delete(doc, "challenge")
		a.Body, _ = json.Marshal(doc)
		a.Header = a.Header.Clone()
		a.Header.Del("Content-Length")
		return a
	}
	var known, unknown ringwalltest.Answer
	login(c, "warmup@example.org", "not the password, surely") // the first refusal of a minute is written
	for name, ask := range map[string]func(string) ringwalltest.Answer{
		"sign-in": func(a string) ringwalltest.Answer { return login(c, a, "not the password, surely") },
		"forgotten": func(a string) ringwalltest.Answer {
			return c.Post("/auth/v1/password/forgot", object{"email": a})
		},
		"sign-up": func(a string) ringwalltest.Answer { return signUp(c, a, ringwalltest.Password) },
	} {
		ask("warmup@example.org")
		one := r.during(func() { known = ask("known@example.org") })
		other := r.during(func() { unknown = ask("unknown@example.org") })
		sameAnswer(t, name, withoutPuzzle(known), withoutPuzzle(unknown))
		if len(one)+len(other) != 0 {
			t.Errorf("%s: who is asked for a challenge costs statements:\n%s\n%s", name, strings.Join(one, "\n"), strings.Join(other, "\n"))
		}
	}
	solved := func(address string) func() {
		solution := solutionOf(t, login(c, address, "not the password, surely"))
		return func() { known, unknown = unknown, solving(c, address, "not the password, surely", solution) }
	}
	solved("warmup@example.org")()
	one, other := r.during(solved("known@example.org")), r.during(solved("unknown@example.org"))
	sameAnswer(t, "with a solution", known, unknown)
	want(t, "with a solution", known, 401, "login-failed")
	if len(one) != len(other) || len(one) == 0 {
		t.Errorf("%d statements for one that exists, %d for one that does not:\n%s\n\n%s", len(one), len(other), strings.Join(one, "\n"), strings.Join(other, "\n"))
	}
}

// What the ceiling knows survives a restart; with the database gone nobody passes it.
func TestTheCeilingSurvivesARestart(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		nodes, _ := ceilingTown(t, db, 30, 1)
		trip(t, nodes[0])
		closed(t, nodes[0].Ringwall)
		again, _ := ceilingTown(t, db, 30, 1)
		want(t, "after a restart", login(from(again[0], "192.0.2.1"), "restart@example.org", "not the password, surely"), 403, "challenge-required")
		admin := onDatabase(t, db)
		solution := solutionOf(t, login(from(again[0], "192.0.2.1"), "restart@example.org", "not the password, surely"))
		tell(t, admin, `ALTER TABLE ringwall_puzzles RENAME TO gone`)
		got := solving(from(again[0], "192.0.2.1"), "restart@example.org", "not the password, surely", solution)
		if got.Status < 500 {
			t.Errorf("a solution that nobody can look up = %d %q, want an error", got.Status, got.Code())
		}
		tell(t, admin, `ALTER TABLE gone RENAME TO ringwall_puzzles`)
		want(t, "when it is back", solving(from(again[0], "192.0.2.1"), "restart@example.org", "not the password, surely", solution), 401, "login-failed")
	})
}
