// Package challenge asks a client to do some work before it may go on, so that many attempts cost whoever makes them.
//
// A [Challenger] makes a challenge, looks at its solution without touching anything, and takes it once. [Work] is ours: proof
// of work in the wire format of ALTCHA, which our pages solve with a script of ours and any program in a few lines:
//
//	for n := 0; ; n++ {
//		if hex(sha256(salt + decimal(n))) == challenge { solution = base64(json{algorithm, challenge, number: n, salt, signature}) }
//	}
//
// It is no proof of being human, and a farm of machines solves it as well: it makes guesses dear and slow, and the ceiling
// bounds them. A host may put another captcha in its place.
package challenge

import (
	"context"
	"net/netip"
)

// The forms that can show a challenge.
const (
	Login  = "login"
	SignUp = "signup"
	Forgot = "forgot"
	Resend = "resend"
)

// MaxBytes is the longest solution that is looked at.
const MaxBytes = 2048

// Asked is an attempt before which something must be solved.
type Asked struct {
	Form   string     // [Login], [SignUp], [Forgot] or [Resend]
	Client netip.Addr // where it comes from; zero if that is unknown
	Excess float64    // attempts a minute, as a multiple of how many are admitted without a challenge; for mails, from 1 where half of their budget is spent to 8 where all is
}

// Challenger makes challenges and takes their solutions. It must be safe for concurrent use.
type Challenger interface {
	// Challenge is what the client must solve: a value that encodes as a JSON object.
	Challenge(asked Asked) (any, error)

	// Check reports whether a solution may be right. It must not wait for anything: a flood of wrong ones ends here.
	Check(asked Asked, solution string) bool

	// Redeem takes a solution that Check has passed. Of any number of times, on whichever node, it is true once.
	Redeem(ctx context.Context, asked Asked, solution string) (bool, error)
}
