package e2e_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/ringwalltest"
)

// story calls the operations and holds each answer against the document.
type story struct {
	*testing.T
	*description
	server *ringwalltest.Server
}

// call expects a status; the path may hold an id in the place of {id}.
func (s story) call(c *ringwalltest.Client, method, path string, body any, status int, code string) ringwalltest.Answer {
	s.Helper()
	got := c.Do(method, path, body)
	want(s.T, method+" "+path, got, status, code)
	path, _, _ = strings.Cut(path, "?")
	path = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).ReplaceAllString(path, "{id}")
	s.check(s.T, operation{method, strings.Replace(path, "/roles/support", "/roles/{role}", 1)}, got)
	return got
}

// I020 to I026: every operation answers what the document says, in success and in refusal.
func TestEveryOperationAnswersAsDescribed(t *testing.T) {
	server := ringwalltest.Start(t)
	s := story{t, describe(t, server), server}
	s.signUpAndIn()
	s.sessions()
	s.profile()
	s.passwords()
	s.own()
	s.administrators()
	s.reports()
	s.refusals()
	for _, o := range s.operations() {
		var success, refusal bool
		for answer := range s.answered {
			if status, ok := strings.CutPrefix(answer, o.String()+" "); ok {
				success, refusal = success || status < "400", refusal || status >= "400"
			}
		}
		if !success || !refusal {
			t.Errorf("%s was called with success: %v, and refused: %v; call it both ways", o, success, refusal)
		}
	}
}

func (s story) signUpAndIn() {
	address := object{"email": "story@example.org"}
	account := object{"email": "story@example.org", "password": ringwalltest.Password}
	c, other := s.server.Client(), s.server.Client()
	s.call(c, "POST", "/auth/v1/signup", object{"email": "story@example.org", "password": "short"}, 422, "password-weak")
	s.call(c, "POST", "/auth/v1/signup", object{"email": "no address", "password": ringwalltest.Password}, 422, "invalid")
	s.call(c, "POST", "/auth/v1/signup", object{"email": "story@example.org", "password": ringwalltest.Password, "display_name": "Ann"}, 202, "")
	s.call(c, "POST", "/auth/v1/email/resend", address, 202, "")
	mail := s.server.Mail("story@example.org", 2)
	s.call(other, "POST", "/auth/v1/email/verify", object{"email": "story@example.org", "code": "AAAA-AAAA"}, 422, "link-invalid")
	s.call(other, "POST", "/auth/v1/email/verify", object{"token": mail.Token()}, 403, "password-required")
	s.call(other, "POST", "/auth/v1/email/verify", object{"token": mail.Token(), "password": "not the password, surely"}, 401, "login-failed")
	s.call(c, "POST", "/auth/v1/email/verify", object{"email": "story@example.org", "code": mail.Code}, 204, "")
	s.call(c, "POST", "/auth/v1/login", object{"email": "story@example.org", "password": "not the password, surely"}, 401, "login-failed")
	s.call(c, "POST", "/auth/v1/login", object{"email": "story@example.org", "password": ringwalltest.Password, "bearer": true}, 422, "invalid")
	s.call(c, "POST", "/auth/v1/login", account, 200, "")
	s.call(c, "POST", "/auth/v1/logout", object{}, 204, "")
	got := program(s.T, s.server, "POST", "/auth/v1/login", "", object{"email": "story@example.org", "password": ringwalltest.Password, "bearer": true, "remember": true})
	want(s.T, "a program signs in", got, 200, "")
	s.check(s.T, operation{"POST", "/auth/v1/login"}, got)
}

func (s story) sessions() {
	c, other := s.server.Client(), s.server.Client()
	account := object{"email": "story@example.org", "password": ringwalltest.Password}
	s.call(c, "POST", "/auth/v1/login", account, 200, "")
	s.call(other, "POST", "/auth/v1/login", account, 200, "")
	s.call(c, "GET", "/auth/v1/session", nil, 200, "")
	s.call(c, "GET", "/auth/v1/sessions", nil, 200, "")
	s.call(c, "POST", "/auth/v1/session/reauthenticate", object{"password": "not the password, surely"}, 401, "login-failed")
	s.call(c, "POST", "/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}, 200, "")
	s.call(c, "DELETE", "/auth/v1/sessions/"+devices(s.T, other)[0].ID, nil, 204, "")
	s.call(c, "DELETE", "/auth/v1/sessions/"+identity.NewRandomID().String(), nil, 404, "not-found")
	s.call(c, "DELETE", "/auth/v1/sessions", nil, 204, "")
}

func (s story) profile() {
	c := s.server.Client()
	s.call(c, "POST", "/auth/v1/login", object{"email": "story@example.org", "password": ringwalltest.Password}, 200, "")
	s.call(c, "GET", "/auth/v1/me", nil, 200, "")
	s.call(c, "PATCH", "/auth/v1/me", object{"display_name": "Ann", "language": "de"}, 200, "")
	s.call(c, "PATCH", "/auth/v1/me", object{"language": "tlh"}, 422, "invalid")
	s.call(c, "PATCH", "/auth/v1/me", object{"metadata": object{"own": object{"theme": "dark"}}}, 422, "invalid") // no schema, nothing is kept
	s.call(c, "POST", "/auth/v1/me/email", object{"email": "moved@example.org", "password": "not the password, surely"}, 401, "login-failed")
	s.call(c, "POST", "/auth/v1/me/email", object{"email": "moved@example.org", "password": ringwalltest.Password}, 202, "")
	s.call(c, "GET", "/auth/v1/me", nil, 200, "")
	token := s.server.Mail("moved@example.org", 1).Token()
	s.call(s.server.Client(), "POST", "/auth/v1/email/change", object{"token": token}, 403, "password-required")
	s.call(c, "POST", "/auth/v1/email/change", object{"token": token}, 200, "")
	s.call(c, "POST", "/auth/v1/email/change", object{"token": token}, 422, "link-invalid")
	s.call(c, "DELETE", "/auth/v1/me/email", nil, 204, "")
	s.call(c, "PATCH", "/auth/v1/me", object{"language": ""}, 200, "") // mails in English from here on
}

func (s story) passwords() {
	c := s.server.Client()
	s.call(c, "POST", "/auth/v1/login", object{"email": "story@example.org", "password": ringwalltest.Password}, 200, "")
	s.call(c, "POST", "/auth/v1/password", object{"current_password": "not the password, surely", "new_password": newPassword}, 401, "login-failed")
	s.call(c, "POST", "/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": "short"}, 422, "password-weak")
	s.call(c, "POST", "/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": newPassword}, 200, "")
	c = s.server.Client()
	s.call(c, "POST", "/auth/v1/password/forgot", object{"email": "story@example.org"}, 202, "")
	token := mailAbout(s.T, s.server, "story@example.org", "Choose a new password", 1).Token()
	s.call(c, "POST", "/auth/v1/password/reset", object{"token": token, "password": "short"}, 422, "password-weak")
	s.call(c, "POST", "/auth/v1/password/reset", object{"token": token, "password": ringwalltest.Password}, 204, "")
	s.call(c, "POST", "/auth/v1/password/reset", object{"token": token, "password": ringwalltest.Password}, 422, "link-invalid")
}

func (s story) own() {
	const address = "own@example.org"
	c := s.server.SignIn(address)
	account := object{"email": address, "password": ringwalltest.Password}
	s.call(c, "GET", "/auth/v1/me/activity", nil, 200, "")
	s.call(c, "GET", "/auth/v1/me/export", nil, 200, "")
	s.call(c, "DELETE", "/auth/v1/me", object{"password": "not the password, surely"}, 401, "login-failed")
	s.call(c, "DELETE", "/auth/v1/me", object{"password": ringwalltest.Password}, 202, "")
	c.CSRF = ""
	s.call(c, "POST", "/auth/v1/login", account, 403, "deletion-pending")
	token := mailAbout(s.T, s.server, address, "will be deleted", 2).Token()
	s.call(c, "POST", "/auth/v1/keep-account", object{"token": token}, 204, "")
	s.call(c, "POST", "/auth/v1/keep-account", object{"token": token}, 422, "link-invalid")
	s.call(c, "POST", "/auth/v1/login", account, 200, "")
	s.call(s.server.Client(), "POST", "/auth/v1/login", account, 200, "")
	s.call(c, "POST", "/auth/v1/me/secure", object{}, 204, "")
	c.CSRF = ""
	s.call(c, "POST", "/auth/v1/login", account, 403, "reset-required")
	s.call(c, "POST", "/auth/v1/password/reset", object{"token": mailAbout(s.T, s.server, address, "Choose a new password", 1).Token(), "password": newPassword}, 204, "")
	token = mailAbout(s.T, s.server, address, "was changed", 1).Token()
	s.call(c, "POST", "/auth/v1/not-me", object{"token": token}, 204, "")
	s.call(c, "POST", "/auth/v1/not-me", object{"token": token}, 422, "link-invalid")
}

func (s story) administrators() {
	c := administrator(s.T, s.server, "admin@example.org")
	id := someone(s.T, s.server, "managed@example.org")
	path := "/auth/v1/admin/users/" + id
	why := object{"reason": "the story goes so"}
	s.call(c, "GET", "/auth/v1/admin/users?limit=1", nil, 200, "")
	s.call(c, "GET", "/auth/v1/admin/users?limit=0", nil, 422, "invalid")
	s.call(c, "PUT", path+"/roles/support", why, 204, "")
	s.call(c, "POST", path+"/lock", object{"reason": "x", "until": "2999-01-01T00:00:00Z"}, 204, "")
	s.call(c, "GET", path, nil, 200, "")
	s.call(c, "POST", path+"/unlock", why, 204, "")
	s.call(c, "POST", path+"/demand-reset", why, 204, "")
	s.call(c, "DELETE", path+"/roles/support", why, 204, "")
	other := s.server.SignIn("managed2@example.org")
	s.call(c, "DELETE", "/auth/v1/admin/sessions/"+devices(s.T, other)[0].ID, why, 204, "")
	s.call(c, "DELETE", "/auth/v1/admin/sessions/"+identity.NewRandomID().String(), why, 404, "not-found")
	s.call(c, "DELETE", path+"/sessions", why, 204, "")
	s.call(c, "GET", path+"/sessions", nil, 200, "")
	s.call(c, "GET", "/auth/v1/admin/limits?who=managed@example.org", nil, 200, "")
	s.call(c, "GET", "/auth/v1/admin/limits?who=nobody", nil, 422, "invalid")
	s.call(c, "POST", "/auth/v1/admin/limits/clear", object{"who": "managed@example.org", "reason": "x"}, 204, "")
	s.call(c, "POST", "/auth/v1/admin/blocks", object{"network": "203.0.113.0/24", "until": s.server.Clock.Now().Add(time.Hour).Format(time.RFC3339), "reason": "x"}, 201, "")
	s.call(c, "POST", "/auth/v1/admin/blocks", object{"network": "203.0.113.0/24", "until": "soon", "reason": "x"}, 422, "invalid")
	s.call(c, "GET", "/auth/v1/admin/blocks?limit=1", nil, 200, "")
	s.call(c, "DELETE", "/auth/v1/admin/blocks", object{"network": "203.0.113.0/24", "reason": "x"}, 204, "")
	s.call(c, "DELETE", "/auth/v1/admin/blocks", object{"network": "203.0.113.0/24", "reason": "x"}, 404, "not-found")
	s.call(c, "GET", "/auth/v1/admin/alerts", nil, 200, "")
	s.call(c, "GET", "/auth/v1/admin/alerts?limit=0", nil, 422, "invalid")
	given := identity.NewRandomID()
	_, err := openDatabase(s.T, s.server).ExecContext(s.Context(), "INSERT INTO ringwall_webhooks (id, target, sealed, attempts, next_micros, created_micros, dead_micros, reason) VALUES ($1, 'gone', $1, 9, 1, 1, 1, 'status 410')", given[:])
	if err != nil {
		s.Fatal(err)
	}
	s.call(c, "GET", "/auth/v1/admin/webhooks", nil, 200, "")
	s.call(c, "POST", "/auth/v1/admin/webhooks/"+given.String()+"/replay", why, 204, "")
	s.call(c, "GET", path+"/metadata", nil, 200, "")
	s.call(c, "PATCH", path+"/metadata", object{"own": nil, "reason": "x"}, 200, "")
	s.call(c, "PATCH", path+"/metadata", object{"own": object{"theme": "dark"}, "reason": "x"}, 422, "invalid")
	s.call(c, "GET", "/auth/v1/admin/audit?limit=500", nil, 200, "")
	s.call(c, "GET", "/auth/v1/admin/audit?event=none", nil, 422, "invalid")
	s.call(c, "POST", "/auth/v1/admin/invitations", object{"email": "guest@example.org", "reason": "x"}, 201, "")
	s.call(c, "POST", "/auth/v1/admin/invitations", object{"email": "admin@example.org", "reason": "x"}, 409, "conflict")
	token := object{"token": invitation(s.T, s.server, "guest@example.org", 1), "password": ringwalltest.Password, "display_name": "Guest"}
	s.call(s.server.Client(), "POST", "/auth/v1/signup/invitation", token, 204, "")
	s.call(s.server.Client(), "POST", "/auth/v1/signup/invitation", token, 422, "link-invalid")
	var made struct{ ID string }
	s.call(c, "POST", "/auth/v1/admin/invitations", object{"email": "guest2@example.org", "role": "support", "reason": "x"}, 201, "").Into(s.T, &made)
	s.call(c, "GET", "/auth/v1/admin/invitations", nil, 200, "")
	s.call(c, "DELETE", "/auth/v1/admin/invitations/"+made.ID, why, 204, "")
	me := operate(s.T, s.server, "user.show", object{"user": "admin@example.org"})["user"].(object)["id"].(string)
	s.call(c, "POST", "/auth/v1/admin/users/"+me+"/lock", why, 409, "last-administrator")
	s.call(c, "DELETE", "/auth/v1/admin/sessions", why, 422, "invalid")
	s.call(c, "DELETE", "/auth/v1/admin/sessions", object{"whose": "everybody", "reason": "x"}, 200, "")
}

// reports sends what browsers send by themselves: from no page that could say so, and without a token.
func (s story) reports() {
	for kind, bodies := range map[string]map[string]int{
		"application/csp-report":   {`{"csp-report":{"document-uri":"` + s.server.URL + `/","effective-directive":"img-src"}}`: 204, "{": 400},
		"application/reports+json": {"[]": 204, `{}`: 400, "[" + strings.Repeat(" ", 70_000) + "]": 413},
		"text/plain":               {"[]": 415},
	} {
		for body, status := range bodies {
			got := raw(s.T, s.server, "POST", reportsPath, []byte(body), func(r *http.Request) { r.Header.Set("Content-Type", kind) })
			if got.Status != status {
				s.Errorf("%s: %.60s = %d, want %d", kind, body, got.Status, status)
			}
			s.check(s.T, operation{"POST", reportsPath}, got)
		}
	}
}

// refusals sends every operation what each of them refuses, and too much of what is counted.
func (s story) refusals() {
	id := identity.NewRandomID().String()
	for _, o := range s.operations() {
		path := strings.NewReplacer("{id}", id, "{role}", "support").Replace(o.path)
		send := func(what string, status int, body string, change func(http.Header), host string) {
			s.Helper()
			got := raw(s.T, s.server, o.method, path, []byte(body), func(r *http.Request) {
				r.Header.Set("Content-Type", "application/json")
				change(r.Header)
				if host != "" {
					r.Host = host
				}
			})
			if got.Status != status {
				s.Errorf("%s: %s = %d %q, want %d", o, what, got.Status, got.Code(), status)
			}
			s.check(s.T, o, got)
		}
		as := func(name string, values ...string) func(http.Header) { return func(h http.Header) { h[name] = values } }
		send("a foreign host", 421, "", as("Accept", "*/*"), "evil.test")
		if o.path == reportsPath {
			continue // asks nobody who they are and where they come from
		}
		send("two cookies", 400, "", as("Cookie", "__Host-ringwall=a; __Host-ringwall=b"), "")
		if s.at(o.pointer("security")) != nil {
			send("without a session", 401, "{}", as("Accept", "*/*"), "")
		}
		if o.method != "GET" {
			send("from a foreign page", 403, "{}", as("Origin", "https://evil.test"), "")
			send("a huge form", 413, strings.Repeat("a", 70_000), as("Content-Type", "application/x-www-form-urlencoded"), "")
		}
		if s.at(o.pointer("requestBody")) != nil && s.at(o.pointer("security")) == nil {
			send("no JSON", 400, "{", as("Accept", "*/*"), "")
			send("a list", 422, "[]", as("Accept", "*/*"), "")
			send("a huge body", 413, `{"email":"`+strings.Repeat("a", 70_000)+`"}`, as("Accept", "*/*"), "")
			send("another type", 415, "{}", as("Content-Type", "text/plain"), "")
		}
	}
	for path, body := range map[string]object{
		"/auth/v1/signup":          {"password": ringwalltest.Password},
		"/auth/v1/email/verify":    {"code": "AAAA-AAAA"},
		"/auth/v1/email/resend":    {},
		"/auth/v1/login":           {"password": "not the password, surely"},
		"/auth/v1/password/forgot": {},
	} {
		body["email"] = "many@example.org"
		for i := range 6 {
			if got := s.server.Client().Post(path, body); i == 5 {
				want(s.T, "the sixth "+path, got, 429, "too-many-requests")
				s.check(s.T, operation{"POST", path}, got)
			}
		}
	}
}
