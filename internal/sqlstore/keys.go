package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	dataKeys = sqlsafe.New(`
		SELECT id, purpose, key, created_micros FROM ringwall_keys
		ORDER BY purpose
		LIMIT 1000`)
	insertKey = sqlsafe.New(`
		INSERT INTO ringwall_keys (id, purpose, key, created_micros)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (purpose) DO NOTHING`)
	factNamed  = sqlsafe.New(`SELECT value FROM ringwall_facts WHERE name = $1`)
	insertFact = sqlsafe.New(`
		INSERT INTO ringwall_facts (name, value)
		VALUES ($1, $2)
		ON CONFLICT (name) DO NOTHING`)
)

// Keys reads the wrapped keys; see [secret.KeyStore].
func (s *Store) Keys(ctx context.Context) ([]secret.Wrapped, error) {
	return many(ctx, s.q, func(row scanner) (w secret.Wrapped, err error) {
		return w, row.Scan(&w.ID, &w.Purpose, &w.Key, &w.CreatedMicros)
	}, dataKeys)
}

// InsertKey stores a key unless its purpose has one; see [secret.KeyStore].
func (s *Store) InsertKey(ctx context.Context, w secret.Wrapped) (inserted bool, err error) {
	err = s.write(ctx, func(ctx context.Context, t *turn) error {
		n, err := t.exec(ctx, insertKey.With(key(w.ID), string(w.Purpose), blob(w.Key), w.CreatedMicros))
		inserted = n == 1
		return err
	})
	return inserted && err == nil, err
}

// ErrEnvironment says that the database belongs to another environment.
var ErrEnvironment = errors.New("the database belongs to another environment")

// Environment is the environment that the database belongs to; empty if [Store.ClaimEnvironment] was never called.
func (s *Store) Environment(ctx context.Context) (string, error) {
	return fact(ctx, s.q, "environment")
}

func fact(ctx context.Context, on querier, name string) (string, error) {
	found, err := many(ctx, on, scanText, factNamed.With(name))
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}

// ClaimEnvironment ties the database to an environment. The first call decides; any other environment is refused with
// [ErrEnvironment] from then on.
func (s *Store) ClaimEnvironment(ctx context.Context, environment string) error {
	if environment == "" || !storable(environment) {
		return errors.New("sqlstore: an environment needs a name")
	}
	var is string
	err := s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		if _, err = t.exec(ctx, insertFact.With("environment", environment)); err != nil {
			return err
		}
		is, err = fact(ctx, t, "environment")
		return err
	})
	if err == nil && is != environment {
		return fmt.Errorf("%w: it is that of %q and this server's is %q; point DATABASE or ENVIRONMENT at the right one", ErrEnvironment, is, environment)
	}
	return err
}
