package e2e_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/ringwalltest"
)

// quotas admits ten requests a minute, by a clock that stands.
func quotas(o *ringwall.Options) {
	at := time.Now()
	o.Now = func() time.Time { return at }
	o.LimitAPI = []ratelimit.Window{{Quota: 10, Per: time.Minute}}
}

// quota is what the fields of an answer say. They are lists of structured fields (RFC 9651) with one string each.
type quota struct{ q, w, r, t int }

func quotaOf(t *testing.T, h http.Header) quota {
	t.Helper()
	read := func(name, form string) (a, b int) {
		found := regexp.MustCompile(form).FindStringSubmatch(strings.Join(h.Values(name), ", "))
		if found == nil {
			t.Fatalf("%s is %q", name, h.Values(name))
		}
		a, _ = strconv.Atoi(found[1])
		b, _ = strconv.Atoi(found[2])
		return a, b
	}
	var q quota
	q.q, q.w = read("RateLimit-Policy", `^"api-1m";q=(\d+);w=(\d+)$`)
	q.r, q.t = read("RateLimit", `^"api-1m";r=(\d+);t=(\d+)$`)
	return q
}

// D11, I063 to I066: r falls in all sessions of a person together, Retry-After is not before t, and nobody is named.
func TestQuotaOfThePersonsRequests(t *testing.T) {
	eachWith(t, quotas, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("quota@example.org")
		second, other := signedIn(s, "quota@example.org"), s.SignIn("other@example.org")
		for i := range 10 {
			from := []*ringwalltest.Client{c, second}[i%2] // another session is no other person
			got := from.Get("/auth/v1/me")
			want(t, "within the quota", got, 200, "")
			if q := quotaOf(t, got.Header); q.q != 10 || q.w != 60 || q.r != 9-i || q.t < 1 || q.t > q.w {
				t.Errorf("request %d tells %+v", i, q)
			}
		}
		for _, from := range []*ringwalltest.Client{c, second} {
			got := from.Get("/auth/v1/sessions")
			want(t, "beyond the quota", got, 429, "quota-exceeded")
			q := quotaOf(t, got.Header)
			retry, _ := strconv.Atoi(got.Header.Get("Retry-After"))
			if q.r != 0 || q.t < 1 || retry < q.t || !strings.Contains(string(got.Body), `"violated-policies":["api-1m"]`) || !strings.Contains(string(got.Body), `"type":"/auth/problems/quota-exceeded"`) {
				t.Errorf("the refusal tells %+v, Retry-After %d: %s", q, retry, got.Body)
			}
			if text := fmt.Sprint(got.Header) + string(got.Body); strings.Contains(text, "pk=") || strings.Contains(text, "quota@") {
				t.Errorf("the refusal names somebody: %s", text)
			}
		}
		// What changes something is held up too, and does not happen; checks are not.
		want(t, "a change", c.Do("PATCH", "/auth/v1/me", object{"display_name": "Mallory"}), 429, "quota-exceeded")
		for range 30 {
			if got := c.Get("/auth/v1/session"); got.Status != 200 || got.Header.Get("RateLimit") != "" {
				t.Fatalf("a check = %d, RateLimit %q", got.Status, got.Header.Get("RateLimit"))
			}
		}
		// Nobody else is held up by it, and a way out stays: to prove oneself, and to sign out.
		want(t, "somebody else", other.Get("/auth/v1/me"), 200, "")
		want(t, "prove again", c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")
		want(t, "sign out", c.Post("/auth/v1/logout", object{}), 204, "")

		shown := fmt.Sprint(operate(t, s, "limits.show", object{"who": "quota@example.org"})["limits"])
		if !strings.Contains(shown, "layer:api") || !strings.Contains(shown, "refused:true") || !strings.Contains(shown, "10/1m") {
			t.Errorf("limits.show = %s", shown)
		}
		operate(t, s, "limits.clear", object{"who": "quota@example.org"})
		if got := myself(t, second); got.DisplayName == "Mallory" {
			t.Error("a refused change was made")
		}
		if log := events(t, s, "excess_rate_limit_exceeded"); len(log) == 0 || log[0]["reason"] != "api" {
			t.Errorf("the audit log tells %v", log)
		}
	})
}

// Fifty at once: exactly as many as the quota.
func TestFiftyParallelRequestsStayWithinTheQuota(t *testing.T) {
	s := ringwalltest.StartApp(t, func() (o ringwall.Options) { quotas(&o); return o }(), nil)
	c := s.SignIn("parallel@example.org")
	if wins := fifty(func(int) bool {
		got, err := c.Try("GET", "/auth/v1/me", nil)
		return err == nil && got.Status == 200
	}); wins != 10 {
		t.Errorf("%d of fifty were answered, want 10", wins)
	}
}

// D11: whatever proves somebody, or strangers may call, tells nobody where they stand; and every other call of a person does.
func TestOnlyOrdinaryRoutesTellTheQuota(t *testing.T) {
	s := ringwalltest.Start(t)
	silent := []string{
		"POST /auth/v1/signup", "POST /auth/v1/signup/invitation", "POST /auth/v1/email/verify", "POST /auth/v1/email/resend", "POST /auth/v1/login", "POST /auth/v1/logout",
		"GET /auth/v1/session", "POST /auth/v1/session/reauthenticate", "POST /auth/v1/me/email", "POST /auth/v1/email/change", "POST /auth/v1/password/forgot", "POST /auth/v1/password/reset",
		"POST /auth/v1/password", "POST /auth/v1/not-me", "GET /auth/v1/me/export", "DELETE /auth/v1/me", "POST /auth/v1/keep-account", "POST /auth/v1/reports", "GET /auth/openapi.json",
	}
	c := administrator(t, s, "routes@example.org")
	id := myself(t, c).ID
	for i, r := range s.Ringwall.Routes() {
		name := r.Method + " " + r.Path
		if !strings.HasPrefix(r.Path, "/auth/v1/") && r.Path != "/auth/openapi.json" || name == "POST /auth/v1/me/secure" {
			continue // a page, or what would end this session
		}
		got := c.Do(r.Method, strings.NewReplacer("{id}", id, "{role}", "support").Replace(r.Path), object{"reason": "x", "password": "not the password, surely"})
		told := got.Header.Get("RateLimit") != "" && got.Header.Get("RateLimit-Policy") != ""
		if told == slices.Contains(silent, name) {
			t.Errorf("%s = %d, RateLimit %q; told must be %v", name, got.Status, got.Header.Get("RateLimit"), !told)
		}
		if got := c.Get("/auth/v1/session"); got.Status != 200 { // the call has ended it
			c = administrator(t, s, fmt.Sprintf("routes%d@example.org", i))
		}
	}
}
