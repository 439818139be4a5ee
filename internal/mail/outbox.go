package mail

import (
	"context"
	"errors"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
)

// ClaimMicros is how long [OutboxStore.NextMail] claims a mail: longer than any send may take, so that two nodes
// never try the same mail at once, and short enough that a mail whose node died is soon tried again.
const ClaimMicros int64 = 60_000_000

// ErrUnreadable says that a stored mail cannot be opened: its key is lost, or its row was changed.
var ErrUnreadable = errors.New("the stored mail cannot be opened")

// Entry is a mail in the outbox. Its id is Message.ID.
type Entry struct {
	Message       Message
	Attempts      int   // tries so far, the one this claim is for included
	CreatedMicros int64 // when it was queued
}

// OutboxStore is where mails wait. Times are microseconds since 1970, UTC. Calls may come from several goroutines
// and several nodes at once.
type OutboxStore interface {
	// NextMail claims the mail that has been due longest: attempts+1 and next try = now + [ClaimMicros] are committed
	// before it returns, so a crash while sending still counts. False: none is due. A mail that cannot be opened is
	// claimed too and returned with its id beside an error that is [ErrUnreadable].
	NextMail(ctx context.Context, nowMicros int64) (Entry, bool, error)
	// NextDue is when the earliest mail is due, which may lie in the past. False: no mail waits.
	NextDue(ctx context.Context) (micros int64, ok bool, err error)
	// MailSent empties the row and ends it. Twice is no error.
	MailSent(ctx context.Context, id identity.ID) error
	// MailFailed makes the mail due at nextMicros. Zero: given up, the row is emptied like that of a sent mail.
	MailFailed(ctx context.Context, id identity.ID, nextMicros int64) error
}

// Sender hands one mail to the world. It returns nil only when somebody has taken responsibility for it. Its errors
// name neither a recipient nor a password; one that is [ErrAddress] or [ErrRefused] tells the worker to give up early.
type Sender interface {
	Send(ctx context.Context, message Message) error
}

// ErrAddress says that no server can ever take the mail: the address is none, or the mail breaks the format.
// ErrRefused says that the server refused this recipient or this mail for good (5xx), not us.
var (
	ErrAddress = errors.New("the mail's address or subject is not valid")
	ErrRefused = errors.New("the server refuses this mail")
)

// Kind is what a mail is about.
type Kind uint8

// The mails of Ringwall. Each asks for one act at most. The zero Kind is none.
const (
	_                 Kind = iota
	ConfirmSignup          // Link and Code prove the address
	AlreadyRegistered      // somebody tried to sign up with the address of an account; Link leads to sign-in
	ResetPassword          // Link leads to a new password
	PasswordChanged        // a notice; Link says "This was not me"
	SessionsEnded          // signed in on too many devices; Ended names those signed out; Link says "This was not me"
	AccountLocked          // a notice; Until says how long, if it ends by itself
	AccountCreated         // an operator made an account; Link leads to choosing a password
	ApproveAddress         // to the old address of an account; Link agrees to NewEmail
	ConfirmAddress         // to the new one; Link proves it
	AddressTaken           // somebody wants the address of an account for theirs; Link leads to sign-in
	AddressChanged         // a notice to the new address; Link leads to the account
	AddressLeft            // a notice to the old one, which tells NewEmail; Link leads to the forgotten-password page
	NewDevice              // a sign-in from a device not used before; Link says "This was not me"
	AccountSecured         // everything was signed out by "This was not me" or its like; Link leads to choosing a password
	ResetDemanded          // the password opens nothing until another is chosen; Link leads there
	DeletionPending        // the account will be deleted; Until says when; Link keeps it
	AccountDeleted         // the last mail
	AlertOpened            // to operators: an attack was recognised; Kind, What, Where, Count and Command tell it
	AlertClosed            // to operators: it is over, since Until
	Invitation             // an operator invites somebody; Link leads to signing up
)

// Data is what a mail says. A zero field leaves its line out.
type Data struct {
	To          string // the recipient's address
	DisplayName string // as the person chose it; left out of mails that a stranger can cause
	Link        string // of the one act; left out unless it begins with Origin and a slash
	NewEmail    string // the address that an account shall have, or has now
	Code        string // eight characters; shown as ABCD-EFGH
	Origin      string // the canonical origin, such as "https://id.example.org"
	Service     string // the name people know; default: the host of Origin

	When    time.Time // of the request that caused the mail
	Address string    // the network address it came from
	Device  string    // its device, such as "Chrome on Android"

	LinkExpires time.Time // until when Link works; only told of links that work once
	CodeExpires time.Time // until when Code works
	Until       time.Time // until when the account is locked; zero: until somebody unlocks it
	Ended       []string  // the devices that were signed out

	Kind    string   // of an alert, such as "spraying"
	What    string   // a sentence about an alert of a kind that has no words here
	Where   []string // its networks
	Count   int64    // how much of it there was
	Command string   // what helps
}
