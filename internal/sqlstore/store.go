// Package sqlstore keeps everything that Ringwall stores, in SQLite or in PostgreSQL, with one set of statements.
//
//	store, err := sqlstore.Open(ctx, sqlstore.Config{Database: "sqlite:/var/lib/ringwall/ringwall.db"})
//	keys, err := secret.OpenKeyring(ctx, master, "production", store, time.Now)
//	store.UseKeyring(keys) // seals mails and the personal fields of the audit log from now on
//	…
//	store.Close()
//
// # SQLite
//
// One file, readable by its owner alone, in WAL mode. Opening it brings its schema up to date. One goroutine does all the
// writing: changes that wait share a transaction (each under a savepoint, so that one that fails undoes itself alone),
// and none is acknowledged before the COMMIT that holds it is on disk (synchronous=FULL: a weaker level could bring an
// ended session back after a power failure). Eight connections that cannot write serve the reads. The process is taken
// for the only writer; if another one commits nevertheless, that is noticed within a second and announced as an
// invalidation of everything.
//
// # PostgreSQL
//
// Two roles: [Migrate] runs as the owner of the tables and grants the other, as which [Open] connects, what it needs:
// no DDL, and of the audit log only reading and adding. [Store.RuntimeRole] reports whether that is so. A transaction
// that reads a person locks that person, so two changes about one person follow each other as they do on SQLite.
// A change that loses to a deadlock runs again. A lost server is an error of the calls meanwhile, and no restart is
// needed when it is back.
//
// # Errors
//
// What is missing is [account.ErrMissing] or [sessions.ErrMissing]. A database that is gone, full, read-only or too slow
// is the problem "unavailable" with its cause. Everything else is unforeseen.
//
// # What it does not do
//
// It decides nothing: whether a link has expired or a locked person may act is for its callers. It starts no worker
// except the writer, and [Store.Close] ends that.
package sqlstore

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/webhook"
	"github.com/ringwall/ringwall/sqlsafe"
)

// Config says where the data lies.
type Config struct {
	Database       string           // "sqlite:PATH" or "postgres://…" with the runtime role
	MaxConnections int              // PostgreSQL only. Default: 16
	Now            func() time.Time // Default: time.Now
	Log            *slog.Logger     // Default: none
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	reader
	config   Config
	engine   engine
	keys     atomic.Pointer[keys]
	receive  atomic.Pointer[func(sessions.Invalidation)]
	onCommit atomic.Pointer[hooks]
	onHook   atomic.Pointer[func()] // a webhook was queued
	follow   atomic.Pointer[func(context.Context, lifecycle.Tx, lifecycle.Happened) error]
}

type keys struct {
	ring  *secret.Keyring
	build *audit.Builder
}

type hooks struct{ mail, events func() }

// An engine runs transactions. Both deliver what a transaction made untrue after its COMMIT and before write returns.
type engine interface {
	// write runs job in a transaction, more than once if need be.
	write(ctx context.Context, job func(context.Context, *turn) error) error
	exact() bool
	close() error
}

var (
	_ account.Store         = (*Store)(nil)
	_ account.Tx            = (*change)(nil)
	_ sessions.Store        = (*Store)(nil)
	_ ceiling.Store         = (*Store)(nil)
	_ challenge.SpentStore  = (*Store)(nil)
	_ secret.KeyStore       = (*Store)(nil)
	_ mail.OutboxStore      = (*Store)(nil)
	_ webhook.OutboxStore   = (*Store)(nil)
	_ alerts.Store          = (*Store)(nil)
	_ alerts.Tx             = (*change)(nil)
	_ lifecycle.Tx          = (*change)(nil)
	_ audit.SealStore       = (*Store)(nil)
	_ limits.BlockStore     = (*Store)(nil)
	_ audit.RefusalStore    = (*Store)(nil)
	_ audit.ArchiveStore    = (*Store)(nil)
	_ audit.PersonKeys      = (*change)(nil)
	_ audit.PersonKeyReader = (*Store)(nil)
)

var (
	// ErrNoKeyring says that something had to be sealed before [Store.UseKeyring].
	ErrNoKeyring = errors.New("sqlstore: no keyring yet")
	// ErrNested says that a change was begun inside of another one, where it would wait for itself.
	ErrNested = errors.New("sqlstore: a change inside of a change")
	// ErrDatabase says that the setting names no database.
	ErrDatabase = errors.New(`the database must be "sqlite:PATH" or "postgres://…"`)

	errClosed = errors.New("the store is closed")
)

// Open opens the database. A SQLite file is made and brought up to date; a PostgreSQL database must have been migrated.
func Open(ctx context.Context, config Config) (*Store, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.MaxConnections == 0 {
		config.MaxConnections = 16
	}
	kind, path := split(config.Database)
	switch kind {
	case onSQLite:
		return openSQLite(ctx, config, path)
	case onPostgres:
		return openPostgres(ctx, config)
	}
	return nil, ErrDatabase
}

// kind is the sort of database.
type kind string

const (
	onSQLite   kind = "sqlite"
	onPostgres kind = "postgres"
)

// split reads the sort of database and, for SQLite, the path.
func split(database string) (kind, string) {
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok && path != "" && path != ":memory:" {
		return onSQLite, path
	}
	if u, err := url.Parse(database); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		return onPostgres, ""
	}
	return "", ""
}

// UseKeyring sets the keys that mails and audit rows are sealed with. The keys lie in the store, so they come after it.
func (s *Store) UseKeyring(ring *secret.Keyring) {
	s.keys.Store(&keys{ring: ring, build: audit.NewBuilder(ring, s.config.Now)})
}

// OnCommit sets what is called after each commit that queued a mail or wrote audit rows. Neither may block; nil is allowed.
func (s *Store) OnCommit(mails, events func()) {
	s.onCommit.Store(&hooks{mail: mails, events: events})
}

// OnWebhook sets what is called after each commit that queued a webhook. It may not block.
func (s *Store) OnWebhook(queued func()) { s.onHook.Store(&queued) }

// Follow sets what runs at the end of each change and in its transaction, with what it did: an error rolls the change back.
func (s *Store) Follow(run func(context.Context, lifecycle.Tx, lifecycle.Happened) error) {
	s.follow.Store(&run)
}

// OnInvalidate registers the one receiver of invalidations; see [sessions.Store].
func (s *Store) OnInvalidate(receive func(sessions.Invalidation)) (exact bool) {
	s.receive.Store(&receive)
	return s.engine.exact()
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := one(ctx, s.q, scanText, pingDatabase)
	return err
}

var pingDatabase = sqlsafe.New(`SELECT 'here'`)

// Close waits for the changes that were begun, refuses new ones and closes the database.
func (s *Store) Close() error {
	return s.engine.close()
}

// announce tells what a committed transaction did. The engine calls it in the order of commits.
func (s *Store) announce(e effects) {
	if receive := s.receive.Load(); receive != nil && (e.all || e.people || len(e.hashes)+len(e.users) > 0) {
		(*receive)(sessions.Invalidation{Sessions: e.hashes, Users: e.users, People: e.people, All: e.all})
	}
	if queued := s.onHook.Load(); queued != nil && e.webhook {
		(*queued)()
	}
	hooks := s.onCommit.Load()
	if hooks == nil {
		return
	}
	if e.mail && hooks.mail != nil {
		hooks.mail()
	}
	if e.events && hooks.events != nil {
		hooks.events()
	}
}
