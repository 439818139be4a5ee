package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/testdb"
)

// A disk that is full: changes are refused and undone, sessions go on, and nothing that was acknowledged is lost.
func TestFullDisk(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	d := run(t, data, "")
	c := d.caller()
	p := &person{address: "first@example.org", password: "correct horse battery staple", sessions: map[string]known{}, ids: map[string]string{}}
	if status, _, err := c.call("POST", "/auth/v1/signup", "", object{"email": p.address, "password": p.password}); err != nil || status != 202 {
		t.Fatalf("sign up = %d, %v", status, err)
	}
	if err := p.live(c, func() string { return "another long password" }); err != nil || !p.confirmed {
		t.Fatalf("before the disk is full: %v", err)
	}
	d.stop()

	d = run(t, data, "ulimit -f 1600;") // no file grows beyond that many blocks
	c = d.caller()
	if _, _, err := p.signIn(c, p.password); err != nil {
		t.Fatal(err)
	}
	acknowledged := []*person{p}
	full := false
	for n := 0; n < 500 && !full; n++ {
		next := &person{address: fmt.Sprintf("n%d@example.org", n), password: p.password, sessions: map[string]known{}, ids: map[string]string{}}
		status, answer, err := c.call("POST", "/auth/v1/signup", "", object{"email": next.address, "password": next.password})
		switch {
		case err != nil:
			t.Fatal(err)
		case status == 202:
			acknowledged = append(acknowledged, next)
		case status == 503:
			full = true
		default:
			t.Fatalf("sign-up on a full disk = %d %v", status, answer)
		}
	}
	if !full || len(acknowledged) < 3 {
		t.Fatalf("after %d sign-ups the disk is full: %v", len(acknowledged), full)
	}
	for token, state := range p.sessions {
		status, _, err := c.call("GET", "/auth/v1/session", token, nil)
		if want := map[known]int{live: 200, ended: 401}[state]; err != nil || status != want {
			t.Errorf("a session while the disk is full = %d, %v, want %d", status, err, want)
		}
	}
	for what, ask := range map[string]func() (int, object, error){
		"sign-in": func() (int, object, error) {
			return c.call("POST", "/auth/v1/login", "", object{"email": p.address, "password": p.password, "bearer": true})
		},
		"sign-up": func() (int, object, error) {
			return c.call("POST", "/auth/v1/signup", "", object{"email": "late@example.org", "password": p.password})
		},
		"a command": func() (int, object, error) {
			_, err := command(t, data, "user", "lock", p.address, "--reason", "test")
			if err == nil {
				return 200, nil, nil
			}
			return 503, nil, nil
		},
	} {
		if status, answer, err := ask(); err != nil || status != 503 {
			t.Errorf("%s on a full disk = %d %v, %v; want 503", what, status, answer, err)
		}
	}
	d.kill()
	if said := fmt.Sprint(d.errors); !strings.Contains(said, "problem=unavailable") || !strings.Contains(said, "disk") {
		t.Errorf("the log does not say what was wrong:\n%s", said)
	}

	d = run(t, data, "")
	c = d.caller()
	file := onDatabase(t, testdb.DB{AdminDSN: "sqlite:" + filepath.Join(data, "ringwall.db")})
	for i, p := range acknowledged {
		if err := p.holds(c, i == 0); err != nil {
			t.Error(err)
		}
		if i == 0 || i >= 20 || mailComes(c, p.address, time.Second) {
			continue
		}
		queued := count(t, file, `SELECT COUNT(*) FROM ringwall_outbox`) // before the second look: what waits may come meanwhile
		if !mailComes(c, p.address, 0) && queued == 0 {
			t.Errorf("the mail to %s was acknowledged and is lost", p.address)
		}
	}
	if _, _, err := c.mail("late@example.org"); err != nil {
		t.Error(err)
	}
	if out, err := command(t, data, "audit", "verify", "--json"); err != nil {
		t.Errorf("audit verify: %v\n%s", err, out)
	}
	d.stop()
	whole(t, testdb.DB{Engine: "sqlite", AdminDSN: "sqlite:" + filepath.Join(data, "ringwall.db")})
}
