package e2e_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

type exported struct {
	Profile struct {
		Email       string
		DisplayName string `json:"display_name"`
		Roles       []string
	}
	Sessions, Devices, Links []object
	Activity                 []struct {
		Event, By, IP, Reason string
		Details               []struct{ Name, Value string }
	}
}

// Everything that is held about somebody comes as a file, and nothing that is secret or somebody else's.
func TestExport(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "export@example.org"
		s.SignIn("bystander@example.org")
		c := s.SignIn(address)
		other := s.Client()
		other.Header.Set("User-Agent", androidAgent)
		other.SignIn(address, ringwalltest.Password)
		want(t, "forgot", s.Client().Post("/auth/v1/password/forgot", object{"email": address}), 202, "")
		reset := resetToken(t, s, address)
		notMe := mailAbout(t, s, address, "New sign-in", 1).Token()
		operate(t, s, "user.grant", object{"user": address, "role": "editor"})
		want(t, "not fresh", c.Get("/auth/v1/me/export"), 403, "fresh-required")
		want(t, "prove again", c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")

		got := c.Get("/auth/v1/me/export")
		want(t, "export", got, 200, "")
		if got.Header.Get("Content-Disposition") != `attachment; filename="account.json"` || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers are %v", got.Header)
		}
		page := c.Do("POST", "/auth/account/data/export", url.Values{})
		want(t, "export on the page", page, 200, "")
		if page.Header.Get("Content-Disposition") != got.Header.Get("Content-Disposition") || !json.Valid(page.Body) {
			t.Errorf("the page's export is %v\n%s", page.Header, page.Body)
		}
		var e exported
		got.Into(t, &e)
		if e.Profile.Email != address || len(e.Profile.Roles) != 1 || len(e.Sessions) != 2 || len(e.Devices) != 2 || len(e.Links) != 2 {
			t.Errorf("the export is %+v", e)
		}
		events := map[string]bool{}
		for _, a := range e.Activity {
			events[a.Event] = true
			if a.Event == "authz_change" && (a.By != "administrator" || len(a.Details) != 1 || a.Details[0].Value != "editor") {
				t.Errorf("the change of roles is %+v", a)
			}
		}
		for _, event := range []string{"user_created", "session_created", "authn_login_success", "authz_change", "user_exported"} {
			if !events[event] {
				t.Errorf("the activity lacks %s", event)
			}
		}
		secrets := map[string]string{
			"the session": c.Cookie("__Host-ringwall"), "the other session": other.Cookie("__Host-ringwall"), "the device": c.Cookie("__Host-ringwall-device"),
			"the reset link": reset, "the not-me link": notMe, "the CSRF token": c.CSRF, "the password": ringwalltest.Password, "a hash": "argon2", "somebody else": "bystander",
		}
		for name, value := range hidden(t, s, address) {
			secrets[name+" as hex"], secrets[name+" as base64"] = hex.EncodeToString(value), base64.StdEncoding.EncodeToString(value)
		}
		for name, secret := range secrets {
			if secret == "" || strings.Contains(string(got.Body), secret) {
				t.Errorf("%s stands in the export, or is unknown to the test", name)
			}
		}
	})
}

// hidden are the columns of somebody's rows that no export may hold.
func hidden(t *testing.T, s *ringwalltest.Server, address string) map[string][]byte {
	t.Helper()
	db := openDatabase(t, s)
	found := map[string][]byte{}
	for name, statement := range map[string]string{
		"the sealed password": "SELECT password FROM ringwall_users WHERE email = $1",
		"a token hash":        "SELECT token_hash FROM ringwall_sessions WHERE user_id = (SELECT id FROM ringwall_users WHERE email = $1) LIMIT 1",
		"a device id":         "SELECT id FROM ringwall_devices WHERE user_id = (SELECT id FROM ringwall_users WHERE email = $1) LIMIT 1",
		"a reset MAC":         "SELECT token_mac FROM ringwall_resets WHERE user_id = (SELECT id FROM ringwall_users WHERE email = $1) LIMIT 1",
		"a link MAC":          "SELECT token_mac FROM ringwall_links WHERE user_id = (SELECT id FROM ringwall_users WHERE email = $1) LIMIT 1",
		"the person's key":    "SELECT wrapped FROM ringwall_person_keys WHERE user_id = (SELECT id FROM ringwall_users WHERE email = $1)",
	} {
		var value []byte
		if err := db.QueryRowContext(t.Context(), statement, address).Scan(&value); err != nil || len(value) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		found[name] = value
	}
	return found
}

// A history longer than a page comes whole, in order and once.
func TestExportOfALongHistory(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address = "long@example.org"
		c := s.SignIn(address)
		for range 260 {
			operate(t, s, "user.grant", object{"user": address, "role": "editor"})
			operate(t, s, "user.revoke", object{"user": address, "role": "editor"})
		}
		want(t, "prove again", c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")
		var e exported
		c.Get("/auth/v1/me/export").Into(t, &e)
		changes := 0
		for _, a := range e.Activity {
			if a.Event != "authz_change" {
				continue
			}
			if reason := map[bool]string{true: "revoked", false: "granted"}[changes%2 == 0]; a.Reason != reason {
				t.Fatalf("change %d is %q, want %q", changes, a.Reason, reason)
			}
			changes++
		}
		if changes != 520 {
			t.Errorf("%d changes, want 520", changes)
		}
	})
}

func TestExportIsForAFewTimesADay(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("often@example.org")
		wins := fifty(func(int) bool {
			got, err := c.Try("GET", "/auth/v1/me/export", nil)
			return err == nil && got.Status == 200
		})
		if wins != 3 {
			t.Errorf("%d exports of fifty at once, want 3", wins)
		}
		want(t, "the fourth", c.Get("/auth/v1/me/export"), 429, "too-many-requests")
		s.Clock.Advance(24*time.Hour + time.Minute)
		c.CSRF = ""
		c.SignIn("often@example.org", ringwalltest.Password)
		want(t, "the next day", c.Get("/auth/v1/me/export"), 200, "")
	})
}

// unexported are the tables with a person in them that an export leaves out. Every other one has its part in it.
var unexported = map[string]string{
	"ringwall_person_keys": "the key that seals the personal fields of the audit log, which stand in the export opened",
}

// exportedAs are the members of the export that hold what a table does.
var exportedAs = map[string]string{
	"ringwall_roles": "profile.roles", "ringwall_sessions": "sessions", "ringwall_devices": "devices", "ringwall_resets": "links",
	"ringwall_links": "links", "ringwall_audit": "activity", "ringwall_email_changes": "email_change", "ringwall_user_metadata": "metadata",
}

// A new table about people cannot be forgotten: it is exported, or stands here with a reason.
func TestEveryTableOfAPersonIsExported(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		tables := personTables(t, s)
		if len(tables) < 5 {
			t.Fatalf("only %v have a user_id", tables)
		}
		for _, table := range tables {
			if (exportedAs[table] == "") == (unexported[table] == "") {
				t.Errorf("%s has a user_id: put it into the export, or into the list of those that are left out, with a reason", table)
			}
		}
	})
}

func personTables(t *testing.T, s *ringwalltest.Server) []string {
	t.Helper()
	statement := `SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' AND c.name = 'user_id' ORDER BY m.name`
	if strings.HasPrefix(s.Options.Database, "postgres") {
		statement = `SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema() AND column_name = 'user_id' ORDER BY table_name`
	}
	return texts(t, openDatabase(t, s), statement)
}
