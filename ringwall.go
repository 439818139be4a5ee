// Package ringwall gives a Go service sign-up, sign-in, sessions and passwords, and a wall around its handlers.
//
//	rw, err := ringwall.New(ctx, ringwall.Options{
//		Database: "sqlite:data/ringwall.db",
//		Origins:  []string{"https://app.example.org"},
//		SMTP:     ringwall.NewSecret(os.Getenv("SMTP")),
//		MailFrom: "App <login@example.org>",
//	})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer rw.Close(ctx)
//	server := ringwall.Server(rw.Protect(app, "GET /{$}")) // sign-in lives under /auth/, beside your application
//	err = server.ListenAndServeTLS(cert, key)
//
// In a handler behind Protect, [github.com/ringwall/ringwall/session.From] says who is signed in.
//
// New starts workers (mail, webhooks, alerts, audit sealing, last-seen times, clearing up) and nothing else: it touches no signals, no
// logging defaults and no GOMAXPROCS. Close ends them and waits. All tables are called ringwall_….
//
// It does not decide what your users may do with your data, and it does not serve TLS: that is your server's matter.
package ringwall

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/watch"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/password/breach"
)

// Ringwall is a running instance. It is safe for concurrent use.
type Ringwall struct {
	opt      Options
	store    *sqlstore.Store
	keys     *secret.Keyring
	accounts *account.Service
	sessions *sessions.Manager
	queue    *password.Queue
	ceiling  *ceiling.Ceiling
	blocks   *limits.Blocks
	hasher   *password.Hasher
	breaches *breach.Filter // nil: none, or a server is asked
	chain    *chain.Chain
	alerts   *alerts.Alerts
	watch    *watch.Watch
	archive  *audit.Archive
	table    *chain.Table
	routes   []chain.Route
	follower *lifecycle.Lifecycle // of changes

	mounting sync.Mutex
	mounted  []func() []authz.Route // of the applications that Protect guards

	stop    context.CancelFunc
	workers sync.WaitGroup
	serving sync.Once
	served  atomic.Bool
	begun   chan struct{} // closed when it serves
	closing sync.Once
	closed  error
	last    func() // ends the sealer, after everything that writes events
}

// RouteInfo is one route, for listings. Method is empty where a route takes every method.
type RouteInfo struct {
	Method, Path, Rule, Summary string
	Application                 bool // it is the application's, not Ringwall's own
}

// New checks the options, opens the database, and starts the workers; [Ringwall.Close] ends them. A SQLite file is
// brought up to date; a PostgreSQL database must have been migrated. A bad option is an [*OptionsError], which names every fault and its mend.
func New(ctx context.Context, options Options) (*Ringwall, error) {
	o, err := options.settle()
	if err != nil {
		return nil, err
	}
	master, err := o.masterKey()
	if err != nil {
		return nil, err
	}
	store, err := sqlstore.Open(ctx, sqlstore.Config{Database: o.Database, Now: o.Now, Log: o.Log})
	if err != nil {
		return nil, err
	}
	rw := &Ringwall{opt: o, store: store, begun: make(chan struct{})}
	if err := rw.build(ctx, master); err != nil {
		if rw.queue != nil {
			err = errors.Join(err, rw.queue.Close(ctx))
		}
		return nil, errors.Join(err, store.Close(), rw.closeBreaches())
	}
	return rw, nil
}

// Handler serves the routes of Ringwall alone, for a process without an application; requests for other paths are
// answered 404. Beside an application use [Ringwall.Protect], which serves them too. Mount it at the root: an
// [http.ServeMux] around it would answer unclean paths ("//") with redirects of its own.
func (rw *Ringwall) Handler() http.Handler {
	rw.recordServing()
	return rw.table
}

// Protect serves the routes of Ringwall and guards an application beside them: every other request needs a session, but for those that match a public pattern of
// net/http ("GET /{$}", "/static/"). In the handler, [session.From] says who is signed in. Requests that change
// something carry the token of GET session in X-CSRF-Token, or in the form field csrf_token.
//
// An [authz.Mux] is guarded by its rules instead: each is checked before anything of the application runs, and once more by the
// mux. Give it as it is, not wrapped; a wrapped one checks its rules itself, and its public routes need a session.
//
// It panics if a pattern is not one, as net/http does, if there are patterns beside a Mux, and if a route of the Mux lies below
// [Options].Prefix, where Ringwall answers. The headers of the application's answers are completed where it has set none.
func (rw *Ringwall) Protect(application http.Handler, public ...string) http.Handler {
	guarded := rw.chain.Protect(rw.table, application, public)
	routes := routesOf(application, public)
	for _, r := range routes() {
		_, path := splitPattern(r.Pattern)
		if at := max(strings.Index(path, "/"), 0); strings.HasPrefix(path[at:], rw.opt.Prefix+"/") {
			panic("ringwall: nobody would reach the route " + r.Pattern + ": everything below " + rw.opt.Prefix + " is Ringwall's. Give it another path, or set Options.Prefix")
		}
	}
	rw.mounting.Lock()
	rw.mounted = append(rw.mounted, routes)
	rw.mounting.Unlock()
	rw.recordServing()
	return guarded
}

// routesOf lists the routes of an application, as far as Protect knows them.
func routesOf(application http.Handler, public []string) func() []authz.Route {
	if mux, ok := application.(*authz.Mux); ok {
		return mux.Routes
	}
	var list []authz.Route
	for _, pattern := range public {
		list = append(list, authz.Route{Pattern: pattern, Rule: authz.Public()})
	}
	list = append(list, authz.Route{Pattern: "/", Rule: authz.SignedIn()})
	return func() []authz.Route { return list }
}

// Ready reports whether the database answers.
func (rw *Ringwall) Ready(ctx context.Context) error { return rw.store.Ping(ctx) }

// Routes lists the routes of Ringwall with their rules and, behind them, those of the application that [Ringwall.Protect]
// guards: of an [authz.Mux] each route, of another handler the public patterns and the rest as one.
func (rw *Ringwall) Routes() []RouteInfo {
	list := make([]RouteInfo, 0, len(rw.routes))
	for _, r := range rw.routes {
		list = append(list, RouteInfo{Method: r.Method, Path: r.Pattern(rw.opt.Prefix), Rule: r.Rule.String(), Summary: r.Summary})
	}
	rw.mounting.Lock()
	defer rw.mounting.Unlock()
	for _, routes := range rw.mounted {
		for _, r := range routes() {
			method, path := splitPattern(r.Pattern)
			list = append(list, RouteInfo{Method: method, Path: path, Rule: r.Rule.String(), Application: true})
		}
	}
	return list
}

// splitPattern reads a pattern of net/http: its method, if it names one, and the rest.
func splitPattern(pattern string) (method, path string) {
	if at := strings.IndexAny(pattern, " \t"); at >= 0 {
		return pattern[:at], strings.TrimLeft(pattern[at:], " \t")
	}
	return "", pattern
}

// NicedThreads is how many threads of lower priority hash passwords. A program whose main work is Ringwall raises
// GOMAXPROCS by as many, so that they do not take a core from everything else.
func (rw *Ringwall) NicedThreads() int { return rw.queue.NicedThreads() }

// Close ends the workers, writes what they still hold, and closes the database. Stop serving first. Closing twice is no error.
func (rw *Ringwall) Close(ctx context.Context) error {
	rw.closing.Do(func() {
		if rw.served.Load() {
			rw.record(ctx, audit.SysShutdown)
		}
		rw.stop()
		done := make(chan struct{})
		go func() {
			rw.workers.Wait()
			rw.last()
			close(done)
		}()
		err := rw.queue.Close(ctx)
		select {
		case <-done:
			rw.closed = errors.Join(err, rw.store.Close(), rw.closeBreaches())
		case <-ctx.Done():
			rw.closed = fmt.Errorf("workers still busy: %w", ctx.Err())
		}
	})
	return rw.closed
}
