// Package authz says who may call a route.
//
// A rule is made by [Public], [SignedIn], [Fresh] or [Role]. The zero [Rule] denies everybody, so a route whose rule
// was forgotten is closed. Rules look at facts that the session engine has proved, never at the request.
//
// It does not decide whose rows a statement may touch: that is the matter of the query, which takes a Subject.
package authz

import (
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
	Allowed
)

// Rule decides over one route. The zero Rule denies everybody.
type Rule struct {
	name  string
	check func(identity.Actor, time.Time) Verdict
}

// Public admits everybody.
func Public() Rule {
	return Rule{"public", func(identity.Actor, time.Time) Verdict { return Allowed }}
}

// SignedIn admits every person with a live session.
func SignedIn() Rule { return Rule{"signed in", signedIn} }

// Fresh admits a person who proved their identity within the last five minutes.
func Fresh() Rule {
	return Rule{"signed in, fresh", func(by identity.Actor, now time.Time) Verdict {
		if v := signedIn(by, now); v != Allowed || by.FreshAt(now) {
			return v
		}
		return NeedsRefresh
	}}
}

// Role admits a person who holds the role.
func Role(role string) Rule {
	return Rule{"role " + role, func(by identity.Actor, now time.Time) Verdict {
		if v := signedIn(by, now); v != Allowed || by.HasRole(role) {
			return v
		}
		return Denied
	}}
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

// String names the rule for listings: "public", "signed in", "role admin"; "nobody" for the zero Rule.
func (r Rule) String() string {
	if r.check == nil {
		return "nobody"
	}
	return r.name
}
