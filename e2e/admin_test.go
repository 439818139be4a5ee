package e2e_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// someone makes somebody with roles and a password, and returns their id.
func someone(t *testing.T, s *ringwalltest.Server, address string, roles ...string) string {
	t.Helper()
	return operate(t, s, "user.create", object{"email": address, "roles": roles, "password": ringwalltest.Password})["id"].(string)
}

// administrator is a client of somebody who has just signed in and holds the role.
func administrator(t *testing.T, s *ringwalltest.Server, address string) *ringwalltest.Client {
	t.Helper()
	someone(t, s, address, "admin")
	c := s.Client()
	c.SignIn(address, ringwalltest.Password)
	return c
}

// adminRoutes are all routes of administrators, with a person in the place of {id}.
func adminRoutes(s *ringwalltest.Server, id string) (list []operation) {
	for _, r := range s.Ringwall.Routes() {
		if strings.HasPrefix(r.Path, "/auth/v1/admin") {
			list = append(list, operation{r.Method, strings.NewReplacer("{id}", id, "{role}", "support").Replace(r.Path)})
		}
	}
	return list
}

// S063, S064, advisory 16: of every route of administrators, everybody else is turned away, and it is recorded.
func TestAdminRoutesAreForAdministratorsAlone(t *testing.T) {
	behindProxy := func(o *ringwall.Options) {
		o.TrustedProxies, o.TrustedProxyHeader = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, "X-Real-Ip"
	}
	eachWith(t, behindProxy, func(t *testing.T, s *ringwalltest.Server) {
		victim := someone(t, s, "victim@example.org")
		member := s.SignIn("member@example.org")
		elsewhere, unread, good := administrator(t, s, "elsewhere@example.org"), administrator(t, s, "unread@example.org"), administrator(t, s, "good@example.org")
		elsewhere.Header.Set("X-Real-Ip", "203.0.113.9")
		unread.Header.Set("X-Forwarded-For", "203.0.113.9") // another proxy speaks than the one that we know
		revoked := administrator(t, s, "revoked@example.org")
		operate(t, s, "session.revoke", object{"user": "revoked@example.org", "all": true})
		stale := administrator(t, s, "stale@example.org")
		operate(t, s, "user.grant", object{"user": "stale@example.org", "role": "support"}) // takes freshness away
		support := s.Client()
		someone(t, s, "support@example.org", "support", "administrator", "admin2")
		support.SignIn("support@example.org", ringwalltest.Password)

		routes := adminRoutes(s, victim)
		if len(routes) < 11 {
			t.Fatalf("only %d routes of administrators", len(routes))
		}
		for _, r := range s.Ringwall.Routes() {
			if strings.Contains(r.Path, "admin") && r.Rule != "role admin, from listed networks, signed in, fresh within 5m" {
				t.Errorf("%s %s has the rule %q", r.Method, r.Path, r.Rule)
			}
		}
		last := tail(t, s, 0)
		for i, o := range routes {
			cases := []struct {
				who    string
				c      *ringwalltest.Client
				status int
				code   string
			}{
				{"nobody", s.Client(), 401, "unauthenticated"},
				{"a member", member, 403, "forbidden"},
				{"other roles", support, 403, "forbidden"},
				{"an administrator elsewhere", elsewhere, 403, "forbidden"},
				{"an administrator behind a proxy that is not ours", unread, 403, "forbidden"},
				{"an administrator whose proof is old", stale, 403, "fresh-required"},
				{"an administrator whose session was ended", revoked, 401, "unauthenticated"},
			}
			first := i % len(cases) // whose refusal is told of a route and minute; the others are counted
			for _, tt := range append(cases[first:], cases[:first]...) {
				got := tt.c.Do(o.method, o.path, object{"reason": "none"})
				if got.Status != tt.status || got.Code() != tt.code {
					t.Errorf("%s as %s = %d %q, want %d %q", o, tt.who, got.Status, got.Code(), tt.status, tt.code)
				}
			}
			if got := good.Get(o.path); o.method == "GET" && got.Status != 200 {
				t.Errorf("%s as an administrator = %d", o, got.Status)
			}
		}
		refused := map[string]bool{}
		for _, e := range tail(t, s, last[len(last)-1].Seq) {
			if e.Event == "authz_fail" {
				refused[e.Reason] = true
			}
		}
		for _, reason := range []string{"no session", "rule", "network", "not fresh"} {
			if !refused[reason] {
				t.Errorf("no authz_fail says %q", reason)
			}
		}
		if u := user(t, good, victim); u["locked"] != false || len(u["roles"].([]any)) != 0 {
			t.Errorf("the victim is now %v", u)
		}
	})
}

// user is a person as an administrator sees them.
func user(t *testing.T, c *ringwalltest.Client, id string) object {
	t.Helper()
	got := c.Get("/auth/v1/admin/users/" + id)
	want(t, "GET user", got, 200, "")
	var out struct{ User object }
	got.Into(t, &out)
	return out.User
}

// S010: lock with an end, sign out everywhere, demand a reset, roles; each with its effect, its mail and its event.
func TestAdministratorsAct(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := administrator(t, s, "admin@example.org")
		me := operate(t, s, "user.show", object{"user": "admin@example.org"})["user"].(object)["id"].(string)
		victim := s.SignIn("ann@example.org")
		id := operate(t, s, "user.show", object{"user": "ann@example.org"})["user"].(object)["id"].(string)
		path := "/auth/v1/admin/users/" + id
		last := tail(t, s, 0)
		after := last[len(last)-1].Seq
		signIn := object{"email": "ann@example.org", "password": ringwalltest.Password}

		for _, reason := range []string{"", "   "} {
			want(t, "lock without a reason", c.Post(path+"/lock", object{"reason": reason}), 422, "invalid")
		}
		want(t, "lock that has ended", c.Post(path+"/lock", object{"reason": "x", "until": "2020-01-01T00:00:00Z"}), 422, "invalid")
		until := s.Clock.Now().Add(3 * time.Minute).UTC().Truncate(time.Second)
		want(t, "lock", c.Post(path+"/lock", object{"reason": "the laptop was stolen", "until": until.Format(time.RFC3339)}), 204, "")
		want(t, "her session", victim.Get("/auth/v1/session"), 401, "unauthenticated")
		want(t, "her sign-in", victim.Post("/auth/v1/login", signIn), 401, "login-failed")
		if u := user(t, c, id); u["locked"] != true || u["lock_reason"] != "the laptop was stolen" || u["locked_until"] != until.Format(time.RFC3339) {
			t.Errorf("locked: %v", u)
		}
		s.Clock.Advance(4 * time.Minute)
		want(t, "her sign-in after the lock has ended", victim.Post("/auth/v1/login", signIn), 200, "")
		if u := user(t, c, id); u["locked"] != false || u["lock_reason"] != nil {
			t.Errorf("after the lock has ended: %v", u)
		}
		want(t, "lock for good", c.Post(path+"/lock", object{"reason": "abuse"}), 204, "")
		want(t, "unlock", c.Post(path+"/unlock", object{"reason": "a mistake"}), 204, "")
		want(t, "her sign-in after the unlock", victim.Post("/auth/v1/login", signIn), 200, "")

		want(t, "grant", c.Do("PUT", path+"/roles/support", object{"reason": "joins the team"}), 204, "")
		want(t, "grant of no role", c.Do("PUT", path+"/roles/No%20Role", object{"reason": "x"}), 422, "invalid")
		if u := user(t, c, id); fmt.Sprint(u["roles"]) != "[support]" {
			t.Errorf("roles %v, want support", u["roles"])
		}
		want(t, "revoke", c.Do("DELETE", path+"/roles/support", object{"reason": "left the team"}), 204, "")

		var listed struct{ Sessions []struct{ ID string } }
		c.Get(path+"/sessions").Into(t, &listed)
		if len(listed.Sessions) != 1 {
			t.Fatalf("%d sessions, want 1", len(listed.Sessions))
		}
		want(t, "end one", c.Do("DELETE", "/auth/v1/admin/sessions/"+listed.Sessions[0].ID, object{"reason": "unknown device"}), 204, "")
		want(t, "her ended session", victim.Get("/auth/v1/session"), 401, "unauthenticated")
		want(t, "end it twice", c.Do("DELETE", "/auth/v1/admin/sessions/"+listed.Sessions[0].ID, object{"reason": "again"}), 404, "not-found")
		victim.SignIn("ann@example.org", ringwalltest.Password)
		want(t, "end all", c.Do("DELETE", path+"/sessions", object{"reason": "to be sure"}), 204, "")
		want(t, "her last session", victim.Get("/auth/v1/session"), 401, "unauthenticated")

		before := len(s.Mails("ann@example.org"))
		want(t, "demand a reset", c.Post(path+"/demand-reset", object{"reason": "her password is on a list"}), 204, "")
		if u := user(t, c, id); u["reset_demanded_at"] == nil {
			t.Errorf("a reset was demanded: %v", u)
		}
		mail := s.Mail("ann@example.org", before+1)
		if !strings.Contains(mail.Subject, "Choose a new password") || strings.Contains(mail.Text, "list") {
			t.Errorf("the mail says %q\n%s", mail.Subject, mail.Text)
		}
		want(t, "reset", s.Client().Post("/auth/v1/password/reset", object{"token": mail.Token(), "password": newPassword}), 204, "")
		if u := user(t, c, id); u["reset_demanded_at"] != nil {
			t.Errorf("the reset is done: %v", u)
		}

		var acts []string
		for _, e := range tail(t, s, after) {
			if e.Actor == "person:"+me && e.User == id && e.Private["reason"] != nil {
				acts = append(acts, e.Event+" "+e.Reason+": "+e.Private["reason"].(string))
			}
		}
		wanted := []string{
			"authn_login_lock other: the laptop was stolen", "authn_login_lock other: abuse", "authz_admin unlocked: a mistake",
			"authz_change granted: joins the team", "authz_change revoked: left the team", "session_logout by operator: unknown device",
			"session_logout all, by operator: to be sure", "authz_admin reset demanded: her password is on a list",
		}
		if !slices.Equal(acts, wanted) {
			t.Errorf("the audit log tells\n%s\nwant\n%s", strings.Join(acts, "\n"), strings.Join(wanted, "\n"))
		}
	})
}

func TestAdministratorsFindPeople(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := administrator(t, s, "zoe@example.org")
		for i := range 7 {
			someone(t, s, fmt.Sprintf("p%d@example.org", i), "support")
		}
		operate(t, s, "user.create", object{"email": "odd_100%@example.org", "display_name": "Müller!", "password": ringwalltest.Password})
		operate(t, s, "user.lock", object{"user": "p3@example.org", "reason": "x"})
		find := func(query string) (list []string, next string) {
			t.Helper()
			got := c.Get("/auth/v1/admin/users?" + query)
			want(t, query, got, 200, "")
			var out struct {
				Users []struct{ Email string }
				Next  string
			}
			got.Into(t, &out)
			for _, u := range out.Users {
				list = append(list, strings.TrimSuffix(u.Email, "@example.org"))
			}
			return list, out.Next
		}
		for query, wanted := range map[string]string{
			"":                              "odd_100% p0 p1 p2 p3 p4 p5 p6 zoe",
			"search=p":                      "odd_100% p0 p1 p2 p3 p4 p5 p6 zoe", // example.org
			"search=P1":                     "p1",
			"search=%25":                    "odd_100%",
			"search=_":                      "odd_100%",
			"search=!":                      "odd_100%",
			"search=m%C3%BCller":            "odd_100%",
			"search=" + "%27%20OR%201=1":    "",
			"role=admin":                    "zoe",
			"role=support&locked=true":      "p3",
			"role=support&locked=false":     "p0 p1 p2 p4 p5 p6",
			"search=p3&role=support":        "p3",
			"search=%00":                    "",
			"role=" + "admin%27%20OR%20%27": "",
		} {
			if got, _ := find(query); strings.Join(got, " ") != wanted {
				t.Errorf("%q finds %q, want %q", query, got, wanted)
			}
		}
		var all []string
		for next := ""; ; {
			page, more := find("limit=2&cursor=" + url.QueryEscape(next))
			all = append(all, page...)
			if next = more; next == "" {
				break
			}
			if strings.Contains(next, "example") || len(page) != 2 {
				t.Errorf("a page of %d and the cursor %q", len(page), next)
			}
		}
		if got := strings.Join(all, " "); got != "odd_100% p0 p1 p2 p3 p4 p5 p6 zoe" {
			t.Errorf("page by page: %q", got)
		}
		_, next := find("limit=2")
		for _, query := range []string{"limit=0", "limit=501", "limit=x", "locked=maybe", "cursor=x", "cursor=" + next + "A", "cursor=" + next[1:], "admin=true", "search=a&search=b"} {
			want(t, query, c.Get("/auth/v1/admin/users?"+query), 422, "invalid")
		}
		want(t, "a cursor of another list", c.Get("/auth/v1/admin/audit?cursor="+next), 422, "invalid")
		want(t, "nobody", c.Get("/auth/v1/admin/users/"+identity.NewRandomID().String()), 404, "not-found")
		want(t, "no id", c.Get("/auth/v1/admin/users/zoe@example.org"), 404, "not-found")
	})
}

// S093: the log is searched by person, address, event and time.
func TestAdministratorsSearchTheAuditLog(t *testing.T) {
	behindProxy := func(o *ringwall.Options) {
		o.TrustedProxies, o.TrustedProxyHeader = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, "X-Forwarded-For"
	}
	eachWith(t, behindProxy, func(t *testing.T, s *ringwalltest.Server) {
		c := administrator(t, s, "admin@example.org")
		ann := someone(t, s, "ann@example.org")
		from := func(address string) *ringwalltest.Client {
			c := s.Client()
			c.Header.Set("X-Forwarded-For", address)
			c.SignIn("ann@example.org", ringwalltest.Password)
			return c
		}
		from("203.0.113.7")
		from("2001:db8::7")
		between := s.Clock.Now().UTC().Add(time.Minute).Format(time.RFC3339)
		s.Clock.Advance(2 * time.Minute)
		from("203.0.113.8")
		find := func(query string) (list []string) {
			t.Helper()
			for next := ""; ; {
				got := c.Get("/auth/v1/admin/audit?limit=2&" + query + "&cursor=" + url.QueryEscape(next))
				want(t, query, got, 200, "")
				var out struct {
					Events []struct{ Event, IP string }
					Next   string
				}
				got.Into(t, &out)
				for _, e := range out.Events {
					list = append(list, e.Event+" "+e.IP)
				}
				if next = out.Next; next == "" {
					return list
				}
			}
		}
		for query, wanted := range map[string]int{
			"event=authn_login_success&user=" + ann:                   3,
			"event=session_created&ip=203.0.113.7":                    1,
			"event=session_created&ip=203.0.113.0/24":                 2,
			"event=session_created&ip=2001:DB8:0::7":                  1,
			"event=session_created&ip=192.0.2.1":                      0,
			"event=session_created&user=" + ann + "&since=" + between: 1,
			"event=session_created&user=" + ann + "&until=" + between: 2,
			"user=" + identity.NewRandomID().String():                 0,
		} {
			if got := find(query); len(got) != wanted {
				t.Errorf("%s finds %d events %q, want %d", query, len(got), got, wanted)
			}
		}
		for _, query := range []string{"ip=here", "user=ann", "event=nothing", "since=yesterday", "until=1", "since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", "limit=1000", "page=2"} {
			want(t, query, c.Get("/auth/v1/admin/audit?"+query), 422, "invalid")
		}
	})
}

// Pain 18: no answer to an administrator holds what proves anything.
func TestAdministratorsSeeNoSecrets(t *testing.T) {
	s := ringwalltest.Start(t)
	c := administrator(t, s, "admin@example.org")
	victim := s.SignIn("ann@example.org")
	id := operate(t, s, "user.show", object{"user": "ann@example.org"})["user"].(object)["id"].(string)
	victim.Post("/auth/v1/password/forgot", object{"email": "ann@example.org"})
	s.Client().Post("/auth/v1/signup", object{"email": "new@example.org", "password": ringwalltest.Password})
	secrets := []string{ringwalltest.Password, victim.Cookie("__Host-ringwall"), resetToken(t, s, "ann@example.org"), s.Mail("new@example.org", 1).Token(), s.Mail("new@example.org", 1).Code}
	shape := regexp.MustCompile(`(?i)argon2|\$m=|hash|salt|sealed|_mac|token|"code|password"`)
	for _, o := range adminRoutes(s, id) {
		if o.method != "GET" {
			continue
		}
		got := c.Get(o.path)
		want(t, o.String(), got, 200, "")
		for _, secret := range secrets {
			if secret == "" || strings.Contains(string(got.Body), secret) {
				t.Errorf("%s tells the secret %q", o, secret)
			}
		}
		if found := shape.Find(got.Body); found != nil {
			t.Errorf("%s holds %q:\n%s", o, found, got.Body)
		}
	}
}

// The last administrator stays, whoever asks and how many at once.
func TestTheLastAdministratorStays(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		first := administrator(t, s, "first@example.org")
		show := func(address string) object {
			return operate(t, s, "user.show", object{"user": address})["user"].(object)
		}
		a := show("first@example.org")["id"].(string)
		path := "/auth/v1/admin/users/"
		for name, got := range map[string]ringwalltest.Answer{
			"revoke":         first.Do("DELETE", path+a+"/roles/admin", object{"reason": "x"}),
			"lock":           first.Post(path+a+"/lock", object{"reason": "x"}),
			"lock for a day": first.Post(path+a+"/lock", object{"reason": "x", "until": s.Clock.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)}),
		} {
			want(t, name, got, 409, "last-administrator")
		}
		for _, command := range []string{"user.revoke", "user.lock"} {
			_, err := s.Ringwall.Operate(t.Context(), "tester", command, []byte(`{"user":"first@example.org","role":"admin","reason":"x"}`))
			if err == nil || !strings.Contains(err.Error(), "last-administrator") {
				t.Errorf("%s by a command = %v, want a refusal", command, err)
			}
		}
		// Somebody who is locked is none who could act.
		b := someone(t, s, "second@example.org", "admin")
		want(t, "lock the other", first.Post(path+b+"/lock", object{"reason": "x"}), 204, "")
		want(t, "revoke beside a locked one", first.Do("DELETE", path+a+"/roles/admin", object{"reason": "x"}), 409, "last-administrator")
		want(t, "unlock the other", first.Post(path+b+"/unlock", object{"reason": "x"}), 204, "")

		acts := []func(by *ringwalltest.Client, other string) (ringwalltest.Answer, error){
			func(by *ringwalltest.Client, other string) (ringwalltest.Answer, error) {
				return by.Try("DELETE", path+other+"/roles/admin", object{"reason": "a quarrel"})
			},
			func(by *ringwalltest.Client, other string) (ringwalltest.Answer, error) {
				return by.Try("POST", path+other+"/lock", object{"reason": "a quarrel"})
			},
		}
		for round := range 20 {
			for _, address := range []string{"first@example.org", "second@example.org"} {
				operate(t, s, "user.unlock", object{"user": address})
				operate(t, s, "user.grant", object{"user": address, "role": "admin"})
			}
			clients := []*ringwalltest.Client{s.Client(), s.Client()}
			clients[0].SignIn("first@example.org", ringwalltest.Password)
			clients[1].SignIn("second@example.org", ringwalltest.Password)
			answers := make(chan ringwalltest.Answer, 2)
			start := make(chan struct{})
			for i, other := range []string{b, a} {
				go func() {
					<-start
					got, err := acts[(round+i*(round/2))%2](clients[i], other)
					if err != nil {
						t.Error(err)
					}
					answers <- got
				}()
			}
			close(start)
			one, two := <-answers, <-answers
			left := 0
			for _, address := range []string{"first@example.org", "second@example.org"} {
				if u := show(address); u["locked"] == false && slices.Contains(u["roles"].([]any), any("admin")) {
					left++
				}
			}
			if left != 1 || one.Status != 204 && two.Status != 204 {
				t.Fatalf("round %d: %d administrators are left after %d %q and %d %q, want 1", round, left, one.Status, one.Code(), two.Status, two.Code())
			}
		}
	})
}

// Two nodes take away each other's administrator: the database decides.
func TestTheLastAdministratorStaysAcrossNodes(t *testing.T) {
	db := testdb.Postgres(t)
	o := ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey)}
	nodes := []*ringwalltest.Server{ringwalltest.StartApp(t, o, application), ringwalltest.StartApp(t, o, application)}
	someone(t, nodes[0], "first@example.org", "admin")
	someone(t, nodes[0], "second@example.org", "admin")
	for round := range 20 {
		done := make(chan error, 2)
		for i, address := range []string{"first@example.org", "second@example.org"} {
			go func() {
				_, err := nodes[i].Ringwall.Operate(t.Context(), "tester", "user.revoke", []byte(`{"user":"`+address+`","role":"admin"}`))
				done <- err
			}()
		}
		if one, two := <-done, <-done; (one == nil) == (two == nil) {
			t.Fatalf("round %d: %v and %v, want one refusal", round, one, two)
		}
		for _, address := range []string{"first@example.org", "second@example.org"} {
			operate(t, nodes[0], "user.grant", object{"user": address, "role": "admin"})
		}
	}
}
