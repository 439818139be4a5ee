package chain_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/ringwalltest"
)

func TestLayersAreNamedOnceAndExplained(t *testing.T) {
	var seen []string
	for _, l := range chain.Layers() {
		if l.ID == "" || l.ID != strings.ToLower(l.ID) || slices.Contains(seen, l.ID) {
			t.Errorf("layer %q has no name of its own", l.ID)
		}
		if l.Ring < 1 || l.Ring > 7 || !strings.HasSuffix(l.Summary, ".") {
			t.Errorf("layer %s: ring %d, summary %q: want a ring of 1 to 7 and a sentence", l.ID, l.Ring, l.Summary)
		}
		seen = append(seen, l.ID)
	}
}

// Each layer of the request refuses something that passes when it is left out, and nothing else lets it pass.
func TestEachLayerOfARequestRefuses(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s := ringwalltest.Start(t)
	protected := s.Ringwall.Protect(app)
	ann := s.SignIn("ann@example.org")
	ask := func(method, path string, header ...string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
		r.Header.Set("Cookie", "__Host-ringwall="+ann.Cookie("__Host-ringwall"))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	elsewhere := ask("GET", "/")
	elsewhere.Host = "evil.example"
	stranger := ask("GET", "/")
	stranger.Header.Del("Cookie")
	for _, tt := range []struct {
		layer string
		ask   *http.Request
		want  int
	}{
		{"path", ask("GET", "//invoices"), 404},
		{"host", elsewhere, 421},
		{"source", ask("POST", "/", "X-CSRF-Token", ann.CSRF, "Sec-Fetch-Site", "cross-site"), 403},
		{"token", ask("POST", "/", "Sec-Fetch-Site", "same-origin"), 403},
		{"rule", stranger, 401},
	} {
		if got := answer(protected, tt.ask); got.Code != tt.want {
			t.Errorf("%s: all layers = %d, want %d\n%s", tt.layer, got.Code, tt.want, got.Body)
		}
		if got := answer(chain.Without(protected, tt.layer), tt.ask); got.Code != http.StatusNoContent {
			t.Errorf("%s: without it = %d, want 204\n%s", tt.layer, got.Code, got.Body)
		}
		var others []string
		for _, l := range chain.Layers() {
			if l.ID != tt.layer && l.ID != "session" {
				others = append(others, l.ID)
			}
		}
		if got := answer(chain.Without(protected, others...), tt.ask); got.Code != tt.want {
			t.Errorf("%s: alone = %d, want %d\n%s", tt.layer, got.Code, tt.want, got.Body)
		}
	}
}

// Each layer of the answer is there, on answers of the application and of ours, and is all that goes when it is left out.
func TestEachLayerOfAnAnswerIsItsHeader(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, nil)
	protected := s.Ringwall.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }), "GET /{$}")
	for _, path := range []string{"/", "/auth/login", "/nowhere"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
		whole := answer(protected, r).Header()
		for layer, part := range map[string][2]string{
			"nosniff":         {"X-Content-Type-Options", "nosniff"},
			"frame-options":   {"X-Frame-Options", "DENY"},
			"frame-ancestors": {"Content-Security-Policy", "frame-ancestors 'none'"},
			"script-policy":   {"Content-Security-Policy", "default-src"},
			"isolation":       {"Cross-Origin-Resource-Policy", "same-origin"},
			"no-store":        {"Cache-Control", "no-store"},
		} {
			if !strings.Contains(whole.Get(part[0]), part[1]) {
				t.Errorf("%s: %s = %q, want %s in it", path, part[0], whole.Get(part[0]), part[1])
			}
			bare := answer(chain.Without(protected, layer), r).Header()
			if strings.Contains(bare.Get(part[0]), part[1]) {
				t.Errorf("%s without %s: %s = %q", path, layer, part[0], bare.Get(part[0]))
			}
			for name := range whole {
				if _, left := bare[name]; !left && name != part[0] && layer != "isolation" {
					t.Errorf("%s without %s: %s went too", path, layer, name)
				}
			}
		}
	}
}

// What an application says itself stays: it is no layer of the chain.
func TestWithoutLeavesTheApplicationsOwnPolicy(t *testing.T) {
	s := ringwalltest.Start(t)
	const own = "sandbox; frame-ancestors 'self'"
	protected := s.Ringwall.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", own)
	}), "GET /{$}")
	r := httptest.NewRequestWithContext(t.Context(), "GET", s.URL+"/", nil)
	if got := answer(chain.Without(protected, "script-policy", "frame-ancestors"), r).Header().Get("Content-Security-Policy"); got != own {
		t.Errorf("Content-Security-Policy = %q, want %q", got, own)
	}
}

// The attributes of the session's cookie go one by one, and without the prefix the session is found all the same.
func TestEachLayerOfTheCookieIsItsAttribute(t *testing.T) {
	s := ringwalltest.Start(t)
	s.SignUp("ann@example.org")
	protected := s.Ringwall.Protect(http.NotFoundHandler())
	login := func(h http.Handler) string {
		r := httptest.NewRequestWithContext(t.Context(), "POST", s.URL+"/auth/v1/login", strings.NewReader(`{"email":"ann@example.org","password":"`+ringwalltest.Password+`"}`))
		r.Header.Set("Content-Type", "application/json")
		for _, line := range answer(h, r).Header()["Set-Cookie"] {
			if strings.HasPrefix(strings.TrimPrefix(line, "__Host-"), "ringwall=") {
				return line
			}
		}
		return ""
	}
	for layer, part := range map[string]string{"cookie-prefix": "__Host-", "same-site": "SameSite=Lax", "http-only": "HttpOnly"} {
		if got := login(protected); !strings.Contains(got, part) {
			t.Errorf("Set-Cookie = %q, want %s in it", got, part)
		}
		if got := login(chain.Without(protected, layer)); got == "" || strings.Contains(got, part) {
			t.Errorf("Set-Cookie without %s = %q", layer, got)
		}
	}
	weak := chain.Without(protected, "cookie-prefix")
	cookie, _, _ := strings.Cut(login(weak), ";")
	r := httptest.NewRequestWithContext(t.Context(), "GET", s.URL+"/auth/v1/session", nil)
	r.Header.Set("Cookie", "other=1; "+cookie)
	if got := answer(weak, r); got.Code != http.StatusOK {
		t.Errorf("GET session with %q, without the prefix = %d, want 200", cookie[:12], got.Code)
	}
	if got := answer(protected, r); got.Code != http.StatusUnauthorized {
		t.Errorf("GET session with %q, all layers = %d, want 401", cookie[:12], got.Code)
	}
}

// Nothing but a protected application loses layers, and none by mistake.
func TestWithoutRefusesWhatItDoesNotKnow(t *testing.T) {
	s := ringwalltest.Start(t)
	for name, call := range map[string]func(){
		"another handler":  func() { chain.Without(http.NotFoundHandler()) },
		"an unknown layer": func() { chain.Without(s.Ringwall.Protect(http.NotFoundHandler()), "moat") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Without took it")
				}
			}()
			call()
		})
	}
}

func answer(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
