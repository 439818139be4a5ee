package api

import (
	"context"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
)

type meReply struct {
	ID                identity.ID `json:"id" doc:"A UUID."`
	Email             string      `json:"email"`
	DisplayName       string      `json:"display_name"`
	Language          string      `json:"language" enum:",en,de" doc:"Of pages and mails; empty: as the browser says."`
	Roles             []string    `json:"roles"`
	CreatedAt         string      `json:"created_at" format:"date-time"`
	PasswordChangedAt string      `json:"password_changed_at" format:"date-time"`
}

func (a *API) me(ctx context.Context, req *chain.Request, _ none) (reply[meReply], error) {
	user, err := a.accounts.Me(ctx, req.Actor)
	return describeMe(user), err
}

func describeMe(u account.User) reply[meReply] {
	out := meReply{
		ID: u.ID, Email: u.Email, DisplayName: u.DisplayName, Language: u.Language, Roles: u.Roles,
		CreatedAt: at(u.CreatedMicros), PasswordChangedAt: at(u.PasswordChangedMicros),
	}
	if out.Roles == nil {
		out.Roles = []string{}
	}
	return reply[meReply]{body: &out}
}

// given is a text that may be left out, which says something else than an empty one.
type given struct{ text *string }

// UnmarshalText notes that the text was sent.
func (g *given) UnmarshalText(text []byte) error {
	sent := string(text)
	g.text = &sent
	return nil
}

type profileInput struct {
	DisplayName given `json:"display_name,omitempty" maxLength:"100" doc:"How pages and mails greet the person; empty: by no name."`
	Language    given `json:"language,omitempty" enum:",en,de" doc:"Of pages and mails; empty: as the browser says."`
}

func (a *API) changeMe(ctx context.Context, req *chain.Request, in profileInput) (reply[meReply], error) {
	user, err := a.accounts.ChangeProfile(ctx, req.Actor, account.Profile{DisplayName: in.DisplayName.text, Language: in.Language.text})
	return describeMe(user), err
}
