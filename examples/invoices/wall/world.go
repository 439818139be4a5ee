package wall

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/examples/invoices/app"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/password"
)

// Config says where a [World] stands.
type Config struct {
	App             string            // origin of the application
	Sibling         string            // origin of another host of the same site, which Mallory has taken over; "" if there is none
	Evil            string            // origin of Mallory's own site
	Dir             string            // for the databases
	Database, Owner string            // of the application, as it serves and as its tables are made. Default: SQLite in Dir
	Role            string            // that serves, on PostgreSQL
	Client          http.RoundTripper // reaches the three
	Now             func() time.Time  // Default: time.Now
	Log             *slog.Logger      // Default: none
}

// World is one Ringwall with the application behind it, and the attacker's sites beside it. [World.Set] takes layers
// away and puts them back while it runs.
type World struct {
	Config

	served  atomic.Pointer[http.Handler]
	mu      sync.Mutex // of what follows, and of runs: one attack at a time
	rw      *ringwall.Ringwall
	db      *sql.DB
	dialect app.Dialect
	off     Off
	mails   *hostMails
	people  int
	lures   lures

	ahead atomic.Int64
}

// The limits that a brute force meets. They are lower than what is set when nothing is set, so that nobody waits.
const (
	guessesAMinute = 20
	guessesOfAll   = 30
)

// New starts a world with all layers on. Close ends it.
func New(ctx context.Context, c Config) (*World, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	w := &World{Config: c, off: Off{}}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(err, w.Close(ctx))
	}
	return w, w.Set(ctx, nil)
}

func (w *World) open(ctx context.Context) error {
	if w.Database == "" {
		w.Database = "sqlite:" + filepath.Join(w.Dir, "invoices.db")
		w.Owner = w.Database
	}
	owner, dialect, err := app.Open(w.Owner)
	if err != nil {
		return err
	}
	_, err = app.Migrate(ctx, owner, dialect, w.Role)
	if err := errors.Join(err, owner.Close()); err != nil {
		return err
	}
	if w.db, w.dialect, err = app.Open(w.Database); err != nil {
		return err
	}
	return w.start(ctx, nil)
}

// start starts Ringwall with or without those of its layers that are options.
func (w *World) start(ctx context.Context, off Off) (err error) {
	o := ringwall.Options{
		Database: "sqlite:" + filepath.Join(w.Dir, "ringwall.db"), Origins: []string{w.App}, Development: true, ServiceName: "Invoices",
		Argon2id:    password.Params{MemoryKiB: 19456, Time: 2, Parallelism: 1}, // the floor: this is no place for real passwords
		Roles:       map[string][]string{"accountant": {app.ReadAll}},
		LimitGlobal: guessesOfAll, NoLimitAddress: off[addressLimit], Now: w.now, Log: w.Log,
	}
	if off[ceiling] {
		o.LimitGlobal = -1
	}
	w.rw, err = ringwall.New(ctx, o)
	return err
}

// now is the clock of the world: attacks begin an hour after the one before, so that no limit remembers.
func (w *World) now() time.Time { return w.Config.Now().Add(time.Duration(w.ahead.Load())) }

// Set makes the layers of off be out, and all others in.
func (w *World) Set(ctx context.Context, off Off) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.set(ctx, off)
}

func (w *World) set(ctx context.Context, off Off) error {
	if w.off[addressLimit] != off[addressLimit] || w.off[ceiling] != off[ceiling] {
		if err := w.rw.Close(ctx); err != nil {
			return err
		}
		if err := w.start(ctx, off); err != nil {
			return err
		}
	}
	h, err := w.handler(ctx, off)
	if err != nil {
		return err
	}
	w.served.Store(&h)
	w.off = off
	return nil
}

// handler is the application behind Protect. With all layers on it is just that: nothing of this package stands between.
func (w *World) handler(ctx context.Context, off Off) (http.Handler, error) {
	config := w.appConfig()
	var ours []string
	for _, l := range Layers() {
		switch {
		case !off[l.ID]:
		case l.Owner == "application":
			config.Off[app.ID(l.ID)] = true
		case l.Owner == "chain":
			ours = append(ours, l.ID)
		}
	}
	invoices, err := app.New(ctx, config)
	if err != nil {
		return nil, err
	}
	var h http.Handler
	if off[string(app.StrictRouting)] {
		h = w.rw.Protect(invoices.Handler(), app.Public()...)
	} else {
		h = w.rw.Protect(invoices.Mux())
	}
	if len(ours) > 0 {
		h = chain.Without(h, ours...)
	}
	w.mails = nil
	if off[mailLinks] {
		w.mails = &hostMails{origin: w.App, next: h}
		h = w.mails
	}
	if off[newToken] {
		name := "__Host-ringwall"
		if off["cookie-prefix"] {
			name = "ringwall"
		}
		h = &keptSessions{next: h, name: name, kept: map[string]string{}}
	}
	if off[accountLimit] {
		h = uncounted{h, w.rw}
	}
	return h, nil
}

// ServeHTTP is the application.
func (w *World) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	(*w.served.Load()).ServeHTTP(rw, r)
}

// Off is which layers are out.
func (w *World) Off() Off {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.off
}

// Close ends the world.
func (w *World) Close(ctx context.Context) error {
	var errs []error
	if w.rw != nil {
		errs = append(errs, w.rw.Close(ctx))
	}
	if w.db != nil {
		errs = append(errs, w.db.Close())
	}
	return errors.Join(errs...)
}

// operate runs a command of an operator.
func (w *World) operate(ctx context.Context, command string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := w.rw.Operate(ctx, "wall", command, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// Recorded is how often an event stands in the audit log.
func (w *World) Recorded(ctx context.Context, event string) (n int64, err error) {
	var log struct {
		Events []struct{ Count int64 }
	}
	err = w.operate(ctx, "audit.tail", map[string]any{"event": event, "limit": 1000}, &log)
	for _, e := range log.Events {
		n += e.Count
	}
	return n, err
}

// Person is somebody with an account.
type Person struct {
	Name, Email, Password string

	cookies map[string]string // as their browser or program keeps them
	csrf    string
}

const passphrase = "correct horse battery staple"

// person makes somebody whom nobody has met.
func (w *World) person(ctx context.Context, name string, roles ...string) (*Person, error) {
	w.people++
	p := &Person{Name: name, Email: fmt.Sprintf("%s-%d@example.org", strings.ToLower(name), w.people), Password: passphrase, cookies: map[string]string{}}
	in := map[string]any{"email": p.Email, "display_name": name, "password": p.Password}
	if len(roles) > 0 {
		in["roles"] = roles
	}
	return p, w.operate(ctx, "user.create", in, nil)
}
