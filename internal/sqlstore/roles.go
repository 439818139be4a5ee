package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	rolePermissions = sqlsafe.New(`
		SELECT role, permission
		FROM ringwall_role_permissions
		ORDER BY role, permission
		LIMIT 1000`)
	allowRole = sqlsafe.New(`
		INSERT INTO ringwall_role_permissions (role, permission)
		VALUES ($1, $2)
		ON CONFLICT (role, permission) DO NOTHING`)
	denyRole = sqlsafe.New(`DELETE FROM ringwall_role_permissions WHERE role = $1 AND permission = $2`)
)

func scanRolePermission(s scanner) (p account.RolePermission, err error) {
	return p, s.Scan(&p.Role, &p.Permission)
}

func (r reader) RolePermissions(ctx context.Context) ([]account.RolePermission, error) {
	return many(ctx, r.q, scanRolePermission, rolePermissions)
}

func (c *change) AllowRole(ctx context.Context, p account.RolePermission) (bool, error) {
	return c.toRoles(ctx, allowRole.With(p.Role, p.Permission))
}

func (c *change) DenyRole(ctx context.Context, p account.RolePermission) (bool, error) {
	return c.toRoles(ctx, denyRole.With(p.Role, p.Permission))
}

// toRoles runs a statement that changes what roles allow: whoever holds one is not who they were.
func (c *change) toRoles(ctx context.Context, q sqlsafe.Query) (bool, error) {
	c.turn.people = true
	n, err := c.turn.exec(ctx, q)
	return n == 1, err
}
