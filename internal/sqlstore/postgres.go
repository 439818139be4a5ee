package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ringwall/ringwall/sqlsafe"
)

const (
	connectPatience = 3 * time.Second
	callPatience    = 5 * time.Second // for a free connection and the answer together
	attempts        = 8               // of a change that loses to others
)

// postgres runs transactions on a pool of connections.
type postgres struct {
	store *Store
	db    *sqlsafe.DB
}

func openPostgres(ctx context.Context, config Config) (*Store, error) {
	db, err := connect(config.Database, config.MaxConnections, "10s")
	if err != nil {
		return nil, err
	}
	if err := openSchema(ctx, db, onPostgres); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", fault(err)), db.Close())
	}
	safe := sqlsafe.Wrap(db)
	s := &Store{config: config, reader: reader{q: pool{db: safe, patient: callPatience}, now: config.Now}}
	s.engine = &postgres{store: s, db: safe}
	return s, nil
}

// connect makes a pool; it does not connect yet. Connections stay open: one that is closed when idle would prepare every
// statement again. The server ends what takes too long by itself, whatever becomes of us.
func connect(database string, connections int, statementTimeout string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return nil, fmt.Errorf("read the database's URL: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectPatience
	}
	for name, value := range map[string]string{
		"application_name": "ringwall", "statement_timeout": statementTimeout, "lock_timeout": "5s", "idle_in_transaction_session_timeout": "15s",
	} {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

func (p *postgres) exact() bool  { return false }
func (p *postgres) close() error { return p.db.Unsafe().Close() }

// uneven is a wait of up to most, so that two changes that met do not meet again.
func uneven(most time.Duration) time.Duration {
	return time.Duration(time.Now().UnixNano()) % most
}

// write runs a change, and again if it loses to another one.
func (p *postgres) write(ctx context.Context, run func(context.Context, *turn) error) error {
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := p.once(ctx, run)
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			err = ctx.Err() // that is why it was undone, which the driver tells as if it had been used after its end
		}
		err = fault(err)
		if attempt == attempts || !again(err) {
			return err
		}
		select {
		case <-time.After(uneven(time.Duration(attempt) * 10 * time.Millisecond)):
		case <-ctx.Done():
			return fault(ctx.Err())
		}
	}
}

func (p *postgres) once(ctx context.Context, run func(context.Context, *turn) error) error {
	tx, err := p.db.Begin(ctx)
	if err != nil {
		return err
	}
	t := &turn{tx: tx, lock: true}
	if err := guarded(ctx, t, run, p.store.config.Log); err != nil {
		_ = tx.Rollback() // if the connection is lost, the server does it by itself
		return err
	}
	err = tx.Commit()
	p.store.announce(t.effects) // also after an error: nobody knows for certain whether it was committed
	return err
}
