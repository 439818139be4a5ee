package api

import (
	"context"
	"encoding/json"
	"net/http"

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
	EmailChange       *emailInfo  `json:"email_change,omitempty" doc:"The change of address that waits for its links; left out if there is none."`
	Metadata          ownMetadata `json:"metadata" doc:"What the application keeps here."`
}

type ownMetadata struct {
	Public json.RawMessage `json:"public" doc:"The application writes it."`
	Own    json.RawMessage `json:"own" doc:"The person writes it."`
}

type emailInfo struct {
	Email     string `json:"email" doc:"The new address."`
	ExpiresAt string `json:"expires_at" format:"date-time"`
	Approved  bool   `json:"approved" doc:"The link to the old address was used."`
	Confirmed bool   `json:"confirmed" doc:"The link to the new address was used."`
}

func (a *API) me(ctx context.Context, req *chain.Request, _ none) (reply[meReply], error) {
	user, err := a.accounts.Me(ctx, req.Actor)
	return describeMe(user), err
}

func describeMe(u account.Me) reply[meReply] {
	out := meReply{
		ID: u.ID, Email: u.Email, DisplayName: u.DisplayName, Language: u.Language, Roles: u.Roles,
		CreatedAt: at(u.CreatedMicros), PasswordChangedAt: at(u.PasswordChangedMicros), Metadata: ownMetadata{u.Metadata.Public, u.Metadata.Own},
	}
	if out.Roles == nil {
		out.Roles = []string{}
	}
	if w := u.Pending; w != nil {
		out.EmailChange = &emailInfo{Email: w.Email, ExpiresAt: at(w.ExpiresMicros), Approved: w.ApprovedMicros != 0, Confirmed: w.ConfirmedMicros != 0}
	}
	return reply[meReply]{body: &out}
}

// given is a text that may be left out, which says something else than an empty one. Its choices are for the description:
// package input judges those of strings alone, and whoever takes a given judges it.
type given struct{ text *string }

// UnmarshalText notes that the text was sent.
func (g *given) UnmarshalText(text []byte) error {
	sent := string(text)
	g.text = &sent
	return nil
}

type profileInput struct {
	DisplayName given `json:"display_name,omitempty" maxLength:"100" doc:"How pages and mails greet the person; empty: by no name."`
	Language    given `json:"language,omitempty" choices:",en,de" doc:"Of pages and mails; empty: as the browser says."`

	Metadata ownChange `json:"metadata,omitempty" doc:"A change of what the application keeps here."`
}

type ownChange struct {
	Own json.RawMessage `json:"own,omitempty" doc:"A JSON merge patch (RFC 7396): what is left out stays, null takes a member away. It must fit the service's schema."`
}

func (a *API) changeMe(ctx context.Context, req *chain.Request, in profileInput) (reply[meReply], error) {
	user, err := a.accounts.ChangeProfile(ctx, req.Actor, account.Profile{DisplayName: in.DisplayName.text, Language: in.Language.text, Own: in.Metadata.Own})
	return describeMe(user), err
}

type newEmailInput struct {
	Email    string `json:"email" required:"true" maxLength:"254" doc:"The new address."`
	Password string `json:"password" anyText:"true" required:"true" maxLength:"1024" doc:"The current one."`
}

func (a *API) requestEmail(ctx context.Context, req *chain.Request, in newEmailInput) (reply[none], error) {
	return reply[none]{}, a.accounts.RequestEmailChange(ctx, req.Actor, in.Email, in.Password, req.Device, req.Lang())
}

func (a *API) cancelEmail(ctx context.Context, req *chain.Request, _ none) (reply[none], error) {
	return reply[none]{}, a.accounts.CancelEmailChange(ctx, req.Actor)
}

type emailLinkInput struct {
	Token    string `json:"token" required:"true" maxLength:"100" doc:"Of the link to the old or to the new address."`
	Password string `json:"password,omitempty" anyText:"true" maxLength:"1024" doc:"Of the account; needed for the link to the new address where nobody is signed in."`
}

type emailLinkReply struct {
	Changed bool `json:"changed" doc:"The address is changed; if false, the link to the other address must be used too."`

	CSRFToken string `json:"csrf_token,omitempty" doc:"Where the address was changed in a session: that has a new id, and this is its token."`
	Token     string `json:"token,omitempty" doc:"The same of a bearer session: its new token. It is shown this once."`
}

func (a *API) useEmailLink(ctx context.Context, req *chain.Request, in emailLinkInput) (reply[emailLinkReply], error) {
	used, err := a.accounts.UseEmailLink(ctx, req.Actor, in.Token, in.Password, req.Lang())
	out := reply[emailLinkReply]{body: &emailLinkReply{Changed: used.Changed}}
	if used.Renewed.Token.IsZero() {
		return out, err
	}
	out.body.CSRFToken = a.chain.TokenFor(used.Renewed.Session.ID)
	if used.Renewed.Session.Bearer {
		out.body.Token = used.Renewed.Token.Reveal()
	} else {
		out.cookies = func(w http.ResponseWriter) { a.chain.Cookies.StartSession(w, used.Renewed) }
	}
	return out, err
}
