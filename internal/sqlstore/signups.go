package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	signupByToken = sqlsafe.New(`
		SELECT id, email, email_canonical, display_name, network, password, token_mac, code_mac, flow_mac, code_tries, code_micros, created_micros, expires_micros
		FROM ringwall_signups
		WHERE token_mac = $1`)
	signupsByEmail = sqlsafe.New(`
		SELECT id, email, email_canonical, display_name, network, password, token_mac, code_mac, flow_mac, code_tries, code_micros, created_micros, expires_micros
		FROM ringwall_signups
		WHERE email_canonical = $1
		ORDER BY created_micros DESC, id DESC
		LIMIT 30`)
	insertSignup = sqlsafe.New(`
		INSERT INTO ringwall_signups (id, email, email_canonical, display_name, network, password, token_mac, code_mac, flow_mac, code_tries, code_micros, created_micros, expires_micros)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`)
	deleteOldSignups = sqlsafe.New(`
		DELETE FROM ringwall_signups
		WHERE id IN (
			SELECT id FROM ringwall_signups
			WHERE email_canonical = $1 AND network = $2
			ORDER BY created_micros DESC, id DESC
			LIMIT 1000 OFFSET 3)`)
	deleteMostSignups = sqlsafe.New(`
		DELETE FROM ringwall_signups
		WHERE id IN (
			SELECT id FROM ringwall_signups
			WHERE email_canonical = $1
			ORDER BY created_micros DESC, id DESC
			LIMIT 1000 OFFSET 30)`)
	replaceSignupSecrets = sqlsafe.New(`
		UPDATE ringwall_signups
		SET token_mac = $2, code_mac = $3, code_micros = $4, code_tries = 0
		WHERE id = $1`)
	takeSignup = sqlsafe.New(`
		DELETE FROM ringwall_signups
		WHERE id = $1 AND token_mac = $2 AND expires_micros > $3`)
	countSignupTries = sqlsafe.New(`
		UPDATE ringwall_signups
		SET code_tries = code_tries + 1
		WHERE email_canonical = $1 AND code_tries < $2 AND code_micros > $3
		RETURNING id, email, email_canonical, display_name, network, password, token_mac, code_mac, flow_mac, code_tries, code_micros, created_micros, expires_micros`)
	clearSignupTries = sqlsafe.New(`UPDATE ringwall_signups SET code_tries = 0 WHERE email_canonical = $1`)
	deleteSignups    = sqlsafe.New(`DELETE FROM ringwall_signups WHERE email_canonical = $1`)
)

func (r reader) SignupByToken(ctx context.Context, tokenMAC []byte) (account.Signup, error) {
	return missing(one(ctx, r.q, scanSignup, signupByToken.With(blob(tokenMAC))))
}

func (r reader) SignupsByEmail(ctx context.Context, canonical string) ([]account.Signup, error) {
	if !storable(canonical) {
		return nil, nil
	}
	return many(ctx, r.q, scanSignup, signupsByEmail.With(canonical))
}

func scanSignup(s scanner) (u account.Signup, err error) {
	return u, s.Scan(&u.ID, &u.Email, &u.EmailCanonical, &u.DisplayName, &u.Network, &u.Password, &u.TokenMAC, &u.CodeMAC, &u.FlowMAC, &u.CodeTries,
		&u.CodeMicros, &u.CreatedMicros, &u.ExpiresMicros)
}

func (c *change) InsertSignup(ctx context.Context, u account.Signup) error {
	_, err := c.turn.exec(ctx, insertSignup.With(key(u.ID), clean(u.Email), clean(u.EmailCanonical), clean(u.DisplayName), clean(u.Network), blob(u.Password), blob(u.TokenMAC),
		blob(u.CodeMAC), blob(u.FlowMAC), int64(u.CodeTries), u.CodeMicros, u.CreatedMicros, u.ExpiresMicros))
	if err != nil {
		return err
	}
	if _, err = c.turn.exec(ctx, deleteOldSignups.With(clean(u.EmailCanonical), clean(u.Network))); err != nil {
		return err
	}
	_, err = c.turn.exec(ctx, deleteMostSignups.With(clean(u.EmailCanonical)))
	return err
}

func (c *change) ReplaceSignupSecrets(ctx context.Context, id identity.ID, tokenMAC, codeMAC []byte, nowMicros int64) error {
	_, err := c.turn.exec(ctx, replaceSignupSecrets.With(key(id), blob(tokenMAC), blob(codeMAC), nowMicros))
	return err
}

func (c *change) TakeSignup(ctx context.Context, id identity.ID, tokenMAC []byte, nowMicros int64) (bool, error) {
	n, err := c.turn.exec(ctx, takeSignup.With(key(id), blob(tokenMAC), nowMicros))
	return n == 1, err
}

// CountSignupTries counts one try of every live code of an address, in one statement; see [account.Store].
func (s *Store) CountSignupTries(ctx context.Context, canonical string, most int, madeAfterMicros int64) (open []account.Signup, err error) {
	err = s.write(ctx, func(ctx context.Context, t *turn) (err error) {
		open, err = many(ctx, t, scanSignup, countSignupTries.With(clean(canonical), int64(most), madeAfterMicros))
		return err
	})
	return open, err
}

func (c *change) ClearSignupTries(ctx context.Context, canonical string) error {
	_, err := c.turn.exec(ctx, clearSignupTries.With(clean(canonical)))
	return err
}

func (c *change) DeleteSignups(ctx context.Context, canonical string) error {
	_, err := c.turn.exec(ctx, deleteSignups.With(clean(canonical)))
	return err
}
