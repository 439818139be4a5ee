package account

import (
	"context"
	"regexp"
	"strings"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

// RolePermission is one permission of a role.
type RolePermission struct{ Role, Permission string }

// mostRolePermissions bounds what one person's roles can add up to.
const mostRolePermissions = 1000

// RolePermissions are what the database lets roles do. Problems: forbidden.
func (s *Service) RolePermissions(ctx context.Context, by identity.Actor) ([]RolePermission, error) {
	if err := operator(by); err != nil {
		return nil, err
	}
	return s.Store.RolePermissions(ctx)
}

// AllowRole gives a role a permission; it acts on the next request of everybody who holds the role. Twice is no error.
// Problems: invalid, conflict.
func (s *Service) AllowRole(ctx context.Context, by identity.Actor, mapping RolePermission, reason string) error {
	private, err := readMapping(by, mapping, reason)
	if err != nil {
		return err
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		held, err := tx.RolePermissions(ctx)
		if err == nil && len(held) >= mostRolePermissions {
			err = problem.New(problem.Conflict, "conflict", "There are a thousand permissions of roles already. Take some away first.")
		}
		if err != nil {
			return audit.Event{}, err
		}
		event := audit.Event{Name: audit.PrivilegeChanged, Reason: "allowed", Private: private}
		if changed, err := tx.AllowRole(ctx, mapping); err != nil || !changed {
			return audit.Event{Name: audit.Unrecorded}, err
		}
		return event, s.stillOperator(ctx, tx, by)
	})
}

// DenyRole takes a permission from a role, with the same effect. Problems: invalid, not-found.
func (s *Service) DenyRole(ctx context.Context, by identity.Actor, mapping RolePermission, reason string) error {
	private, err := readMapping(by, mapping, reason)
	if err != nil {
		return err
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.PrivilegeChanged, Reason: "denied", Private: private}
		changed, err := tx.DenyRole(ctx, mapping)
		if err == nil && !changed {
			err = problem.New(problem.Missing, "not-found", "The database gives the role no such permission.")
		}
		if err == nil {
			err = s.stillOperator(ctx, tx, by)
		}
		return event, err
	})
}

// readMapping checks a change of what a role allows, and is what the audit log keeps of it.
func readMapping(by identity.Actor, mapping RolePermission, reason string) (private map[string]string, err error) {
	if private, err = because(by, reason, map[string]string{"role": mapping.Role, "permission": mapping.Permission}); err != nil {
		return nil, err
	}
	if strings.TrimSpace(reason) == "" {
		return nil, problem.New(problem.Invalid, "invalid", "Say why: --reason \"…\" goes into the audit log.")
	}
	if err := CheckRole(mapping.Role); err != nil {
		return nil, err
	}
	return private, CheckPermission(mapping.Permission)
}

var (
	roleName       = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	permissionName = regexp.MustCompile(`^[a-z][a-z0-9_.:-]{0,63}$`)
)

// CheckRole refuses what is no name of a role. Problems: invalid.
func CheckRole(role string) error {
	if !roleName.MatchString(role) {
		return problem.New(problem.Invalid, "invalid", "A role is 1 to 32 lower-case letters, digits, hyphens and underscores, and begins with a letter.")
	}
	return nil
}

// CheckPermission refuses what is no name of a permission. Problems: invalid.
func CheckPermission(name string) error {
	if !permissionName.MatchString(name) {
		return problem.New(problem.Invalid, "invalid", "A permission is 1 to 64 lower-case letters, digits, dots, colons, hyphens and underscores, and begins with a letter.")
	}
	return nil
}
