package headers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/headers"
)

// shop is a service at https://api.example.org that pages of https://app.example.org may call.
type shop struct {
	http.Handler
	reads, changes int
}

func newShop(t testing.TB, o headers.CORSOptions) *shop {
	t.Helper()
	if o.Origins == nil {
		o.Origins = []string{"https://app.example.org", "https://app.example.org:8443"}
	}
	cors, err := headers.NewCORS(o)
	if err != nil {
		t.Fatalf("NewCORS(%+v) = %v", o, err)
	}
	s := &shop{}
	s.Handler = cors.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*") // somebody's mistake
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		if r.Method == "GET" || r.Method == "HEAD" || r.Method == "OPTIONS" {
			s.reads++
		} else {
			s.changes++
		}
		_, _ = fmt.Fprint(w, "secret")
	}))
	return s
}

// ask sends a request of a page; pairs are headers.
func (s *shop) ask(method string, pairs ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://api.example.org/orders", nil)
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Header[http.CanonicalHeaderKey(pairs[i])] = append(r.Header[http.CanonicalHeaderKey(pairs[i])], pairs[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func opened(h http.Header) (names []string) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			names = append(names, name+"="+strings.Join(h[name], "|"))
		}
	}
	slices.Sort(names)
	return names
}

// tricks are origins that are not https://app.example.org.
var tricks = []string{
	"null", "https://evil.test", "https://app.example.org.evil.test", "https://evilapp.example.org", "https://app.example.orgevil.test", "https://example.org", "https://x.app.example.org",
	"http://app.example.org", "https://app.example.org:443", "https://app.example.org:8444", "https://app.example.org.", "https://APP.example.org", "HTTPS://app.example.org", "https://app.example.org/",
	"https://app.example.org@evil.test", "https://user@app.example.org", "https://evil.test/https://app.example.org", "https://app.example.org evil.test", " https://app.example.org",
	"https://app.example.org, https://evil.test", "https://app.example.org\t", "https://app.example.org%00.evil.test", "https://app%2eexample.org", "https://app.exаmple.org", "*", "", "app.example.org", "//app.example.org", "file://",
}

// S078, C145: an origin is listed in every letter or it is foreign: it reads nothing and changes nothing.
func TestForeignOriginsReadAndChangeNothing(t *testing.T) {
	for _, credentials := range []bool{false, true} {
		s := newShop(t, headers.CORSOptions{Credentials: credentials, Methods: []string{"DELETE"}, Headers: []string{"Authorization"}})
		for _, origin := range tricks {
			for _, method := range []string{"POST", "DELETE", "PUT", "BREW"} {
				if w := s.ask(method, "Origin", origin, "Cookie", "session=1"); w.Code != 403 || len(opened(w.Header())) > 0 || strings.Contains(w.Body.String(), "evil") {
					t.Errorf("%s from %q = %d %q", method, origin, w.Code, opened(w.Header()))
				}
			}
			w := s.ask("OPTIONS", "Origin", origin, "Access-Control-Request-Method", "DELETE", "Access-Control-Request-Headers", "authorization")
			if origin != "" && w.Code != 403 || len(opened(w.Header())) > 0 {
				t.Errorf("preflight from %q = %d %q", origin, w.Code, opened(w.Header()))
			}
			if w := s.ask("GET", "Origin", origin, "Upgrade", "websocket"); w.Code != 403 {
				t.Errorf("a WebSocket from %q = %d", origin, w.Code)
			}
			if w := s.ask("GET", "Origin", origin); len(opened(w.Header())) > 0 || !slices.Contains(w.Header()["Vary"], "Origin") {
				t.Errorf("GET from %q: %q, Vary %q", origin, opened(w.Header()), w.Header()["Vary"])
			}
		}
		for _, pair := range [][2]string{{"https://app.example.org", "https://evil.test"}, {"https://evil.test", "https://app.example.org"}, {"https://app.example.org", "https://app.example.org"}} {
			if w := s.ask("POST", "Origin", pair[0], "Origin", pair[1]); w.Code != 403 || len(opened(w.Header())) > 0 {
				t.Errorf("two origins %q = %d %q", pair, w.Code, opened(w.Header()))
			}
		}
		if s.changes > 0 {
			t.Errorf("%d requests from elsewhere changed something", s.changes)
		}
	}
}

func TestListedOriginsAreAnsweredByName(t *testing.T) {
	s := newShop(t, headers.CORSOptions{Methods: []string{"DELETE"}, Headers: []string{"Authorization", "Content-Type"}, MaxAge: 10 * time.Minute})
	for _, origin := range []string{"https://app.example.org", "https://app.example.org:8443"} {
		w := s.ask("OPTIONS", "Origin", origin, "Access-Control-Request-Method", "DELETE", "Access-Control-Request-Private-Network", "true")
		want := []string{
			"Access-Control-Allow-Headers=Authorization, Content-Type", "Access-Control-Allow-Methods=GET, HEAD, POST, DELETE",
			"Access-Control-Allow-Origin=" + origin, "Access-Control-Max-Age=600",
		}
		if got := opened(w.Header()); w.Code != 204 || !slices.Equal(got, want) || w.Body.Len() > 0 || s.reads+s.changes > 0 {
			t.Errorf("preflight = %d %q after %d calls of the handler, want %q", w.Code, got, s.reads+s.changes, want)
		}
		w = s.ask("DELETE", "Origin", origin, "Sec-Fetch-Site", "cross-site")
		if got := opened(w.Header()); w.Code != 200 || !slices.Equal(got, []string{"Access-Control-Allow-Origin=" + origin}) || s.changes != 1 {
			t.Errorf("DELETE = %d %q, %d changes", w.Code, got, s.changes)
		}
		if got := w.Header()["Vary"]; !slices.Equal(got, []string{"Origin"}) {
			t.Errorf("Vary = %q", got)
		}
		s.reads, s.changes = 0, 0
	}
	with := newShop(t, headers.CORSOptions{Credentials: true})
	if got := opened(with.ask("GET", "Origin", "https://app.example.org").Header()); !slices.Equal(got, []string{"Access-Control-Allow-Credentials=true", "Access-Control-Allow-Origin=https://app.example.org"}) {
		t.Errorf("with credentials: %q", got)
	}
}

// Pages of the host itself, and programs, are no matter of CORS.
func TestTheHostsOwnPagesPass(t *testing.T) {
	s := newShop(t, headers.CORSOptions{})
	for _, sent := range [][]string{
		{}, {"Origin", "https://api.example.org"}, {"Origin", "https://api.example.org", "Sec-Fetch-Site", "same-origin"}, {"Origin", "http://10.0.0.1", "Sec-Fetch-Site", "same-origin"},
	} {
		before := s.changes
		if w := s.ask("POST", sent...); w.Code != 200 || s.changes != before+1 || len(opened(w.Header())) > 0 || !slices.Contains(w.Header()["Vary"], "Origin") {
			t.Errorf("POST with %q = %d %q, Vary %q", sent, w.Code, opened(w.Header()), w.Header()["Vary"])
		}
	}
	if w := s.ask("OPTIONS", "Origin", "https://evil.test"); w.Code != 200 || len(opened(w.Header())) > 0 {
		t.Errorf("OPTIONS that is no preflight = %d %q", w.Code, opened(w.Header()))
	}
	for _, sent := range [][]string{
		{"Origin", "http://api.example.org"}, // downgraded
		{"Origin", "https://api.example.org", "Sec-Fetch-Site", "cross-site"},
		{"Origin", "null", "Sec-Fetch-Site", "same-origin"},
		{"Origin", "https://evil.test", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"},
	} {
		if w := s.ask("POST", sent...); w.Code != 403 {
			t.Errorf("POST with %q = %d, want 403", sent, w.Code)
		}
	}
}

func TestCORSVaryIsNotSaidTwice(t *testing.T) {
	cors, err := headers.NewCORS(headers.CORSOptions{Origins: []string{"https://app.example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]string{"Accept": "Accept|Origin", "accept, origin": "accept, origin", "*": "*"} {
		w := httptest.NewRecorder()
		cors.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Vary", said) })).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := strings.Join(w.Header()["Vary"], "|"); got != want {
			t.Errorf("Vary %q becomes %q, want %q", said, got, want)
		}
	}
}

func TestBadCORSOptionsAreErrors(t *testing.T) {
	good := []string{"https://app.example.org"}
	for name, o := range map[string]headers.CORSOptions{
		"no origin":               {},
		"any origin":              {Origins: []string{"*"}},
		"any with credentials":    {Origins: []string{"*"}, Credentials: true},
		"null":                    {Origins: []string{"null"}},
		"any of a domain":         {Origins: []string{"https://*.example.org"}},
		"in the clear":            {Origins: []string{"http://app.example.org"}},
		"loopback by its looks":   {Origins: []string{"http://localhost.evil.test"}},
		"in capitals":             {Origins: []string{"https://App.example.org"}},
		"with the usual port":     {Origins: []string{"https://app.example.org:443"}},
		"with a path":             {Origins: []string{"https://app.example.org/"}},
		"with a user":             {Origins: []string{"https://a@app.example.org"}},
		"twice":                   {Origins: append(good, good...)},
		"any method":              {Origins: good, Methods: []string{"*"}},
		"a method in small":       {Origins: good, Methods: []string{"patch"}},
		"a method that tells":     {Origins: good, Methods: []string{"TRACE"}},
		"two methods in one":      {Origins: good, Methods: []string{"PUT, DELETE"}},
		"any header":              {Origins: good, Headers: []string{"*"}},
		"a header with a line":    {Origins: good, Headers: []string{"X\r\nY"}},
		"a memory without an end": {Origins: good, MaxAge: 25 * time.Hour},
		"a memory backwards":      {Origins: good, MaxAge: -1},
	} {
		if _, err := headers.NewCORS(o); err == nil {
			t.Errorf("%s: NewCORS = nil error", name)
		}
	}
	if _, err := headers.NewCORS(headers.CORSOptions{Origins: []string{"http://localhost:5173", "http://127.0.0.1:3000"}}); err != nil {
		t.Errorf("a frontend in development: %v", err)
	}
}

// The layers stand in either order, and a panic inside reaches whoever recovers outside.
func TestCORSAndAppTogether(t *testing.T) {
	cors, err := headers.NewCORS(headers.CORSOptions{Origins: []string{"https://app.example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	p := policy(t, headers.Options{})
	for name, h := range map[string]http.Handler{"App outside": p.App(cors.Handler(routes())), "CORS outside": cors.Handler(p.App(routes()))} {
		r := httptest.NewRequest("GET", "/200", nil)
		r.Header.Set("Origin", "https://app.example.org")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := opened(w.Header()); !slices.Equal(got, []string{"Access-Control-Allow-Origin=https://app.example.org"}) || w.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", name, w.Header())
		}
		if vary := strings.Join(w.Header()["Vary"], ", "); !strings.Contains(vary, "Origin") || !strings.Contains(vary, "Cookie") {
			t.Errorf("%s: Vary %q", name, vary)
		}
	}
}

// FuzzCORSOrigin: whatever an Origin says, it is the listed one in every byte, or the host's own, or it gets nothing.
func FuzzCORSOrigin(f *testing.F) {
	for _, seed := range append(tricks, "https://app.example.org", "https://api.example.org") {
		f.Add(seed, "")
		f.Add(seed, "same-site")
	}
	s := newShop(f, headers.CORSOptions{Credentials: true, Methods: []string{"DELETE"}})
	f.Fuzz(func(t *testing.T, origin, site string) {
		sent := []string{"Origin", origin}
		if site != "" {
			sent = append(sent, "Sec-Fetch-Site", site)
		}
		listed := origin == "https://app.example.org" || origin == "https://app.example.org:8443"
		own := origin != "null" && (site == "same-origin" || site == "" && origin == "https://api.example.org")
		s.changes, s.reads = 0, 0
		post := s.ask("POST", sent...)
		if (s.changes == 1) != (listed || own) {
			t.Errorf("POST from %q (%q) changed %d things", origin, site, s.changes)
		}
		preflight := s.ask("OPTIONS", append(sent, "Access-Control-Request-Method", "DELETE")...)
		if origin != "" && s.reads > 0 {
			t.Errorf("the preflight of %q reached the handler", origin)
		}
		for _, h := range []http.Header{post.Header(), preflight.Header(), s.ask("GET", sent...).Header()} {
			if got := h["Access-Control-Allow-Origin"]; listed != slices.Equal(got, []string{origin}) || !listed && len(opened(h)) > 0 {
				t.Errorf("from %q: %q", origin, opened(h))
			}
		}
	})
}
