package account

import (
	"context"
	"strconv"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
)

// Device is a browser that somebody has signed in with, known by its cookie.
type Device struct{ ExpiresMicros int64 }

// OwnReader reads what belongs to one person.
type OwnReader interface {
	audit.PersonKeyReader
	Devices(ctx context.Context, owner identity.Subject) ([]Device, error)        // at most fifty
	Links(ctx context.Context, owner identity.Subject) ([]Link, error)            // also those to choose a password; without their MACs
	Metadata(ctx context.Context, owner identity.Subject) (SealedMetadata, error) // zero if nothing was stored
	// OwnEvents are the events about a person before a position, newest first. Brief leaves out those that only repeat another.
	OwnEvents(ctx context.Context, owner identity.Subject, beforeSeq int64, brief bool, limit int) ([]audit.Row, error)
}

// Activity is one thing that happened to an account, or a number of failed attempts of one kind and day.
type Activity struct {
	AtMicros  int64
	Event     audit.Name
	Reason    string
	Count     int64
	Address   string // empty: not known, of several places, or of somebody who runs the service
	UserAgent string
	Current   bool // of the session that asks
	Operator  bool // somebody who runs the service did it
	Private   map[string]string
}

const mostActivity = 100

// Activity is what happened to the account of the person who asks, newest first, after a cursor that the call before
// returned; empty begins. Next is empty at the end. Problems: unauthenticated, invalid.
func (s *Service) Activity(ctx context.Context, by identity.Actor, cursor string, limit int) (list []Activity, next string, err error) {
	if by.Subject().IsZero() {
		return nil, "", errSignIn
	}
	before, err := s.readCursor(by.Subject(), cursor)
	if err != nil {
		return nil, "", err
	}
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, mostActivity)
	rows, err := s.Store.OwnEvents(ctx, by.Subject(), before, true, limit+1)
	if err != nil {
		return nil, "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = s.cursor(by.Subject(), rows[limit-1].Seq)
	}
	keys := &ownKey{store: s.Store, owner: by.Subject().ID()}
	for _, row := range rows {
		list = join(list, s.activityOf(ctx, by, keys, row))
	}
	return list, next, nil
}

// ownKey is the key of one person, read once. What is sealed under somebody else's stays shut.
type ownKey struct {
	store   audit.PersonKeyReader
	owner   identity.ID
	wrapped []byte
	found   bool
	read    bool
}

// PersonKey is the key of the owner, and none of anybody else.
func (k *ownKey) PersonKey(ctx context.Context, user identity.ID) (wrapped []byte, ok bool, err error) {
	if user != k.owner {
		return nil, false, nil
	}
	if !k.read {
		if k.wrapped, k.found, err = k.store.PersonKey(ctx, user); err != nil {
			return nil, false, err
		}
		k.read = true
	}
	return k.wrapped, k.found, nil
}

// activityOf is a row as its person may see it. What does not open is shown without: the row itself is what audit verify judges.
func (s *Service) activityOf(ctx context.Context, by identity.Actor, keys *ownKey, row audit.Row) Activity {
	owner := by.Subject().ID()
	a := Activity{AtMicros: row.TimeMicros, Event: audit.Name(row.Name), Reason: row.Reason, Count: row.Count}
	a.Operator = row.ActorKind == identity.Operator.String() || !row.ActorUser.IsZero() && row.ActorUser != owner
	a.Current = !a.Operator && !row.Session.IsZero() && row.Session == by.Session()
	details, err := audit.NewBuilder(s.Keys, s.Now).Open(ctx, keys, row)
	if err != nil {
		return a
	}
	a.Private, a.Address, a.UserAgent = details.Private, details.Address, details.UserAgent // where an administrator sits is theirs
	return a
}

// join adds a to the list, or counts it to the one before: a hundred failed attempts of a day are one line.
func join(list []Activity, a Activity) []Activity {
	const day = 24 * 60 * 60 * 1_000_000
	if n := len(list); n > 0 && a.Event.Failed() {
		last := &list[n-1]
		if last.Event == a.Event && last.AtMicros/day == a.AtMicros/day {
			last.Count += a.Count
			if last.Address != a.Address {
				last.Address = ""
			}
			if last.UserAgent != a.UserAgent {
				last.UserAgent = ""
			}
			return list
		}
	}
	return append(list, a)
}

// Suspicious reports whether somebody else could have done it, so that the owner should look twice.
func (a Activity) Suspicious() bool {
	if a.Current || a.Operator {
		return false
	}
	switch a.Event {
	case audit.LoginSuccess, audit.LoginSuccessAfterFail, audit.PasswordChange, audit.UserExported, audit.UserArchived:
		return true
	}
	return false
}

func cursorRow(owner identity.Subject) string { return "activity/" + owner.ID().String() }

// cursor seals a position for one person, so that it tells nothing and opens no other list.
func (s *Service) cursor(owner identity.Subject, seq int64) string {
	return s.sealCursor(cursorRow(owner), strconv.FormatInt(seq, 10))
}

func (s *Service) readCursor(owner identity.Subject, cursor string) (int64, error) {
	place, err := s.openCursor(cursorRow(owner), cursor)
	if err != nil || place == "" {
		return 1<<63 - 1, err
	}
	seq, err := strconv.ParseInt(place, 10, 64)
	if err != nil {
		return 0, errCursor
	}
	return seq, nil
}
