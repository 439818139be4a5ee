package headers_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/headers"
)

func app(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(policy(t, headers.Options{}).App(handle))
	t.Cleanup(server.Close)
	return server
}

func TestAppLeavesWhatTheHandlerHasChosen(t *testing.T) {
	chosen := map[string]string{
		"Content-Security-Policy":      "default-src 'self' https://cdn.example",
		"Cross-Origin-Embedder-Policy": "unsafe-none",
		"Cross-Origin-Resource-Policy": "cross-origin",
		"Cross-Origin-Opener-Policy":   "same-origin-allow-popups",
		"Cache-Control":                "private, max-age=60",
		"Referrer-Policy":              "origin",
	}
	server := app(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range chosen {
			w.Header().Set(name, value)
		}
	})
	check(t, do(t, server, "GET", "/").Header, chosen)
}

func TestAppInsistsOnSniffingFramingAndHSTS(t *testing.T) {
	server := app(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Frame-Options", "ALLOWALL")
		w.Header().Set("Strict-Transport-Security", "max-age=0")
		w.Header().Del("X-Content-Type-Options")
		w.Header().Set("Content-Security-Policy", "")   // an empty policy is no choice
		w.Header()["Cache-Control"] = nil               // neither is none
		w.Header().Set("Server", "Apache/1.3")          // tells an attacker what to look up
		w.Header().Set("X-Powered-By", "PHP/4")         //
		w.WriteHeader(http.StatusInternalServerError)   //
		w.Header().Set("X-Frame-Options", "SAMEORIGIN") // too late
	})
	check(t, do(t, server, "GET", "/").Header, map[string]string{
		"Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	})
}

// What comes behind chunks is never read, also if the handler takes back all headers, as httputil.ReverseProxy does after 103.
func TestAppReadsNothingBehindChunks(t *testing.T) {
	server := app(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		clear(w.Header())
	})
	for _, tt := range []struct {
		name string
		body io.Reader
		want bool
	}{
		{"chunks", io.MultiReader(strings.NewReader("x")), true}, // of no known length
		{"a length", strings.NewReader("x"), false},
		{"no body", nil, false},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, tt.body)
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.Close != tt.want {
			t.Errorf("%s: the connection is closed: %v, want %v", tt.name, response.Close, tt.want)
		}
	}
}

func TestAppVary(t *testing.T) {
	const ours = "Cookie, Authorization, Origin, Sec-Fetch-Site"
	for _, tt := range []struct {
		name, vary, cache, want string
	}{
		{"is added to the handler's", "Accept-Encoding", "", "Accept-Encoding|" + ours},
		{"is added where a cache might share", "", "max-age=60", ours},
		{"is not said twice", ours, "", ours},
		{"gives way to everything", "*", "", "*"},
		{"is the handler's matter when the answer is public", "Accept-Encoding", "max-age=60, Public", "Accept-Encoding"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := app(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.vary != "" {
					w.Header().Set("Vary", tt.vary)
				}
				if tt.cache != "" {
					w.Header().Set("Cache-Control", tt.cache)
				}
			})
			if got := strings.Join(do(t, server, "GET", "/").Header.Values("Vary"), "|"); got != tt.want {
				t.Errorf("Vary = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAppPassesInformationalAnswers(t *testing.T) {
	server := httptest.NewServer(policy(t, headers.Options{}).App(routes()))
	defer server.Close()
	hints := 0
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		if code == http.StatusEarlyHints {
			hints++
		}
		return nil
	}}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "GET", server.URL+"/hints", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if hints != 1 || response.StatusCode != http.StatusOK {
		t.Errorf("%d hints and status %d, want 1 and 200", hints, response.StatusCode)
	}
	check(t, response.Header, nil)
}

func TestAppInFrontOfAReverseProxy(t *testing.T) {
	backend := httptest.NewServer(routes())
	defer backend.Close()
	target, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(policy(t, headers.Options{}).App(proxy))
	defer server.Close()
	for _, path := range []string{"/200", "/hints", "/none", "/500"} {
		check(t, do(t, server, "GET", path).Header, nil)
	}
	backend.Close()
	response := do(t, server, "GET", "/200")
	if response.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d, want 502", response.StatusCode)
	}
	check(t, response.Header, nil)
}

func TestAppKeepsTheServersAbilities(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	server := app(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/file":
			http.ServeFile(w, r, file)
		case "/flusher":
			w.(http.Flusher).Flush()
		case "/controller":
			if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
				t.Errorf("EnableFullDuplex = %v", err)
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("Flush = %v", err)
			}
		case "/string":
			_, _ = io.WriteString(w, "text")
		case "/hijack":
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("Hijack = %v", err)
				return
			}
			defer func() { _ = conn.Close() }()
			check(t, w.Header(), nil) // what is written by hand is taken from there, by httputil.ReverseProxy
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Own: 1\r\n\r\n"))
		}
	})
	for _, path := range []string{"/file", "/flusher", "/controller", "/string"} {
		response := do(t, server, "GET", path)
		check(t, response.Header, nil)
		if _, err := io.Copy(io.Discard, bufio.NewReader(response.Body)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := do(t, server, "GET", "/hijack").Header.Get("X-Own"); got != "1" {
		t.Errorf("hijacked answer lacks its header: %q", got)
	}
}

func TestAHandlerThatPanicsLeavesTheHeadersForWhoeverRecovers(t *testing.T) {
	inner := policy(t, headers.Options{}).App(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("story") }))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(w, "sorry", http.StatusInternalServerError)
			}
		}()
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	check(t, do(t, server, "GET", "/").Header, nil)
}
