package authz

import "github.com/ringwall/ringwall/internal/problem"

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

var (
	errDenied    = problem.New(problem.Forbidden, "forbidden", "You may not do this.")
	errSignIn    = problem.New(problem.Unauthenticated, "unauthenticated", "Sign in first.")
	errFresh     = problem.New(problem.Forbidden, "fresh-required", "Prove again who you are: the last proof is too old for this.")
	errElsewhere = problem.New(problem.Forbidden, "forbidden", "This is open to some networks alone. Operators: administrators come from ADMIN_NETWORKS; behind a proxy, set TRUSTED_PROXIES too.")
)

// Err is what the caller is told, a problem document; nil for [Allowed].
func (v Verdict) Err() error {
	switch v {
	case Allowed:
		return nil
	case NeedsSignIn:
		return errSignIn
	case NeedsRefresh:
		return errFresh
	case Elsewhere:
		return errElsewhere
	default:
		return errDenied
	}
}

// hope is how much whoever is refused can do about it.
func (v Verdict) hope() int {
	switch v {
	case NeedsRefresh:
		return 3
	case NeedsSignIn:
		return 2
	case Elsewhere:
		return 1
	default:
		return 0
	}
}
