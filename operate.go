package ringwall

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
)

// Operate runs one command of an operator, JSON in and JSON out: the door that `ringwall user …`, `role …`, `limits …` and
// `audit …` use, directly or through the control socket of a running server. Whoever may call it may do everything;
// operator is the name of their system account, for the audit log. Errors are problems with a sentence for people.
func (rw *Ringwall) Operate(ctx context.Context, operator, command string, body []byte) ([]byte, error) {
	run, ok := commands[command]
	if !ok {
		return nil, problem.New(problem.Missing, "not-found", "There is no such command.")
	}
	out, err := run(rw, ctx, identity.NewOperator(operator), body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

type command func(rw *Ringwall, ctx context.Context, by identity.Actor, body []byte) (any, error)

// commands is never changed.
var commands = map[string]command{
	"user.create":    operation((*Ringwall).createUser),
	"user.list":      operation((*Ringwall).listUsers),
	"user.show":      operation((*Ringwall).showUser),
	"user.lock":      operation((*Ringwall).lockUser),
	"user.unlock":    operation((*Ringwall).unlockUser),
	"user.email":     operation((*Ringwall).changeAddress),
	"user.grant":     operation((*Ringwall).grantRole),
	"user.revoke":    operation((*Ringwall).revokeRole),
	"user.invite":    operation((*Ringwall).inviteUser),
	"user.import":    operation((*Ringwall).importUsers),
	"user.export":    operation((*Ringwall).exportUsers),
	"session.list":   operation((*Ringwall).listSessions),
	"session.revoke": operation((*Ringwall).revokeSessions),
	"role.list":      operation((*Ringwall).listRoles),
	"role.allow":     operation((*Ringwall).allowRole),
	"role.deny":      operation((*Ringwall).denyRole),
	"policy.show":    operation((*Ringwall).showPolicy),
	"limits.show":    operation((*Ringwall).showLimits),
	"limits.clear":   operation((*Ringwall).clearLimits),
	"limits.block":   operation((*Ringwall).block),
	"limits.unblock": operation((*Ringwall).unblock),
	"audit.tail":     operation((*Ringwall).tailAudit),
	"audit.export":   operation((*Ringwall).exportAudit),
	"audit.verify":   operation((*Ringwall).verifyAudit),
	"alert.list":     operation((*Ringwall).listAlerts),
	"webhook.list":   operation((*Ringwall).listWebhooks),
	"webhook.replay": operation((*Ringwall).replayWebhook),

	"user.demand-reset": operation((*Ringwall).demandReset),
	"user.delete":       operation((*Ringwall).deleteUser),
	"user.metadata":     operation((*Ringwall).userMetadata),
}

func operation[In, Out any](run func(*Ringwall, context.Context, identity.Actor, In) (Out, error)) command {
	return func(rw *Ringwall, ctx context.Context, by identity.Actor, body []byte) (any, error) {
		in, err := input.JSON[In](body)
		if err != nil {
			return nil, err
		}
		return run(rw, ctx, by, in)
	}
}

type userView struct {
	ID              identity.ID `json:"id"`
	Email           string      `json:"email"`
	DisplayName     string      `json:"display_name"`
	Language        string      `json:"language"`
	CreatedAt       string      `json:"created_at"`
	Locked          bool        `json:"locked"`
	LockReason      string      `json:"lock_reason,omitempty"`
	LockedUntil     string      `json:"locked_until,omitempty"`
	ResetDemandedAt string      `json:"reset_demanded_at,omitempty"`
	DeleteAt        string      `json:"delete_at,omitempty"`
	Roles           []string    `json:"roles"`
}

func (rw *Ringwall) viewUser(u account.User) userView {
	view := userView{ID: u.ID, Email: u.Email, DisplayName: u.DisplayName, Language: u.Language, CreatedAt: stamp(u.CreatedMicros), Roles: u.Roles}
	if view.Roles == nil {
		view.Roles = []string{}
	}
	if u.LockedAt(rw.opt.Now()) {
		view.Locked, view.LockReason = true, u.LockReason
		if u.LockUntilMicros != 0 {
			view.LockedUntil = stamp(u.LockUntilMicros)
		}
	}
	if u.ResetDemandedMicros != 0 {
		view.ResetDemandedAt = stamp(u.ResetDemandedMicros)
	}
	if u.DeleteMicros != 0 {
		view.DeleteAt = stamp(u.DeleteMicros)
	}
	return view
}

func stamp(micros int64) string { return identity.Time(micros).Format("2006-01-02T15:04:05Z") }

type sessionView struct {
	ID         identity.ID `json:"id"`
	Device     string      `json:"device"`
	IP         string      `json:"ip"`
	UserAgent  string      `json:"user_agent"`
	CreatedAt  string      `json:"created_at"`
	LastSeenAt string      `json:"last_seen_at"`
	ExpiresAt  string      `json:"expires_at"`
}

func viewSessions(list []sessions.Session) []sessionView {
	views := make([]sessionView, 0, len(list))
	for _, s := range list {
		views = append(views, sessionView{s.ID, sessions.DeviceLabel(s.UserAgent), s.Address, s.UserAgent, stamp(s.CreatedMicros), stamp(s.LastSeenMicros), stamp(s.ExpiresMicros)})
	}
	return views
}

type createUserInput struct {
	Email       string   `json:"email" required:"true" maxLength:"254"`
	DisplayName string   `json:"display_name,omitempty" maxLength:"100"`
	Roles       []string `json:"roles,omitempty"`
	Password    string   `json:"password,omitempty" anyText:"true" maxLength:"1024"`
}

type createUserReply struct {
	userView
	Link string `json:"link,omitempty"`
}

func (rw *Ringwall) createUser(ctx context.Context, by identity.Actor, in createUserInput) (createUserReply, error) {
	user, link, err := rw.accounts.CreateUser(ctx, by, account.NewUser{Email: in.Email, DisplayName: in.DisplayName, Roles: in.Roles, Password: secret.NewText(in.Password)})
	if err != nil {
		return createUserReply{}, err
	}
	if !rw.opt.Development {
		link = "" // in production the owner of the address alone learns it
	}
	return createUserReply{rw.viewUser(user), link}, nil
}

type listUsersInput struct {
	After string `json:"after,omitempty"`
	Limit int    `json:"limit,omitempty"`
}

type listUsersReply struct {
	Users []userView `json:"users"`
	Next  string     `json:"next,omitempty"`
}

const mostRows = 1000

func (rw *Ringwall) listUsers(ctx context.Context, by identity.Actor, in listUsersInput) (out listUsersReply, err error) {
	var after identity.ID
	if in.After != "" {
		if after, err = identity.ParseID(in.After); err != nil {
			return out, problem.New(problem.Invalid, "invalid", "after must be the id of a user.")
		}
	}
	limit := bounded(in.Limit)
	users, err := rw.accounts.Users(ctx, by, after, limit)
	out.Users = make([]userView, 0, len(users))
	for _, u := range users {
		out.Users = append(out.Users, rw.viewUser(u))
	}
	if len(users) == limit {
		out.Next = users[limit-1].ID.String()
	}
	return out, err
}

func bounded(limit int) int {
	if limit <= 0 {
		return 50
	}
	return min(limit, mostRows)
}

type userInput struct {
	User   string `json:"user" required:"true" maxLength:"254"`
	Reason string `json:"reason,omitempty" maxLength:"500"`
	Email  string `json:"email,omitempty" maxLength:"254"`
	Role   string `json:"role,omitempty" maxLength:"32"`
	Until  string `json:"until,omitempty" maxLength:"40"` // RFC 3339
}

type userReply struct {
	User     userView      `json:"user"`
	Sessions []sessionView `json:"sessions,omitempty"`
}

func (rw *Ringwall) showUser(ctx context.Context, by identity.Actor, in userInput) (userReply, error) {
	user, err := rw.accounts.FindUser(ctx, by, in.User)
	if err != nil {
		return userReply{}, err
	}
	list, err := rw.accounts.SessionsOf(ctx, by, user.ID)
	return userReply{rw.viewUser(user), viewSessions(list)}, err
}

// onUser changes somebody and shows them as they are then.
func (rw *Ringwall) onUser(ctx context.Context, by identity.Actor, who string, change func(account.User) error) (userReply, error) {
	user, err := rw.accounts.FindUser(ctx, by, who)
	if err != nil {
		return userReply{}, err
	}
	if err := change(user); err != nil {
		return userReply{}, err
	}
	return rw.showUser(ctx, by, userInput{User: user.ID.String()})
}

func (rw *Ringwall) lockUser(ctx context.Context, by identity.Actor, in userInput) (userReply, error) {
	if strings.TrimSpace(in.Reason) == "" {
		return userReply{}, problem.New(problem.Invalid, "invalid", "Say why: --reason \"…\" goes into the audit log.")
	}
	until, err := readTime("until", in.Until)
	if err != nil {
		return userReply{}, err
	}
	return rw.onUser(ctx, by, in.User, func(u account.User) error { return rw.accounts.Lock(ctx, by, u, until, in.Reason) })
}

// readTime reads RFC 3339; an empty text is the zero Time.
func readTime(name, text string) (at time.Time, err error) {
	if text == "" {
		return at, nil
	}
	if at, err = time.Parse(time.RFC3339, text); err != nil {
		return at, problem.New(problem.Invalid, "invalid", name+" must be a time such as 2026-03-12T09:41:00Z.")
	}
	return at, nil
}

func (rw *Ringwall) unlockUser(ctx context.Context, by identity.Actor, in userInput) (userReply, error) {
	return rw.onUser(ctx, by, in.User, func(u account.User) error { return rw.accounts.Unlock(ctx, by, u, in.Reason) })
}

func (rw *Ringwall) changeAddress(ctx context.Context, by identity.Actor, in userInput) (userReply, error) {
	if strings.TrimSpace(in.Reason) == "" {
		return userReply{}, problem.New(problem.Invalid, "invalid", "Say why, and how you know who asks: --reason \"…\" goes into the audit log.")
	}
	return rw.onUser(ctx, by, in.User, func(u account.User) error { return rw.accounts.SetEmail(ctx, by, u, in.Email, in.Reason) })
}

func (rw *Ringwall) grantRole(ctx context.Context, by identity.Actor, in userInput) (userReply, error) {
	return rw.onUser(ctx, by, in.User, func(u account.User) error { return rw.accounts.Grant(ctx, by, u, in.Role, in.Reason) })
}

func (rw *Ringwall) revokeRole(ctx context.Context, by identity.Actor, in userInput) (userReply, error) {
	return rw.onUser(ctx, by, in.User, func(u account.User) error { return rw.accounts.Revoke(ctx, by, u, in.Role, in.Reason) })
}

func (rw *Ringwall) demandReset(ctx context.Context, by identity.Actor, in userInput) (userReply, error) {
	return rw.onUser(ctx, by, in.User, func(u account.User) error { return rw.accounts.DemandReset(ctx, by, u, in.Reason) })
}

type deleteUserInput struct {
	User string `json:"user" required:"true" maxLength:"254"`
	Now  bool   `json:"now,omitempty"`
}

type deleteUserReply struct {
	User     userView `json:"user"`
	DeleteAt string   `json:"delete_at,omitempty"` // missing: it is gone
}

func (rw *Ringwall) deleteUser(ctx context.Context, by identity.Actor, in deleteUserInput) (deleteUserReply, error) {
	user, err := rw.accounts.FindUser(ctx, by, in.User)
	if err != nil {
		return deleteUserReply{}, err
	}
	if in.Now {
		return deleteUserReply{User: rw.viewUser(user)}, rw.accounts.Delete(ctx, by, user)
	}
	if err := rw.accounts.ScheduleDeletion(ctx, by, user); err != nil {
		return deleteUserReply{}, err
	}
	user, err = rw.accounts.FindUser(ctx, by, user.ID.String())
	return deleteUserReply{User: rw.viewUser(user), DeleteAt: stamp(user.DeleteMicros)}, err
}

type listSessionsReply struct {
	Sessions []sessionView `json:"sessions"`
}

func (rw *Ringwall) listSessions(ctx context.Context, by identity.Actor, in userInput) (listSessionsReply, error) {
	user, err := rw.accounts.FindUser(ctx, by, in.User)
	if err != nil {
		return listSessionsReply{}, err
	}
	list, err := rw.accounts.SessionsOf(ctx, by, user.ID)
	return listSessionsReply{viewSessions(list)}, err
}

type revokeInput struct {
	Session string `json:"session,omitempty" maxLength:"36"`
	User    string `json:"user,omitempty" maxLength:"254"`
	All     bool   `json:"all,omitempty"`
	Reason  string `json:"reason,omitempty" maxLength:"500"`

	Everybody bool `json:"everybody,omitempty"`
}

type revokeReply struct {
	Ended int `json:"ended"`
}

func (rw *Ringwall) revokeSessions(ctx context.Context, by identity.Actor, in revokeInput) (revokeReply, error) {
	switch {
	case in.Everybody && in.User == "" && !in.All && in.Session == "":
		if strings.TrimSpace(in.Reason) == "" {
			return revokeReply{}, problem.New(problem.Invalid, "invalid", "Say why: --reason \"…\" goes into the audit log.")
		}
		ended, err := rw.accounts.EndAllSessions(ctx, by, in.Reason)
		return revokeReply{ended}, err
	case in.Everybody:
	case in.Session != "" && in.User == "" && !in.All:
		id, err := identity.ParseID(in.Session)
		if err != nil {
			return revokeReply{}, problem.New(problem.Invalid, "invalid", "A session is named by its id, as `ringwall session list` shows it.")
		}
		return revokeReply{1}, rw.accounts.EndSession(ctx, by, id, in.Reason)
	case in.User != "" && in.All && in.Session == "":
		user, err := rw.accounts.FindUser(ctx, by, in.User)
		if err != nil {
			return revokeReply{}, err
		}
		ended, err := rw.accounts.EndSessions(ctx, by, user.ID, in.Reason)
		return revokeReply{ended}, err
	}
	return revokeReply{}, problem.New(problem.Invalid, "invalid", "Name one session, a user with --all, or --everybody.")
}
