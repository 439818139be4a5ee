package account

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/sessions"
)

// exportPolicy admits three exports a day: each reads a whole history.
var exportPolicy = AttemptPolicy{
	Max: 3, WindowMicros: 24 * time.Hour.Microseconds(), LockMicros: 24 * time.Hour.Microseconds(), MaxMicros: 24 * time.Hour.Microseconds(),
}

// exportPage is how many events of an export are in memory at a time.
const exportPage = 500

// ExportHead is everything that is held about a person but their events. Times are RFC 3339 in UTC. No hash, MAC, token or
// key is in it: what is secret from its owner's thieves proves nothing to its owner.
type ExportHead struct {
	MadeAt   string          `json:"made_at" format:"date-time"`
	Profile  ExportProfile   `json:"profile"`
	Sessions []ExportSession `json:"sessions"`
	Devices  []ExportDevice  `json:"devices" doc:"Browsers that are known by a cookie."`
	Links    []ExportLink    `json:"links" doc:"Mailed links that still work."`
	// EmailChange is the change of address that waits for its links.
	EmailChange *ExportEmailChange `json:"email_change,omitempty"`
	// Metadata is what the application keeps here, the private part too: who asks what is held about them gets all of it
	// (GDPR, article 15). What a person may not learn belongs into the application's own tables.
	Metadata Metadata `json:"metadata"`
}

// ExportEmailChange is a change of address that is under way.
type ExportEmailChange struct {
	Email       string `json:"email" doc:"The new address."`
	CreatedAt   string `json:"created_at"`
	ExpiresAt   string `json:"expires_at"`
	ApprovedAt  string `json:"approved_at,omitempty"`
	ConfirmedAt string `json:"confirmed_at,omitempty"`
}

// ExportProfile is the person.
type ExportProfile struct {
	ID                string   `json:"id"`
	Email             string   `json:"email"`
	EmailCanonical    string   `json:"email_canonical" doc:"The address as it is compared."`
	DisplayName       string   `json:"display_name"`
	Language          string   `json:"language"`
	Roles             []string `json:"roles"`
	CreatedAt         string   `json:"created_at"`
	PasswordChangedAt string   `json:"password_changed_at"`
	LockedAt          string   `json:"locked_at,omitempty"`
	LockedUntil       string   `json:"locked_until,omitempty"`
	LockReason        string   `json:"lock_reason,omitempty"`
	ResetDemandedAt   string   `json:"reset_demanded_at,omitempty"`
	DeleteAt          string   `json:"delete_at,omitempty"`
}

// ExportSession is a sign-in that is not over.
type ExportSession struct {
	ID         string `json:"id"`
	Device     string `json:"device"`
	IP         string `json:"ip"`
	UserAgent  string `json:"user_agent"`
	CreatedAt  string `json:"created_at"`
	LastSeenAt string `json:"last_seen_at"`
	ExpiresAt  string `json:"expires_at"`
	Remembered bool   `json:"remembered"`
	Bearer     bool   `json:"bearer"`
}

// ExportDevice is a known browser.
type ExportDevice struct {
	ExpiresAt string `json:"expires_at"`
}

// ExportLink is a mailed link.
type ExportLink struct {
	Purpose   string `json:"purpose"`
	CreatedAt string `json:"created_at"`
	ExpiresAt string `json:"expires_at"`
}

// ExportEvent is a row of the audit log about the person.
type ExportEvent struct {
	At          string         `json:"at" format:"date-time"`
	Event       string         `json:"event"`
	Description string         `json:"description"`
	Reason      string         `json:"reason,omitempty"`
	Count       int64          `json:"count"`
	By          string         `json:"by,omitempty" doc:"Empty: the person, or nobody known."`
	IP          string         `json:"ip,omitempty"`
	UserAgent   string         `json:"user_agent,omitempty"`
	Details     []ExportDetail `json:"details,omitempty"`
}

// ExportDetail is one private detail of an event.
type ExportDetail struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Export is what somebody downloads about themselves.
type Export struct {
	Head ExportHead

	service *Service
	by      identity.Actor
}

// Export prepares what is held about the person who asks; [Export.Write] writes it. It is recorded, and admitted three
// times a day. Problems: unauthenticated, too-many-requests.
func (s *Service) Export(ctx context.Context, by identity.Actor) (*Export, error) {
	owner := by.Subject()
	if owner.IsZero() {
		return nil, errSignIn
	}
	try, attempt, err := s.count(ctx, exportPolicy, "export", owner.ID().String())
	if err != nil {
		return nil, err
	}
	if !attempt.Admitted {
		s.Refusals.Count(ctx, by, audit.Event{Name: audit.RateLimitExceeded, User: owner.ID(), Reason: "export"})
		return nil, problem.New(problem.TooMany, "too-many-requests", "Your data was downloaded three times today already. Come back tomorrow.").After(s.coarse(attempt))
	}
	e := &Export{service: s, by: by}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.UserExported, User: owner.ID()}
		user, err := tx.UserByID(ctx, owner.ID())
		if err != nil {
			return event, err
		}
		e.Head, err = s.exportHead(ctx, by, tx, user)
		return event, err
	})
	if err != nil {
		s.giveBack(ctx, try)
		return nil, err
	}
	return e, nil
}

func (s *Service) exportHead(ctx context.Context, by identity.Actor, tx Tx, u User) (head ExportHead, err error) {
	owner := identity.SubjectOf(u.ID)
	head = ExportHead{MadeAt: stamp(s.Now().UnixMicro()), Sessions: []ExportSession{}, Devices: []ExportDevice{}, Links: []ExportLink{}}
	head.Profile = ExportProfile{
		ID: u.ID.String(), Email: u.Email, EmailCanonical: u.EmailCanonical, DisplayName: u.DisplayName, Language: u.Language, Roles: append([]string{}, u.Roles...),
		CreatedAt: stamp(u.CreatedMicros), PasswordChangedAt: stamp(u.PasswordChangedMicros), LockedAt: stamp(u.LockedMicros), LockedUntil: stamp(u.LockUntilMicros),
		LockReason: u.LockReason, ResetDemandedAt: stamp(u.ResetDemandedMicros), DeleteAt: stamp(u.DeleteMicros),
	}
	open, err := tx.Sessions(ctx, owner)
	if err != nil {
		return head, err
	}
	for _, o := range open {
		head.Sessions = append(head.Sessions, ExportSession{
			ID: o.ID.String(), Device: sessions.DeviceLabel(o.UserAgent), IP: o.Address, UserAgent: o.UserAgent, Remembered: o.Remembered, Bearer: o.Bearer,
			CreatedAt: stamp(o.CreatedMicros), LastSeenAt: stamp(s.Engine.LastSeen(o)), ExpiresAt: stamp(o.ExpiresMicros),
		})
	}
	sealed, err := tx.Metadata(ctx, owner)
	if err == nil {
		head.Metadata, err = s.openMetadata(ctx, by, owner, sealed, true)
	}
	if err != nil {
		return head, err
	}
	devices, err := tx.Devices(ctx, owner)
	if err != nil {
		return head, err
	}
	for _, d := range devices {
		head.Devices = append(head.Devices, ExportDevice{stamp(d.ExpiresMicros)})
	}
	links, err := tx.Links(ctx, owner)
	for _, l := range links {
		head.Links = append(head.Links, ExportLink{string(l.Purpose), stamp(l.CreatedMicros), stamp(l.ExpiresMicros)})
	}
	if err != nil {
		return head, err
	}
	wanted, err := tx.EmailChange(ctx, owner)
	if errors.Is(err, ErrMissing) {
		return head, nil
	}
	head.EmailChange = &ExportEmailChange{wanted.Email, stamp(wanted.CreatedMicros), stamp(wanted.ExpiresMicros), stamp(wanted.ApprovedMicros), stamp(wanted.ConfirmedMicros)}
	return head, err
}

// stamp is a time as an export spells it; empty for none.
func stamp(micros int64) string {
	if micros == 0 {
		return ""
	}
	return identity.Time(micros).Format(time.RFC3339)
}

// Write writes one JSON object: the head, and in its member "activity" every event, newest first. However long the history
// is, a page of it is in memory. After an error what was written is no JSON.
func (e *Export) Write(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 32<<10)
	head, err := json.Marshal(e.Head)
	if err != nil {
		return err
	}
	_, _ = out.Write(head[:len(head)-1]) // without its brace; a bufio.Writer keeps its first error for Flush
	_, _ = out.WriteString(`,"activity":[`)
	keys, comma := &ownKey{store: e.service.Store, owner: e.by.Subject().ID()}, ""
	for before := int64(math.MaxInt64); ; {
		rows, err := e.service.Store.OwnEvents(ctx, e.by.Subject(), before, false, exportPage)
		if err != nil {
			return err
		}
		for _, row := range rows {
			text, err := json.Marshal(e.event(ctx, keys, row))
			if err != nil {
				return err
			}
			_, _ = out.WriteString(comma + "\n")
			if _, err := out.Write(text); err != nil {
				return err
			}
			comma, before = ",", row.Seq
		}
		if len(rows) < exportPage {
			break
		}
	}
	_, _ = out.WriteString("]}\n")
	return out.Flush()
}

func (e *Export) event(ctx context.Context, keys *ownKey, row audit.Row) ExportEvent {
	a := e.service.activityOf(ctx, e.by, keys, row)
	event := ExportEvent{
		At: stamp(a.AtMicros), Event: string(a.Event), Description: audit.Describe(a.Event), Reason: a.Reason, Count: a.Count, IP: a.Address, UserAgent: a.UserAgent,
	}
	if a.Operator {
		event.By = "administrator"
	}
	for _, name := range slices.Sorted(maps.Keys(a.Private)) {
		event.Details = append(event.Details, ExportDetail{name, a.Private[name]})
	}
	return event
}
