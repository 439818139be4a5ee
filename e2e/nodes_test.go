package e2e_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/mail/smtpsink"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// postOffice is an SMTP server with STARTTLS and sign-in whose certificate this process trusts. The system's
// certificates are read once in a process, so there is one of it.
var postOffice = sync.OnceValues(func() (*smtpsink.Sink, error) {
	sink, err := smtpsink.Open(smtpsink.Options{User: "ringwall", Password: "correct horse"})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(shared, "authority.pem")
	if err := os.WriteFile(file, sink.RootsPEM(), 0o600); err != nil {
		return nil, err
	}
	return sink, os.Setenv("SSL_CERT_FILE", file)
})

// stranger is an address that has no mail at the post office, which outlives a test.
func stranger(name string) string { return name + "-" + strings.ToLower(rand.Text()) + "@example.org" }

// nodes are two servers on one database, which mail through the post office.
func nodes(t *testing.T, db testdb.DB) (one, other *ringwalltest.Server, office *smtpsink.Sink) {
	t.Helper()
	office, err := postOffice()
	if err != nil {
		t.Fatal(err)
	}
	o := ringwall.Options{
		Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), SMTP: ringwall.NewSecret(office.URL() + "?tls=required"),
		MailFrom: "Ringwall <login@example.org>", Environment: "nodes", Log: (&logBuffer{}).logger(),
	}
	return start(t, o), start(t, o), office
}

// mailed are the mails to an address, oldest first.
func mailed(t *testing.T, office *smtpsink.Sink, to string, n int) (found []smtpsink.Message) {
	t.Helper()
	within(t, 20*time.Second, fmt.Sprintf("%d mails to %s", n, to), func() bool {
		found = found[:0]
		for _, m := range office.Messages() {
			if strings.EqualFold(m.To[0], to) {
				found = append(found, m)
			}
		}
		return len(found) >= n
	})
	return found
}

var linkToken = regexp.MustCompile(`\?token=([A-Za-z0-9_%-]+)`)

func tokenIn(t *testing.T, m smtpsink.Message) string {
	t.Helper()
	found := linkToken.FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("no link in the mail: %s", m.Text)
	}
	token, err := url.QueryUnescape(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// at is the browser of c at another node, which serves the same host.
func at(s *ringwalltest.Server, c *ringwalltest.Client) *ringwalltest.Client {
	other := s.Client()
	other.Header.Set("Cookie", "__Host-ringwall="+c.Cookie("__Host-ringwall"))
	other.CSRF = c.CSRF
	return other
}

// S031, D13: what one node revokes is over on the other one's very next request.
func TestTwoNodesRevokeForEachOther(t *testing.T) {
	t.Parallel()
	one, other, office := nodes(t, testdb.Postgres(t))
	email := stranger("nodes")
	c := one.Client()
	want(t, "sign up at one", signUp(c, email, ringwalltest.Password), 202, "")
	want(t, "confirm at the other", other.Client().Post("/auth/v1/email/verify",
		object{"token": tokenIn(t, mailed(t, office, email, 1)[0]), "password": ringwalltest.Password}), 204, "")
	for round := range 20 {
		c, phone := one.Client(), other.Client()
		c.SignIn(email, ringwalltest.Password)
		phone.SignIn(email, ringwalltest.Password)
		want(t, "the phone at one", at(one, phone).Get("/"), 200, "")
		want(t, "the laptop at the other", at(other, c).Get("/"), 200, "")
		for _, d := range devices(t, c) {
			if !d.Current {
				want(t, "revoke the phone at one", c.Delete("/auth/v1/sessions/"+d.ID), 204, "")
			}
		}
		for i, s := range []*ringwalltest.Server{other, one} {
			want(t, fmt.Sprintf("round %d: the phone's next request at node %d", round, i), at(s, phone).Get("/"), 401, "unauthenticated")
		}
		want(t, "sign out at the other", at(other, c).Post("/auth/v1/logout", object{}), 204, "")
		want(t, "the laptop's next request at one", c.Get("/"), 401, "unauthenticated")
	}
	c.CSRF = ""
	c.SignIn(email, ringwalltest.Password)
	want(t, "at the other", at(other, c).Get("/"), 200, "")
	operate(t, one, "user.lock", object{"user": email, "reason": "test"})
	want(t, "at the other after a lock at one", at(other, c).Get("/"), 401, "unauthenticated")
}

// D05, D08: both nodes count the same tries, and one link is one use.
func TestTwoNodesCountTogether(t *testing.T) {
	t.Parallel()
	one, other, office := nodes(t, testdb.Postgres(t))
	email := stranger("count")
	servers := []*ringwalltest.Server{one, other}
	want(t, "sign up", signUp(one.Client(), email, ringwalltest.Password), 202, "")
	token := tokenIn(t, mailed(t, office, email, 1)[0])
	var admitted, refused, away, strange atomic.Int64
	tries := func(i int) bool {
		got, err := servers[i%2].Client().Try("POST", "/auth/v1/login", object{"email": email, "password": "not the password, surely"})
		switch {
		case err != nil:
			strange.Add(1)
		case got.Status == 401:
			admitted.Add(1)
		case got.Status == 429:
			refused.Add(1)
		case got.Status == 503: // the hash queue had no room, or the database was too busy to count it: nobody looked at it
			away.Add(1)
		default:
			strange.Add(1)
		}
		return true
	}
	for range 3 {
		fifty(tries)
	}
	if n := away.Load(); admitted.Load() > 5 || admitted.Load()+n < 5 || refused.Load()+n < 145 || strange.Load() != 0 {
		t.Errorf("three times fifty tries over two nodes: %d admitted, %d refused, %d not looked at, %d strange; want 5 and 145", admitted.Load(), refused.Load(), n, strange.Load())
	}
	codes := fifty(func(i int) bool {
		got, err := servers[i%2].Client().Try("POST", "/auth/v1/email/verify", object{"email": email, "code": "AAAA-AAAA", "password": "x"})
		return err == nil && got.Status == 422
	})
	if codes != 5 {
		t.Errorf("fifty guesses of a code over two nodes: %d admitted, want 5", codes)
	}
	made := fifty(func(i int) bool {
		for range 50 { // the hash queue is short on purpose, and a sign-up has five proofs
			got, err := servers[i%2].Client().Try("POST", "/auth/v1/email/verify", object{"token": token, "password": ringwalltest.Password})
			if err != nil || got.Status != http.StatusServiceUnavailable {
				return err == nil && got.Status == 204
			}
			time.Sleep(20 * time.Millisecond)
		}
		return false
	})
	if made != 1 {
		t.Errorf("fifty uses of one link over two nodes: %d succeeded, want 1", made)
	}
}

// One mail is sent once, though two workers look for it; and both nodes seal one chain.
func TestTwoNodesSendAndSealOnce(t *testing.T) {
	t.Parallel()
	db := testdb.Postgres(t)
	one, other, office := nodes(t, db)
	servers := []*ringwalltest.Server{one, other}
	const people = 16
	once := "once-" + strings.ToLower(rand.Text())
	address := func(i int) string { return fmt.Sprintf("%s-%d@example.org", once, i) }
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() {
			for range 1000 { // the hash queue is short on purpose, and other tests keep the machine busy
				got, err := servers[i%2].Client().Try("POST", "/auth/v1/signup", object{"email": address(i), "password": ringwalltest.Password})
				if err == nil && got.Status == 202 {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Errorf("%s was not signed up", address(i))
		})
	}
	all.Wait()
	for i := range people {
		mailed(t, office, address(i), 1)
	}
	admin := onDatabase(t, db)
	within(t, 20*time.Second, "the outbox is empty", func() bool { return count(t, admin, `SELECT COUNT(*) FROM ringwall_outbox`) == 0 })
	ids, to := map[string]int{}, map[string]int{}
	for _, m := range office.Messages() {
		if !strings.HasPrefix(m.To[0], once) {
			continue
		}
		ids[m.ID()]++
		to[m.To[0]]++
		if !m.TLS || m.User != "ringwall" {
			t.Errorf("a mail came without TLS or without sign-in: %v %q", m.TLS, m.User)
		}
	}
	for what, counted := range map[string]map[string]int{"Message-ID": ids, "address": to} {
		if len(counted) != people {
			t.Errorf("%d mails by %s, want %d", len(counted), what, people)
		}
		for name, n := range counted {
			if n != 1 {
				t.Errorf("the %s %s came %d times", what, name, n)
			}
		}
	}
	var heads []any
	for i, s := range servers {
		within(t, 15*time.Second, "everything is sealed", func() bool { return operate(t, s, "audit.verify", object{})["waiting"] == 0.0 })
		out := operate(t, s, "audit.verify", object{})
		if out["ok"] != true || out["rows"].(float64) < people {
			t.Errorf("node %d: audit.verify = %v", i, out)
		}
		heads = append(heads, out["head"])
	}
	if heads[0] != heads[1] {
		t.Errorf("two heads: %v", heads)
	}
	if gaps := count(t, admin, `SELECT COUNT(*) - MAX(n) FROM ringwall_audit_seals`); gaps != 0 {
		t.Errorf("the numbers of the seals have gaps: %d", gaps)
	}
}

// The mail server is away, refuses and cuts: no mail is lost, and only what was cut after it was taken comes twice, with one Message-ID.
func TestMailServerGone(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		// A sink of its own: what it does must not meet the mails of others. Loopback may do without TLS.
		office, err := smtpsink.Open(smtpsink.Options{Encryption: smtpsink.None})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = office.Close() }()
		log := &logBuffer{}
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), SMTP: ringwall.NewSecret(office.URL()), MailFrom: "login@example.org", Log: log.logger()})
		if err := office.Stop(); err != nil {
			t.Fatal(err)
		}
		want(t, "sign up while no mail server is there", signUp(s.Client(), "away@example.org", ringwalltest.Password), 202, "")
		within(t, 10*time.Second, "the log tells", func() bool { return log.count("mails cannot be sent; they wait and are tried again") == 1 })
		if err := s.Ringwall.Ready(t.Context()); err != nil {
			t.Errorf("Ready without a mail server: %v", err)
		}
		if err := office.Start(); err != nil {
			t.Fatal(err)
		}
		office.Cut(1)
		s.Clock.Advance(10 * time.Second)                                                            // past the first wait
		want(t, "another", signUp(s.Client(), "second@example.org", ringwalltest.Password), 202, "") // wakes the worker
		first := mailed(t, office, "away@example.org", 1)
		mailed(t, office, "second@example.org", 1)
		for range 3 { // whichever was cut comes again
			s.Clock.Advance(time.Minute)
			want(t, "a third", s.Client().Post("/auth/v1/password/forgot", object{"email": fmt.Sprint(s.Clock.Now().UnixNano(), "@example.org")}), 202, "")
			time.Sleep(200 * time.Millisecond)
		}
		admin := onDatabase(t, db)
		within(t, 15*time.Second, "the outbox is empty", func() bool { return count(t, admin, `SELECT COUNT(*) FROM ringwall_outbox`) == 0 })
		ids := map[string]bool{}
		for _, m := range office.Messages() {
			ids[m.ID()] = true
		}
		if len(ids) != 2 || len(office.Messages()) > 3 {
			t.Errorf("%d mails with %d ids, want two of which one may have come twice", len(office.Messages()), len(ids))
		}
		want(t, "the link works", s.Client().Post("/auth/v1/email/verify", object{"token": tokenIn(t, first[0]), "password": ringwalltest.Password}), 204, "")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.Ringwall.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		for _, address := range []string{"away@example.org", "second@example.org", tokenIn(t, first[0])} {
			if log.contains(address) {
				t.Errorf("the log tells %s", address)
			}
		}
	})
}
