package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// S010, S064, S069: an administrator sees what holds somebody up and why, and lets them try anew; both stand in the audit log.
func TestAdministratorsSeeAndClearLimits(t *testing.T) {
	eachWith(t, proxied, func(t *testing.T, s *ringwalltest.Server) {
		const address = "held@example.org"
		someone(t, s, address)
		admin := administrator(t, s, "admin@example.org")
		guess := from(s, "203.0.113.9")
		for range 6 {
			guess.Post("/auth/v1/login", object{"email": address, "password": "not the password, surely"})
		}
		ask := func(who string) string {
			t.Helper()
			got := admin.Get("/auth/v1/admin/limits?who=" + url.QueryEscape(who))
			want(t, "limits of "+who, got, 200, "")
			return string(got.Body)
		}
		if got := ask(address); !strings.Contains(got, `"layer":"account","refused":true`) || !strings.Contains(got, `"why":"sign-ins from unknown devices"`) {
			t.Errorf("limits of the account: %s", got)
		}
		for _, notation := range []string{"203.0.113.9", "::ffff:203.0.113.9"} {
			if got := ask(notation); !strings.Contains(got, `"layer":"address"`) {
				t.Errorf("limits of %s: %s", notation, got)
			}
		}
		from(s, "2001:db8:1:2::3").Post("/auth/v1/login", object{"email": "nobody@example.org", "password": "not the password, surely"})
		if got := ask("2001:db8:1:2::4"); !strings.Contains(got, `"why":"of 20/1m, for its /64, or four times as many for its /48"`) {
			t.Errorf("limits of a neighbour: %s", got)
		}
		if got := ask("unknown@example.org"); got != "{\"limits\":[]}\n" {
			t.Errorf("limits of somebody without an account: %s", got)
		}
		want(t, "an unknown filter", admin.Get("/auth/v1/admin/limits?email="+address), 422, "invalid")
		for _, reason := range []any{nil, "", "  "} {
			want(t, "clear without a reason", admin.Post("/auth/v1/admin/limits/clear", object{"who": address, "reason": reason}), 422, "invalid")
		}
		right := object{"email": address, "password": ringwalltest.Password}
		want(t, "still held", s.Client().Post("/auth/v1/login", right), 429, "too-many-requests")
		want(t, "clear", admin.Post("/auth/v1/admin/limits/clear", object{"who": address, "reason": "she called"}), 204, "")
		want(t, "let in", s.Client().Post("/auth/v1/login", right), 200, "")
		told := fmt.Sprint(events(t, s, "authz_admin"))
		for _, part := range []string{"limits read", "limits cleared", "she called"} {
			if !strings.Contains(told, part) {
				t.Errorf("the audit log lacks %q: %s", part, told)
			}
		}
	})
}

// Issue 3: the counters of codes, of proofs, of known devices and of mails hold people up too. Each is shown by command and by
// API, and cleared, alike for an address without an account.
func TestEveryCounterOfAnAddressIsShownAndCleared(t *testing.T) {
	eachWith(t, atOneMoment, func(t *testing.T, s *ringwalltest.Server) {
		admin := administrator(t, s, "admin@example.org")
		const person, pending, nobody, wrong = "person@example.org", "pending@example.org", "nobody@example.org", "not the password, surely"
		someone(t, s, person)
		owner := from(s, "203.0.113.7")
		owner.SignIn(person, ringwalltest.Password)
		device := from(s, "203.0.113.8")
		device.SignIn(person, ringwalltest.Password)
		want(t, "sign out", device.Post("/auth/v1/logout", object{}), 204, "")
		device.CSRF = ""
		stranger := from(s, "198.51.100.1")
		want(t, "sign up", signUp(stranger, pending, ringwalltest.Password), 202, "")
		mailed := s.Mail(pending, 1)
		code := func(c *ringwalltest.Client, address, code string) ringwalltest.Answer {
			return c.Post("/auth/v1/email/verify", object{"email": address, "code": code})
		}
		prove := func() ringwalltest.Answer {
			return owner.Post("/auth/v1/session/reauthenticate", object{"password": wrong})
		}
		confirm := func() ringwalltest.Answer {
			return from(s, "192.0.2.1").Post("/auth/v1/email/verify", object{"token": mailed.Token(), "password": wrong})
		}
		forgot := func() ringwalltest.Answer { return stranger.Post("/auth/v1/password/forgot", object{"email": nobody}) }
		for _, tt := range []struct {
			who, why string
			once     func() ringwalltest.Answer
			status   int // of what is looked at
		}{
			{person, "passwords to prove again who they are, in one session", prove, 401},
			{person, "sign-ins from a known device", func() ringwalltest.Answer { return login(device, person, wrong) }, 401},
			{pending, "codes to confirm the address, from one network", func() ringwalltest.Answer { return code(stranger, pending, "AAAA-AAAA") }, 422},
			{nobody, "codes to confirm the address, from one network", func() ringwalltest.Answer { return code(stranger, nobody, "AAAA-AAAA") }, 422},
			{pending, "passwords for a link or code to confirm the address", confirm, 401},
			{nobody, "resets were asked for, from one network", forgot, 202},
		} {
			for i := range 5 {
				if got := tt.once(); got.Status != tt.status {
					t.Fatalf("%s: %s: try %d = %d %s", tt.who, tt.why, i, got.Status, got.Body)
				}
			}
			for _, layer := range []string{"full", "locked"} {
				for door, rows := range map[string][]any{
					"command": operate(t, s, "limits.show", object{"who": tt.who})["limits"].([]any),
					"API":     apiLimits(t, admin, tt.who),
				} {
					if row := rowAbout(rows, tt.why); row == nil || row["refused"] != true || row["since"] == nil || row["until"] == nil {
						t.Errorf("%s, %s: the %s shows %v, want a refusal for %q", tt.who, layer, door, rows, tt.why)
					}
				}
				want(t, tt.why, tt.once(), 429, "too-many-requests")
			}
			operate(t, s, "limits.clear", object{"who": tt.who})
			if rows := apiLimits(t, admin, tt.who); len(rows) != 0 {
				t.Errorf("%s, cleared: %v", tt.who, rows)
			}
			if got := tt.once(); got.Status != tt.status {
				t.Errorf("%s: %s: cleared, a try = %d %s", tt.who, tt.why, got.Status, got.Body)
			}
		}
	})
}

// The five tries of a code are shown too: whoever mistypes it is told why the right one does not work, and cleared it does.
func TestTriesOfACodeAreShownAndCleared(t *testing.T) {
	eachWith(t, atOneMoment, func(t *testing.T, s *ringwalltest.Server) {
		c := from(s, "203.0.113.7")
		const address, why = "typo@example.org", "tries of the code in a mail; its link works, and so does the code of a new mail"
		want(t, "sign up", signUp(c, address, ringwalltest.Password), 202, "")
		code := s.Mail(address, 1).Code
		for range 5 {
			want(t, "a wrong code", c.Post("/auth/v1/email/verify", object{"email": address, "code": "AAAA-AAAA"}), 422, "link-invalid")
		}
		c.Header.Set("X-Forwarded-For", "203.0.114.7") // where the counter of the address is another
		want(t, "the right code", c.Post("/auth/v1/email/verify", object{"email": address, "code": code}), 422, "link-invalid")
		if row := rowAbout(operate(t, s, "limits.show", object{"who": address})["limits"].([]any), why); row == nil || row["layer"] != "code" || row["refused"] != true || row["tries"] != 5.0 {
			t.Errorf("the code is shown as %v", row)
		}
		operate(t, s, "limits.clear", object{"who": address})
		if rows := operate(t, s, "limits.show", object{"who": address})["limits"].([]any); len(rows) != 0 {
			t.Errorf("cleared: %v", rows)
		}
		want(t, "the right code, cleared", c.Post("/auth/v1/email/verify", object{"email": address, "code": code}), 204, "")
	})
}

// atOneMoment has time stand still, behind a proxy, which names the client.
func atOneMoment(o *ringwall.Options) {
	behindProxy(o)
	at := time.Now()
	o.Now = func() time.Time { return at }
}

func apiLimits(t *testing.T, admin *ringwalltest.Client, who string) []any {
	t.Helper()
	got := admin.Get("/auth/v1/admin/limits?who=" + url.QueryEscape(who))
	want(t, "limits of "+who, got, 200, "")
	var out struct{ Limits []any }
	got.Into(t, &out)
	return out.Limits
}

// rowAbout is the row of limits with a reason; nil if there is none.
func rowAbout(rows []any, why string) object {
	for _, row := range rows {
		if row := row.(object); row["why"] == why {
			return row
		}
	}
	return nil
}

// Whoever cannot sign in with the right password is shown as that, with the reason, by command and by API.
func TestWhatClosesAnAccountIsShown(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		admin := administrator(t, s, "admin@example.org")
		for layer, row := range map[string]struct{ command, member string }{
			"reset":    {"user.demand-reset", "reset_demanded_at"},
			"deletion": {"user.delete", "delete_at"},
		} {
			address := layer + "@example.org"
			someone(t, s, address)
			if shown := operate(t, s, "user.show", object{"user": address})["user"].(object); shown[row.member] != nil {
				t.Errorf("an open account is shown as %v", shown)
			}
			operate(t, s, row.command, object{"user": address})
			if shown := operate(t, s, "user.show", object{"user": address})["user"].(object); shown[row.member] == nil {
				t.Errorf("after %s it is shown as %v", row.command, shown)
			}
			if found := string(admin.Get("/auth/v1/admin/users?search=" + url.QueryEscape(address)).Body); !strings.Contains(found, `"`+row.member+`":"`) {
				t.Errorf("after %s the API shows %s", row.command, found)
			}
			for door, got := range map[string]string{
				"command": fmt.Sprint(operate(t, s, "limits.show", object{"who": address})),
				"API":     string(admin.Get("/auth/v1/admin/limits?who=" + url.QueryEscape(address)).Body),
			} {
				if !strings.Contains(got, layer) || !strings.Contains(got, "the mail box") {
					t.Errorf("the %s tells of %s: %s", door, address, got)
				}
			}
		}
	})
}

// Blocks act on the next request, page, end, and can keep out neither the server nor the administrator who makes them.
func TestAdministratorsBlockNetworks(t *testing.T) {
	eachWith(t, behindProxy, func(t *testing.T, s *ringwalltest.Server) {
		admin := administrator(t, s, "admin@example.org")
		admin.Header.Set("X-Forwarded-For", "10.1.2.3") // from the office
		until := s.Clock.Now().Add(time.Hour).UTC().Truncate(time.Second)
		block := func(network string) ringwalltest.Answer {
			return admin.Post("/auth/v1/admin/blocks", object{"network": network, "until": until.Format(time.RFC3339), "reason": "guesses"})
		}
		for _, network := range []string{
			"10.1.2.3", "10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:10.1.0.0/112", "127.0.0.1", "127.0.0.0/8", "::1", "0.0.0.0/0", "::/0", "0.0.0.0/1", // us or them
			"203.0.113.7/24", "fe80::1%eth0", "nonsense", "203.0.113.0/33", "2001:db8::/129",
		} {
			want(t, "block of "+network, block(network), 422, "invalid")
		}
		for _, end := range []string{"soon", "2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
			want(t, "block until "+end, admin.Post("/auth/v1/admin/blocks", object{"network": "203.0.113.0/24", "until": end, "reason": "x"}), 422, "invalid")
		}
		want(t, "by force", admin.Post("/auth/v1/admin/blocks", object{"network": "::/0", "until": until.Format(time.RFC3339), "reason": "x", "force": true}), 422, "invalid")
		want(t, "without a reason", admin.Post("/auth/v1/admin/blocks", object{"network": "203.0.113.0/24", "until": until.Format(time.RFC3339), "reason": " "}), 422, "invalid")
		want(t, "still there", admin.Get("/auth/v1/admin/blocks"), 200, "")
		want(t, "nobody is blocked", from(s, "203.0.113.9").Get("/auth/openapi.json"), 200, "")

		for _, network := range []string{"203.0.113.0/24", "198.51.100.7", "2001:db8::/48"} {
			got := block(network)
			want(t, "block of "+network, got, 201, "")
		}
		want(t, "blocked", from(s, "203.0.113.9").Get("/auth/openapi.json"), 403, "blocked")
		var seen []string
		for cursor := ""; ; {
			var page struct {
				Blocks []struct{ Network, Until, Reason, By string }
				Next   string
			}
			admin.Get("/auth/v1/admin/blocks?limit=1&cursor="+cursor).Into(t, &page)
			for _, b := range page.Blocks {
				seen = append(seen, b.Network)
				if b.Until != until.Format(time.RFC3339) || b.Reason != "guesses" || !strings.HasPrefix(b.By, "person:") {
					t.Errorf("a block is listed as %+v", b)
				}
			}
			if cursor = page.Next; cursor == "" || len(seen) > 5 {
				break
			}
		}
		if fmt.Sprint(seen) != "[2001:db8::/48 198.51.100.7/32 203.0.113.0/24]" {
			t.Errorf("the pages hold %v", seen)
		}
		want(t, "a cursor of another list", admin.Get("/auth/v1/admin/blocks?cursor=AAAA"), 422, "invalid")
		want(t, "lift without a reason", admin.Do("DELETE", "/auth/v1/admin/blocks", object{"network": "203.0.113.0/24"}), 422, "invalid")
		want(t, "lift", admin.Do("DELETE", "/auth/v1/admin/blocks", object{"network": "203.0.113.0/24", "reason": "over"}), 204, "")
		want(t, "lift twice", admin.Do("DELETE", "/auth/v1/admin/blocks", object{"network": "203.0.113.0/24", "reason": "over"}), 404, "not-found")
		want(t, "let in", from(s, "203.0.113.9").Get("/auth/openapi.json"), 200, "")
		told := fmt.Sprint(events(t, s, "authz_admin"))
		for _, part := range []string{"network blocked", "network unblocked", "blocks listed", "guesses", "over"} {
			if !strings.Contains(told, part) {
				t.Errorf("the audit log lacks %q", part)
			}
		}
	})
}

// Webhooks that were given up page whole, also those of one moment, and take no cursor of another list.
func TestAdministratorsPageWebhooks(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		admin := administrator(t, s, "admin@example.org")
		someone(t, s, "ann@example.org")
		insert := "INSERT INTO ringwall_webhooks (id, target, sealed, attempts, reason, created_micros, next_micros, dead_micros) VALUES ($1, $2, $1, 1, '', 4, 4, $3)"
		db, now := openDatabase(t, s), s.Clock.Now().UnixMicro()
		for i, ago := range []int64{7, 9, 9, 9, 8} {
			if _, err := db.ExecContext(t.Context(), insert, bytes.Repeat([]byte{byte(i + 1)}, 16), strconv.Itoa(i), now-ago); err != nil {
				t.Fatal(err)
			}
		}
		var page struct {
			Webhooks []struct{ Target string }
			Next     string
		}
		seen := ""
		for cursor, pages := "", 0; pages < 9; pages++ {
			page.Next = ""
			admin.Get("/auth/v1/admin/webhooks?limit=2&cursor="+cursor).Into(t, &page)
			for _, w := range page.Webhooks {
				seen += w.Target + " "
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if seen != "0 4 1 2 3 " {
			t.Errorf("the pages hold %q", seen)
		}
		admin.Get("/auth/v1/admin/users?limit=1").Into(t, &page)
		for _, query := range []string{"limit=0", "limit=501", "target=alerts", "cursor=AAAA", "cursor=" + page.Next} {
			want(t, query, admin.Get("/auth/v1/admin/webhooks?"+query), 422, "invalid")
		}
	})
}

// Alerts page whole, also those of one moment; a webhook that was given up is listed, and sent again once.
func TestAdministratorsReadAlertsAndReplayWebhooks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s, staff := watched(t, db)
		admin := administrator(t, s, "admin@example.org")
		staff.answerWith(http.StatusGone)
		guessSessions(t, s, "203.0.113.9")
		var dead struct {
			Webhooks []struct{ ID, Target, Reason string }
		}
		within(t, 15*time.Second, "a webhook is given up", func() bool {
			admin.Get("/auth/v1/admin/webhooks").Into(t, &dead)
			return len(dead.Webhooks) == 1
		})
		if w := dead.Webhooks[0]; w.Target != "alerts" || w.Reason != "status 410" {
			t.Errorf("given up is %+v", w)
		}
		insert := "INSERT INTO ringwall_alerts (id, kind, key, what, places, help, count, opened_micros, seen_micros, closed_micros) VALUES ($1, 'old', $2, '', '', '', 1, 5, 5, 6)"
		for i := range 4 {
			if _, err := openDatabase(t, s).ExecContext(t.Context(), insert, bytes.Repeat([]byte{byte(i + 1)}, 16), strconv.Itoa(i)); err != nil {
				t.Fatal(err)
			}
		}
		seen := ""
		for cursor, pages := "", 0; pages < 9; pages++ {
			var page struct {
				Alerts []struct {
					Kind, Key string
					ClosedAt  string `json:"closed_at"`
					Where     []string
				}
				Next string
			}
			admin.Get("/auth/v1/admin/alerts?limit=2&cursor="+cursor).Into(t, &page)
			for _, a := range page.Alerts {
				seen += a.Kind + a.Key + " "
				if (a.Kind == "old") != (a.ClosedAt != "") || a.Where == nil {
					t.Errorf("an alert is listed as %+v", a)
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if seen != "session-guessing old0 old1 old2 old3 " {
			t.Errorf("the pages hold %q", seen)
		}
		replay := "/auth/v1/admin/webhooks/" + dead.Webhooks[0].ID + "/replay"
		want(t, "without a reason", admin.Post(replay, object{"reason": ""}), 422, "invalid")
		staff.answerWith(0)
		want(t, "replay", admin.Post(replay, object{"reason": "the receiver is back"}), 204, "")
		want(t, "replay twice", admin.Post(replay, object{"reason": "the receiver is back"}), 404, "not-found")
		within(t, 15*time.Second, "the webhook", func() bool { return len(staff.of("alert.opened", "session-guessing")) == 1 })
		told := fmt.Sprint(events(t, s, "authz_admin"))
		for _, part := range []string{"alerts listed", "webhooks listed", "webhook sent again", "the receiver is back"} {
			if !strings.Contains(told, part) {
				t.Errorf("the audit log lacks %q: %s", part, told)
			}
		}
	})
}
