package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/session"
)

// sink is the writer of a server, without the network.
type sink struct {
	header http.Header
	status int
	bytes  int
}

func (s *sink) Header() http.Header { return s.header }
func (s *sink) WriteHeader(status int) {
	s.status = status
}

func (s *sink) Write(body []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	s.bytes += len(body)
	return len(body), nil
}

const origin = "http://127.0.0.1:8080"

// warm is a running instance on SQLite with somebody signed in: the request of a browser with its cookie.
func warm(b *testing.B) (*ringwall.Ringwall, func(path string) *http.Request) {
	b.Helper()
	rw, err := ringwall.New(b.Context(), ringwall.Options{
		Database: "sqlite:" + filepath.Join(b.TempDir(), "ringwall.db"), Origins: []string{origin}, Development: true,
		Argon2id: password.Params{MemoryKiB: 19456, Time: 2, Parallelism: 1}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := rw.Close(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	})
	if _, err := rw.Operate(b.Context(), "bench", "user.create", []byte(`{"email":"ada@example.org","display_name":"Ada","roles":["admin"],"password":"`+passphrase+`"}`)); err != nil {
		b.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"email": "ada@example.org", "password": passphrase})
	if err != nil {
		b.Fatal(err)
	}
	login := httptest.NewRequestWithContext(b.Context(), "POST", origin+"/auth/v1/login", strings.NewReader(string(body)))
	login.Header.Set("Content-Type", "application/json")
	login.Header.Set("Sec-Fetch-Site", "same-origin")
	answer := httptest.NewRecorder()
	rw.Handler().ServeHTTP(answer, login)
	if answer.Code != http.StatusOK {
		b.Fatalf("sign in = %d\n%s", answer.Code, answer.Body)
	}
	var cookies []string
	for _, cookie := range answer.Result().Cookies() {
		if cookie.MaxAge >= 0 {
			cookies = append(cookies, cookie.Name+"="+cookie.Value)
		}
	}
	return rw, func(path string) *http.Request {
		r := httptest.NewRequestWithContext(b.Context(), "GET", path, nil)
		r.Host = strings.TrimPrefix(origin, "http://")
		r.RemoteAddr = "127.0.0.1:40000"
		r.Header.Set("User-Agent", browser)
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Accept-Language", "en-GB,en;q=0.8,de;q=0.5")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
		return r
	}
}

func serve(b *testing.B, handler http.Handler, r *http.Request, want int) {
	b.Helper()
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		w.status = 0
		handler.ServeHTTP(w, r)
		if w.status != want {
			b.Fatalf("%s = %d, want %d", r.URL.Path, w.status, want)
		}
	}
}

// BenchmarkProtectSession is GET session through everything that stands before it.
func BenchmarkProtectSession(b *testing.B) {
	rw, request := warm(b)
	serve(b, rw.Handler(), request("/auth/v1/session"), http.StatusOK)
}

// BenchmarkProtectApplication is a handler of somebody else's that asks who is signed in.
func BenchmarkProtectApplication(b *testing.B) {
	rw, request := warm(b)
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		if s, ok := session.From(r.Context()); !ok || s.Email == "" {
			status = http.StatusInternalServerError
		}
		w.WriteHeader(status)
	})
	serve(b, rw.Protect(app), request("/invoices/1"), http.StatusOK)
}

// BenchmarkProtectStranger is the same without a session, on a page that is open to everybody.
func BenchmarkProtectStranger(b *testing.B) {
	rw, request := warm(b)
	r := request("/")
	r.Header.Del("Cookie")
	serve(b, rw.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }), "GET /{$}"), r, http.StatusOK)
}

// BenchmarkProtectMux is an application with as many routes, each with its rule: it is asked for by the chain, and once more by the mux.
func BenchmarkProtectMux(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			rw, request := warm(b)
			mux := authz.NewMux()
			rules := []authz.Rule{authz.SignedIn(), authz.Role("admin"), authz.All(authz.Role("admin"), authz.Fresh(time.Hour))}
			for i := range n {
				mux.HandleFunc(fmt.Sprintf("GET /area-%d/things-%d/{id}", i%17, i), rules[i%len(rules)], func(w http.ResponseWriter, r *http.Request) {
					status := http.StatusOK
					if s, ok := session.From(r.Context()); !ok || s.Email == "" || r.PathValue("id") == "" {
						status = http.StatusInternalServerError
					}
					w.WriteHeader(status)
				})
			}
			serve(b, rw.Protect(mux), request(fmt.Sprintf("/area-%d/things-%d/4711", n/2%17, n/2)), http.StatusOK)
		})
	}
}

// BenchmarkProtectSessionParallel shows whether checks wait for each other.
func BenchmarkProtectSessionParallel(b *testing.B) {
	rw, request := warm(b)
	handler := rw.Handler()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		w, r := &sink{header: http.Header{}}, request("/auth/v1/session")
		for p.Next() {
			clear(w.header)
			w.status = 0
			handler.ServeHTTP(w, r)
			if w.status != http.StatusOK {
				b.Errorf("status %d, want 200", w.status)
				return
			}
		}
	})
}
