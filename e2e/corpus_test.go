package e2e_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

// hostile is what attackers type first.
var hostile = []string{
	`'`, `"`, `' OR '1'='1`, `' OR 1=1 --`, `'; DROP TABLE ringwall_users; --`, `" OR ""="`, `1) OR (1=1`, `' UNION SELECT password FROM ringwall_users --`,
	`'||(SELECT pg_sleep(9))||'`, `'; SELECT pg_sleep(9); --`, `' AND randomblob(900000000) --`, `$1`, `?`, `:id`, `\`, `\'`, `%27`, `%00`, `/**/`, `admin'--`,
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `{{7*7}}`, `${7*7}`, `{{.}}`, `<%= 7*7 %>`, `%s%n%d`,
	`../../etc/passwd`, `..\..\windows`, `; ls`, "`id`", `$(id)`, `| cat /etc/passwd`, "a\r\nBcc: x@evil.test", "\r\nSet-Cookie: a=b",
	"\u202e\u2066", "\ufeff", "ﷺ", strings.Repeat("A", 10_000), "{\"$gt\":\"\"}", "null", "true", "-1", "9223372036854775808", "1e309", "NaN",
}

// S088, S089, S107: in every field of every route a hostile text is refused or inert: no 5xx, no delay, nothing said back.
func TestHostileTextsAreInert(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("corpus@example.org")
		bodies := map[string][]string{
			"/auth/v1/signup":                 {"email", "password", "display_name"},
			"/auth/v1/email/verify":           {"token", "email", "code", "password"},
			"/auth/v1/email/resend":           {"email"},
			"/auth/v1/login":                  {"email", "password"},
			"/auth/v1/password/forgot":        {"email"},
			"/auth/v1/password/reset":         {"token", "password"},
			"/auth/v1/password":               {"current_password", "new_password"},
			"/auth/v1/session/reauthenticate": {"password"},
		}
		good := object{"email": "corpus2@example.org", "password": "a good and long sentence", "current_password": "x", "new_password": "a good and long sentence"}
		for path, fields := range bodies {
			for _, field := range fields {
				for _, text := range hostile {
					body := object{}
					for _, f := range fields {
						if v, ok := good[f]; ok && path != "/auth/v1/email/verify" {
							body[f] = v
						}
					}
					body[field] = text
					began := time.Now()
					got := c.Post(path, body)
					judge(t, fmt.Sprintf("POST %s, %s = %.30q", path, field, text), got, text, time.Since(began))
				}
			}
		}
		for _, path := range []string{"/auth/login?return_to=", "/auth/verify-email?token=", "/auth/reset-password?token=", "/auth/account?done=", "/auth/problems/", "/auth/v1/session?x=", "/auth/v1/sessions?limit=", "/auth/static/"} {
			for _, text := range hostile {
				began := time.Now()
				judge(t, fmt.Sprintf("GET %s%.30q", path, text), c.Get(path+url.QueryEscape(text)), text, time.Since(began))
			}
		}
		want(t, "the account afterwards", login(s.Client(), "corpus@example.org", ringwalltest.Password), 200, "")
	})
}

func judge(t *testing.T, what string, got ringwalltest.Answer, text string, took time.Duration) {
	t.Helper()
	if got.Status >= 500 && got.Code() != "busy" {
		t.Errorf("%s = %d\n%s", what, got.Status, got.Body)
	}
	if took > 8*time.Second && got.Code() != "busy" {
		t.Errorf("%s took %v: did it reach the database as SQL?", what, took)
	}
	if strings.ContainsAny(text, "<>") && strings.Contains(string(got.Body), text) {
		t.Errorf("%s is said back: %s", what, got.Body)
	}
	if len(got.Header.Values("Set-Cookie")) > 0 && strings.Contains(strings.Join(got.Header.Values("Set-Cookie"), ""), "a=b") {
		t.Errorf("%s split the headers", what)
	}
}
