package headers_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/headers"
)

func policy(t testing.TB, o headers.Options) *headers.Policy {
	t.Helper()
	p, err := headers.New(o)
	if err != nil {
		t.Fatalf("New(%+v) = %v", o, err)
	}
	return p
}

// common stands on every response of every profile.
var common = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Strict-Transport-Security":    "max-age=63072000; includeSubDomains",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
	"Vary":                         "Cookie, Authorization, Origin, Sec-Fetch-Site",
}

// never stands on none: they tell about the server, or do harm (C161, C167, C168).
var never = []string{"Server", "X-Powered-By", "X-XSS-Protection", "Expect-CT", "Public-Key-Pins"}

func check(t *testing.T, h http.Header, also map[string]string) {
	t.Helper()
	for name, want := range common {
		if more, ok := also[name]; ok {
			want = more
		}
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want one %q", name, got, want)
		}
	}
	for name, want := range also {
		if got := strings.Join(h.Values(name), "|"); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(h.Get("Permissions-Policy"), "camera=()") {
		t.Errorf("Permissions-Policy = %q, want camera=() in it", h.Get("Permissions-Policy"))
	}
	for _, name := range never {
		if got := h.Values(name); len(got) != 0 {
			t.Errorf("%s = %q, want none", name, got)
		}
	}
}

// routes answers with each status in a way of its own.
func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /200", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	mux.HandleFunc("GET /silent", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /303", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/200", http.StatusSeeOther) })
	mux.HandleFunc("GET /304", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	mux.HandleFunc("POST /413", func(w http.ResponseWriter, r *http.Request) {
		if _, err := http.MaxBytesReader(w, r.Body, 4).Read(make([]byte, 8)); err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		}
	})
	mux.HandleFunc("GET /500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
	mux.HandleFunc("GET /hints", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		clear(w.Header()) // as httputil.ReverseProxy does
		w.WriteHeader(http.StatusOK)
	})
	return mux
}

var requests = []struct {
	method, path string
	status       int
}{
	{"GET", "/200", 200}, {"GET", "/silent", 200}, {"POST", "/303", 303}, {"GET", "/304", 304}, {"GET", "/none", 404},
	{"DELETE", "/200", 405}, {"POST", "/413", 413}, {"GET", "/500", 500}, {"GET", "/a//b", 307},
}

func do(t *testing.T, server *httptest.Server, method, path string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader("a body of some length"))
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestEveryStatusHasEveryHeader(t *testing.T) {
	p := policy(t, headers.Options{})
	before := func(set func(http.Header)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			set(w.Header())
			routes().ServeHTTP(w, r)
		})
	}
	for _, profile := range []struct {
		name    string
		handler http.Handler
		also    map[string]string
	}{
		{"page", before(p.Page), map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Referrer-Policy":         "same-origin",
		}},
		{"API", before(p.API), map[string]string{
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"Referrer-Policy":         "no-referrer",
		}},
		{"application", p.App(routes()), map[string]string{
			"Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
			"Referrer-Policy":         "strict-origin-when-cross-origin",
		}},
	} {
		t.Run(profile.name, func(t *testing.T) {
			for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, startHTTP2} {
				server := start(profile.handler)
				defer server.Close()
				for _, tt := range requests {
					response := do(t, server, tt.method, tt.path)
					if response.StatusCode != tt.status {
						t.Errorf("%s %s = %d, want %d", tt.method, tt.path, response.StatusCode, tt.status)
					}
					check(t, response.Header, profile.also)
				}
			}
		})
	}
}

func startHTTP2(handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	return server
}

func TestALaterProfileReplacesAnEarlierOneWhole(t *testing.T) {
	p := policy(t, headers.Options{})
	both, page := http.Header{}, http.Header{}
	p.API(both)
	p.Page(both)
	p.Page(page)
	if diff := cmp.Diff(page, both); diff != "" {
		t.Errorf("Page after API differs from Page (-page +both):\n%s", diff)
	}
}

func TestNoPolicyAllowsInlineOrForeignScript(t *testing.T) {
	p := policy(t, headers.Options{FormTargets: []string{"https://accounts.example.org"}})
	for name, set := range map[string]func(http.Header){"page": p.Page, "API": p.API} {
		h := http.Header{}
		set(h)
		content := h.Get("Content-Security-Policy")
		for _, bad := range []string{"unsafe", "data:", "blob:", "*", "http:", "wasm"} {
			if strings.Contains(content, bad) {
				t.Errorf("%s: policy %q contains %q", name, content, bad)
			}
		}
	}
}

func TestOneResponseCannotChangeAnother(t *testing.T) {
	p := policy(t, headers.Options{})
	first, second := http.Header{}, http.Header{}
	p.Page(first)
	first.Add("Vary", "Accept-Language")
	first.Set("Cache-Control", "public")
	first.Del("X-Frame-Options")
	p.Page(second)
	check(t, second, nil)
}

func TestOptions(t *testing.T) {
	hsts := func(o headers.Options) string {
		h := http.Header{}
		policy(t, o).Page(h)
		return strings.Join(h.Values("Strict-Transport-Security"), "|")
	}
	for _, tt := range []struct {
		name    string
		options headers.Options
		want    string
	}{
		{"HSTS is two years without preload by default", headers.Options{}, "max-age=63072000; includeSubDomains"},
		{"a roll-out may be short", headers.Options{HSTS: 24 * time.Hour}, "max-age=86400; includeSubDomains"},
		{"preload is asked for", headers.Options{Preload: true}, "max-age=63072000; includeSubDomains; preload"},
		{"development has no HSTS", headers.Options{InsecureTransport: true}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hsts(tt.options); got != tt.want {
				t.Errorf("Strict-Transport-Security = %q, want %q", got, tt.want)
			}
		})
	}
	h := http.Header{}
	policy(t, headers.Options{FormTargets: []string{"https://id.example.org", "http://127.0.0.1:8080"}}).Page(h)
	if want := "form-action 'self' https://id.example.org http://127.0.0.1:8080;"; !strings.Contains(h.Get("Content-Security-Policy"), want) {
		t.Errorf("policy %q lacks %q", h.Get("Content-Security-Policy"), want)
	}
}

func TestBadOptionsAreErrors(t *testing.T) {
	for name, o := range map[string]headers.Options{
		"negative HSTS":              {HSTS: -1},
		"HSTS below a second":        {HSTS: time.Millisecond},
		"preload for less than year": {HSTS: time.Hour, Preload: true},
		"preload without HTTPS":      {InsecureTransport: true, Preload: true},
		"form target with a path":    {FormTargets: []string{"https://id.example.org/login"}},
		"form target ends directive": {FormTargets: []string{"https://id.example.org; script-src *"}},
		"form target is a keyword":   {FormTargets: []string{"'unsafe-inline'"}},
		"form target is a wildcard":  {FormTargets: []string{"https://*.example.org"}},
		"form target is a scheme":    {FormTargets: []string{"https:"}},
		"form target lists two":      {FormTargets: []string{"https://a.example,https://b.example"}},
		"form target has a user":     {FormTargets: []string{"https://a@b.example"}},
		"form target is empty":       {FormTargets: []string{""}},
		"form target is not ASCII":   {FormTargets: []string{"https://b\u00fccher.example"}},
		"form target has a space":    {FormTargets: []string{"https://id.example.org\u00a0https:"}},
		"reports go to two places":   {ReportTo: "https://id.example.org\u2003evil/reports"},
	} {
		if _, err := headers.New(o); err == nil {
			t.Errorf("%s: New = nil error", name)
		}
	}
}

// FuzzFormTarget attacks the policy through its only variable part: whatever is accepted adds one source and no directive.
func FuzzFormTarget(f *testing.F) {
	for _, seed := range []string{"https://id.example.org", "https://a;script-src *", "https://a 'unsafe-inline'", "https://[::1]:8443", "https://a\r\nX: y", "https://a,b"} {
		f.Add(seed)
	}
	plain := http.Header{}
	policy(f, headers.Options{}).Page(plain)
	f.Fuzz(func(t *testing.T, target string) {
		p, err := headers.New(headers.Options{FormTargets: []string{target}})
		if err != nil {
			return
		}
		h := http.Header{}
		p.Page(h)
		got := strings.Split(h.Get("Content-Security-Policy"), ";")
		want := strings.Split(plain.Get("Content-Security-Policy"), ";")
		i := slices.Index(want, " form-action 'self'")
		want[i] += " " + target
		if diff := cmp.Diff(want, got); diff != "" || len(strings.Fields(got[i])) != 3 {
			t.Errorf("target %q changed the policy (-want +got):\n%s", target, diff)
		}
	})
}

func BenchmarkPage(b *testing.B) {
	p := policy(b, headers.Options{})
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		p.Page(h)
	}
}

// A writer whose header map is used again, so that only our own cost shows.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkApp(b *testing.B) {
	handler := policy(b, headers.Options{}).App(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	r := httptest.NewRequest("GET", "/", nil)
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}

func TestHeadersCostNoAllocation(t *testing.T) {
	p := policy(t, headers.Options{})
	h := http.Header{}
	p.Page(h)
	if got := testing.AllocsPerRun(100, func() { p.API(h); p.Page(h) }); got != 0 {
		t.Errorf("API and Page allocate %v times, want 0", got)
	}
}
