package sqlstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	emailChange = sqlsafe.Owned(`
		SELECT user_id, email, email_canonical, approve_mac, confirm_mac, approved_micros, confirmed_micros, created_micros, expires_micros
		FROM ringwall_email_changes
		WHERE user_id = $1`)
	emailChangeByToken = sqlsafe.New(`
		SELECT user_id, email, email_canonical, approve_mac, confirm_mac, approved_micros, confirmed_micros, created_micros, expires_micros
		FROM ringwall_email_changes
		WHERE approve_mac = $1 OR confirm_mac = $1
		LIMIT 1`)
	putEmailChange = sqlsafe.Owned(`
		INSERT INTO ringwall_email_changes (user_id, email, email_canonical, approve_mac, confirm_mac, approved_micros, confirmed_micros, created_micros, expires_micros)
		VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $7)
		ON CONFLICT (user_id) DO UPDATE
		SET email = excluded.email, email_canonical = excluded.email_canonical, approve_mac = excluded.approve_mac, confirm_mac = excluded.confirm_mac,
			approved_micros = 0, confirmed_micros = 0, created_micros = excluded.created_micros, expires_micros = excluded.expires_micros`)
	approveEmailChange = sqlsafe.New(`
		UPDATE ringwall_email_changes
		SET approved_micros = $2
		WHERE approve_mac = $1 AND approved_micros = 0 AND expires_micros > $2`)
	confirmEmailChange = sqlsafe.New(`
		UPDATE ringwall_email_changes
		SET confirmed_micros = $2
		WHERE confirm_mac = $1 AND confirmed_micros = 0 AND expires_micros > $2`)
	deleteEmailChange = sqlsafe.Owned(`DELETE FROM ringwall_email_changes WHERE user_id = $1`)
	setEmail          = sqlsafe.New(`
		UPDATE ringwall_users
		SET email = $2, email_canonical = $3
		WHERE id = $1 AND NOT EXISTS (SELECT id FROM ringwall_users WHERE email_canonical = $3 AND id <> $1)`)
)

func (r reader) EmailChange(ctx context.Context, owner identity.Subject) (account.EmailChange, error) {
	return missing(one(ctx, r.q, scanEmailChange, emailChange.For(owner)))
}

func (r reader) EmailChangeByToken(ctx context.Context, tokenMAC []byte) (account.EmailChange, error) {
	return missing(one(ctx, r.q, scanEmailChange, emailChangeByToken.With(blob(tokenMAC))))
}

func scanEmailChange(s scanner) (e account.EmailChange, err error) {
	return e, s.Scan(&e.User, &e.Email, &e.EmailCanonical, &e.ApproveMAC, &e.ConfirmMAC, &e.ApprovedMicros, &e.ConfirmedMicros, &e.CreatedMicros, &e.ExpiresMicros)
}

func (c *change) PutEmailChange(ctx context.Context, owner identity.Subject, e account.EmailChange) error {
	_, err := c.turn.exec(ctx, putEmailChange.For(owner, clean(e.Email), clean(e.EmailCanonical), blob(e.ApproveMAC), blob(e.ConfirmMAC), e.CreatedMicros, e.ExpiresMicros))
	return err
}

func (c *change) ApproveEmailChange(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error) {
	n, err := c.turn.exec(ctx, approveEmailChange.With(blob(tokenMAC), nowMicros))
	return n == 1, err
}

func (c *change) ConfirmEmailChange(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error) {
	n, err := c.turn.exec(ctx, confirmEmailChange.With(blob(tokenMAC), nowMicros))
	return n == 1, err
}

func (c *change) DeleteEmailChange(ctx context.Context, owner identity.Subject) (bool, error) {
	n, err := c.turn.exec(ctx, deleteEmailChange.For(owner))
	return n == 1, err
}

func (c *change) SetEmail(ctx context.Context, user identity.ID, email, canonical string) error {
	err := c.toUser(ctx, user, setEmail.With(key(user), clean(email), clean(canonical)))
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23505" { // another transaction was first
		return account.ErrTaken
	}
	if !errors.Is(err, account.ErrMissing) {
		return err
	}
	if _, err := c.UserByID(ctx, user); err != nil {
		return err
	}
	return account.ErrTaken
}
