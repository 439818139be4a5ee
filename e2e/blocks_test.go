package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// refusedOperation runs a command of an operator that must fail, and returns the problem's code.
func refusedOperation(t *testing.T, s *ringwalltest.Server, command string, in any) string {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Ringwall.Operate(t.Context(), "tester", command, body)
	if p, ok := errors.AsType[*problem.Error](err); ok {
		return p.Code
	}
	t.Fatalf("%s %s = %v, want a problem", command, body, err)
	return ""
}

// A block keeps a network out of everything, in every notation, until its end; and leaves everybody else alone.
func TestBlockKeepsANetworkOut(t *testing.T) {
	eachWith(t, behindProxy, func(t *testing.T, s *ringwalltest.Server) {
		person := s.SignIn("person@example.org")
		operate(t, s, "limits.block", object{"network": "203.0.113.0/24", "seconds": 3600, "reason": "guesses passwords"})
		operate(t, s, "limits.block", object{"network": "2001:db8::/48", "seconds": 7200, "reason": "guesses passwords"})
		for _, path := range []string{"/auth/v1/session", "/auth/nothing", "/auth//login", "/somewhere/else", "/auth/openapi.json"} {
			for _, address := range []string{"203.0.113.9", "::ffff:203.0.113.9", "[2001:db8:0:7::1]:80", "198.51.100.1, 203.0.113.9"} {
				got := from(s, address).Get(path)
				want(t, path+" from "+address, got, 403, "blocked")
			}
		}
		reader := from(s, "203.0.113.9")
		reader.Header.Set("Accept", "text/html")
		page := reader.Get("/auth/login")
		if page.Status != 403 || !strings.Contains(string(page.Body), "Your network is not let in") || strings.Contains(string(page.Body), "guesses") {
			t.Errorf("the page = %d %s", page.Status, page.Body)
		}
		if page.Header.Get("Content-Security-Policy") == "" || page.Header.Get("Set-Cookie") != "" {
			t.Errorf("the headers of the page: %v", page.Header)
		}
		person.Header.Set("X-Forwarded-For", "203.0.113.9") // a session does not help
		want(t, "somebody signed in", person.Get("/auth/v1/session"), 403, "blocked")
		person.Header.Set("X-Forwarded-For", "203.0.114.9")
		want(t, "elsewhere", person.Get("/auth/v1/session"), 200, "")

		if got := operate(t, s, "limits.show", object{}); len(got["limits"].([]any)) != 2 {
			t.Errorf("limits.show = %v", got)
		}
		shown := operate(t, s, "limits.show", object{"who": "203.0.113.77"})["limits"].([]any)
		if len(shown) != 1 || shown[0].(object)["layer"] != "block" || shown[0].(object)["why"] != "guesses passwords (tester)" {
			t.Errorf("limits.show of an address = %v", shown)
		}
		operate(t, s, "limits.unblock", object{"network": "203.0.113.0/24"})
		want(t, "after the block was lifted", from(s, "203.0.113.9").Get("/auth/openapi.json"), 200, "")
		if got := refusedOperation(t, s, "limits.unblock", object{"network": "203.0.113.0/24"}); got != "not-found" {
			t.Errorf("lifted twice: %s", got)
		}
		s.Clock.Advance(2*time.Hour + time.Second)
		want(t, "after the block's end", from(s, "2001:db8::1").Get("/auth/openapi.json"), 200, "")

		log := operate(t, s, "audit.tail", object{"limit": 100})
		text, _ := json.Marshal(log)
		for _, reason := range []string{`"network blocked"`, `"network unblocked"`, `"blocked"`} {
			if !strings.Contains(string(text), reason) {
				t.Errorf("the audit log has no %s", reason)
			}
		}
	})
}

func TestBlocksThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		for _, tt := range []struct {
			name string
			in   object
		}{
			{"everybody", object{"network": "0.0.0.0/0", "seconds": 60, "reason": "x"}},
			{"everybody, IPv6", object{"network": "::/0", "seconds": 60, "reason": "x"}},
			{"this machine", object{"network": "127.0.0.1", "seconds": 60, "reason": "x"}},
			{"this machine, IPv6", object{"network": "::1", "seconds": 60, "reason": "x"}},
			{"this machine, as IPv6", object{"network": "::ffff:127.0.0.0/104", "seconds": 60, "reason": "x"}},
			{"more than this machine", object{"network": "64.0.0.0/2", "seconds": 60, "reason": "x"}},
			{"no network", object{"network": "example.org", "seconds": 60, "reason": "x"}},
			{"bits beyond the length", object{"network": "203.0.113.7/24", "seconds": 60, "reason": "x"}},
			{"no end", object{"network": "203.0.113.7", "reason": "x"}},
			{"an end in the past", object{"network": "203.0.113.7", "seconds": -5, "reason": "x"}},
			{"an end that overflows", object{"network": "203.0.113.7", "seconds": int64(1) << 62, "reason": "x"}},
			{"no reason", object{"network": "203.0.113.7", "seconds": 60, "reason": " "}},
		} {
			if got := refusedOperation(t, s, "limits.block", tt.in); got != "invalid" {
				t.Errorf("%s: %s, want invalid", tt.name, got)
			}
		}
		want(t, "meanwhile", s.Client().Get("/auth/openapi.json"), 200, "")
		operate(t, s, "limits.block", object{"network": "127.0.0.0/8", "seconds": 60, "reason": "x", "force": true})
		want(t, "with force", s.Client().Get("/auth/openapi.json"), 403, "blocked")
		s.Clock.Advance(time.Minute + time.Second)
		want(t, "when it has ended", s.Client().Get("/auth/openapi.json"), 200, "")
	})
}

// A block that one node makes acts on the other within a second, though nobody asked that one before.
func TestBlockActsOnEveryNode(t *testing.T) {
	one, other, _ := nodes(t, testdb.Postgres(t))
	want(t, "before", other.Client().Get("/auth/openapi.json"), 200, "")
	operate(t, one, "limits.block", object{"network": "127.0.0.0/8", "seconds": 600, "reason": "x", "force": true})
	within(t, 10*time.Second, "the block on the other node", func() bool {
		return other.Client().Get("/auth/openapi.json").Code() == "blocked"
	})
	operate(t, other, "limits.unblock", object{"network": "127.0.0.0/8"})
	within(t, 10*time.Second, "the end of the block on the first node", func() bool {
		return one.Client().Get("/auth/openapi.json").Status == 200
	})
}

// `limits show` explains both layers, alike for accounts that do not exist; `limits clear` undoes them.
func TestLimitsAreShownAndCleared(t *testing.T) {
	eachWith(t, limited, func(t *testing.T, s *ringwalltest.Server) {
		for range 6 {
			login(s.Client(), "Nobody@example.org", "not the password, surely")
		}
		guess(20, func(int) *ringwalltest.Client { return s.Client() })
		for _, who := range []string{"nobody@EXAMPLE.org", "127.0.0.1", "::ffff:127.0.0.1"} {
			shown := operate(t, s, "limits.show", object{"who": who})["limits"].([]any)
			if len(shown) == 0 || shown[0].(object)["refused"] != true || shown[0].(object)["until"] == nil {
				t.Fatalf("limits.show %s = %v, want a refusal", who, shown)
			}
		}
		want(t, "before", login(s.Client(), "nobody@example.org", "not the password, surely"), 429, "too-many-requests")
		operate(t, s, "limits.clear", object{"who": "127.0.0.1"})
		want(t, "the address is free, the account is not", login(s.Client(), "nobody@example.org", "not the password, surely"), 429, "too-many-requests")
		operate(t, s, "limits.clear", object{"who": "nobody@example.org"})
		want(t, "both are free", login(s.Client(), "nobody@example.org", "not the password, surely"), 401, "login-failed")
		for _, who := range []string{"nonsense", "203.0.113.0/24", "a b@example.org"} {
			if got := refusedOperation(t, s, "limits.clear", object{"who": who}); got != "invalid" {
				t.Errorf("limits.clear %q: %s, want invalid", who, got)
			}
		}
		for i := range 3 {
			if got := operate(t, s, "limits.show", object{"who": fmt.Sprintf("free-%d@example.org", i)})["limits"].([]any); len(got) != 0 {
				t.Errorf("limits.show of somebody free = %v", got)
			}
		}
	})
}
