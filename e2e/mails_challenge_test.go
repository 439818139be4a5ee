package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// mailTown runs servers on one database with a budget of mails, behind a proxy that tells addresses. Their clock stands until the
// test moves it.
func mailTown(t *testing.T, db testdb.DB, budget, servers int) (nodes []*ringwalltest.Server, later *atomic.Int64) {
	t.Helper()
	noon := time.Now().Truncate(time.Minute)
	later = new(atomic.Int64)
	for range servers {
		nodes = append(nodes, ringwalltest.StartApp(t, ringwall.Options{
			Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), LimitMails: budget, LimitGlobal: -1, Log: (&logBuffer{}).logger(),
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, TrustedProxyHeader: "X-Forwarded-For",
			Now: func() time.Time { return noon.Add(time.Duration(later.Load())) },
		}, application))
	}
	return nodes, later
}

// mailPaths are the calls by which a stranger can have something mailed.
var mailPaths = []string{"password/forgot", "email/resend", "signup"}

// askMail asks for a mail by the JSON API.
func askMail(c *ringwalltest.Client, path, address, solution string) ringwalltest.Answer {
	return c.Post("/auth/v1/"+path, mailBody(path, address, solution))
}

func mailBody(path, address, solution string) object {
	body := object{"email": address}
	if path == "signup" {
		body["password"] = ringwalltest.Password
	}
	if solution != "" {
		body["challenge"] = solution
	}
	return body
}

// spendHalf asks for mails, each from a network of its own, until a challenge comes first.
func spendHalf(t *testing.T, s *ringwalltest.Server) {
	t.Helper()
	for n := range 100 {
		got := askMail(from(s, fmt.Sprintf("198.51.%d.9", n)), "password/forgot", fmt.Sprintf("spent-%d@example.org", n), "")
		if got.Code() == "challenge-required" {
			return
		}
		want(t, "a mail of the first half", got, 202, "")
	}
	t.Fatal("a hundred mails did not spend half of the budget")
}

// mailLimits is what `limits show` says of the mails of everybody.
func mailLimits(t *testing.T, s *ringwalltest.Server) string {
	t.Helper()
	shown := operate(t, s, "limits.show", object{})["limits"].([]any)
	if len(shown) == 0 {
		return ""
	}
	row := shown[0].(object)
	if len(shown) != 1 || row["layer"] != "mails" || row["who"] != "strangers" || row["until"] == nil || row["since"] == nil {
		t.Fatalf("limits.show = %v, want one row about mails", shown)
	}
	return row["why"].(string)
}

// A flood of requests for mails from everywhere, over all nodes, gets the half of the budget and no more. A person who solves
// the challenge gets the mail while the flood goes on, which waits; whoever has signed in on a device before sees nothing of
// it; the whole budget is never passed; and a minute later all is as before.
func TestMailsOfStrangersHaveABudget(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		servers := 1
		if db.Engine == "postgres" {
			servers = 2
		}
		nodes, later := mailTown(t, db, 10, servers)
		s := nodes[0]
		owner := s.SignIn("owner@example.org")
		s.SignUp("person@example.org")
		later.Add(int64(2 * time.Minute))

		var sent, asked atomic.Int64
		flood := func() {
			sent.Store(0)
			asked.Store(0)
			var asking sync.WaitGroup
			atOnce := make(chan struct{}, 10) // a slow machine has turns for all of them
			for i := range 60 {
				atOnce <- struct{}{}
				asking.Go(func() {
					defer func() { <-atOnce }()
					body := object{"email": fmt.Sprintf("victim-%d@example.org", i)}
					got, err := from(nodes[i%servers], fmt.Sprintf("198.51.%d.1", i)).Try("POST", "/auth/v1/password/forgot", body)
					switch {
					case err != nil:
						t.Error(err)
					case got.Status == 202:
						sent.Add(1)
					case got.Code() == "challenge-required":
						asked.Add(1)
					default:
						t.Errorf("asking for a mail = %d, want 202 or a challenge\n%s", got.Status, got.Body)
					}
				})
			}
			asking.Wait()
		}
		flood()
		if sent.Load() != 5 || asked.Load() != 55 {
			t.Errorf("%d mails were asked for and %d asked for a challenge, want half of the budget, 5, and 55", sent.Load(), asked.Load())
		}
		if why := mailLimits(t, s); !strings.Contains(why, "half of LIMIT_MAILS") {
			t.Errorf("limits.show at half = %q", why)
		}
		within(t, 20*time.Second, "an alert at half of the budget", func() bool {
			alerted := operate(t, s, "alert.list", object{})["alerts"].([]any)
			return len(alerted) == 1 && alerted[0].(object)["kind"] == "mails"
		})

		person, before := from(s, "203.0.113.1"), len(s.Mails("person@example.org"))
		first := askMail(person, "password/forgot", "person@example.org", "")
		flood()
		if sent.Load() != 0 {
			t.Errorf("the flood got %d more mails, want none", sent.Load())
		}
		want(t, "with a solution", askMail(person, "password/forgot", "person@example.org", solutionOf(t, first)), 202, "")
		s.Mail("person@example.org", before+1)

		// The rest of the budget, which gets dearer.
		for i := range 4 {
			c, path := from(nodes[i%servers], fmt.Sprintf("203.0.%d.1", i)), mailPaths[i%3]
			first = askMail(c, path, "somebody@example.net", "")
			want(t, path+" with a solution", askMail(c, path, "somebody@example.net", solutionOf(t, first)), 202, "")
		}
		if last := maxNumber(t, first); last <= 100_000 || last > 200_000 {
			t.Errorf("the last challenge has %d numbers, want far more than the 25,000 of the first, and no more than 200,000", last)
		}
		for _, path := range mailPaths {
			known, unknown := askMail(from(s, "203.0.113.1"), path, "owner@example.org", ""), askMail(from(s, "203.0.113.2"), path, "nobody@example.org", "")
			want(t, path, unknown, 429, "too-many-requests")
			sameAnswer(t, path+" for known and unknown", known, unknown)
			if got := unknown.Header.Get("Retry-After"); got != "60" {
				t.Errorf("%s: Retry-After = %q, want the minute", path, got)
			}
		}
		if why := mailLimits(t, s); !strings.Contains(why, "all of LIMIT_MAILS") {
			t.Errorf("limits.show when all is spent = %q", why)
		}
		mails := len(s.Mails("owner@example.org"))
		want(t, "the owner's device", askMail(owner, "password/forgot", "owner@example.org", ""), 202, "")
		s.Mail("owner@example.org", mails+1)

		later.Add(int64(time.Minute))
		if why := mailLimits(t, s); why != "" {
			t.Errorf("limits.show a minute later = %q", why)
		}
		want(t, "a minute later", askMail(from(s, "203.0.113.3"), "password/forgot", "nobody@example.org", ""), 202, "")
	})
}

func maxNumber(t *testing.T, refused ringwalltest.Answer) int {
	t.Helper()
	var doc struct{ Challenge struct{ MaxNumber int } }
	refused.Into(t, &doc)
	return doc.Challenge.MaxNumber
}

// A solution gets one mail, here and now: for one form, one network, within five minutes. Nonsense, and one solution sent
// again and again, use nothing up.
func TestASolutionGetsOneMail(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		nodes, later := mailTown(t, db, 20, 1)
		s := nodes[0]
		for i, path := range mailPaths {
			later.Add(int64(3 * time.Minute))
			spendHalf(t, s)
			network := func(host int) *ringwalltest.Client { return from(s, fmt.Sprintf("192.0.%d.%d", i, host)) }
			ask := func(host int, solution string) ringwalltest.Answer {
				return askMail(network(host), path, fmt.Sprintf("asks-%d@example.org", i), solution)
			}
			solution := solutionOf(t, ask(1, ""))
			for range 10 { // more than somebody has tries for an address
				want(t, path+" without a solution", ask(1, ""), 403, "challenge-required")
				want(t, path+" with nonsense", ask(1, "e30="), 403, "challenge-required")
			}
			other := mailPaths[(i+1)%3]
			want(t, path+"'s for "+other, askMail(network(1), other, "other@example.org", solution), 403, "challenge-required")
			want(t, path+" from another network", askMail(from(s, fmt.Sprintf("192.1.%d.1", i)), path, "other@example.org", solution), 403, "challenge-required")
			won := fifty(func(n int) bool {
				got, err := network(n+1).Try("POST", "/auth/v1/"+path, mailBody(path, fmt.Sprintf("parallel-%d-%d@example.org", i, n), solution))
				if err != nil || got.Status == 429 {
					t.Errorf("%s with a shared solution = %d, %v", path, got.Status, err)
				}
				return err == nil && got.Status == 202
			})
			if won != 1 {
				t.Errorf("%s: of fifty parallel uses of a solution %d got a mail, want 1", path, won)
			}
			want(t, path+" once more", ask(1, solution), 403, "challenge-required")
			want(t, path+" with another", ask(1, solutionOf(t, ask(1, ""))), 202, "") // all that used nothing up

			late := solutionOf(t, ask(1, ""))
			later.Add(int64(5 * time.Minute))
			spendHalf(t, s)
			want(t, path+" late", ask(1, late), 403, "challenge-required")
		}
	})
}

// However many solve challenges at the same time, the whole budget is not passed.
func TestSolversStayWithinTheBudget(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		nodes, _ := mailTown(t, db, 8, 1)
		s := nodes[0]
		spendHalf(t, s)
		var got atomic.Int64
		var asking sync.WaitGroup
		start := make(chan struct{})
		for n := range 20 {
			c := from(s, fmt.Sprintf("192.0.%d.1", n))
			body := mailBody("password/forgot", "many@example.org", solutionOf(t, askMail(c, "password/forgot", "many@example.org", "")))
			asking.Go(func() {
				<-start
				answer, err := c.Try("POST", "/auth/v1/password/forgot", body)
				if err != nil || answer.Status != 202 && answer.Status != 429 {
					t.Errorf("with a solution = %d, %v", answer.Status, err)
				}
				if answer.Status == 202 {
					got.Add(1)
				}
			})
		}
		close(start)
		asking.Wait()
		if got.Load() != 4 {
			t.Errorf("of twenty who solved their challenges %d got a mail, want the 4 that are left", got.Load())
		}
	})
}

// The smallest budgets: of one mail there is no half to solve anything for.
func TestSmallBudgetsOfMails(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		nodes, _ := mailTown(t, db, 1, 1)
		c := from(nodes[0], "192.0.2.1")
		want(t, "the only mail", askMail(c, "password/forgot", "a@example.org", ""), 202, "")
		want(t, "one more", askMail(c, "password/forgot", "b@example.org", ""), 429, "too-many-requests")
		want(t, "one more, with nonsense", askMail(c, "password/forgot", "b@example.org", "e30="), 429, "too-many-requests")
	})
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		nodes, _ := mailTown(t, db, 3, 1)
		c := from(nodes[0], "192.0.2.1")
		want(t, "the first", askMail(c, "password/forgot", "a@example.org", ""), 202, "")
		want(t, "the second", askMail(c, "password/forgot", "b@example.org", ""), 202, "")
		want(t, "the third", askMail(c, "password/forgot", "c@example.org", solutionOf(t, askMail(c, "password/forgot", "c@example.org", ""))), 202, "")
		want(t, "the fourth", askMail(c, "password/forgot", "d@example.org", ""), 429, "too-many-requests")
	})
}

// While the ceiling of attempts is tripped too, one solution is enough for both: it is taken once.
func TestOneSolutionForTheCeilingAndTheMails(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		noon := time.Now().Truncate(time.Minute)
		s := ringwalltest.StartApp(t, ringwall.Options{
			Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), LimitMails: 20, LimitGlobal: 60, Log: (&logBuffer{}).logger(),
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, TrustedProxyHeader: "X-Forwarded-For",
			Now: func() time.Time { return noon },
		}, application)
		spendHalf(t, s)
		trip(t, s)
		c := from(s, "192.0.2.1")
		for _, path := range mailPaths {
			solution := solutionOf(t, askMail(c, path, "both@example.org", ""))
			want(t, path, askMail(c, path, "both@example.org", solution), 202, "")
			want(t, path+" again", askMail(c, path, "both@example.org", solution), 403, "challenge-required")
		}
	})
}

var (
	formTokens   = regexp.MustCompile(`name="csrf_token" value="[^"]*"`)
	pagePuzzle   = regexp.MustCompile(`data-puzzle="[^"]*"`)
	askedAddress = regexp.MustCompile(`\b(known|pending|unknown)@example\.org`)
)

// D17: asked for a challenge, and with a solution, alike for known, pending and unknown: status, body, headers, cookies, by the
// API and on the pages; and no statement more for the one than for the other, nor any that writes for whoever is asked.
func TestMailChallengesTellNobodyWhoHasAnAccount(t *testing.T) {
	db := testdb.Postgres(t)
	r, dsn := startRelay(t, db.DSN)
	relayed := db
	relayed.DSN = dsn
	nodes, later := mailTown(t, relayed, 60, 1)
	s := nodes[0]
	s.SignUp("known@example.org")
	want(t, "a sign-up not confirmed", signUp(from(s, "192.0.2.9"), "pending@example.org", ringwalltest.Password), 202, "")
	s.Mail("pending@example.org", 1)
	later.Add(int64(2 * time.Minute))
	spendHalf(t, s)
	within(t, 20*time.Second, "the alert, which is written meanwhile", func() bool { return len(events(t, s, "alert_opened")) > 0 })
	plain := func(a ringwalltest.Answer) ringwalltest.Answer { // but for what differs by nature
		var doc object
		if json.Unmarshal(a.Body, &doc) == nil {
			delete(doc, "challenge")
			a.Body, _ = json.Marshal(doc)
		}
		text := askedAddress.ReplaceAllString(pagePuzzle.ReplaceAllString(formTokens.ReplaceAllString(string(a.Body), ""), ""), "ADDRESS")
		a.Body, a.Header = []byte(text), maps.Clone(a.Header)
		a.Header.Del("Content-Length")
		return a
	}
	page := func(path string) func(string, string) ringwalltest.Answer {
		return func(address, solution string) ringwalltest.Answer {
			c := from(s, "192.0.2.1")
			shown := path
			if path == "/auth/check-mail/resend" {
				shown = "/auth/check-mail"
			}
			body := c.Get(shown)
			if !pagePuzzle.Match(body.Body) {
				t.Errorf("GET %s shows no challenge", shown)
			}
			values := url.Values{"csrf_token": {formToken(t, body)}, "email": {address}, "challenge": {solution}}
			if path == "/auth/signup" {
				values.Set("password", ringwalltest.Password)
			}
			return c.Do("POST", path, values)
		}
	}
	asks := map[string]func(address, solution string) ringwalltest.Answer{
		"page signup": page("/auth/signup"), "page forgot": page("/auth/forgot-password"), "page resend": page("/auth/check-mail/resend"),
	}
	for _, path := range mailPaths {
		asks[path] = func(address, solution string) ringwalltest.Answer {
			return askMail(from(s, "192.0.2.1"), path, address, solution)
		}
	}
	for name, ask := range asks {
		ask("warmup@example.org", "") // the first refusal of a minute is written
		answers, statements := map[string]ringwalltest.Answer{}, map[string][]string{}
		for _, who := range []string{"known", "pending", "unknown"} {
			statements[who] = r.during(func() { answers[who] = ask(who+"@example.org", "") })
			if got := answers[who]; got.Status != 403 {
				t.Fatalf("%s for %s = %d, want 403\n%s", name, who, got.Status, got.Body)
			}
			for _, statement := range statements[who] {
				if upper := strings.ToUpper(statement); strings.Contains(upper, "INSERT") || strings.Contains(upper, "UPDATE ") || strings.Contains(upper, "DELETE") {
					t.Errorf("%s: who is asked for a challenge has something written: %s", name, statement)
				}
			}
		}
		for _, who := range []string{"known", "pending"} {
			sameAnswer(t, name+" of "+who, plain(answers[who]), plain(answers["unknown"]))
			if len(statements[who]) != len(statements["unknown"]) {
				t.Errorf("%s: %d statements for %s, %d for unknown", name, len(statements[who]), who, len(statements["unknown"]))
			}
		}
	}
	for _, path := range mailPaths {
		solve := func(who string) ringwalltest.Answer {
			solution := solutionOf(t, asks[path](who+"@example.org", ""))
			return asks[path](who+"@example.org", solution)
		}
		unknown := solve("unknown")
		want(t, path+" with a solution", unknown, 202, "")
		for _, who := range []string{"known", "pending"} {
			sameAnswer(t, path+" with a solution of "+who, plain(solve(who)), plain(unknown))
		}
	}
}
