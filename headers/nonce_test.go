package headers_test

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/headers"
)

// C169, C170: new for each answer, long enough, in the policy, and in the tags by the template alone.
func TestPageNonce(t *testing.T) {
	p := policy(t, headers.Options{FormTargets: []string{"https://id.example.org"}})
	page := template.Must(template.New("page").Parse(`<script nonce="{{.Nonce}}">go()</script><p>{{.Name}}</p>`))
	seen := map[string]bool{}
	for range 100 {
		h := http.Header{}
		nonce := p.PageNonce(h)
		if seen[nonce] || len(nonce) < 22 || strings.Trim(nonce, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
			t.Fatalf("nonce %q: want at least 128 bits of base64's letters, new each time", nonce)
		}
		seen[nonce] = true
		want := "default-src 'none'; script-src 'nonce-" + nonce + "' 'strict-dynamic'; object-src 'none'; style-src 'self' 'nonce-" + nonce + "'; img-src 'self'; connect-src 'self'; " +
			"form-action 'self' https://id.example.org; base-uri 'none'; frame-ancestors 'none'"
		if got := h.Get("Content-Security-Policy"); got != want {
			t.Fatalf("policy %q, want %q", got, want)
		}
		check(t, h, map[string]string{"Referrer-Policy": "same-origin"})
		var out strings.Builder
		if err := page.Execute(&out, struct{ Nonce, Name string }{nonce, `<script>attack()</script>`}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), nonce); got != 1 {
			t.Fatalf("the nonce stands %d times in %s, want once", got, out.String())
		}
	}
}

func TestANonceOfOnePageIsNotInTheNext(t *testing.T) {
	p := policy(t, headers.Options{})
	h := http.Header{}
	nonce := p.PageNonce(h)
	p.Page(h)
	if got := h.Get("Content-Security-Policy"); strings.Contains(got, nonce) || strings.Contains(got, "nonce") {
		t.Errorf("Page after PageNonce has the policy %q", got)
	}
}

func TestReportOnlyReportsAndStopsFramesStill(t *testing.T) {
	p := policy(t, headers.Options{ReportTo: "/reports", ReportOnly: true})
	recorder := httptest.NewRecorder()
	p.App(http.NotFoundHandler()).ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
	page, nonced := http.Header{}, http.Header{}
	p.Page(page)
	nonce := p.PageNonce(nonced)
	const where = "; report-uri /reports; report-to csp"
	for name, tt := range map[string]struct {
		h    http.Header
		want string
	}{
		"page":   {page, "script-src 'self'"},
		"nonced": {nonced, "script-src 'nonce-" + nonce + "' 'strict-dynamic'"},
		"app":    {recorder.Header(), "default-src 'self'"},
	} {
		if got := tt.h.Get("Content-Security-Policy"); got != "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"+where {
			t.Errorf("%s: in force is %q", name, got)
		}
		if got := tt.h.Get("Content-Security-Policy-Report-Only"); !strings.Contains(got, tt.want) || !strings.HasSuffix(got, where) {
			t.Errorf("%s: reported is %q, want %q in it, and where to", name, got, tt.want)
		}
		if got := tt.h.Get("X-Frame-Options"); got != "DENY" {
			t.Errorf("%s: X-Frame-Options = %q", name, got)
		}
	}
	p.API(page)
	if len(page["Content-Security-Policy-Report-Only"]) > 0 || !strings.HasPrefix(page.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("data is not strict: %v", page)
	}
}

// C171: both ways to report, in every profile of pages.
func TestPoliciesSayWhereToReport(t *testing.T) {
	for _, to := range []string{"/reports", "/auth/v1/reports", "https://reports.example.org:8443/csp"} {
		p := policy(t, headers.Options{ReportTo: to})
		page, nonced := http.Header{}, http.Header{}
		p.Page(page)
		p.PageNonce(nonced)
		recorder := httptest.NewRecorder()
		p.App(http.NotFoundHandler()).ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
		for _, h := range []http.Header{page, nonced, recorder.Header()} {
			if got := h.Get("Content-Security-Policy"); !strings.HasSuffix(got, "; report-uri "+to+"; report-to csp") {
				t.Errorf("policy %q does not report to %s", got, to)
			}
			if got := h.Values("Reporting-Endpoints"); len(got) != 1 || got[0] != `csp="`+to+`"` {
				t.Errorf("Reporting-Endpoints = %q", got)
			}
		}
	}
	own := httptest.NewRecorder()
	policy(t, headers.Options{ReportTo: "/r", ReportOnly: true}).App(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
	})).ServeHTTP(own, httptest.NewRequest("GET", "/", nil))
	if got := own.Header().Values("Content-Security-Policy-Report-Only"); len(got) > 0 {
		t.Errorf("beside a policy of the handler's own, reports are asked for on another: %q", got)
	}
}

func TestBadReportingAndPermissionsAreErrors(t *testing.T) {
	for name, o := range map[string]headers.Options{
		"report only to nowhere":  {ReportOnly: true},
		"no path":                 {ReportTo: "reports"},
		"another host's path":     {ReportTo: "//evil.test/reports"},
		"in the clear":            {ReportTo: "http://id.example.org/reports"},
		"ends the directive":      {ReportTo: "/reports; script-src *"},
		"ends the text":           {ReportTo: `/reports", x="https://evil.test`},
		"lists two":               {ReportTo: "/reports https://evil.test"},
		"another line":            {ReportTo: "/reports\r\nX: y"},
		"a user":                  {ReportTo: "https://a@b.example/reports"},
		"a query":                 {ReportTo: "/reports?token=x"},
		"an unknown feature":      {Permissions: []string{"telepathy"}},
		"a feature and a list":    {Permissions: []string{"camera=*"}},
		"a feature that is empty": {Permissions: []string{""}},
	} {
		if _, err := headers.New(o); err == nil {
			t.Errorf("%s: New = nil error", name)
		}
	}
}

// C166: what is asked for is opened to the page's own origin, and nothing else.
func TestPermissions(t *testing.T) {
	h := http.Header{}
	policy(t, headers.Options{Permissions: []string{"camera", "geolocation"}}).Page(h)
	got := strings.Split(h.Get("Permissions-Policy"), ", ")
	if len(got) < 13 {
		t.Errorf("Permissions-Policy has %d features: %q", len(got), got)
	}
	for _, one := range got {
		name, value, _ := strings.Cut(one, "=")
		want := "()"
		if name == "camera" || name == "geolocation" {
			want = "(self)"
		}
		if value != want {
			t.Errorf("%s = %s, want %s", name, value, want)
		}
	}
}

// router is what chi, gorilla and the like have in common.
type router struct {
	http.Handler
	layers []func(http.Handler) http.Handler
}

func (r *router) Use(layers ...func(http.Handler) http.Handler) {
	r.layers = append(r.layers, layers...)
}

func (r *router) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h := r.Handler
	for i := len(r.layers) - 1; i >= 0; i-- {
		h = r.layers[i](h)
	}
	h.ServeHTTP(w, q)
}

// S084, S110: one line, on every status, around any handler and in any router.
func TestOneLineIsEnough(t *testing.T) {
	used := &router{Handler: routes()}
	used.Use(headers.Secure)
	for name, handler := range map[string]http.Handler{"around a mux": headers.Secure(routes()), "in a router": used} {
		server := httptest.NewServer(handler)
		defer server.Close()
		for _, tt := range requests {
			response := do(t, server, tt.method, tt.path)
			if response.StatusCode != tt.status {
				t.Errorf("%s: %s %s = %d, want %d", name, tt.method, tt.path, response.StatusCode, tt.status)
			}
			check(t, response.Header, map[string]string{"Referrer-Policy": "strict-origin-when-cross-origin"})
		}
	}
}

// C173: no browser guesses in which alphabet a page is written.
func TestHTMLHasACharset(t *testing.T) {
	for sent, want := range map[string]string{
		"text/html": "text/html; charset=utf-8", "TEXT/HTML": "text/html; charset=utf-8", "": "text/html; charset=utf-8",
		"text/html; charset=iso-8859-1": "text/html; charset=iso-8859-1", "application/json": "application/json",
	} {
		server := app(t, func(w http.ResponseWriter, _ *http.Request) {
			if sent != "" {
				w.Header().Set("Content-Type", sent)
			}
			_, _ = w.Write([]byte("<!doctype html><title>+ADw-script+AD4-</title>"))
		})
		if got := do(t, server, "GET", "/").Header.Get("Content-Type"); got != want {
			t.Errorf("Content-Type %q is sent as %q, want %q", sent, got, want)
		}
	}
}

// FuzzReportTo attacks the policy through the address of reports: whatever is accepted adds two directives and one endpoint.
func FuzzReportTo(f *testing.F) {
	for _, seed := range []string{"/reports", "https://a.example/r", "/r;script-src *", `/r",x="y`, "/r\r\n", "//a", "https://[::1]:1/r", "/r,/s"} {
		f.Add(seed)
	}
	plain := http.Header{}
	policy(f, headers.Options{}).Page(plain)
	f.Fuzz(func(t *testing.T, to string) {
		p, err := headers.New(headers.Options{ReportTo: to})
		if err != nil || to == "" {
			return
		}
		h := http.Header{}
		p.Page(h)
		rest, ok := strings.CutPrefix(h.Get("Content-Security-Policy"), plain.Get("Content-Security-Policy")+"; report-uri ")
		if fields := strings.Fields(rest); !ok || len(fields) != 3 || fields[0] != to+";" || strings.ContainsAny(to, "\"\\;, '*@?#\r\n") {
			t.Errorf("ReportTo %q makes the policy %q", to, h.Get("Content-Security-Policy"))
		}
	})
}
