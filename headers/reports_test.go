package headers_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/headers"
)

const (
	older = "application/csp-report"
	newer = "application/reports+json"
)

// report posts a body and returns the answer and what was told.
func report(kind, body string) (*httptest.ResponseRecorder, []headers.Report) {
	var told []headers.Report
	r := httptest.NewRequest("POST", "/reports", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	headers.Reports(func(_ context.Context, one headers.Report) { told = append(told, one) }).ServeHTTP(w, r)
	return w, told
}

func TestReportsOfBothFormats(t *testing.T) {
	for _, tt := range []struct {
		name, kind, body string
		want             []headers.Report
	}{
		{"as Firefox sends it", older, `{"csp-report":{"blocked-uri":"inline","column-number":11,"disposition":"enforce","document-uri":"https://ann:pw@app.example.org/invoices/7?token=secret#x","effective-directive":"script-src-elem","line-number":3,"original-policy":"default-src 'none'","referrer":"","source-file":"https://app.example.org/invoices/7?token=secret","status-code":200,"violated-directive":"script-src-elem"}}`,
			[]headers.Report{{Page: "https://app.example.org/invoices/7", Directive: "script-src-elem", Blocked: "inline", Source: "https://app.example.org/invoices/7", Line: 3, Enforced: true}}},
		{"as an old browser sends it", older + "; charset=utf-8", `{"csp-report":{"document-uri":"https://app.example.org/","violated-directive":"img-src 'self'","blocked-uri":"https://evil.test/leak?data=secret"}}`,
			[]headers.Report{{Page: "https://app.example.org/", Directive: "img-src", Blocked: "https://evil.test", Enforced: true}}},
		{"as Chromium sends it, with others", newer, `[{"age":1,"body":{"sourceFile":null,"id":"x"},"type":"deprecation","url":"https://app.example.org/","user_agent":"x"},
			{"age":2,"body":{"blockedURL":"chrome-extension://abc/x.js","disposition":"report","documentURL":"https://app.example.org/","effectiveDirective":"script-src","lineNumber":9,"sample":"secret","sourceFile":"chrome-extension"},"type":"csp-violation","url":"https://app.example.org/","user_agent":"x"}]`,
			[]headers.Report{{Page: "https://app.example.org/", Directive: "script-src", Blocked: "chrome-extension", Source: "chrome-extension", Line: 9}}},
		{"with markup in every place", older, `{"csp-report":{"document-uri":"https://app.example.org/<script>","effective-directive":"<b>","violated-directive":"<b>","blocked-uri":"<b>"}}`, nil},
		{"with addresses that are none", older, `{"csp-report":{"document-uri":"javascript:alert(1)","effective-directive":"script-src","blocked-uri":"https://a\"b/","source-file":"https://a.example/\u0000\u202e","line-number":-4}}`,
			[]headers.Report{{Directive: "script-src", Enforced: true}}},
		{"none", newer, `[]`, nil},
	} {
		w, told := report(tt.kind, tt.body)
		if w.Code != 204 || w.Body.Len() > 0 {
			t.Errorf("%s = %d %s, want 204 and no body", tt.name, w.Code, w.Body)
		}
		if diff := cmp.Diff(tt.want, told); diff != "" {
			t.Errorf("%s (-want +told):\n%s", tt.name, diff)
		}
	}
}

func TestWhatIsNoReport(t *testing.T) {
	const canary = "canary-55aa"
	for _, tt := range []struct {
		name, kind, body string
		status           int
	}{
		{"a form", "application/x-www-form-urlencoded", "csp-report=" + canary, 415},
		{"text, which a foreign page may send", "text/plain", `{"csp-report":{}}`, 415},
		{"JSON", "application/json", `{"csp-report":{}}`, 415},
		{"no type", "", `{"csp-report":{}}`, 415},
		{"nothing", older, ``, 400},
		{"no JSON", older, canary, 400},
		{"half a report", older, `{"csp-report":{"document-uri":"` + canary, 400},
		{"another object", older, `{"` + canary + `":1}`, 400},
		{"null", older, `{"csp-report":null}`, 400},
		{"a list of texts", newer, `["` + canary + `"]`, 400},
		{"a body that is a number", newer, `[{"type":"csp-violation","body":7}]`, 400},
		{"no body", newer, `[{"type":"csp-violation"}]`, 400},
		{"a line that is text", newer, `[{"type":"csp-violation","body":{"lineNumber":"` + canary + `"}}]`, 400},
		{"nested without end", newer, strings.Repeat("[", 60_000), 400},
		{"too much", older, `{"csp-report":{"x":"` + strings.Repeat("a", 70_000) + `"}}`, 413},
	} {
		w, told := report(tt.kind, tt.body)
		if w.Code != tt.status || len(told) > 0 || strings.Contains(w.Body.String(), canary) {
			t.Errorf("%s = %d %s and %d told, want %d", tt.name, w.Code, w.Body, len(told), tt.status)
		}
	}
	w := httptest.NewRecorder()
	headers.Reports(nil).ServeHTTP(w, httptest.NewRequest("GET", "/reports", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET = %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

const one = `{"type":"csp-violation","body":{"documentURL":"https://a.example/","effectiveDirective":"img-src"}}`

func TestAFloodOfReportsIsForgotten(t *testing.T) {
	many := "[" + strings.Repeat(one+",", 400) + one + "]"
	if _, told := report(newer, many); len(told) != 20 {
		t.Errorf("of 401 reports in one request %d are told, want 20", len(told))
	}
	synctest.Test(t, func(t *testing.T) {
		told := 0
		handler := headers.Reports(func(context.Context, headers.Report) { told++ })
		send := func() {
			r := httptest.NewRequest("POST", "/reports", strings.NewReader("["+one+"]"))
			r.Header.Set("Content-Type", newer)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != 204 {
				t.Errorf("in a flood = %d, want 204", w.Code)
			}
		}
		for range 1000 {
			send()
		}
		if told != 100 {
			t.Errorf("of 1000 reports at once %d are told, want 100", told)
		}
		time.Sleep(time.Second)
		for range 1000 {
			send()
		}
		if told != 110 {
			t.Errorf("a second later %d are told, want 10 more", told)
		}
	})
}

// FuzzReports: whatever comes, the answer is one of five, and what is told is plain and short.
func FuzzReports(f *testing.F) {
	for _, body := range []string{`[{"type":"csp-violation","body":{"effectiveDirective":"img-src","blockedURL":"https://[::1%25a]/secret"}}]`, `{"csp-report":{"document-uri":"https://a.example/?x","violated-directive":"img-src x","blocked-uri":"data"}}`, "[" + one + "]", "[]", "{}", "null", `[{"type":"csp-violation","body":null}]`, "\xff"} {
		f.Add(true, body)
		f.Add(false, body)
	}
	f.Fuzz(func(t *testing.T, old bool, body string) {
		kind := newer
		if old {
			kind = older
		}
		w, told := report(kind, body)
		if w.Code != 204 && w.Code != 400 && w.Code != 413 || len(told) > 20 || len(told) > 0 && w.Code != 204 {
			t.Errorf("%q = %d and %d told", body, w.Code, len(told))
		}
		if w.Code != 204 && !json.Valid(w.Body.Bytes()) || w.Code == 204 && w.Body.Len() > 0 || w.Header().Get("Location") != "" {
			t.Errorf("%q is answered %q", body, w.Body)
		}
		for _, r := range told {
			for _, text := range []string{r.Page, r.Directive, r.Blocked, r.Source} {
				if len(text) > 300 || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) || strings.ContainsAny(text, "\"'<>\\`?#") {
					t.Errorf("%q tells %q", body, text)
				}
			}
			if strings.Contains(strings.SplitN(r.Page, "/", 4)[0], "@") || r.Directive == "" || r.Line < 0 || strings.Count(r.Blocked, "/") > 2 {
				t.Errorf("%q tells %+v", body, r)
			}
		}
	})
}

var _ http.Handler = headers.Reports(nil)
