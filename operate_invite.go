package ringwall

import (
	"context"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
)

type inviteInput struct {
	Email    string `json:"email" required:"true" maxLength:"254"`
	Role     string `json:"role,omitempty" maxLength:"32"`
	Until    string `json:"until,omitempty" maxLength:"40"` // RFC 3339
	Reason   string `json:"reason,omitempty" maxLength:"500"`
	Language string `json:"language,omitempty" maxLength:"10"`
}

type inviteReply struct {
	ID        identity.ID `json:"id"`
	Email     string      `json:"email"`
	Role      string      `json:"role,omitempty"`
	ExpiresAt string      `json:"expires_at"`
	Link      string      `json:"link,omitempty"`
}

func (rw *Ringwall) inviteUser(ctx context.Context, by identity.Actor, in inviteInput) (inviteReply, error) {
	until, err := readTime("until", in.Until)
	if err != nil {
		return inviteReply{}, err
	}
	made, link, err := rw.accounts.Invite(ctx, by, account.Invite{Email: in.Email, Role: in.Role, Until: until, Reason: in.Reason, Language: in.Language})
	if err != nil {
		return inviteReply{}, err
	}
	if !rw.opt.Development {
		link = "" // in production the owner of the address alone learns it
	}
	return inviteReply{made.ID, made.Email, made.Role, stamp(made.ExpiresMicros), link}, nil
}
