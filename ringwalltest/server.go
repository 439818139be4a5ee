// Package ringwalltest gives tests a real Ringwall: a TLS server, a mail box, a clock and signed-in clients. There is
// nothing false in it but the clock; the database is SQLite in a temporary folder unless the options name another.
//
//	func TestInvoices(t *testing.T) {
//		s := ringwalltest.StartApp(t, ringwall.Options{}, myHandler)
//		alice := s.SignIn("alice@example.org")
//		if got := alice.Get("/invoices/1"); got.Status != 200 {
//			t.Errorf("GET /invoices/1 as its owner = %d, want 200", got.Status)
//		}
//	}
//
// Passwords are hashed at the lowest cost that is allowed, so that tests are quick, and an address may try, and strangers may
// cause mails, as often as a test likes, since all clients have the same address; everything else is as in production, but that mails appear on a page
// ([Server.Mail] reads it).
package ringwalltest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/ratelimit"
)

// Password is what everybody chooses whom [Server.SignUp] signs up.
const Password = "correct horse battery staple"

// Server is a running Ringwall with an application behind it.
type Server struct {
	URL      string
	Ringwall *ringwall.Ringwall
	Clock    *Clock
	Options  ringwall.Options // as it was started

	t    testing.TB
	http *httptest.Server
}

// Start runs Ringwall alone.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartApp(t, ringwall.Options{}, nil)
}

// StartApp runs Ringwall with options of yours around an application, or alone if that is nil; what you leave open is set for tests. Public
// patterns are those of [ringwall.Ringwall.Protect]. Everything ends with the test.
func StartApp(t testing.TB, options ringwall.Options, application http.Handler, public ...string) *Server {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s := &Server{t: t, http: server, URL: "https://" + server.Listener.Addr().String(), Clock: &Clock{}}
	if options.Database == "" {
		options.Database = "sqlite:" + filepath.Join(t.TempDir(), "ringwall.db")
	}
	if options.Origins == nil {
		options.Origins = []string{s.URL}
	}
	if options.Argon2id == (password.Params{}) {
		options.Argon2id = password.Params{MemoryKiB: 19456, Time: 2, Parallelism: 1}
	}
	if options.LimitAddress == nil && !options.NoLimitAddress {
		options.LimitAddress = []ratelimit.Window{{Quota: 1_000_000, Per: time.Hour}}
	}
	if options.LimitMails == 0 {
		options.LimitMails = 1_000_000
	}
	if options.Now == nil {
		options.Now = s.Clock.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if options.SMTP.IsZero() {
		options.Development = true
	}
	s.Options = options
	rw, err := ringwall.New(t.Context(), options)
	if err != nil {
		t.Fatalf("start Ringwall: %v", err)
	}
	s.Ringwall = rw
	server.Config.Handler = rw.Handler()
	if application != nil {
		server.Config.Handler = rw.Protect(application, public...)
	}
	server.StartTLS()
	t.Cleanup(s.close)
	return s
}

func (s *Server) close() {
	s.http.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Ringwall.Close(ctx); err != nil {
		s.t.Errorf("close Ringwall: %v", err)
	}
}

// Clock is the clock of the server: the real one, and as much later as the test has moved it.
type Clock struct{ ahead atomic.Int64 }

// Now is the time on the clock.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Advance moves the clock forward.
func (c *Clock) Advance(by time.Duration) { c.ahead.Add(int64(by)) }

// testWriter writes log lines into the log of the test.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	defer func() { _ = recover() }() // the test may have ended before the last line
	w.t.Logf("%s", line)
	return len(line), nil
}
