package ringwall

import (
	"context"
	"maps"
	"slices"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

// Where a role has a permission from.
const (
	fromOptions  = "options"
	fromDatabase = "database"
)

type roleView struct {
	Role       string `json:"role"`
	Permission string `json:"permission"`
	From       string `json:"from"`
}

type roleInput struct {
	Role       string `json:"role" required:"true" maxLength:"32"`
	Permission string `json:"permission" required:"true" maxLength:"64"`
	Reason     string `json:"reason,omitempty" maxLength:"500"`
}

type rolesReply struct {
	Roles []roleView `json:"roles"`
}

func (rw *Ringwall) listRoles(ctx context.Context, by identity.Actor, _ struct{}) (rolesReply, error) {
	stored, err := rw.accounts.RolePermissions(ctx, by)
	out := rolesReply{Roles: []roleView{}}
	for _, role := range slices.Sorted(maps.Keys(rw.opt.Roles)) {
		for _, permission := range rw.opt.Roles[role] {
			out.Roles = append(out.Roles, roleView{role, permission, fromOptions})
		}
	}
	for _, p := range stored {
		out.Roles = append(out.Roles, roleView{p.Role, p.Permission, fromDatabase})
	}
	return out, err
}

func (rw *Ringwall) allowRole(ctx context.Context, by identity.Actor, in roleInput) (rolesReply, error) {
	if err := rw.accounts.AllowRole(ctx, by, account.RolePermission{Role: in.Role, Permission: in.Permission}, in.Reason); err != nil {
		return rolesReply{}, err
	}
	return rw.listRoles(ctx, by, struct{}{})
}

// denyRole refuses what would not take the permission away.
func (rw *Ringwall) denyRole(ctx context.Context, by identity.Actor, in roleInput) (rolesReply, error) {
	if slices.Contains(rw.opt.Roles[in.Role], in.Permission) {
		return rolesReply{}, problem.New(problem.Conflict, "conflict", "The role has the permission by the options of the program: take it out of Options.Roles, and start anew.")
	}
	if err := rw.accounts.DenyRole(ctx, by, account.RolePermission{Role: in.Role, Permission: in.Permission}, in.Reason); err != nil {
		return rolesReply{}, err
	}
	return rw.listRoles(ctx, by, struct{}{})
}

type policyView struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	Rule        string `json:"rule"`
	Summary     string `json:"summary,omitempty"`
	Application bool   `json:"application"`
}

type policyReply struct {
	Routes []policyView `json:"routes"`
}

func (rw *Ringwall) showPolicy(context.Context, identity.Actor, struct{}) (policyReply, error) {
	out := policyReply{Routes: []policyView{}}
	for _, r := range rw.Routes() {
		out.Routes = append(out.Routes, policyView(r))
	}
	return out, nil
}
