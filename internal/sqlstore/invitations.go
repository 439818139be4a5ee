package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	invitations = sqlsafe.List(`
		SELECT id, email, email_canonical, role, token_mac, invited_by, created_micros, expires_micros
		FROM ringwall_invitations
		WHERE TRUE`).OrderBy(`email_canonical`)
	invitationByToken = sqlsafe.New(`
		SELECT id, email, email_canonical, role, token_mac, invited_by, created_micros, expires_micros
		FROM ringwall_invitations
		WHERE token_mac = $1`)
	replaceInvitation = sqlsafe.New(`
		INSERT INTO ringwall_invitations (id, email, email_canonical, role, token_mac, invited_by, created_micros, expires_micros)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (email_canonical) DO UPDATE
		SET id = excluded.id, email = excluded.email, role = excluded.role, token_mac = excluded.token_mac, invited_by = excluded.invited_by,
			created_micros = excluded.created_micros, expires_micros = excluded.expires_micros`)
	takeInvitation = sqlsafe.New(`
		DELETE FROM ringwall_invitations
		WHERE token_mac = $1 AND expires_micros > $2`)
	deleteInvitation = sqlsafe.New(`DELETE FROM ringwall_invitations WHERE id = $1`)
	// Who has an account is not invited any more.
	deleteInvitationsFor = sqlsafe.New(`DELETE FROM ringwall_invitations WHERE email_canonical = $1`)
	deleteInvitationsBy  = sqlsafe.New(`DELETE FROM ringwall_invitations WHERE invited_by = $1`)
)

func scanInvitation(s scanner) (i account.Invitation, err error) {
	return i, s.Scan(&i.ID, &i.Email, &i.EmailCanonical, &i.Role, &i.TokenMAC, &i.InvitedBy, &i.CreatedMicros, &i.ExpiresMicros)
}

func (r reader) Invitations(ctx context.Context, after string, nowMicros int64, limit int) ([]account.Invitation, error) {
	return many(ctx, r.q, scanInvitation, invitations.And(`email_canonical > ?`, clean(after)).And(`expires_micros > ?`, nowMicros).Limit(limit))
}

func (r reader) InvitationByToken(ctx context.Context, tokenMAC []byte) (account.Invitation, error) {
	return missing(one(ctx, r.q, scanInvitation, invitationByToken.With(blob(tokenMAC))))
}

func (c *change) ReplaceInvitation(ctx context.Context, i account.Invitation) error {
	_, err := c.turn.exec(ctx, replaceInvitation.With(key(i.ID), clean(i.Email), clean(i.EmailCanonical), clean(i.Role), blob(i.TokenMAC), ref(i.InvitedBy),
		i.CreatedMicros, i.ExpiresMicros))
	return err
}

func (c *change) TakeInvitation(ctx context.Context, tokenMAC []byte, nowMicros int64) (bool, error) {
	n, err := c.turn.exec(ctx, takeInvitation.With(blob(tokenMAC), nowMicros))
	return n == 1, err
}

func (c *change) DeleteInvitation(ctx context.Context, id identity.ID) (bool, error) {
	n, err := c.turn.exec(ctx, deleteInvitation.With(key(id)))
	return n == 1, err
}

func (c *change) DeleteInvitationsBy(ctx context.Context, user identity.ID) error {
	_, err := c.turn.exec(ctx, deleteInvitationsBy.With(key(user)))
	return err
}
