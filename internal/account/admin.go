package account

import (
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
)

var errLastAdministrator = problem.New(problem.Conflict, "last-administrator", "This is the last administrator. Give somebody else the role first.")

// because admits an operator and puts their reason among the private details of the event. An administrator must give one.
func because(by identity.Actor, reason string, private map[string]string) (map[string]string, error) {
	if err := operator(by); err != nil {
		return nil, err
	}
	reason = strings.TrimSpace(reason)
	if reason == "" {
		if by.Kind() == identity.Person {
			return nil, problem.New(problem.Invalid, "invalid", "Say why: the reason goes into the audit log.").
				With(problem.Field{Name: "/reason", Code: "required", Detail: "Say why: it goes into the audit log."})
		}
		return private, nil
	}
	if private == nil {
		private = map[string]string{}
	}
	private["reason"] = reason
	return private, nil
}

// keepAdministrator refuses to take away the last person who can act as an administrator. It stands first in a change: until
// that ends, it holds up everybody else who would take one away.
func (s *Service) keepAdministrator(ctx context.Context, tx Tx, user identity.ID) error {
	others, err := tx.OtherAdministrators(ctx, user, s.Now().UnixMicro())
	if err != nil || others > 0 {
		return err
	}
	current, err := tx.UserByID(ctx, user)
	if err == nil && slices.Contains(current.Roles, authz.Administrator) {
		return errLastAdministrator
	}
	return err
}

// DemandReset locks somebody's account down that may be in other hands: all of their sessions and links end, and their
// password opens nothing until they have chosen a new one by the mailed link. Problems: invalid, not-found.
func (s *Service) DemandReset(ctx context.Context, by identity.Actor, user User, reason string) error {
	private, err := because(by, reason, nil)
	if err != nil {
		return err
	}
	return s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.AuthzAdmin, User: user.ID, Reason: "reset demanded", Private: private}
		current, err := tx.UserByID(ctx, user.ID)
		if errors.Is(err, ErrMissing) {
			err = errNotFound
		}
		if err == nil {
			err = s.stillOperator(ctx, tx, by)
		}
		if err != nil {
			return event, err
		}
		return event, s.lockDown(ctx, by, tx, current, mail.ResetDemanded, current.Language)
	})
}

// UserSearch is what an operator looks for among people.
type UserSearch struct {
	Text   string // a part of the address or of the name
	Role   string
	Locked *bool
	Limit  int
	Cursor string // from an earlier page
}

// SearchUsers lists people in the order of their addresses. Next leads to the page after; empty if there is none.
// Problems: invalid.
func (s *Service) SearchUsers(ctx context.Context, by identity.Actor, in UserSearch) (found []User, next string, err error) {
	if err := operator(by); err != nil {
		return nil, "", err
	}
	after, err := s.openCursor("users", in.Cursor)
	if err != nil {
		return nil, "", err
	}
	found, err = s.Store.SearchUsers(ctx, UserFilter{
		Text: in.Text, Role: in.Role, Locked: in.Locked, NowMicros: s.Now().UnixMicro(), After: after, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, "", err
	}
	if len(found) > in.Limit {
		found = found[:in.Limit]
		next = s.sealCursor("users", found[in.Limit-1].EmailCanonical)
	}
	return found, next, s.look(ctx, by, audit.Event{Name: audit.AuthzAdmin, Reason: "users listed"})
}

// Inspect is one person with the number of their live sessions. Problems: not-found.
func (s *Service) Inspect(ctx context.Context, by identity.Actor, id identity.ID) (User, int, error) {
	user, err := s.FindUser(ctx, by, id.String())
	if err != nil {
		return User{}, 0, err
	}
	list, err := s.liveSessions(ctx, identity.SubjectOf(id))
	if err != nil {
		return User{}, 0, err
	}
	return user, len(list), s.look(ctx, by, audit.Event{Name: audit.AuthzAdmin, User: id, Reason: "user read"})
}

// EventSearch is what an operator looks for in the audit log.
type EventSearch struct {
	User         identity.ID // who acted, or to whom it happened
	Name         audit.Name
	Address      netip.Prefix
	Since, Until time.Time
	Limit        int
	Cursor       string // from an earlier page
}

// Events reads the audit log, newest first. A page may be short though there is more: an address is looked for in a bounded
// number of rows at a time. Next leads on; empty if there is nothing more. Problems: invalid.
func (s *Service) Events(ctx context.Context, by identity.Actor, in EventSearch) (found []audit.Opened, next string, err error) {
	if err := operator(by); err != nil {
		return nil, "", err
	}
	query := audit.Query{Address: in.Address, Filter: audit.Filter{User: in.User, Name: in.Name, Limit: in.Limit}}
	if in.Name != "" && !audit.Known(in.Name) {
		return nil, "", problem.New(problem.Invalid, "invalid", "There is no such event.").
			With(problem.Field{Name: "event", Code: "unknown", Detail: "Name an event of docs/audit.md, such as authz_fail."})
	}
	if !in.Since.IsZero() && !in.Until.IsZero() && !in.Since.Before(in.Until) {
		return nil, "", problem.New(problem.Invalid, "invalid", "since must be before until: nothing lies between them.").
			With(problem.Field{Name: "until", Code: "range", Detail: "Name a time after since."})
	}
	if !in.Since.IsZero() {
		query.SinceMicros = in.Since.UnixMicro()
	}
	if !in.Until.IsZero() {
		query.UntilMicros = in.Until.UnixMicro()
	}
	from, err := s.openCursor("audit", in.Cursor)
	if err != nil {
		return nil, "", err
	}
	if from != "" {
		if query.BeforeSeq, err = strconv.ParseInt(from, 10, 64); err != nil {
			return nil, "", errCursor
		}
	}
	found, last, err := s.Archive.Search(ctx, query)
	if err != nil {
		return nil, "", err
	}
	if last != 0 {
		next = s.sealCursor("audit", strconv.FormatInt(last, 10))
	}
	return found, next, s.look(ctx, by, audit.Event{Name: audit.AuthzAdmin, Reason: "audit log read"})
}

// look records that an administrator has read what is not theirs (S069). Commands read the database of their own machine.
func (s *Service) look(ctx context.Context, by identity.Actor, event audit.Event) error {
	if by.Kind() != identity.Person {
		return nil
	}
	return s.Store.Change(ctx, by, func(context.Context, Tx) (audit.Event, error) { return event, nil })
}

var errCursor = problem.New(problem.Invalid, "invalid", "The cursor is not one of this list. Begin again without one.").
	With(problem.Field{Name: "cursor", Code: "cursor", Detail: "Send the next of an earlier page, or none."})

// A cursor is sealed: it holds an address, and nobody else can make one.

func (s *Service) sealCursor(list, place string) string {
	return base64.RawURLEncoding.EncodeToString(s.Keys.Seal(secret.Cursors, list, []byte(place)))
}

func (s *Service) openCursor(list, cursor string) (place string, err error) {
	if cursor == "" {
		return "", nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", errCursor
	}
	plain, err := s.Keys.Open(secret.Cursors, list, sealed)
	if errors.Is(err, secret.ErrUnopenable) {
		return "", errCursor
	}
	return string(plain), err
}
