package api

import (
	"context"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

type invitationInfo struct {
	ID        identity.ID `json:"id" doc:"A UUID: names the invitation, opens nothing."`
	Email     string      `json:"email"`
	Role      string      `json:"role,omitempty" doc:"Granted with the account."`
	InvitedBy string      `json:"invited_by,omitempty" doc:"The id of an administrator; missing where it was a command."`
	CreatedAt string      `json:"created_at" format:"date-time"`
	ExpiresAt string      `json:"expires_at" format:"date-time"`
}

func describeInvitation(i account.Invitation) invitationInfo {
	info := invitationInfo{ID: i.ID, Email: i.Email, Role: i.Role, CreatedAt: at(i.CreatedMicros), ExpiresAt: at(i.ExpiresMicros)}
	if !i.InvitedBy.IsZero() {
		info.InvitedBy = i.InvitedBy.String()
	}
	return info
}

type inviteInput struct {
	because
	Email     string `json:"email" required:"true" maxLength:"254" doc:"The address that the link is mailed to, and that the account will have."`
	Role      string `json:"role,omitempty" maxLength:"32" doc:"Granted with the account."`
	ExpiresAt string `json:"expires_at,omitempty" maxLength:"40" doc:"In RFC 3339, at most 30 days from now; three days from now if it is missing."`
	Language  string `json:"language,omitempty" maxLength:"10" doc:"Of the mail: en or de."`
}

func (a *API) adminInvite(ctx context.Context, req *chain.Request, in inviteInput) (reply[invitationInfo], error) {
	var until time.Time
	if in.ExpiresAt != "" {
		var err error
		if until, err = time.Parse(time.RFC3339, in.ExpiresAt); err != nil {
			return reply[invitationInfo]{}, problem.New(problem.Invalid, "invalid", "The end of the invitation cannot be read.").
				With(problem.Field{Name: "/expires_at", Code: "time", Detail: "Write it as 2026-03-12T09:41:00Z."})
		}
	}
	made, _, err := a.accounts.Invite(ctx, req.Actor, account.Invite{Email: in.Email, Role: in.Role, Until: until, Reason: in.Reason, Language: in.Language})
	out := describeInvitation(made)
	return reply[invitationInfo]{body: &out}, err
}

type pageQuery struct {
	Limit  int    `query:"limit" doc:"1 to 500; 50 if it is missing."`
	Cursor string `query:"cursor" doc:"The next of an earlier page."`
}

func (in *pageQuery) readPath(r *http.Request) error {
	q := readQuery(r, "limit", "cursor")
	in.Limit, in.Cursor = q.limit(mostRows), q.text("cursor", 2000)
	return q.err()
}

type invitationList struct {
	Invitations []invitationInfo `json:"invitations"`
	Next        string           `json:"next,omitempty" doc:"Send it as cursor for the next page; missing on the last."`
}

func (a *API) adminInvitations(ctx context.Context, req *chain.Request, in pageQuery) (reply[invitationList], error) {
	found, next, err := a.accounts.Invitations(ctx, req.Actor, in.Limit, in.Cursor)
	out := invitationList{Invitations: make([]invitationInfo, 0, len(found)), Next: next}
	for _, i := range found {
		out.Invitations = append(out.Invitations, describeInvitation(i))
	}
	return reply[invitationList]{body: &out}, err
}

func (a *API) adminRevokeInvitation(ctx context.Context, req *chain.Request, in onID) (reply[none], error) {
	return reply[none]{}, a.accounts.RevokeInvitation(ctx, req.Actor, in.Path.ID, in.Body.Reason)
}

type acceptInput struct {
	Token       string `json:"token" required:"true" maxLength:"100" doc:"Of the mailed link."`
	Password    string `json:"password" anyText:"true" required:"true" maxLength:"1024" doc:"15 to 256 characters; any character counts."`
	DisplayName string `json:"display_name,omitempty" maxLength:"100" doc:"How pages and mails greet the person; at most 100 characters."`
}

func (a *API) acceptInvitation(ctx context.Context, req *chain.Request, in acceptInput) (reply[none], error) {
	_, err := a.accounts.AcceptInvitation(ctx, req.Actor, account.Accept{Token: in.Token, Password: in.Password, DisplayName: in.DisplayName})
	return reply[none]{}, err
}
