// Package app is a small application with what most of them have: invoices, transfers, comments, a webhook, a report and an
// upload, behind Ringwall.
//
//	db, dialect, err := app.Open("sqlite:invoices.db")
//	…
//	invoices, err := app.New(ctx, app.Config{DB: db, Dialect: dialect})
//	…
//	http.ListenAndServe(addr, rw.Protect(invoices.Mux()))
//
// A handler stands in the file that its address is named for, next to its statements. Read [App.Mux] first: it has every
// route with its rule.
//
// Files called unsafe_… are twins that run in place of a layer which the lab has switched off ([Off]). They are wrong on
// purpose; nothing outside of examples can import them.
package app

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/outbound"
	"github.com/ringwall/ringwall/run"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// ReadAll is the permission to read everybody's invoices: give it to a role in ringwall.Options.Roles.
const ReadAll = "invoices:read-all"

// Config is what an App needs. DB and Dialect are required.
type Config struct {
	DB      *sql.DB // with the tables of [Migrate]; the caller closes it
	Dialect Dialect

	WebhookHosts []string         // hosts to which a webhook may go. Default: none
	Outbound     outbound.Options // of the client that calls them; Hosts is set from WebhookHosts

	Sort string           // the program that sorts a report. Default: /usr/bin/sort
	Now  func() time.Time // Default: time.Now
	Log  *slog.Logger     // Default: none

	Off Off // for the lab and the test of the wall alone
}

// App is the application. It is safe for concurrent use.
type App struct {
	config Config
	db     *sqlsafe.DB
	keys   *idempotency.Keys
	sort   *run.Program
	pages  map[string]page
	assets map[string]asset
	seams
}

// New makes an App. Errors: a missing database, tables that are not there or do not know their owners (PostgreSQL), a program
// that cannot be run.
func New(ctx context.Context, c Config) (*App, error) {
	if c.DB == nil || c.Dialect == "" {
		return nil, errors.New("invoices: no database")
	}
	if c.Sort == "" {
		c.Sort = "/usr/bin/sort"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	a := &App{config: c, db: sqlsafe.Wrap(c.DB)}
	if c.Dialect == Postgres {
		a.db = sqlsafe.WrapPostgres(c.DB)
		if err := a.db.CheckRowSecurity(ctx, "invoices", "comments"); err != nil {
			return nil, err
		}
	}
	var err error
	if a.keys, err = idempotency.New(a.db, idempotency.Options{Refuse: a.fail, Now: c.Now, Log: c.Log}); err != nil {
		return nil, err
	}
	if a.sort, err = run.New(c.Sort, run.Options{}); err != nil {
		return nil, err
	}
	if a.assets, err = readAssets(); err != nil {
		return nil, err
	}
	a.seams = a.safe()
	a.weaken(c.Off)
	a.pages, err = a.readPages()
	return a, err
}

// Mux has every route with its rule, once. Hand it to rw.Protect as it is.
func (a *App) Mux() *authz.Mux {
	mux := authz.NewMux()
	mux.HandleFunc("GET /{$}", authz.Public(), a.home)
	mux.HandleFunc("GET /assets/{name}", authz.Public(), a.asset)

	own := func(pattern string, h handler) { mux.Handle(pattern, authz.SignedIn(), a.signedIn(h)) }
	own("GET /invoices", a.listInvoices)
	own("GET /invoices/new", a.newInvoice)
	own("POST /invoices", a.createInvoice)
	own("GET /invoices/export", a.exportAll)
	own("GET /invoices/{id}", a.showInvoice)
	own("POST /invoices/{id}", a.markInvoice)
	own("GET /invoices/{id}/export", a.exportOne)
	own("POST /invoices/{id}/comments", a.addComment)
	own("GET /search", a.search)
	own("GET /transfers", a.listTransfers)
	mux.Handle("POST /transfers", authz.SignedIn(), a.once(a.signedIn(a.makeTransfer)))
	own("GET /reports", a.chooseReport)
	own("POST /reports", a.makeReport)
	own("GET /webhook-target", a.chooseWebhook)
	own("POST /webhook-target", a.tryWebhook)
	own("GET /profile", a.showProfile)
	own("POST /profile", a.changeProfile)
	own("POST /profile/avatar", a.changeAvatar)
	own("GET /avatars/{id}", a.showAvatar)
	own("GET /go", a.goTo)

	mux.Handle("GET /admin/invoices", a.adminRule, a.signedIn(a.listAllInvoices))
	mux.Handle("GET /admin/invoices/{id}", a.adminRule, a.signedIn(a.showAnyInvoice))
	return mux
}

// handler answers a person. An error is answered by [App.fail].
type handler func(http.ResponseWriter, *http.Request, *session.Session) error

// signedIn finds the session, and keeps a row for whoever comes for the first time.
func (a *App) signedIn(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ok := session.From(r.Context())
		if !ok {
			a.fail(w, r, errSignIn)
			return
		}
		err := a.welcome(r.Context(), s)
		if err == nil {
			err = h(w, r, s)
		}
		if err != nil {
			a.fail(w, r, err)
		}
	})
}
