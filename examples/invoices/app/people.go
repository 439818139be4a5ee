package app

import (
	"context"
	"database/sql"
	"errors"

	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// WelcomeCents is what everybody has to begin with: this is play money.
const WelcomeCents Cents = 100_00

var (
	knownPerson = sqlsafe.Owned(`SELECT 1 FROM people WHERE id = $1 AND email = $2`)
	freeAddress = sqlsafe.Owned(`UPDATE people SET email = NULL WHERE id <> $1 AND email = $2`)
	keepPerson  = sqlsafe.Owned(`
		INSERT INTO people (id, email, display_name, about, balance_cents, picture_type)
		VALUES ($1, $2, $3, '', $4, '')
		ON CONFLICT (id) DO UPDATE SET email = excluded.email`)
)

// welcome keeps a row for a person. Name and address come from the session: Ringwall has proved whose the address is, so it
// is nobody else's any more.
func (a *App) welcome(ctx context.Context, s *session.Session) error {
	var known int
	err := a.db.QueryRow(ctx, knownPerson.For(s.Subject(), s.Email)).Scan(&known)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return a.as(ctx, s.Subject(), func(tx *sqlsafe.Tx) error {
		if _, err := tx.Exec(ctx, freeAddress.For(s.Subject(), s.Email)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, keepPerson.For(s.Subject(), s.Email, s.DisplayName, int64(WelcomeCents)))
		return err
	})
}

// as runs job in a transaction of one person. On PostgreSQL the tables hold it to their rows besides.
func (a *App) as(ctx context.Context, who session.Subject, job func(*sqlsafe.Tx) error) error {
	tx, err := a.begin(ctx, who)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := job(tx); err != nil {
		return err
	}
	return tx.Commit()
}
