// Package authz says who may call a route.
//
// A rule is made by [Public], [SignedIn], [Fresh], [Role], [From], [All] or [Admin]. The zero [Rule] denies everybody, so
// a route whose rule was forgotten is closed. Rules look at facts that the session engine has proved and at the address
// that the request is known to come from, never at what it says.
//
// It does not decide whose rows a statement may touch: that is the matter of the query, which takes a Subject.
package authz

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
)

// Verdict is what a rule says.
type Verdict uint8

// The verdicts. The zero Verdict denies.
const (
	Denied       Verdict = iota // 403: the person may not
	NeedsSignIn                 // 401: nobody is signed in
	NeedsRefresh                // 403 fresh-required: the proof of identity is too old
	Elsewhere                   // 403: the person may, from another network
	Allowed
)

// Administrator is the role of those who may use the routes of administrators.
const Administrator = "admin"

// Rule decides over one route. The zero Rule denies everybody.
type Rule struct {
	name   string
	check  func(identity.Actor, time.Time) Verdict
	origin bool // it looks at where the request comes from
	admin  bool // it is the rule of the administrators' routes
}

// Public admits everybody.
func Public() Rule {
	return Rule{name: "public", check: func(identity.Actor, time.Time) Verdict { return Allowed }}
}

// SignedIn admits every person with a live session.
func SignedIn() Rule { return Rule{name: "signed in", check: signedIn} }

// Fresh admits a person who proved their identity within the last five minutes.
func Fresh() Rule {
	return Rule{name: "signed in, fresh", check: func(by identity.Actor, now time.Time) Verdict {
		if v := signedIn(by, now); v != Allowed || by.FreshAt(now) {
			return v
		}
		return NeedsRefresh
	}}
}

// Role admits a person who holds the role.
func Role(role string) Rule {
	return Rule{name: "role " + role, check: func(by identity.Actor, now time.Time) Verdict {
		if v := signedIn(by, now); v != Allowed || by.HasRole(role) {
			return v
		}
		return Denied
	}}
}

// From admits a request whose client is in one of the networks. One whose address is not known is in none.
func From(networks ...netip.Prefix) Rule {
	networks = slices.Clone(networks)
	return Rule{name: "from listed networks", origin: true, check: func(by identity.Actor, _ time.Time) Verdict {
		address := by.Request().Address.Unmap().WithZone("")
		if slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) }) {
			return Allowed
		}
		return Elsewhere
	}}
}

// All admits whom each of the rules admits; the first that does not gives the verdict. Without rules it denies everybody.
func All(rules ...Rule) Rule {
	if len(rules) == 0 {
		return Rule{}
	}
	rules = slices.Clone(rules)
	all := Rule{check: func(by identity.Actor, now time.Time) Verdict {
		for _, r := range rules {
			if v := r.Check(by, now); v != Allowed {
				return v
			}
		}
		return Allowed
	}}
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.String()
		all.origin = all.origin || r.origin
	}
	all.name = strings.Join(names, ", ")
	return all
}

// Admin is the one rule for the routes of administrators: the role, one of the networks, and a proof of identity of the
// last five minutes.
func Admin(networks ...netip.Prefix) Rule {
	r := All(Role(Administrator), From(networks...), Fresh())
	r.admin = true
	return r
}

func signedIn(by identity.Actor, _ time.Time) Verdict {
	if by.Kind() == identity.Person && !by.Subject().IsZero() {
		return Allowed
	}
	return NeedsSignIn
}

// Check is the verdict on an actor at a time.
func (r Rule) Check(by identity.Actor, now time.Time) Verdict {
	if r.check == nil {
		return Denied
	}
	return r.check(by, now)
}

// Needs reports whether an anonymous request can ever pass.
func (r Rule) Needs() bool { return r.Check(identity.Actor{}, time.Time{}) != Allowed }

// NeedsOrigin reports whether the rule looks at the address that a request comes from.
func (r Rule) NeedsOrigin() bool { return r.origin }

// IsAdmin reports whether the rule was made by [Admin].
func (r Rule) IsAdmin() bool { return r.admin }

// String names the rule for listings: "public", "signed in", "role admin"; "nobody" for the zero Rule.
func (r Rule) String() string {
	if r.check == nil {
		return "nobody"
	}
	return r.name
}
