// Package rolecheck decides by roles in the ways that there are.
package rolecheck

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/session"
)

type user struct{ Role, Name string }

func decide(w http.ResponseWriter, r *http.Request, u user) {
	s, _ := session.From(r.Context())
	if s.HasRole("admin") { // want `away from the route`
		return
	}
	if slices.Contains(s.Roles, "admin") { // want `list of somebody's roles`
		return
	}
	if u.Role == "admin" || "owner" != u.Role { // want `compared with a name` `compared with a name`
		return
	}
	role := r.FormValue("role")
	switch role { // want `switch over the names of roles`
	case "admin":
	}
	if u.Role == "" || u.Name == "admin" { // no decision by a role
		return
	}
}

type kind string

type account struct {
	role  kind
	roles map[string]bool
}

func (a account) Role() kind      { return a.role }
func (a account) GetRole() string { return string(a.role) }

func decideOtherwise(a account, role *string, roles []string) bool {
	return a.Role() == "admin" || // want `compared with a name`
		a.GetRole() != "admin" || // want `compared with a name`
		string(a.role) == "admin" || // want `compared with a name`
		*role == "admin" || // want `compared with a name`
		roles[0] == "admin" || // want `compared with a name`
		strings.ToLower(*role) == "admin" || // want `compared with a name`
		strings.EqualFold(*role, "admin") || // want `compared with a name`
		slices.Contains(roles, "admin") || // want `compared with a name`
		a.roles["admin"] || // want `compared with a name`
		slices.Contains(roles, a.GetRole()) || len(roles) == 0
}

func excused(s *session.Session) []string {
	return s.Roles //ringwall:allow rolecheck shown on the profile, and nothing is decided by it
}

// A rule is where such decisions belong.
var rule = authz.Role("admin")
