// Package peers_test holds Ringwall's middleware against what people put together from others: scs, nosurf, unrolled/secure
// and x/time/rate. It is a module of its own, so that nobody who imports Ringwall gets to know them.
//
//	make bench-peers
package peers_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/justinas/nosurf"
	"github.com/unrolled/secure"
	"golang.org/x/time/rate"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/ratelimit"
	"github.com/ringwall/ringwall/session"
)

const (
	origin     = "http://127.0.0.1:8080"
	passphrase = "correct horse battery staple"
)

// sink is the writer of a server, without the network.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header                { return s.header }
func (s *sink) WriteHeader(status int)             { s.status = status }
func (s *sink) Write(body []byte) (n int, _ error) { return len(body), nil }

func request(b *testing.B, cookies []*http.Cookie) *http.Request {
	r := httptest.NewRequestWithContext(b.Context(), "GET", "/invoices/1", nil)
	r.Host, r.RemoteAddr = strings.TrimPrefix(origin, "http://"), "127.0.0.1:40000"
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range cookies {
		if c.MaxAge >= 0 {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	return r
}

func serve(b *testing.B, h http.Handler, r *http.Request) {
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	began := processor(b)
	for b.Loop() {
		clear(w.header)
		w.status = 0
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatalf("status %d, want 200", w.status)
		}
	}
	b.ReportMetric(float64(processor(b)-began)/float64(b.N), "cpu-ns/op")
}

// processor is the time of all threads, the collector's too: it does not grow when others have the cores meanwhile.
func processor(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkChain is a request of somebody who is signed in, through headers, a limit by address, CSRF and the session.
func BenchmarkChain(b *testing.B) {
	b.Run("chain=ringwall", func(b *testing.B) {
		h, r := ours(b)
		serve(b, h, r)
	})
	b.Run("chain=scs+nosurf+secure+rate", func(b *testing.B) {
		h, r := theirs(b)
		serve(b, h, r)
	})
}

func ours(b *testing.B) (http.Handler, *http.Request) {
	rw, err := ringwall.New(b.Context(), ringwall.Options{
		Database: "sqlite:" + filepath.Join(b.TempDir(), "ringwall.db"), Origins: []string{origin}, Development: true,
		Argon2id: password.Params{MemoryKiB: 19456, Time: 2, Parallelism: 1}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = rw.Close(context.WithoutCancel(b.Context())) })
	if _, err := rw.Operate(b.Context(), "bench", "user.create", []byte(`{"email":"ada@example.org","password":"`+passphrase+`"}`)); err != nil {
		b.Fatal(err)
	}
	login := httptest.NewRequestWithContext(b.Context(), "POST", origin+"/auth/v1/login", strings.NewReader(`{"email":"ada@example.org","password":"`+passphrase+`"}`))
	login.Header.Set("Content-Type", "application/json")
	login.Header.Set("Sec-Fetch-Site", "same-origin")
	answer := httptest.NewRecorder()
	rw.Handler().ServeHTTP(answer, login)
	limit, err := ratelimit.New("bench", []ratelimit.Window{{Quota: 100_000, Per: time.Second}}, ratelimit.Options{})
	if err != nil {
		b.Fatal(err)
	}
	app := limit.Handler(ratelimit.ByAddress(nil, ""), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := session.From(r.Context()); !ok || s.Email == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusOK)
	}))
	return rw.Protect(app), request(b, answer.Result().Cookies())
}

func theirs(b *testing.B) (http.Handler, *http.Request) {
	sessions := scs.New() // in memory
	headers := secure.New(secure.Options{
		FrameDeny: true, ContentTypeNosniff: true, ContentSecurityPolicy: "default-src 'self'", ReferrerPolicy: "same-origin", STSSeconds: 63072000,
		SSLProxyHeaders: map[string]string{"X-Forwarded-Proto": "https"}, IsDevelopment: false,
	})
	var limiters sync.Map
	limited := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l, ok := limiters.Load(r.RemoteAddr)
			if !ok {
				l, _ = limiters.LoadOrStore(r.RemoteAddr, rate.NewLimiter(rate.Inf, 1))
			}
			if !l.(*rate.Limiter).Allow() {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			sessions.Put(r.Context(), "email", "ada@example.org")
		} else if sessions.GetString(r.Context(), "email") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	chain := headers.Handler(limited(sessions.LoadAndSave(nosurf.New(app))))
	login := httptest.NewRequestWithContext(b.Context(), "GET", "/login", nil)
	answer := httptest.NewRecorder()
	chain.ServeHTTP(answer, login)
	return chain, request(b, answer.Result().Cookies())
}
