package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// S097: a copy of the database, without the master key, opens nothing: not one value in it is a way in.
func TestStolenDatabaseOpensNothing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		c := &canary{}
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Log: (&logBuffer{}).logger()})
		c.live(t, s)
		want(t, "a link that is open", s.Client().Post("/auth/v1/password/forgot", object{"email": "canary.bird@nest.example.org"}), 202, "")
		want(t, "a sign-up that is open", signUp(s.Client(), "open@example.org", ringwalltest.Password), 202, "")
		s.Mail("open@example.org", 1)
		asks(t, s, s.SignIn("moving@example.org"), "moving@example.org", "moving@example.net")
		stolen := dump(t, db, onDatabase(t, db))
		for _, column := range []string{"ringwall_users.password", "ringwall_sessions.token_hash", "ringwall_signups.token_mac", "ringwall_resets.token_mac", "ringwall_email_changes.approve_mac", "ringwall_email_changes.confirm_mac", "ringwall_keys.key", "ringwall_outbox.sealed"} {
			if len(stolen[column]) == 0 && column != "ringwall_outbox.sealed" {
				t.Errorf("nothing in %s: the test attacks nothing", column)
			}
		}
		for column, values := range stolen {
			for _, value := range values {
				for _, spelling := range []string{string(value), hex.EncodeToString(value), strings.Repeat(hex.EncodeToString(value), 2), base64.RawURLEncoding.EncodeToString(value), base64.StdEncoding.EncodeToString(value)} {
					useStolen(t, s, column, spelling)
				}
			}
		}
		// The hash of a password is sealed; the sealed bytes are not a password either.
		for i, value := range stolen["ringwall_users.password"] {
			for _, spelling := range []string{string(value), hex.EncodeToString(value)} {
				s.Clock.Advance(6 * time.Minute)
				if got := login(s.Client(), "canary.bird@nest.example.org", strings.ToValidUTF8(spelling, "x")); got.Status == 200 {
					t.Errorf("password %d: what lies in the database is a password", i)
				}
			}
		}
		// Opened with another key the copy is refused, and so is one whose wrapped keys were swapped for the thief's.
		o := s.Options
		o.MasterKey = ringwall.NewSecret(masterKey[2:] + "99")
		if rw, err := ringwall.New(t.Context(), o); err == nil {
			closed(t, rw)
			t.Error("another master key was taken")
		}
		admin := onDatabase(t, db)
		if n := tell(t, admin, `DELETE FROM ringwall_keys`); n == 0 {
			t.Fatal("no keys to delete")
		}
		thief, err := ringwall.New(t.Context(), o)
		if err != nil {
			return // refused as well
		}
		defer closed(t, thief)
		for _, token := range c.mailed {
			body := fmt.Sprintf(`{"token":%q,"password":"the thief chooses this one"}`, token)
			if got := serve(thief.Handler(), "POST", s.URL+"/auth/v1/password/reset", body); got.Code == 204 {
				t.Errorf("with keys of the thief's own, an open link works: %s", token)
			}
		}
		if got := serve(thief.Handler(), "POST", s.URL+"/auth/v1/login", `{"email":"canary.bird@nest.example.org","password":"anything at all here"}`); got.Code == 200 {
			t.Error("with keys of the thief's own, somebody signed in")
		}
	})
}

// useStolen tries a value from the database at every door that takes a secret.
func useStolen(t *testing.T, s *ringwalltest.Server, column, value string) {
	t.Helper()
	if clean := strings.ToValidUTF8(value, ""); clean == "" || len(value) > 4096 {
		return
	}
	header := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`;,"\`, r) {
			return -1
		}
		return r
	}, value)
	ask := func(change func(*http.Request)) int {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/auth/v1/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		return statusOf(s, r)
	}
	if got := ask(func(r *http.Request) { r.Header.Set("Cookie", "__Host-ringwall="+header) }); got != 401 {
		t.Errorf("%s as the session cookie = %d, want 401", column, got)
	}
	if got := ask(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+header) }); got != 401 {
		t.Errorf("%s as a bearer token = %d, want 401", column, got)
	}
	for path, body := range map[string]object{
		"/auth/v1/email/verify":   {"token": header},
		"/auth/v1/email/change":   {"token": header},
		"/auth/v1/password/reset": {"token": header, "password": "the thief chooses this one"},
	} {
		text, _ := json.Marshal(body)
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+path, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if got := statusOf(s, r); got != 422 {
			t.Errorf("%s at %s = %d, want 422", column, path, got)
		}
	}
}

// statusOf asks the handler of the server past the network, where thousands of requests are quick.
func statusOf(s *ringwalltest.Server, r *http.Request) int {
	return ask(s.Ringwall.Handler(), r)
}
