// Package authz says who may call a route, and has a router that no route without a rule gets into.
//
//	mux := authz.NewMux()
//	mux.HandleFunc("GET /{$}", authz.Public(), home)
//	mux.HandleFunc("GET /invoices/{id}", authz.SignedIn(), showInvoice)
//	mux.HandleFunc("POST /invoices/{id}/approve", authz.All(authz.Permission("invoices.approve"), authz.Fresh(5*time.Minute)), approve)
//	mux.HandleFunc("GET /ledger", authz.Any(authz.Role("auditor"), authz.When("office hours", officeHours)), ledger)
//	http.ListenAndServe(addr, rw.Protect(mux))
//
// A rule is made by [Public], [SignedIn], [Fresh], [Role], [Permission], [From], [When], [All], [Any] or [Admin]. The zero
// [Rule] denies everybody, so a route whose rule was forgotten is closed; with a [Mux] it does not even compile. Rules look
// at facts that the session engine has proved and at the address that the request is known to come from, never at what it
// says; only the function of a When sees the request, and must not believe it.
//
// Ask for permissions rather than for roles: which role may do what is then decided in one place (Options.Roles, and
// `ringwall role`), and changes there act on the next request.
//
// # What is checked where
//
// Behind ringwall's Protect the rule is checked in the chain, before anything of yours runs, and once more by the Mux, at
// the handler's door. A Mux elsewhere checks by itself: with the session that Protect has proved, and where there is none
// only Public routes are open. Wrapped in another handler it has the session but not the address, so From admits nobody.
//
// # What it does not catch
//
// It does not decide whose rows a statement may touch: a rule knows the route, not the object. That is the matter of the
// query, which takes a Subject (package sqlsafe). It does not see what a handler does once it was let in. A handler that
// was begun runs to its end when a role is taken away meanwhile.
package authz

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
)

// Administrator is the role of those who may use the routes of administrators.
const Administrator = "admin"

// Rule decides over one route. The zero Rule denies everybody. It is a value that nothing changes.
type Rule struct {
	name    string
	check   func(identity.Actor, time.Time, *http.Request) Verdict
	origin  bool // it looks at where the request comes from
	request bool // it looks at the request
	admin   bool // it is the rule of the administrators' routes
}

// Public admits everybody.
func Public() Rule {
	return Rule{name: "public", check: func(identity.Actor, time.Time, *http.Request) Verdict { return Allowed }}
}

// SignedIn admits every person with a live session.
func SignedIn() Rule {
	return person("signed in", func(identity.Actor, time.Time, *http.Request) Verdict { return Allowed })
}

// Fresh admits a person who proved their identity less than within ago: by signing in, or by session/reauthenticate.
// Whoever did it longer ago is told to do it again. Zero or less admits nobody.
func Fresh(within time.Duration) Rule {
	return person("signed in, fresh within "+short(within), func(by identity.Actor, now time.Time, _ *http.Request) Verdict {
		switch {
		case within <= 0:
			return Denied
		case by.ProvedWithin(within, now):
			return Allowed
		}
		return NeedsRefresh
	})
}

// short spells a duration without the zeros behind it: "5m", not "5m0s".
func short(d time.Duration) string {
	text := d.String()
	if rest, ok := strings.CutSuffix(text, "m0s"); ok {
		text = rest + "m"
	}
	if rest, ok := strings.CutSuffix(text, "h0m"); ok {
		text = rest + "h"
	}
	return text
}

// Role admits a person who holds the role.
func Role(role string) Rule {
	return person("role "+role, func(by identity.Actor, _ time.Time, _ *http.Request) Verdict {
		return when(by.HasRole(role))
	})
}

// Permission admits a person who holds a role that maps to the permission, by Options.Roles or in the database.
func Permission(name string) Rule {
	return person("permission "+name, func(by identity.Actor, _ time.Time, _ *http.Request) Verdict {
		return when(by.HasPermission(name))
	})
}

// When admits a signed-in person on whose request allow says true, for policies by attribute: who (session.From), what
// (path values), when, from where. Name tells the policy to whoever reads a listing.
//
// Allow may be called more than once for a request, so it must change nothing, and it gets a request without a body. What
// the request says is a claim: do not take a user from it. If allow panics the request is a 500 and the handler is not reached.
func When(name string, allow func(*http.Request) bool) Rule {
	r := person("when "+name, func(_ identity.Actor, _ time.Time, r *http.Request) Verdict {
		if allow == nil || r == nil {
			return Denied
		}
		bare := *r
		bare.Body = http.NoBody
		return when(allow(&bare))
	})
	r.request = true
	return r
}

// From admits a request whose client is in one of the networks. One whose address is not known is in none.
func From(networks ...netip.Prefix) Rule {
	networks = slices.Clone(networks)
	return Rule{name: "from listed networks", origin: true, check: func(by identity.Actor, _ time.Time, _ *http.Request) Verdict {
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
	all := join(", ", rules)
	rules = slices.Clone(rules)
	all.check = func(by identity.Actor, now time.Time, r *http.Request) Verdict {
		for _, rule := range rules {
			if v := rule.Check(by, now, r); v != Allowed {
				return v
			}
		}
		return Allowed
	}
	return all
}

// Any admits whom one of the rules admits. If none does, the verdict is the one that leaves most hope: to prove again who
// one is, to sign in, to come from elsewhere. Without rules it denies everybody.
func Any(rules ...Rule) Rule {
	if len(rules) == 0 {
		return Rule{}
	}
	either := join(" or ", rules)
	either.name = "(" + either.name + ")"
	rules = slices.Clone(rules)
	either.check = func(by identity.Actor, now time.Time, r *http.Request) Verdict {
		best := Denied
		for _, rule := range rules {
			v := rule.Check(by, now, r)
			if v == Allowed {
				return v
			}
			if v.hope() > best.hope() {
				best = v
			}
		}
		return best
	}
	return either
}

// join names several rules, and needs what one of them needs.
func join(between string, rules []Rule) (joined Rule) {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.String()
		joined.origin = joined.origin || r.origin
		joined.request = joined.request || r.request
	}
	joined.name = strings.Join(names, between)
	return joined
}

// Admin is the one rule for the routes of administrators: the role, one of the networks, and a proof of identity of the
// last five minutes. No permission opens them.
func Admin(networks ...netip.Prefix) Rule {
	r := All(Role(Administrator), From(networks...), Fresh(5*time.Minute))
	r.admin = true
	return r
}

// person is a rule for people with a live session; check says which of them.
func person(name string, check func(identity.Actor, time.Time, *http.Request) Verdict) Rule {
	return Rule{name: name, check: func(by identity.Actor, now time.Time, r *http.Request) Verdict {
		if by.Kind() != identity.Person || by.Subject().IsZero() {
			return NeedsSignIn
		}
		return check(by, now, r)
	}}
}

func when(so bool) Verdict {
	if so {
		return Allowed
	}
	return Denied
}

// Check is the verdict on an actor at a time. The request is for rules of which [Rule.NeedsRequest] is true, and nil for
// others; without it those deny.
func (r Rule) Check(by identity.Actor, now time.Time, request *http.Request) Verdict {
	if r.check == nil {
		return Denied
	}
	return r.check(by, now, request)
}

// Needs reports whether an anonymous request from nowhere is refused.
func (r Rule) Needs() bool { return r.Check(identity.Actor{}, time.Time{}, nil) != Allowed }

// NeedsOrigin reports whether the rule looks at the address that a request comes from.
func (r Rule) NeedsOrigin() bool { return r.origin }

// NeedsRequest reports whether the rule looks at the request itself.
func (r Rule) NeedsRequest() bool { return r.request }

// IsAdmin reports whether the rule was made by [Admin].
func (r Rule) IsAdmin() bool { return r.admin }

// String names the rule for listings: "public", "signed in", "role admin"; "nobody" for the zero Rule.
func (r Rule) String() string {
	if r.check == nil {
		return "nobody"
	}
	return r.name
}
