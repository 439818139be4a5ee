package e2e_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/testdb"
)

// What is known of a session.
type known uint8

const (
	live     known = iota // acknowledged, and nothing was asked since that ends it
	ended                 // its end was acknowledged
	doubtful              // its end was asked for, and no answer came
)

// person is what somebody knows of an account from the answers alone.
type person struct {
	address   string
	password  string // the last that was acknowledged
	next      string // asked for, and no answer came
	mailed    string // the token of the link, once it was seen
	asked     bool   // to confirm
	confirmed bool   // acknowledged
	sessions  map[string]known
	ids       map[string]string // of sessions, by token
}

func (p *person) signIn(c *caller, password string) (status int, token string, err error) {
	status, answer, err := c.call("POST", "/auth/v1/login", "", object{"email": p.address, "password": password, "bearer": true})
	if err != nil || status != 200 {
		return status, "", err
	}
	token = answer["token"].(string)
	p.sessions[token] = live
	p.ids[token] = answer["session"].(object)["id"].(string)
	return status, token, nil
}

// live does what people do until the server is gone. An answer that it should not get is an error.
func (p *person) live(c *caller, password func() string) error {
	for p.mailed == "" {
		m, ok, err := c.mail(p.address)
		if err != nil {
			return nil // the server is gone
		}
		if ok {
			p.mailed = m.Token()
		} else {
			time.Sleep(5 * time.Millisecond)
		}
	}
	p.asked = true
	status, _, err := c.call("POST", "/auth/v1/email/verify", "", object{"token": p.mailed, "password": p.password})
	if err != nil {
		return nil
	}
	if status != 204 {
		return fmt.Errorf("confirm %s = %d", p.address, status)
	}
	p.confirmed = true
	var tokens []string
	for range 3 {
		status, token, err := p.signIn(c, p.password)
		if err != nil {
			return nil
		}
		if status != 200 {
			return fmt.Errorf("sign in %s = %d", p.address, status)
		}
		tokens = append(tokens, token)
	}
	p.sessions[tokens[2]] = doubtful
	if status, _, err = c.call("DELETE", "/auth/v1/sessions/"+p.ids[tokens[2]], tokens[0], nil); err != nil {
		return nil
	}
	if status != 204 {
		return fmt.Errorf("revoke a session of %s = %d", p.address, status)
	}
	p.sessions[tokens[2]] = ended
	if rand.IntN(2) == 0 {
		return nil
	}
	return p.change(c, tokens[0], password())
}

func (p *person) change(c *caller, token, next string) error {
	p.next = next
	status, answer, err := c.call("POST", "/auth/v1/password", token, object{"current_password": p.password, "new_password": next})
	if err != nil {
		return nil
	}
	if status != 200 {
		return fmt.Errorf("change the password of %s = %d", p.address, status)
	}
	p.password, p.next = next, ""
	for old := range p.sessions {
		p.sessions[old] = ended
	}
	fresh := answer["token"].(string)
	p.sessions[fresh], p.ids[fresh] = live, answer["session"].(object)["id"].(string)
	return nil
}

// holds checks an account against what was acknowledged, and settles what was in doubt.
func (p *person) holds(c *caller, thorough bool) error {
	if p.asked && !p.confirmed {
		status, _, err := c.call("POST", "/auth/v1/email/verify", "", object{"token": p.mailed, "password": p.password})
		if err != nil || status != 204 && status != 422 {
			return fmt.Errorf("%s: confirm once more = %d, %v", p.address, status, err)
		}
		p.confirmed, thorough = true, true // 422: it was done, so signing in must work
	}
	if !p.confirmed {
		return nil
	}
	if thorough || p.next != "" {
		if err := p.settle(c); err != nil {
			return err
		}
	}
	for token, state := range maps.All(p.sessions) {
		status, _, err := c.call("GET", "/auth/v1/session", token, nil)
		if err != nil {
			return fmt.Errorf("%s: session check: %w", p.address, err)
		}
		switch {
		case state == live && status != 200:
			return fmt.Errorf("%s: a session that was acknowledged = %d", p.address, status)
		case state == ended && status != 401:
			return fmt.Errorf("%s: a session that had ended = %d", p.address, status)
		case status != 200:
			p.sessions[token] = ended // once ended, it stays so
		}
	}
	return nil
}

// settle signs in, and finds out whether a change of password was made without an answer: whole, or not at all.
func (p *person) settle(c *caller) error {
	before := maps.Clone(p.sessions)
	status, _, err := p.signIn(c, p.password)
	if err != nil || status != 200 && p.next == "" {
		return fmt.Errorf("%s: signing in with the acknowledged password = %d, %v", p.address, status, err)
	}
	if status == 200 && p.next != "" { // the change was not made, so it ended nothing either
		p.next = ""
		return nil
	}
	if status == 200 {
		return nil
	}
	if status, _, err = p.signIn(c, p.next); err != nil || status != 200 {
		return fmt.Errorf("%s: neither the old password nor the new one works: %d, %v", p.address, status, err)
	}
	p.password, p.next = p.next, ""
	for token := range before {
		p.sessions[token] = ended
	}
	return nil
}

// crowd signs people up until the server is gone, and returns who was acknowledged.
func crowd(t *testing.T, d *daemon, round int) (acknowledged []*person) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for worker := range 6 {
		all.Go(func() {
			c := d.caller()
			defer c.http.CloseIdleConnections()
			for n := 0; ; n++ {
				password := func() string { return fmt.Sprintf("a password of %d, %d, %d and %d", round, worker, n, rand.Uint64()) }
				p := &person{address: fmt.Sprintf("p%d-%d-%d@example.org", round, worker, n), password: password(), sessions: map[string]known{}, ids: map[string]string{}}
				status, _, err := c.call("POST", "/auth/v1/signup", "", object{"email": p.address, "password": p.password})
				if err != nil {
					return
				}
				if status != 202 {
					t.Errorf("sign up %s = %d", p.address, status)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, p)
				mu.Unlock()
				if err := p.live(c, password); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for enough, deadline := 4+rand.IntN(12), time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		n := len(acknowledged)
		mu.Unlock()
		if n >= enough {
			break
		}
	}
	time.Sleep(rand.N(100 * time.Millisecond))
	d.kill()
	all.Wait()
	return acknowledged
}

const rounds = 12

// kill -9 under load, over and over: nothing that was acknowledged is lost, no session that ended returns, nothing is half made.
func TestKilledUnderLoad(t *testing.T) {
	data := t.TempDir()
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	file := testdb.DB{Engine: "sqlite", AdminDSN: "sqlite:" + filepath.Join(data, "ringwall.db")}
	var people []*person
	confirmed, doubts := 0, 0
	for round := range rounds {
		d := run(t, data, "")
		recent := crowd(t, d, round)
		if round%3 == 2 { // and while it starts
			hurried, _ := launch(t, data, "")
			time.Sleep(rand.N(150 * time.Millisecond))
			hurried.kill()
		}
		d = run(t, data, "")
		c := d.caller()
		var late []string
		for _, p := range recent {
			if p.asked && !p.confirmed || p.next != "" {
				doubts++
			}
			if err := p.holds(c, true); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
			if p.confirmed {
				confirmed++
			}
			if p.mailed == "" && !mailComes(c, p.address, time.Second) {
				late = append(late, p.address)
			}
		}
		for _, p := range people { // of earlier rounds: their sessions, which costs no hashing
			if err := p.holds(c, false); err != nil {
				t.Errorf("round %d, an earlier account: %v", round, err)
			}
		}
		people = append(people, recent...)
		// A mail that was being sent when the process died is tried again when its claim ends, a minute later. What waits is
		// counted before the second look, since it may come meanwhile.
		queued := count(t, onDatabase(t, file), `SELECT COUNT(*) FROM ringwall_outbox`)
		late = slices.DeleteFunc(late, func(address string) bool { return mailComes(c, address, 0) })
		if len(late) > queued {
			t.Errorf("round %d: %d acknowledged mails are missing, and %d wait", round, len(late), queued)
		}
		if out, err := command(t, data, "audit", "verify", "--json"); err != nil {
			t.Errorf("round %d: audit verify: %v\n%s", round, err, out)
		}
		if round == rounds-1 {
			d.stop()
		} else {
			d.kill()
		}
		if t.Failed() {
			t.Fatalf("round %d: %s", round, d.errors)
		}
	}
	t.Logf("%d people, %d confirmed, %d in doubt when the process died", len(people), confirmed, doubts)
	if len(people) < 4*rounds || confirmed < rounds || doubts == 0 {
		t.Errorf("too little happened: %d people, %d confirmed", len(people), confirmed)
	}
	whole(t, file)
}

func mailComes(c *caller, address string, within time.Duration) bool {
	for deadline := time.Now().Add(within); ; time.Sleep(25 * time.Millisecond) {
		if _, ok, err := c.mail(address); err == nil && ok {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// whole looks for halves: rows without the event that was written with them, and the other way round.
func whole(t *testing.T, file testdb.DB) {
	t.Helper()
	db := onDatabase(t, file)
	var verdict string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check = %q, %v", verdict, err)
	}
	for what, query := range map[string]string{
		"rows that point nowhere":         `SELECT COUNT(*) FROM pragma_foreign_key_check`,
		"people without their event":      `SELECT COUNT(*) FROM ringwall_users AS u WHERE NOT EXISTS (SELECT 1 FROM ringwall_audit WHERE name = 'user_created' AND user_id = u.id)`,
		"events without their person":     `SELECT COUNT(*) FROM ringwall_audit AS a WHERE name = 'user_created' AND NOT EXISTS (SELECT 1 FROM ringwall_users WHERE id = a.user_id)`,
		"sessions without their event":    `SELECT COUNT(*) FROM ringwall_sessions AS s WHERE NOT EXISTS (SELECT 1 FROM ringwall_audit WHERE session_id = s.id)`,
		"people with an open sign-up":     `SELECT COUNT(*) FROM ringwall_signups WHERE email_canonical IN (SELECT email_canonical FROM ringwall_users)`,
		"people without a key":            `SELECT COUNT(*) FROM ringwall_users WHERE id NOT IN (SELECT user_id FROM ringwall_person_keys)`,
		"people without a password":       `SELECT COUNT(*) FROM ringwall_users WHERE length(password) < 50`,
		"gaps in the numbers of the seal": `SELECT MAX(n) - COUNT(*) FROM ringwall_audit_seals`,
	} {
		if n := count(t, db, query); n != 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
}

// The first start is killed, earlier and later: the next one goes on from there.
func TestKilledWhileStartingForTheFirstTime(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, delay := range []time.Duration{1, 20, 35, 45, 55, 65, 80, 100, 150} {
		d, _ := launch(t, data, "")
		time.Sleep(delay * time.Millisecond)
		d.kill()
	}
	d := run(t, data, "")
	c := d.caller()
	if status, _, err := c.call("POST", "/auth/v1/signup", "", object{"email": "first@example.org", "password": "correct horse battery staple"}); err != nil || status != 202 {
		t.Errorf("sign-up after killed starts = %d, %v", status, err)
	}
	if !mailComes(c, "first@example.org", time.Minute) {
		t.Error("no mail comes")
	}
	d.stop()
	for name, mode := range map[string]os.FileMode{"master.key": 0o600, "ringwall.db": 0o600} {
		if info, err := os.Stat(filepath.Join(data, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
