package api

import (
	"context"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/sessions"
)

// adminRoutes are the table for administrators. All of them have the one rule of their group; the chain closes a route
// under /v1/admin that has another.
func (a *API) adminRoutes() []chain.Route {
	admin := a.chain.Admin
	refusals := func(more ...string) []string { return append(more, "forbidden", "fresh-required", "invalid") }
	return []chain.Route{
		route(a, "GET", "/v1/admin/users", admin, 200, a.adminUsers, "Find people, in the order of their addresses.", refusals()...),
		route(a, "GET", "/v1/admin/users/{id}", admin, 200, a.adminUser, "One person.", refusals("not-found")...),
		route(a, "GET", "/v1/admin/users/{id}/sessions", admin, 200, a.adminSessions, "Somebody's devices, last seen first.", refusals("not-found")...),
		route(a, "DELETE", "/v1/admin/users/{id}/sessions", admin, 204, a.adminEndSessions, "Sign somebody out everywhere.", refusals("not-found")...),
		route(a, "DELETE", "/v1/admin/sessions", admin, 200, a.adminEndAllSessions, "Sign everybody out everywhere, yourself included.", refusals()...),
		route(a, "DELETE", "/v1/admin/sessions/{id}", admin, 204, a.adminEndSession, "Sign out one device of anybody's.", refusals("not-found")...),
		route(a, "POST", "/v1/admin/users/{id}/lock", admin, 204, a.adminLock, "Lock an account, for good or until a time. All its sessions end.", refusals("not-found", "last-administrator")...),
		route(a, "POST", "/v1/admin/users/{id}/unlock", admin, 204, a.adminUnlock, "Unlock an account, and forget the tries that strangers have used up.", refusals("not-found")...),
		route(a, "POST", "/v1/admin/users/{id}/demand-reset", admin, 204, a.adminDemandReset, "Let the password open nothing until its owner has chosen another by the mailed link. All sessions end.", refusals("not-found")...),
		route(a, "PUT", "/v1/admin/users/{id}/roles/{role}", admin, 204, a.adminGrant, "Give a role.", refusals("not-found")...),
		route(a, "DELETE", "/v1/admin/users/{id}/roles/{role}", admin, 204, a.adminRevoke, "Take a role.", refusals("not-found", "last-administrator")...),
		route(a, "GET", "/v1/admin/users/{id}/metadata", admin, 200, a.adminMetadata, "What the application keeps about somebody.", refusals("not-found")...),
		route(a, "PATCH", "/v1/admin/users/{id}/metadata", admin, 200, a.adminChangeMetadata, "Change what the application keeps about somebody; what is left out stays.", refusals("not-found")...),
		route(a, "GET", "/v1/admin/invitations", admin, 200, a.adminInvitations, "The invitations that wait, in the order of their addresses.", refusals()...),
		route(a, "POST", "/v1/admin/invitations", admin, 201, a.adminInvite, "Invite somebody by mail; an earlier invitation of the address stops working.", refusals("conflict", "signup-closed")...),
		route(a, "DELETE", "/v1/admin/invitations/{id}", admin, 204, a.adminRevokeInvitation, "Take an invitation back.", refusals("not-found")...),
		route(a, "GET", "/v1/admin/limits", admin, 200, a.adminLimits, "What counts against a network address or a mail address, and what holds it up: which layer, since when, until when, why.", refusals()...),
		route(a, "POST", "/v1/admin/limits/clear", admin, 204, a.adminClearLimits, "Forget what an address has tried. Blocks and locks stay.", refusals()...),
		route(a, "GET", "/v1/admin/blocks", admin, 200, a.adminBlocks, "The networks that are kept out, the latest first.", refusals()...),
		route(a, "POST", "/v1/admin/blocks", admin, 201, a.adminBlock, "Keep a network out until a time, from its next request on. A block of the same network is replaced.", refusals("conflict")...),
		route(a, "DELETE", "/v1/admin/blocks", admin, 204, a.adminUnblock, "Let a network in again.", refusals("not-found")...),
		route(a, "GET", "/v1/admin/alerts", admin, 200, a.adminAlerts, "Open and closed alerts, the latest first.", refusals()...),
		route(a, "GET", "/v1/admin/webhooks", admin, 200, a.adminWebhooks, "The webhooks that were given up, the latest first.", refusals()...),
		route(a, "POST", "/v1/admin/webhooks/{id}/replay", admin, 204, a.adminReplay, "Send a webhook again that was given up, with the same id.", refusals("not-found")...),
		route(a, "GET", "/v1/admin/audit", admin, 200, a.adminAudit, "Read the audit log, newest first. A page may be short though `next` leads on.", refusals()...),
	}
}

// adminUserInfo is a person as administrators see them. What proves anything (hashes, tokens, codes) is in no answer.
type adminUserInfo struct {
	ID                identity.ID `json:"id" doc:"A UUID."`
	Email             string      `json:"email"`
	DisplayName       string      `json:"display_name"`
	Language          string      `json:"language,omitempty" doc:"Where the person chose one."`
	Roles             []string    `json:"roles"`
	CreatedAt         string      `json:"created_at" format:"date-time"`
	PasswordChangedAt string      `json:"password_changed_at,omitempty" format:"date-time" doc:"Missing: no password was chosen yet."`
	Locked            bool        `json:"locked"`
	LockedAt          string      `json:"locked_at,omitempty" format:"date-time"`
	LockedUntil       string      `json:"locked_until,omitempty" format:"date-time" doc:"Missing: the lock does not end by itself."`
	LockReason        string      `json:"lock_reason,omitempty"`
	ResetDemandedAt   string      `json:"reset_demanded_at,omitempty" format:"date-time" doc:"Since when the password opens nothing until it is reset."`
	DeleteAt          string      `json:"delete_at,omitempty" format:"date-time" doc:"When the account will be deleted."`
}

// optional is a time that may be none.
func optional(micros int64) string {
	if micros == 0 {
		return ""
	}
	return at(micros)
}

func (a *API) describeUser(u account.User) adminUserInfo {
	info := adminUserInfo{
		ID: u.ID, Email: u.Email, DisplayName: u.DisplayName, Language: u.Language, Roles: u.Roles, CreatedAt: at(u.CreatedMicros),
		PasswordChangedAt: optional(u.PasswordChangedMicros), ResetDemandedAt: optional(u.ResetDemandedMicros), DeleteAt: optional(u.DeleteMicros),
	}
	if info.Roles == nil {
		info.Roles = []string{}
	}
	if u.LockedAt(a.chain.Now()) {
		info.Locked, info.LockedAt, info.LockedUntil, info.LockReason = true, at(u.LockedMicros), optional(u.LockUntilMicros), u.LockReason
	}
	return info
}

type adminUserList struct {
	Users []adminUserInfo `json:"users"`
	Next  string          `json:"next,omitempty" doc:"Send it as cursor for the next page; missing on the last."`
}

func (a *API) adminUsers(ctx context.Context, req *chain.Request, in userQuery) (reply[adminUserList], error) {
	found, next, err := a.accounts.SearchUsers(ctx, req.Actor, account.UserSearch{Text: in.Search, Role: in.Role, Locked: in.Locked, Limit: in.Limit, Cursor: in.Cursor})
	out := adminUserList{Users: make([]adminUserInfo, 0, len(found)), Next: next}
	for _, u := range found {
		out.Users = append(out.Users, a.describeUser(u))
	}
	return reply[adminUserList]{body: &out}, err
}

type adminUserReply struct {
	User     adminUserInfo `json:"user"`
	Sessions int           `json:"sessions" doc:"How many are live."`
}

func (a *API) adminUser(ctx context.Context, req *chain.Request, in userID) (reply[adminUserReply], error) {
	user, live, err := a.accounts.Inspect(ctx, req.Actor, in.ID)
	return reply[adminUserReply]{body: &adminUserReply{a.describeUser(user), live}}, err
}

func (a *API) adminSessions(ctx context.Context, req *chain.Request, in userID) (reply[deviceList], error) {
	if _, err := a.accounts.FindUser(ctx, req.Actor, in.ID.String()); err != nil {
		return reply[deviceList]{}, err
	}
	found, err := a.accounts.SessionsOf(ctx, req.Actor, in.ID)
	out := describeDevices(found, req.Session.ID)
	return reply[deviceList]{body: &out}, err
}

func describeDevices(found []sessions.Session, current identity.ID) deviceList {
	out := deviceList{Sessions: make([]deviceInfo, 0, len(found))}
	for _, s := range found {
		out.Sessions = append(out.Sessions, deviceInfo{
			ID: s.ID, Device: sessions.DeviceLabel(s.UserAgent), IP: s.Address, UserAgent: s.UserAgent,
			CreatedAt: at(s.CreatedMicros), LastSeenAt: at(s.LastSeenMicros), ExpiresAt: at(s.ExpiresMicros), Current: s.ID == current,
		})
	}
	return out
}

// userID names a person in the path; what is no id is the same as an id of nobody.
type userID struct {
	ID identity.ID `path:"id"`
}

func (u *userID) readPath(r *http.Request) (err error) {
	if u.ID, err = identity.ParseID(r.PathValue("id")); err != nil {
		return problem.New(problem.Missing, "not-found", "There is nothing here that you may see.")
	}
	return nil
}

type userRole struct {
	userID
	Role string `path:"role"`
}

func (u *userRole) readPath(r *http.Request) error {
	u.Role = r.PathValue("role")
	return u.userID.readPath(r)
}

// because is what every act of an administrator says.
type because struct {
	Reason string `json:"reason" required:"true" maxLength:"500" doc:"Why; it goes into the audit log with your name."`
}

type (
	onID   = withBody[userID, because]
	onRole = withBody[userRole, because]
)

// onUser runs an act on a person, who must be there.
func (a *API) onUser(ctx context.Context, by identity.Actor, id identity.ID, act func(account.User) error) (reply[none], error) {
	user, err := a.accounts.FindUser(ctx, by, id.String())
	if err == nil {
		err = act(user)
	}
	return reply[none]{}, err
}

func (a *API) adminEndSessions(ctx context.Context, req *chain.Request, in onID) (reply[none], error) {
	return a.onUser(ctx, req.Actor, in.Path.ID, func(u account.User) error {
		_, err := a.accounts.EndSessions(ctx, req.Actor, u.ID, in.Body.Reason)
		return err
	})
}

func (a *API) adminEndSession(ctx context.Context, req *chain.Request, in onID) (reply[none], error) {
	return reply[none]{}, a.accounts.EndSession(ctx, req.Actor, in.Path.ID, in.Body.Reason)
}

// allSessions says whose they are, so that no request which has lost the id of a session ends everybody's.
type allSessions struct {
	Whose string `json:"whose" required:"true" enum:"everybody" doc:"Says that everybody is meant."`
	because
}

type endedReply struct {
	Ended int `json:"ended" doc:"How many there were."`
}

func (a *API) adminEndAllSessions(ctx context.Context, req *chain.Request, in allSessions) (reply[endedReply], error) {
	ended, err := a.accounts.EndAllSessions(ctx, req.Actor, in.Reason)
	return reply[endedReply]{body: &endedReply{ended}, cookies: a.chain.Cookies.EndSession}, err
}

type lockInput struct {
	because
	Until string `json:"until,omitempty" maxLength:"40" doc:"When the lock ends by itself, in RFC 3339; without it, when somebody unlocks."`
}

type lockUser = withBody[userID, lockInput]

func (a *API) adminLock(ctx context.Context, req *chain.Request, in lockUser) (reply[none], error) {
	var until time.Time
	if in.Body.Until != "" {
		var err error
		if until, err = time.Parse(time.RFC3339, in.Body.Until); err != nil {
			return reply[none]{}, problem.New(problem.Invalid, "invalid", "The end of the lock cannot be read.").
				With(problem.Field{Name: "/until", Code: "time", Detail: "Write it as 2026-03-12T09:41:00Z."})
		}
	}
	return a.onUser(ctx, req.Actor, in.Path.ID, func(u account.User) error { return a.accounts.Lock(ctx, req.Actor, u, until, in.Body.Reason) })
}

func (a *API) adminUnlock(ctx context.Context, req *chain.Request, in onID) (reply[none], error) {
	return a.onUser(ctx, req.Actor, in.Path.ID, func(u account.User) error { return a.accounts.Unlock(ctx, req.Actor, u, in.Body.Reason) })
}

func (a *API) adminDemandReset(ctx context.Context, req *chain.Request, in onID) (reply[none], error) {
	return a.onUser(ctx, req.Actor, in.Path.ID, func(u account.User) error { return a.accounts.DemandReset(ctx, req.Actor, u, in.Body.Reason) })
}

func (a *API) adminGrant(ctx context.Context, req *chain.Request, in onRole) (reply[none], error) {
	return a.onUser(ctx, req.Actor, in.Path.ID, func(u account.User) error {
		return a.accounts.Grant(ctx, req.Actor, u, in.Path.Role, in.Body.Reason)
	})
}

func (a *API) adminRevoke(ctx context.Context, req *chain.Request, in onRole) (reply[none], error) {
	return a.onUser(ctx, req.Actor, in.Path.ID, func(u account.User) error {
		return a.accounts.Revoke(ctx, req.Actor, u, in.Path.Role, in.Body.Reason)
	})
}
