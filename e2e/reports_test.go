package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

const reportsPath = "/auth/v1/reports"

// broke is a report as a browser sends it: by itself, from no page, with the cookies of the origin.
func broke(t *testing.T, s *ringwalltest.Server, from, page, directive, blocked string) ringwalltest.Answer {
	t.Helper()
	body := fmt.Sprintf(`[{"type":"csp-violation","age":1,"url":%q,"user_agent":"x","body":{"documentURL":%q,"effectiveDirective":%q,"blockedURL":%q,"disposition":"enforce"}}]`, page, page, directive, blocked)
	return raw(t, s, "POST", reportsPath, []byte(body), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/reports+json")
		r.Header.Set("Cookie", "__Host-ringwall=anything")
		r.Header.Set("X-Forwarded-For", from)
	})
}

// C171: pages of ours and of the application's say where to report, and it is taken there.
func TestPagesSayWhereToReport(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{Prefix: "/id"}, application, "GET /{$}")
	c := s.Client()
	c.Header.Set("Accept", "text/html")
	for _, path := range []string{"/id/login", "/id/nowhere", "/"} {
		got := c.Get(path)
		if csp := got.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "; report-uri /id/v1/reports; report-to csp") {
			t.Errorf("%s: Content-Security-Policy = %q", path, csp)
		}
		if ends := got.Header.Get("Reporting-Endpoints"); ends != `csp="/id/v1/reports"` {
			t.Errorf("%s: Reporting-Endpoints = %q", path, ends)
		}
	}
}

// What browsers report stands in the audit log, once a minute and network: nobody fills it with inventions.
func TestReportsAreRecordedAndCounted(t *testing.T) {
	eachWith(t, behindProxy, func(t *testing.T, s *ringwalltest.Server) {
		for range 100 {
			want(t, "a report", broke(t, s, "203.0.113.7", s.URL+"/invoices?token=secret", "script-src-elem", "inline"), 204, "")
		}
		want(t, "an image", broke(t, s, "198.51.100.7", s.URL+"/", "img-src", "https://evil.test"), 204, "")
		for what, page := range map[string][2]string{
			"somebody else's page": {"https://evil.test/", "inline"}, "our host without TLS": {strings.Replace(s.URL, "https", "http", 1) + "/", "inline"},
			"an extension": {s.URL + "/", "chrome-extension://abc/x.js"}, "no page": {"about:blank", "inline"},
		} {
			want(t, what, broke(t, s, "192.0.2.7", page[0], "script-src", page[1]), 204, "")
		}
		got := events(t, s, "malicious_csp_violation")
		reasons := map[any]bool{}
		for _, row := range got {
			reasons[row["reason"]] = true
			if ip := row["ip"]; ip != nil && ip != "203.0.113.7" && ip != "198.51.100.7" {
				t.Errorf("what concerns nobody here is recorded: %v", row)
			}
		}
		if len(got) > 6 || len(reasons) != 2 || !reasons["script"] || !reasons["other"] { // a row or two a network, and a minute may pass
			t.Fatalf("the audit log has %d rows of %v: %v", len(got), reasons, got)
		}
		if text := fmt.Sprint(got); strings.Contains(text, "secret") || strings.Contains(text, "invoices") {
			t.Errorf("the audit log repeats what strangers said: %s", text)
		}
		want(t, "a page of another site", raw(t, s, "POST", reportsPath, []byte("[]"), func(r *http.Request) {
			r.Header.Set("Content-Type", "text/plain")
			r.Header.Set("Origin", "https://evil.test")
		}), 415, "unsupported-media-type")
	})
}

// One person's browser may have reasons of its own; three people's have met the same, and the operators are told once.
func TestReportsOfSeveralPeopleAreAlerted(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s, staff := watched(t, db)
		for i := range 30 {
			broke(t, s, "203.0.113.7", fmt.Sprintf("%s/page/%d", s.URL, i), "script-src-elem", "inline")
			broke(t, s, "198.51.100.7", s.URL+"/one", "script-src-elem", "inline")
		}
		time.Sleep(2 * time.Second) // longer than a note waits
		if got := staff.of("alert.opened", "foreign-script"); len(got) != 0 {
			t.Fatalf("two people's browsers raise %+v", got)
		}
		for i := range 10 {
			broke(t, s, fmt.Sprintf("192.0.%d.7", i), s.URL+"/one", "script-src-elem", "inline")
		}
		within(t, 15*time.Second, "a webhook", func() bool { return len(staff.of("alert.opened", "foreign-script")) == 1 })
		time.Sleep(2 * time.Second)
		got := staff.of("alert.opened", "foreign-script")
		if len(got) != 1 || !strings.Contains(got[0].Data.Help, "malicious_csp_violation") || strings.Contains(got[0].Data.What, "page/") {
			t.Errorf("the operators are told %+v, want one alert without a stranger's words", got)
		}
	})
}
