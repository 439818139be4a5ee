package password

import (
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The codes of [Weak].
const (
	CodeTooShort     = "too-short"
	CodeTooLong      = "too-long"
	CodeCommon       = "common"
	CodeContainsName = "contains-name"
	CodeBreached     = "breached" // not of [Policy.Check]: of whoever asks package breach besides
)

const (
	defaultMinLength = 15
	lowestMinLength  = 8
	maxLength        = 256
)

// enoughBits is how many guesses, as a power of two, a password must withstand: more than online limits ever let through. It is low by
// intent: a policy that asks for more teaches people to write passwords down.
const enoughBits = 30

// Weak is the error of [Policy.Check]. Neither field ever holds any of the password.
type Weak struct {
	Code   string // one of the Code constants, stable
	Detail string // what would pass, for the person who chooses
}

func (w *Weak) Error() string { return "password " + w.Code + ": " + w.Detail }

// Policy says which passwords are accepted. The zero Policy is for accounts without a second factor.
type Policy struct {
	// MinLength is counted in code points after normalisation to NFC. Default: 15. Accounts with a second factor may have 8; less
	// than 8 counts as 8, more than 256 as 256.
	MinLength int
}

// Check returns a [*Weak] if the password is too short or too long (256 code points), common or built from common things, or built from one of
// the names: the service's, the address, the display name. They are compared with the whole password, never looked for in a longer one that has
// enough else. Composition is not asked for. Any other error means that the list of common passwords cannot be read.
func (p Policy) Check(password string, names ...string) error {
	least := p.MinLength
	if least == 0 {
		least = defaultMinLength
	}
	least = min(max(least, lowestMinLength), maxLength)
	if len(password) > maxBytes {
		return tooLong()
	}
	text := norm.NFC.String(password)
	switch n := utf8.RuneCountInString(text); {
	case n < least:
		return &Weak{CodeTooShort, fmt.Sprintf("Use at least %d characters. A few words that have nothing to do with each other are easy to remember.", least)}
	case n > maxLength:
		return tooLong()
	}
	vocabulary, err := commonWords()
	if err != nil {
		return err
	}
	switch own := nameWords(names); {
	case guessable(text, vocabulary, nil):
		return &Weak{CodeCommon, "This is among what attackers try first. Use four or more words that have nothing to do with each other, or let a password manager make one."}
	case len(own) > 0 && guessable(text, vocabulary, own):
		return &Weak{CodeContainsName, "This is made from your name, your address or the name of this service. Add several words that have nothing to do with them, or let a password manager make one."}
	}
	return nil
}

func tooLong() *Weak {
	return &Weak{CodeTooLong, fmt.Sprintf("Use at most %d characters.", maxLength)}
}
