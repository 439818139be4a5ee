package e2e_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// event is what audit.tail shows.
type event struct {
	Seq                                   float64
	Event, Actor, Reason, User, IP, Agent string
	RequestID                             string
	Private                               object
	Count                                 float64
}

// tail is what has happened after an event, oldest first.
func tail(t *testing.T, s *ringwalltest.Server, after float64) (list []event) {
	t.Helper()
	for _, e := range operate(t, s, "audit.tail", object{"after_seq": after, "limit": 1000})["events"].([]any) {
		o := e.(object)
		text := func(name string) string { value, _ := o[name].(string); return value }
		private, _ := o["private"].(object)
		list = append(list, event{o["seq"].(float64), text("event"), text("actor"), text("reason"), text("user"), text("ip"), text("user_agent"), text("request_id"), private, o["count"].(float64)})
	}
	return list
}

// nextMinute moves the clock of a server to the beginning of the next minute, so that what follows falls into one.
func nextMinute(s *ringwalltest.Server) {
	now := s.Clock.Now()
	s.Clock.Advance(now.Truncate(time.Minute).Add(time.Minute).Sub(now))
}

// resetToken waits for a mailed link to a new password. Mails may overtake each other.
func resetToken(t *testing.T, s *ringwalltest.Server, address string) (token string) {
	t.Helper()
	within(t, 15*time.Second, "a link to a new password for "+address, func() bool {
		for _, m := range s.Mails(address) {
			if len(m.Links) > 0 && strings.Contains(m.Links[0], "/reset-password?") {
				token = m.Token()
				return true
			}
		}
		return false
	})
	return token
}

// S069: each act leaves its events, no more and no fewer, and they tell who did what to whom, when and from where.
func TestEachActLeavesItsEvents(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const address, agent = "audit@example.org", "Audit/1.0 (X11; Linux)"
		c, other := s.Client(), s.Client()
		c.Header.Set("User-Agent", agent)
		var link, reset, me string
		after := 0.0
		post := func(path string, body object) func() ringwalltest.Answer {
			return func() ringwalltest.Answer { return c.Post(path, body) }
		}
		wrong := "not the password, surely"
		first := operate(t, s, "user.create", object{"email": "before@example.org", "password": ringwalltest.Password}) // so that there is an event to begin after
		for _, e := range tail(t, s, 0) {
			after = e.Seq
		}
		for _, e := range tail(t, s, after) { // that the log was read
			after = e.Seq
		}
		for _, tt := range []struct {
			act    string
			do     func() ringwalltest.Answer
			status int
			events []string // name, actor and reason
		}{
			{"sign up", post("/auth/v1/signup", object{"email": address, "password": ringwalltest.Password}), 202, []string{"sensitive_create anonymous signup"}},
			{"a wrong code", post("/auth/v1/email/verify", object{"email": address, "code": "AAAA-AAAA"}), 422, []string{"sequence_fail anonymous signup code"}},
			{"resend", post("/auth/v1/email/resend", object{"email": address}), 202, []string{"sensitive_create anonymous resend"}},
			{"confirm", func() ringwalltest.Answer {
				link = s.Mail(address, 2).Token()
				return c.Post("/auth/v1/email/verify", object{"token": link})
			}, 204, []string{"user_created anonymous "}},
			{"the used link", func() ringwalltest.Answer { return c.Post("/auth/v1/email/verify", object{"token": link}) }, 422, []string{"sequence_fail anonymous signup link"}},
			{"a wrong password", post("/auth/v1/login", object{"email": address, "password": wrong}), 401, []string{"authn_login_fail anonymous password"}},
			{"sign in", post("/auth/v1/login", object{"email": address, "password": ringwalltest.Password}), 200, []string{"session_created anonymous ", "authn_login_successafterfail anonymous "}},
			{"on another device", func() ringwalltest.Answer { return login(other, address, ringwalltest.Password) }, 200, []string{"session_created anonymous ", "authn_login_success anonymous "}},
			{"looking", func() ringwalltest.Answer { return c.Get("/auth/v1/sessions") }, 200, nil},
			{"a wrong proof", post("/auth/v1/session/reauthenticate", object{"password": wrong}), 401, []string{"authn_login_fail person reauthenticate"}},
			{"prove again", post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, []string{"session_renewed person reauthenticated"}},
			{"revoke a device", func() ringwalltest.Answer {
				for _, d := range devices(t, c) {
					if !d.Current {
						return c.Delete("/auth/v1/sessions/" + d.ID)
					}
				}
				return ringwalltest.Answer{}
			}, 204, []string{"session_logout person revoked"}},
			{"revoke the others", func() ringwalltest.Answer { return c.Delete("/auth/v1/sessions") }, 204, []string{"session_logout person others revoked"}},
			{"change with a wrong password", post("/auth/v1/password", object{"current_password": wrong, "new_password": newPassword}), 401,
				[]string{"authn_login_fail person reauthenticate", "authn_password_change_fail person "}},
			{"change", post("/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": newPassword}), 200, []string{"authn_password_change person changed", "session_renewed person changed"}},
			{"from another site", func() ringwalltest.Answer {
				c.Header.Set("Origin", "https://evil.example")
				defer c.Header.Del("Origin")
				return c.Post("/auth/v1/logout", object{})
			}, 403, []string{"malicious_csrf person origin"}},
			{"without the token", func() ringwalltest.Answer {
				token := c.CSRF
				defer func() { c.CSRF = token }()
				c.CSRF = ""
				return c.Delete("/auth/v1/sessions")
			}, 403, []string{"malicious_csrf person token"}},
			{"nonsense", post("/auth/v1/password/forgot", object{"email": 7}), 422, []string{"input_validation_fail person invalid"}},
			{"forgot", post("/auth/v1/password/forgot", object{"email": address}), 202, []string{"sensitive_read person forgot"}},
			{"reset", func() ringwalltest.Answer {
				reset = resetToken(t, s, address)
				return c.Post("/auth/v1/password/reset", object{"token": reset, "password": "yet another long sentence"})
			}, 204, []string{"authn_password_change person reset"}},
			{"the used reset link", func() ringwalltest.Answer {
				c.CSRF = ""
				return c.Post("/auth/v1/password/reset", object{"token": reset, "password": "yet another long sentence"})
			}, 422, []string{"sequence_fail anonymous reset link"}},
			{"sign in again", post("/auth/v1/login", object{"email": address, "password": "yet another long sentence"}), 200, []string{"session_created anonymous ", "authn_login_success anonymous "}},
			{"sign out", post("/auth/v1/logout", object{}), 204, []string{"session_logout person "}},
			{"sign out without a session", func() ringwalltest.Answer { c.CSRF = ""; return c.Post("/auth/v1/logout", object{}) }, 204, nil},
			{"six wrong passwords", func() ringwalltest.Answer {
				stranger := s.Client()
				stranger.Header.Set("User-Agent", agent)
				for range 5 {
					login(stranger, address, wrong)
				}
				return login(stranger, address, wrong)
			}, 429, []string{"authn_login_fail anonymous password", "authn_login_lock anonymous maxretries"}},
			{"a command", func() ringwalltest.Answer {
				operate(t, s, "user.grant", object{"user": address, "role": "editor"})
				operate(t, s, "user.revoke", object{"user": address, "role": "editor"})
				operate(t, s, "user.lock", object{"user": address, "reason": "a reason of people"})
				operate(t, s, "user.unlock", object{"user": address})
				operate(t, s, "session.revoke", object{"user": address, "all": true})
				operate(t, s, "user.list", object{})
				return ringwalltest.Answer{}
			}, 0, []string{"authz_change operator:tester granted", "authz_change operator:tester revoked", "authn_login_lock operator:tester other",
				"authz_admin operator:tester unlocked", "session_logout operator:tester all, by operator"}},
		} {
			nextMinute(s) // the first refusal of a kind and minute is a row at once
			got := tt.do()
			if got.Status != tt.status {
				t.Fatalf("%s = %d, want %d\n%s", tt.act, got.Status, tt.status, got.Body)
			}
			var have []string
			for _, e := range tail(t, s, after) {
				after = e.Seq
				if e.Count > 1 || e.Event == "authn_login_fail" && e.Actor == "system:refusals" {
					continue // what was counted in an earlier minute
				}
				kind, id, _ := strings.Cut(e.Actor, ":")
				if kind == "operator" {
					kind = e.Actor
				}
				have = append(have, e.Event+" "+kind+" "+e.Reason)
				if me == "" && e.Event == "user_created" {
					me = e.User
				}
				if e.Event == "sensitive_read" && e.Private["user"] == me {
					e.User = me // among what is sealed, because it tells who has an account
				}
				if kind == "person" && (id != me || e.User != me && e.Event != "input_validation_fail" && e.Event != "malicious_csrf") {
					t.Errorf("%s: %s names %s and %s, want %s", tt.act, e.Event, id, e.User, me)
				}
				if strings.HasPrefix(e.Actor, "operator") {
					continue
				}
				if e.IP != "127.0.0.1" || e.RequestID == "" || e.Agent == "" {
					t.Errorf("%s: %s lacks where it came from: %+v", tt.act, e.Event, e)
				}
				if (e.Event == "user_created" || e.Event == "sensitive_create" && e.Reason == "signup") && e.Private["email"] != address {
					t.Errorf("%s: %s does not open: %v", tt.act, e.Event, e.Private)
				}
			}
			slices.Sort(have)
			slices.Sort(tt.events)
			if !slices.Equal(have, tt.events) {
				t.Errorf("%s left %q, want %q", tt.act, have, tt.events)
			}
		}
		if me == "" || first["id"] == me {
			t.Error("the story has no person")
		}
		// Oldest first, also where the newest are asked for.
		newest := operate(t, s, "audit.tail", object{"limit": 5})["events"].([]any)
		for i := 1; i < len(newest); i++ {
			if newest[i-1].(object)["seq"].(float64) >= newest[i].(object)["seq"].(float64) {
				t.Errorf("the newest events come in the order %v", newest)
			}
		}
		if len(newest) != 5 || newest[4].(object)["seq"].(float64) < after {
			t.Errorf("the newest five end at %v, want %v or what was counted since", newest[4].(object)["seq"], after)
		}
	})
}

// stored is everything that lies in the database but counters, last-seen times and seals, which move by themselves.
func stored(t *testing.T, db testdb.DB, on *sql.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	for column, values := range dump(t, db, on) {
		if strings.HasPrefix(column, "ringwall_attempts.") || strings.HasPrefix(column, "ringwall_ceiling.") || strings.HasPrefix(column, "ringwall_audit_seals.") || column == "ringwall_sessions.last_seen_micros" {
			continue
		}
		var rows []string
		for _, v := range values {
			rows = append(rows, fmt.Sprintf("%x", v))
		}
		slices.Sort(rows)
		out[column] = strings.Join(rows, " ")
	}
	return out
}

// breakTable makes every change of a kind on a table fail, and returns what mends it.
func breakTable(t *testing.T, db testdb.DB, admin *sql.DB, operation, table string) (mend func()) {
	t.Helper()
	if db.Engine == "sqlite" {
		tell(t, admin, `CREATE TRIGGER broken BEFORE `+operation+` ON `+table+` BEGIN SELECT RAISE(ABORT, 'broken by the test'); END`)
		return func() { t.Helper(); tell(t, admin, `DROP TRIGGER broken`) }
	}
	tell(t, admin, `CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken by the test'; END $$`)
	tell(t, admin, `CREATE TRIGGER broken BEFORE `+operation+` ON `+table+` FOR EACH ROW EXECUTE FUNCTION broken()`)
	return func() { t.Helper(); tell(t, admin, `DROP TRIGGER broken ON `+table) }
}

// No act without its event, and no event without its act: whichever statement of a change fails, nothing of it stays.
func TestAnActAndItsEventAreOne(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Log: (&logBuffer{}).logger(), SessionMax: 2})
		c := s.SignIn("one@example.org")
		s.Client().SignIn("one@example.org", ringwalltest.Password)
		want(t, "sign up", signUp(s.Client(), "pending@example.org", ringwalltest.Password), 202, "")
		link := s.Mail("pending@example.org", 1).Token()
		want(t, "forgot", s.Client().Post("/auth/v1/password/forgot", object{"email": "one@example.org"}), 202, "")
		reset := resetToken(t, s, "one@example.org")
		command := func(name string, in string) func() int {
			return func() int {
				if _, err := s.Ringwall.Operate(t.Context(), "tester", name, []byte(in)); err != nil {
					return 500
				}
				return 200
			}
		}
		acts := map[string]func() int{
			"sign-up": func() int { return signUp(s.Client(), "new@example.org", ringwalltest.Password).Status },
			"confirm": func() int {
				return s.Client().Post("/auth/v1/email/verify", object{"token": link, "password": ringwalltest.Password}).Status
			},
			"sign-in": func() int { return login(s.Client(), "one@example.org", ringwalltest.Password).Status }, // ends one of too many
			"forgot": func() int {
				return s.Client().Post("/auth/v1/password/forgot", object{"email": "one@example.org"}).Status
			},
			"reset": func() int {
				return s.Client().Post("/auth/v1/password/reset", object{"token": reset, "password": newPassword}).Status
			},
			"proof": func() int {
				return c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}).Status
			},
			"change": func() int {
				return c.Post("/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": newPassword}).Status
			},
			"address": func() int {
				return c.Post("/auth/v1/me/email", object{"email": "two@example.org", "password": ringwalltest.Password}).Status
			},
			"revoke others":  func() int { return c.Delete("/auth/v1/sessions").Status },
			"user.create":    command("user.create", `{"email":"made@example.org","roles":["admin"]}`),
			"user.grant":     command("user.grant", `{"user":"one@example.org","role":"editor"}`),
			"role.allow":     command("role.allow", `{"role":"editor","permission":"page.edit","reason":"x"}`),
			"user.lock":      command("user.lock", `{"user":"one@example.org","reason":"x"}`),
			"session.revoke": command("session.revoke", `{"user":"one@example.org","all":true}`),
			"everybody":      command("session.revoke", `{"everybody":true,"reason":"x"}`),
		}
		admin := onDatabase(t, db)
		broken := 0
		for _, fault := range [][2]string{
			{"INSERT", "ringwall_audit"}, {"INSERT", "ringwall_person_keys"}, {"INSERT", "ringwall_outbox"}, {"INSERT", "ringwall_signups"}, {"INSERT", "ringwall_users"},
			{"UPDATE", "ringwall_users"}, {"INSERT", "ringwall_sessions"}, {"DELETE", "ringwall_sessions"}, {"INSERT", "ringwall_resets"}, {"DELETE", "ringwall_resets"},
			{"INSERT", "ringwall_roles"}, {"DELETE", "ringwall_signups"}, {"INSERT", "ringwall_devices"}, {"INSERT", "ringwall_email_changes"}, {"INSERT", "ringwall_role_permissions"},
			{"UPDATE", "ringwall_session_epoch"},
		} {
			within(t, 10*time.Second, "no mail waits", func() bool { return count(t, admin, `SELECT COUNT(*) FROM ringwall_outbox`) == 0 })
			mend := breakTable(t, db, admin, fault[0], fault[1])
			for name, act := range acts {
				if touches := breaks[fault[0]+" "+fault[1]]; !slices.Contains(touches, name) {
					continue // it would succeed, and belongs to another row of this table
				}
				tell(t, admin, `DELETE FROM ringwall_attempts`)
				before := stored(t, db, admin)
				status := act()
				if status < 500 {
					t.Errorf("%s with a broken %s of %s = %d, want it to fail", name, fault[0], fault[1], status)
				}
				broken++
				for column, now := range stored(t, db, admin) {
					if now != before[column] {
						t.Errorf("%s failed at the %s of %s, and something of it stayed in %s", name, fault[0], fault[1], column)
					}
				}
			}
			mend()
		}
		if broken < 30 {
			t.Errorf("only %d acts were broken", broken)
		}
		// Mended, everything works, and the log is whole.
		want(t, "the session", c.Get("/"), 200, "")
		for _, name := range []string{"sign-up", "confirm", "forgot", "change", "user.create", "user.grant", "user.lock", "role.allow"} {
			tell(t, admin, `DELETE FROM ringwall_attempts`)
			if status := acts[name](); status >= 300 {
				t.Errorf("%s after all was mended = %d", name, status)
			}
		}
		within(t, 35*time.Second, "everything is sealed", func() bool { return operate(t, s, "audit.verify", object{})["waiting"] == 0.0 })
		if out := operate(t, s, "audit.verify", object{}); out["ok"] != true {
			t.Errorf("audit.verify = %v", out)
		}
	})
}

// breaks are the acts that must fail when a change of a table does.
var breaks = map[string][]string{
	"INSERT ringwall_audit":       {"sign-up", "confirm", "sign-in", "forgot", "reset", "proof", "change", "address", "revoke others", "user.create", "user.grant", "user.lock", "session.revoke", "role.allow", "everybody"},
	"INSERT ringwall_person_keys": {"confirm", "user.create"},
	"INSERT ringwall_outbox":      {"sign-up", "forgot", "reset", "change", "address", "user.create", "user.lock", "sign-in"},
	"INSERT ringwall_signups":     {"sign-up"},
	"INSERT ringwall_users":       {"confirm", "user.create"},
	"UPDATE ringwall_users":       {"reset", "change", "user.lock"},
	"INSERT ringwall_sessions":    {"sign-in", "proof", "change"},
	"DELETE ringwall_sessions":    {"sign-in", "reset", "proof", "change", "revoke others", "user.lock", "session.revoke"},
	"INSERT ringwall_resets":      {"forgot", "user.create"},
	"DELETE ringwall_resets":      {"reset", "change", "user.lock"},
	"INSERT ringwall_roles":       {"user.create", "user.grant"},
	"DELETE ringwall_signups":     {"confirm"},
	"INSERT ringwall_devices":     {"sign-in"},

	"INSERT ringwall_email_changes":    {"address"},
	"INSERT ringwall_role_permissions": {"role.allow"},
	"UPDATE ringwall_session_epoch":    {"everybody"},
}
