package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/ringwalltest"
)

// halfAct sends the head of a request that changes something, and returns when the server has admitted it and asks for the body
// (RFC 9110, 10.1.1); finish sends that.
func halfAct(t *testing.T, s *ringwalltest.Server, c *ringwalltest.Client, method, path string, body object) (finish func() (status int, text string)) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, s, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nCookie: __Host-ringwall=%s\r\nX-CSRF-Token: %s\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		method, path, strings.TrimPrefix(s.URL, "https://"), c.Cookie("__Host-ringwall"), c.CSRF, len(text)))
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	from := bufio.NewReader(conn)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := from.ReadString('\n'); line != want {
			t.Fatalf("%s %s is not admitted: %q, %v", method, path, line, err)
		}
	}
	return func() (int, string) {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Write(text); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatalf("%s %s: no answer: %v", method, path, err)
		}
		defer response.Body.Close()
		answer, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(answer)
	}
}

// Whoever loses the role or the session while the body of an act is on its way does nothing any more: otherwise one who is
// put out could hold a hundred acts open and finish them afterwards.
func TestAnActWhoseBodyComesLateIsJudgedAgain(t *testing.T) {
	eachWith(t, withMetadata, func(t *testing.T, s *ringwalltest.Server) {
		good := administrator(t, s, "good@example.org")
		victim := s.SignIn("victim@example.org")
		person := myself(t, victim).ID
		var current struct{ Session struct{ ID string } }
		victim.Get("/auth/v1/session").Into(t, &current)
		until := s.Clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		want(t, "block", good.Post("/auth/v1/admin/blocks", object{"network": "203.0.113.0/24", "until": until, "reason": "x"}), 201, "")
		var invitation struct{ ID string }
		good.Post("/auth/v1/admin/invitations", object{"email": "invited@example.org", "reason": "x"}).Into(t, &invitation)

		// Each act would succeed, but for a webhook that there is not: whose it is comes after who asks.
		acts := map[string]struct {
			id   string
			body object
		}{
			"DELETE users/{id}/sessions":     {person, object{}},
			"DELETE sessions":                {"", object{"whose": "everybody"}},
			"DELETE sessions/{id}":           {current.Session.ID, object{}},
			"POST users/{id}/lock":           {person, object{}},
			"POST users/{id}/unlock":         {person, object{}},
			"POST users/{id}/demand-reset":   {person, object{}},
			"PUT users/{id}/roles/{role}":    {person, object{}},
			"DELETE users/{id}/roles/{role}": {person, object{}},
			"PATCH users/{id}/metadata":      {person, object{"public": object{"plan": "team"}}},
			"POST invitations":               {"", object{"email": "other@example.org", "role": "admin"}},
			"DELETE invitations/{id}":        {invitation.ID, object{}},
			"POST limits/clear":              {"", object{"who": "victim@example.org"}},
			"POST blocks":                    {"", object{"network": "198.51.100.0/24", "until": until}},
			"DELETE blocks":                  {"", object{"network": "203.0.113.0/24"}},
			"POST webhooks/{id}/replay":      {identity.NewRandomID().String(), object{}},
		}
		for _, out := range []struct {
			who, command string
			args         object
			status       int
		}{
			{"demoted@example.org", "user.revoke", object{"role": "admin"}, 403},
			{"ended@example.org", "session.revoke", object{"all": true}, 401},
		} {
			by := administrator(t, s, out.who)
			finish := map[string]func() (int, string){}
			for _, r := range s.Ringwall.Routes() {
				path, admins := strings.CutPrefix(r.Path, "/auth/v1/admin/")
				if !admins || r.Method == "GET" {
					continue
				}
				act, known := acts[r.Method+" "+path]
				if !known {
					t.Errorf("%s %s is not tried", r.Method, r.Path)
					continue
				}
				act.body["reason"] = "late"
				finish[r.Method+" "+path] = halfAct(t, s, by, r.Method, strings.NewReplacer("{id}", act.id, "{role}", "support").Replace(r.Path), act.body)
			}
			out.args["user"] = out.who
			operate(t, s, out.command, out.args)
			for act, finish := range finish {
				if status, text := finish(); status != out.status {
					t.Errorf("%s by %s = %d %s, want %d", act, out.who, status, text, out.status)
				}
			}
		}
		want(t, "the victim", victim.Get("/auth/v1/session"), 200, "")
		if u := user(t, good, person); u["locked"] != false || u["reset_demanded_at"] != nil || len(u["roles"].([]any)) != 0 {
			t.Errorf("the victim is now %v", u)
		}
		if text := string(good.Get("/auth/v1/admin/blocks").Body) + string(good.Get("/auth/v1/admin/invitations").Body); strings.Contains(text, "198.51.100") ||
			!strings.Contains(text, "203.0.113") || strings.Contains(text, "other@") || !strings.Contains(text, "invited@") {
			t.Errorf("blocks and invitations are now %s", text)
		}
	})
}

// The same for a session of somebody's own, which a thief may have had. What proves the password again asks for the session too.
func TestAnEndedSessionFinishesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "ended@example.org"
		owner := s.SignIn(address)
		thief := signedIn(s, address)
		password, next := ringwalltest.Password, "quite another password, and long"
		acts := map[string]func() (int, string){}
		for act, body := range map[string]object{
			"PATCH /auth/v1/me":                    {"display_name": "Mallory"},
			"POST /auth/v1/me/secure":              {},
			"POST /auth/v1/me/email":               {"email": "mallory@example.org", "password": password},
			"DELETE /auth/v1/me":                   {"password": password},
			"POST /auth/v1/password":               {"current_password": password, "new_password": next},
			"POST /auth/v1/session/reauthenticate": {"password": password},
		} {
			method, path, _ := strings.Cut(act, " ")
			acts[act] = halfAct(t, s, thief, method, path, body)
		}
		want(t, "throw the thief out", owner.Delete("/auth/v1/sessions"), 204, "")
		for act, finish := range acts {
			if status, text := finish(); status != 401 {
				t.Errorf("%s by an ended session = %d %s, want 401", act, status, text)
			}
		}
		want(t, "the owner", owner.Get("/auth/v1/session"), 200, "")
		if me := myself(t, owner); me.DisplayName == "Mallory" || me.Email != address {
			t.Errorf("the owner is now %+v", me)
		}
	})
}
