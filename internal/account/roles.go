package account

import (
	"regexp"

	"github.com/ringwall/ringwall/internal/problem"
)

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
