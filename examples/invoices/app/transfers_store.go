package app

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

// Transfer is money that went from one to another, as one of them sees it.
type Transfer struct {
	Out    bool
	Other  string
	Amount Cents
	At     time.Time
}

// order is a transfer that somebody asks for.
type order struct {
	to     string
	amount Cents
	key    string // the same for each try
}

var (
	ownBalance   = sqlsafe.Owned(`SELECT balance_cents FROM people WHERE id = $1`)
	ownTransfers = sqlsafe.Owned(`
		SELECT t.owner_id = $1, COALESCE(p.email, p.display_name), t.amount_cents, t.created_micros
		FROM transfers t JOIN people p ON p.id = CASE WHEN t.owner_id = $1 THEN t.to_id ELSE t.owner_id END
		WHERE t.owner_id = $1 OR t.to_id = $1
		ORDER BY t.created_micros DESC, t.id
		LIMIT 50`)
	personByEmail  = sqlsafe.New(`SELECT id FROM people WHERE LOWER(email) = LOWER($1) LIMIT 1`)
	insertTransfer = sqlsafe.Owned(`
		INSERT INTO transfers (owner_id, id, to_id, amount_cents, key, created_micros)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (owner_id, key) DO NOTHING`)
	debit  = sqlsafe.Owned(`UPDATE people SET balance_cents = balance_cents - $2 WHERE id = $1 AND balance_cents >= $2`)
	credit = sqlsafe.New(`UPDATE people SET balance_cents = balance_cents + $2 WHERE id = $1`)
)

var (
	errNobody  = failure{status: http.StatusUnprocessableEntity, field: "to", detail: "Nobody here has this address."}
	errSelf    = failure{status: http.StatusUnprocessableEntity, field: "to", detail: "That is you: name somebody else."}
	errPoor    = failure{status: http.StatusUnprocessableEntity, field: "amount", detail: "You have less than that."}
	errKeyless = failure{status: http.StatusUnprocessableEntity, detail: "The form has no key. Load the page again."}
	errTwice   = failure{status: http.StatusConflict, detail: "This transfer was made already. Look at the list before you make another."}
)

// transfer moves money, all of it or nothing. Between the look at a balance and its change there is no time: both are one
// statement.
func (a *App) transfer(ctx context.Context, from session.Subject, o order) error {
	return a.as(ctx, from, func(tx *sqlsafe.Tx) error {
		if err := a.doneOnce(ctx, tx); err != nil {
			return err
		}
		if o.key == "" {
			return errKeyless
		}
		var to []byte
		switch err := tx.QueryRow(ctx, personByEmail.With(o.to)).Scan(&to); {
		case errors.Is(err, sql.ErrNoRows):
			return errNobody
		case err != nil:
			return err
		}
		self := from.ID()
		if bytes.Equal(to, self[:]) {
			return errSelf
		}
		steps := []step{{debit.For(from, int64(o.amount)), errPoor}, {credit.With(to, int64(o.amount)), errNobody}}
		if bytes.Compare(to, self[:]) < 0 { // all transfers lock people in one order, so that no two wait for each other
			steps[0], steps[1] = steps[1], steps[0]
		}
		kept := insertTransfer.For(from, uuid.NewString(), to, int64(o.amount), o.key, a.config.Now().UnixMicro())
		return runSteps(ctx, tx, append([]step{{kept, errTwice}}, steps...))
	})
}

// step is a statement that changes one row, or else fails with an error of its own.
type step struct {
	query     sqlsafe.Query
	otherwise error
}

func runSteps(ctx context.Context, tx *sqlsafe.Tx, steps []step) error {
	for _, s := range steps {
		result, err := tx.Exec(ctx, s.query)
		if err != nil {
			return err
		}
		switch n, err := result.RowsAffected(); {
		case err != nil:
			return err
		case n != 1:
			return s.otherwise
		}
	}
	return nil
}

func (a *App) purseOf(ctx context.Context, who session.Subject) (p purse, err error) {
	err = a.as(ctx, who, func(tx *sqlsafe.Tx) error {
		if err := tx.QueryRow(ctx, ownBalance.For(who)).Scan(&p.Balance); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, ownTransfers.For(who))
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var t Transfer
			var micros int64
			if err := rows.Scan(&t.Out, &t.Other, &t.Amount, &micros); err != nil {
				return err
			}
			t.At = time.UnixMicro(micros).UTC()
			p.Transfers = append(p.Transfers, t)
		}
		return rows.Err()
	})
	return p, err
}
