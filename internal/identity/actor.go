// Package identity names who acts: [Subject] for whose data a statement may touch, [Actor] for who is asking,
// and [ID] for the names of things.
//
// Neither Subject nor Actor can be made from request input: their fields are unexported, and a test of the
// layers holds the list of packages that may call their constructors (the session engine, the place where a
// request without a session begins, and the start of a command).
//
// The package decides nothing. What an actor may do is the matter of the rules that read it.
package identity

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Subject is the person whose data an owner-scoped statement may touch. The zero Subject owns nothing.
type Subject struct{ id ID }

// SubjectOf makes the Subject of a person whose identity has been proved. Callers are listed in layers_test.go.
func SubjectOf(user ID) Subject { return Subject{id: user} }

// ID is the person's user id.
func (s Subject) ID() ID { return s.id }

// IsZero reports whether nobody is meant.
func (s Subject) IsZero() bool { return s.id.IsZero() }

// Kind is the sort of actor.
type Kind uint8

// The kinds of actor. The zero kind may do nothing.
const (
	Nobody    Kind = iota
	Anonymous      // a request without a session
	Person         // a request with a session
	Operator       // a command at the machine of the server
	System         // a worker of Ringwall itself
)

// String is the kind as the audit log spells it.
func (k Kind) String() string {
	return [...]string{"nobody", "anonymous", "person", "operator", "system"}[k]
}

// Request is where an act comes from, as the audit log and mails tell it.
type Request struct {
	ID        string     // request id, of our own making
	Address   netip.Addr // the client's address
	UserAgent string     // at most 512 bytes, as sent
	Route     string     // the pattern of the route, never the path
}

// Actor is who acts, and from where. The zero Actor may do nothing.
type Actor struct {
	kind    Kind
	name    string
	subject Subject
	session ID
	proved  time.Time
	granted Granted
	request *Request // nil: the zero Request; a pointer, because every request copies its actor and few ask where from
}

// Granted is what a person has been given. The zero Granted is nothing.
type Granted struct {
	Roles       []string            // sorted
	Permissions string              // that the database maps these roles to, with commas between them
	ByRole      map[string][]string // permissions that the options map roles to; shared by everybody, never changed
}

// NewAnonymous is a request that proved nobody's identity.
func NewAnonymous(request Request) Actor { return Actor{kind: Anonymous, request: request.kept()} }

// NewPerson is a request with a live session. Proved is the time of the last proof of identity; zero if none counts.
func NewPerson(subject Subject, session ID, proved time.Time, granted Granted, request Request) Actor {
	return Actor{kind: Person, subject: subject, session: session, proved: proved, granted: granted, request: request.kept()}
}

// On is the actor with the request on which it acts.
func (a Actor) On(request Request) Actor {
	a.request = request.kept()
	return a
}

// kept is a copy that stays, and nil for the zero Request.
func (r Request) kept() *Request {
	if r == (Request{}) {
		return nil
	}
	stays := r // r itself would go to the heap in any case
	return &stays
}

// NewOperator is somebody with access to the server's data folder or database; name is that of the system's account.
func NewOperator(name string) Actor { return Actor{kind: Operator, name: name} }

// NewSystem is a worker of Ringwall itself.
func NewSystem(name string) Actor { return Actor{kind: System, name: name} }

// Kind is the sort of actor.
func (a Actor) Kind() Kind { return a.kind }

// Name is the account of an operator or the name of a worker; empty for requests.
func (a Actor) Name() string { return a.name }

// Subject is the person who acts; zero unless the kind is [Person].
func (a Actor) Subject() Subject { return a.subject }

// Session is the session through which a person acts; zero otherwise.
func (a Actor) Session() ID { return a.session }

// clockSkew is how far the clocks of two nodes may be apart.
const clockSkew = time.Minute

// ProvedWithin reports whether the person proved their identity less than as long before now. A proof that is still to come
// is none: the clock was set back, and would make it last that much longer.
func (a Actor) ProvedWithin(within time.Duration, now time.Time) bool {
	return a.kind == Person && !a.proved.IsZero() && now.Before(a.proved.Add(within)) && !a.proved.After(now.Add(clockSkew))
}

// HasRole reports whether the person holds the role.
func (a Actor) HasRole(role string) bool {
	for _, held := range a.granted.Roles {
		if held == role {
			return true
		}
	}
	return false
}

// HasPermission reports whether the person holds a role that maps to the permission.
func (a Actor) HasPermission(name string) bool {
	if name == "" {
		return false
	}
	for listed := range strings.SplitSeq(a.granted.Permissions, ",") {
		if listed == name {
			return true
		}
	}
	for _, role := range a.granted.Roles {
		if slices.Contains(a.granted.ByRole[role], name) {
			return true
		}
	}
	return false
}

// Request is where the act comes from; zero for commands and workers.
func (a Actor) Request() Request {
	if a.request == nil {
		return Request{}
	}
	return *a.request
}

// LogValue names the actor without personal data.
func (a Actor) LogValue() slog.Value {
	switch a.kind {
	case Person:
		return slog.StringValue("person:" + a.subject.id.String())
	case Operator, System:
		return slog.StringValue(a.kind.String() + ":" + a.name)
	default:
		return slog.StringValue(a.kind.String())
	}
}
