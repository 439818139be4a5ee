package headers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/problem"
)

const (
	maxReportBytes  = 64 << 10 // of a request; browsers send a few reports of less than 2 kB
	maxReports      = 20       // of one request; what is more is not looked at
	maxReportedText = 300
	reportBurst     = 100 // that are told at once
	reportsASecond  = 10  // that are told afterwards
)

// Report is what a browser tells of something that Content-Security-Policy has stopped, or would have. Whoever can send
// a request can invent one. Its texts are printable ASCII without quotes and angle brackets, at most 300 bytes, and
// hold no query, fragment, user or password of an address.
type Report struct {
	Page      string // the page that it happened on, as origin and path; empty if that was no address
	Directive string // what was broken, such as "script-src-elem"
	Blocked   string // "inline", "eval" and the like, a scheme such as "data" and "chrome-extension", or an origin
	Source    string // the script or page that did it, as origin and path, or a scheme; may be empty
	Line      int    // in Source; zero if unknown
	Enforced  bool   // it was stopped; if not, it was only reported
}

// Reports takes what browsers report, in both formats: application/csp-report (CSP 2) and application/reports+json
// (Reporting API). It tells each report to tell, which should return soon, and answers 204 without a body. Reports of other
// kinds are left out. It reads 64 KiB and 20 reports of a request at most, tells 100 reports at once and 10 a second
// afterwards, and forgets what is more. What is no report is a 400, 405, 413 or 415, which repeats nothing of it.
//
// Leave the path open to people who are not signed in, and to requests without a token: browsers send reports by
// themselves. No form and no script of another origin can send these content types without a preflight.
func Reports(tell func(context.Context, Report)) http.Handler {
	var flow throttle
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reports, err := ReadReports(w, r)
		if err != nil {
			input.Refuse(w, r, err)
			return
		}
		for _, report := range reports {
			if flow.admits(time.Now()) {
				tell(r.Context(), report)
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// ReadReports reads the reports of a request, for handlers that bound and count by rules of their own; [Reports] says what
// it takes and which errors there are.
func ReadReports(w http.ResponseWriter, r *http.Request) ([]Report, error) {
	if r.Method != http.MethodPost {
		refuse := problem.New(problem.MethodNotAllowed, "method-not-allowed", "Reports come by POST.")
		refuse.Header = http.Header{"Allow": {http.MethodPost}}
		return nil, refuse
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/csp-report" && kind != "application/reports+json" {
		return nil, problem.New(problem.UnsupportedMedia, "unsupported-media-type", "Send application/csp-report or application/reports+json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReportBytes))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, problem.New(problem.TooLarge, "too-large", "Send at most 64 KiB of reports.")
		}
		return nil, errNoReport.Because(err)
	}
	if kind == "application/csp-report" {
		return readOlder(body)
	}
	return readNewer(body)
}

var errNoReport = problem.New(problem.Malformed, "malformed", "Send reports as a browser does.")

// violation is a report as it is sent, with the names of the Reporting API.
type violation struct {
	Page        string `json:"documentURL"`
	Directive   string `json:"effectiveDirective"`
	Blocked     string `json:"blockedURL"`
	Source      string `json:"sourceFile"`
	Line        int    `json:"lineNumber"`
	Disposition string `json:"disposition"`
}

func readOlder(body []byte) ([]Report, error) {
	var sent struct {
		Report *struct {
			Page        string `json:"document-uri"`
			Effective   string `json:"effective-directive"`
			Violated    string `json:"violated-directive"` // of browsers that know no other
			Blocked     string `json:"blocked-uri"`
			Source      string `json:"source-file"`
			Line        int    `json:"line-number"`
			Disposition string `json:"disposition"`
		} `json:"csp-report"`
	}
	if err := json.Unmarshal(body, &sent); err != nil || sent.Report == nil {
		return nil, errNoReport.Because(err)
	}
	in := sent.Report
	if in.Effective == "" {
		in.Effective, _, _ = strings.Cut(in.Violated, " ")
	}
	return violation{in.Page, in.Effective, in.Blocked, in.Source, in.Line, in.Disposition}.addTo(nil), nil
}

func readNewer(body []byte) (reports []Report, err error) {
	var sent []struct {
		Type string          `json:"type"`
		Body json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, errNoReport.Because(err)
	}
	for _, one := range sent[:min(len(sent), maxReports)] {
		if one.Type != "csp-violation" {
			continue
		}
		var in violation
		if err := json.Unmarshal(one.Body, &in); err != nil {
			return nil, errNoReport.Because(err)
		}
		reports = in.addTo(reports)
	}
	return reports, nil
}

// addTo adds the report, cleaned, unless it names no directive.
func (v violation) addTo(list []Report) []Report {
	if !isWord(v.Directive) {
		return list
	}
	r := Report{Page: plainAddress(v.Page), Directive: v.Directive, Blocked: v.Blocked, Source: v.Source, Line: max(v.Line, 0), Enforced: v.Disposition != "report"}
	for _, text := range []*string{&r.Blocked, &r.Source} {
		if !isWord(*text) { // a word is "inline", or a scheme alone
			*text = cmp.Or(plainAddress(*text), schemeOf(*text))
		}
	}
	if u, err := url.Parse(v.Blocked); err == nil && plainAddress(v.Blocked) != "" {
		r.Blocked = plain(u.Scheme + "://" + u.Host) // whatever was blocked, its path may be anybody's secret
	}
	return append(list, r)
}

// plainAddress is origin and path of an address on the web, or nothing.
func plainAddress(text string) string {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"https", "http", "wss", "ws"}, u.Scheme) || u.Host == "" {
		return ""
	}
	return plain(u.Scheme + "://" + u.Host + u.EscapedPath())
}

// schemeOf is the scheme of any other address.
func schemeOf(text string) string {
	scheme, _, _ := strings.Cut(text, ":")
	if !isWord(scheme) || slices.Contains([]string{"https", "http", "wss", "ws"}, scheme) {
		return ""
	}
	return scheme
}

// plain is a text without anything that could mean something where it is shown, or nothing.
func plain(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'<>\\`", r) }) {
		return ""
	}
	return text[:min(len(text), maxReportedText)]
}

func isWord(text string) bool {
	return text != "" && len(text) <= 40 && !strings.ContainsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' })
}

// throttle is a bucket of reports that fills up evenly.
type throttle struct {
	mu    sync.Mutex
	spent float64
	last  time.Time
}

func (t *throttle) admits(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spent = max(0, t.spent-now.Sub(t.last).Seconds()*reportsASecond)
	t.last = now
	if t.spent+1 > reportBurst {
		return false
	}
	t.spent++
	return true
}
