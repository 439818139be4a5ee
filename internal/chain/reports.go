package chain

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/ratelimit"
)

// ReportsPath is where browsers report what pages broke, below the prefix.
const ReportsPath = "/v1/reports"

// newReportLimit bounds what one address may report: a page that is broken in many places, and a few of them.
func newReportLimit(now func() time.Time) (*ratelimit.Limiter, error) {
	return ratelimit.New("reports", []ratelimit.Window{{Quota: 40, Per: time.Minute}}, ratelimit.Options{Now: now, MemoryBytes: 1 << 20})
}

// Reports takes what browsers report of our pages and of the application's: an event of the audit log, counted like
// refusals, an alert when several people's browsers say so, and a line in the log. What is more than an address may report,
// of other pages, or of extensions of the browser is taken and forgotten.
func (c *Chain) Reports() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reports, err := headers.ReadReports(w, r)
		if err != nil {
			c.Fail(w, r, err)
			return
		}
		from := c.address(r)
		for _, report := range reports {
			if !c.concerns(report) {
				continue
			}
			if d, _ := c.reports.Take(r.Context(), ratelimit.Address(from), 1); !d.Admitted { // memory has no errors
				break
			}
			if isScript(report.Directive) {
				c.refuse(r, From(r.Context()), audit.MaliciousCSPViolation, "script")
			} else {
				c.refuse(r, From(r.Context()), audit.MaliciousCSPViolation, "other")
			}
			if c.Watch.Violation(r.Context(), from, report.Page+" "+report.Directive) {
				c.Log.WarnContext(r.Context(), "a page broke its policy", "page", report.Page, "directive", report.Directive,
					"blocked", report.Blocked, "source", report.Source, "line", report.Line, "enforced", report.Enforced)
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// concerns reports whether a report is of a page under a listed origin, and of what stands in the page.
func (c *Chain) concerns(report headers.Report) bool {
	u, err := url.Parse(report.Page)
	return err == nil && c.origins.Has(u.Scheme+"://"+u.Host) && !isExtension(report.Blocked) && !isExtension(report.Source)
}

// isExtension knows chrome-extension, moz-extension, safari-web-extension and their like.
func isExtension(scheme string) bool { return strings.HasSuffix(scheme, "-extension") }

func isScript(directive string) bool {
	return strings.HasPrefix(directive, "script-src") || directive == "default-src" || directive == "worker-src"
}
