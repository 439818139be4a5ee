package lifecycle

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/webhook"
)

// Happened is what one transaction did.
type Happened struct {
	By      identity.Actor
	Events  []audit.Event // in the order in which they were recorded
	Ended   []Session
	Renewed []Renewal
}

// Session is one that ended.
type Session struct{ User, ID identity.ID }

// Renewal is a session that got another id.
type Renewal struct{ User, Old, New identity.ID }

// Person is somebody as the transaction leaves them.
type Person struct {
	User
	DeleteMicros int64 // when the account will be deleted; zero: it stays
}

// Tx is the end of a transaction.
type Tx interface {
	// Person is somebody; false: there is no such account any more.
	Person(ctx context.Context, id identity.ID) (Person, bool, error)
	EnqueueWebhook(ctx context.Context, message webhook.Message) error
	// Host calls a hook, which may use the transaction until it returns or [HostTime] is over for all hooks of this one.
	Host(ctx context.Context, name string, call func(context.Context, HostTx) error) error
}

// Options say who is told.
type Options struct {
	Hooks  Hooks
	Target string // of webhooks; empty: none are sent
	Now    func() time.Time
	Log    *slog.Logger
}

// Lifecycle tells what changes did. It is safe for concurrent use.
type Lifecycle struct {
	o     Options
	calls chan struct{}
}

// New makes a Lifecycle; Now and Log are required.
func New(o Options) *Lifecycle { return &Lifecycle{o: o, calls: make(chan struct{}, mostCalls)} }

// Idle reports whether nobody is to be told of changes.
func (l *Lifecycle) Idle() bool {
	h := l.o.Hooks
	return l.o.Target == "" && h.OnUserCreated == nil && h.OnEmailChanged == nil && h.OnUserDeleted == nil
}

// Follow runs at the end of a transaction and in it: an error rolls the change back.
func (l *Lifecycle) Follow(ctx context.Context, tx Tx, what Happened) error {
	var messages []fact
	for _, event := range what.Events {
		r := ruleFor(event)
		if r.kind == "" || event.User.IsZero() && r.kind != sessionsAllEnded { // such as a role that was given another permission
			continue
		}
		person, err := l.person(ctx, tx, r.kind, event)
		if err != nil {
			return err
		}
		if err := l.host(ctx, tx, r.kind, person); err != nil {
			return err
		}
		messages = append(messages, factOf(r.kind, what.By, event, person))
	}
	if l.o.Target == "" {
		return nil
	}
	slices.SortStableFunc(messages, func(a, b fact) int { return first(a) - first(b) })
	for _, m := range append(messages, sessionsOf(what)...) {
		message, err := webhook.NewMessage(l.o.Target, m.kind, l.o.Now(), m.data)
		if err == nil {
			err = tx.EnqueueWebhook(ctx, message)
		}
		if err != nil {
			return fmt.Errorf("tell %s: %w", m.kind, err)
		}
	}
	return nil
}

// first puts a new account before what else the same transaction did to it.
func first(f fact) int {
	if f.kind == userCreated {
		return 0
	}
	return 1
}

// person reads what an event does not say, and only where somebody wants it.
func (l *Lifecycle) person(ctx context.Context, tx Tx, kind string, event audit.Event) (p Person, err error) {
	wanted := l.o.Target != "" && (kind == userCreated || kind == userEmailChanged || kind == userDeletionScheduled) ||
		l.o.Hooks.OnUserCreated != nil && kind == userCreated || l.o.Hooks.OnEmailChanged != nil && kind == userEmailChanged
	if wanted {
		if p, _, err = tx.Person(ctx, event.User); err != nil {
			return p, fmt.Errorf("read whom %s is about: %w", kind, err)
		}
	}
	p.ID = event.User
	if kind == userCreated {
		p.Via = via(event)
	}
	return p, nil
}

func (l *Lifecycle) host(ctx context.Context, tx Tx, kind string, p Person) error {
	h := l.o.Hooks
	var name string
	var call func(context.Context, HostTx) error
	switch {
	case kind == userCreated && h.OnUserCreated != nil:
		name, call = "OnUserCreated", func(ctx context.Context, tx HostTx) error { return h.OnUserCreated(ctx, tx, p.User) }
	case kind == userEmailChanged && h.OnEmailChanged != nil:
		name, call = "OnEmailChanged", func(ctx context.Context, tx HostTx) error { return h.OnEmailChanged(ctx, tx, p.User) }
	case kind == userDeleted && h.OnUserDeleted != nil:
		name, call = "OnUserDeleted", func(ctx context.Context, tx HostTx) error { return h.OnUserDeleted(ctx, tx, p.ID) }
	default:
		return nil
	}
	return l.placed(name, func(leave func()) error {
		return tx.Host(ctx, name, func(ctx context.Context, tx HostTx) error {
			defer leave()
			return call(ctx, tx)
		})
	})
}

// fact is one webhook to be.
type fact struct {
	kind string
	data data
}

// data is what a webhook says: ids and what changed. The address stands only where it is new.
type data struct {
	User     string   `json:"user_id,omitempty"`
	By       string   `json:"by"`
	Email    string   `json:"email,omitempty"`
	Via      string   `json:"via,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Changed  []string `json:"changed,omitempty"`
	Role     string   `json:"role,omitempty"`
	Change   string   `json:"change,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Until    string   `json:"until,omitempty"`
	DeleteAt string   `json:"delete_at,omitempty"`
	Session  string   `json:"session_id,omitempty"`
	Previous string   `json:"previous_session_id,omitempty"`
	Sessions []string `json:"session_ids,omitempty"`
}

func factOf(kind string, by identity.Actor, event audit.Event, p Person) fact {
	d := data{By: whoOf(by, event.User)}
	if !p.ID.IsZero() {
		d.User = p.ID.String()
	}
	switch kind {
	case userCreated:
		d.Email, d.Via, d.Roles = p.Email, p.Via, p.Roles
	case userEmailChanged:
		d.Email = p.Email
	case userUpdated:
		for field := range event.Private {
			if name, ok := strings.CutPrefix(field, "old_"); ok {
				d.Changed = append(d.Changed, name)
			}
		}
		slices.Sort(d.Changed)
	case userRolesChanged:
		d.Role, d.Change = event.Private["role"], event.Reason
	case userLocked:
		d.Until = event.Private["until"]
	case userPasswordChanged:
		d.Reason = event.Reason
	case userDeletionScheduled:
		d.DeleteAt = identity.Time(p.DeleteMicros).UTC().Format(time.RFC3339)
	case sessionCreated:
		d.Session = event.Session.String()
	}
	return fact{kind, d}
}

// whoOf is who did it: the person themselves, an administrator, a command of an operator, or Ringwall.
func whoOf(by identity.Actor, user identity.ID) string {
	switch {
	case by.Kind() == identity.Person && by.Subject().ID() != user:
		return "administrator"
	case by.Kind() == identity.Anonymous: // with a link, a code or a password of theirs
		return identity.Person.String()
	}
	return by.Kind().String()
}

// sessionsOf tells of sessions that ended or got another id. Which event names a session tells why it ended; of the others
// the last one does, which is that of the change.
func sessionsOf(what Happened) (told []fact) {
	for _, r := range what.Renewed {
		told = append(told, fact{sessionRenewed, data{User: r.User.String(), By: whoOf(what.By, r.User), Session: r.New.String(), Previous: r.Old.String()}})
	}
	for _, s := range what.Ended {
		d := data{User: s.User.String(), By: whoOf(what.By, s.User), Reason: "other", Sessions: []string{s.ID.String()}}
		for _, event := range what.Events {
			if r := ruleFor(event); r.ends != "" {
				d.Reason = r.ends
				if event.Session == s.ID {
					break
				}
			}
		}
		same := slices.IndexFunc(told, func(f fact) bool {
			return f.kind == sessionEnded && f.data.User == d.User && f.data.Reason == d.Reason
		})
		if same < 0 {
			told = append(told, fact{sessionEnded, d})
		} else {
			told[same].data.Sessions = append(told[same].data.Sessions, d.Sessions...)
		}
	}
	return told
}
