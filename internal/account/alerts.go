package account

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/webhook"
)

// AlertReader reads what was told of attacks, and what could not be told.
type AlertReader interface {
	// Alerts are open and closed alerts opened before a time, and of those of that time the ones with a greater id; the latest first.
	Alerts(ctx context.Context, openedMicros int64, after identity.ID, limit int) ([]alerts.Open, error)
	// DeadWebhooks are the webhooks given up before a time, and of those of that time the ones with a greater id; the latest first.
	DeadWebhooks(ctx context.Context, deadMicros int64, after identity.ID, limit int) ([]webhook.Dead, error)
}

// AlertTx changes what could not be told.
type AlertTx interface {
	// ReviveWebhook has a webhook sent again that was given up, with the same id; [ErrMissing].
	ReviveWebhook(ctx context.Context, id identity.ID) error
}

// ListAlerts lists open and closed alerts, the latest first. Next leads to the page after; empty if there is none. Problems: invalid.
func (s *Service) ListAlerts(ctx context.Context, by identity.Actor, limit int, cursor string) (found []alerts.Open, next string, err error) {
	return latest[alerts.Open]{
		"alerts", audit.Event{Name: audit.AuthzAdmin, Reason: "alerts listed"}, s.Store.Alerts,
		func(a alerts.Open) (int64, identity.ID) { return a.OpenedMicros, a.ID },
	}.page(ctx, s, by, limit, cursor)
}

// DeadWebhooks lists the webhooks that were given up, the latest first. Next leads to the page after; empty if there is none. Problems: invalid.
func (s *Service) DeadWebhooks(ctx context.Context, by identity.Actor, limit int, cursor string) (found []webhook.Dead, next string, err error) {
	return latest[webhook.Dead]{
		"webhooks", audit.Event{Name: audit.AuthzAdmin, Reason: "webhooks listed"}, s.Store.DeadWebhooks,
		func(w webhook.Dead) (int64, identity.ID) { return w.DeadMicros, w.ID },
	}.page(ctx, s, by, limit, cursor)
}

// latest is a list for operators that begins with the latest.
type latest[T any] struct {
	name  string
	look  audit.Event // of whoever reads it
	read  func(ctx context.Context, beforeMicros int64, after identity.ID, limit int) ([]T, error)
	place func(T) (micros int64, id identity.ID)
}

func (l latest[T]) page(ctx context.Context, s *Service, by identity.Actor, limit int, cursor string) (found []T, next string, err error) {
	if err := operator(by); err != nil {
		return nil, "", err
	}
	before, after, err := s.placeIn(l.name, cursor)
	if err != nil {
		return nil, "", err
	}
	if found, err = l.read(ctx, before, after, limit+1); err != nil {
		return nil, "", err
	}
	if len(found) > limit {
		found = found[:limit]
		micros, id := l.place(found[limit-1])
		next = s.sealCursor(l.name, strconv.FormatInt(micros, 10)+" "+id.String())
	}
	return found, next, s.look(ctx, by, l.look)
}

// placeIn reads a cursor: the time and the id of the row before the page.
func (s *Service) placeIn(list, cursor string) (before int64, after identity.ID, err error) {
	place, err := s.openCursor(list, cursor)
	if err != nil || place == "" {
		return math.MaxInt64, after, err
	}
	micros, id, _ := strings.Cut(place, " ")
	before, err = strconv.ParseInt(micros, 10, 64)
	if err == nil {
		after, err = identity.ParseID(id)
	}
	if err != nil {
		return 0, after, errCursor
	}
	return before, after, nil
}

// ReplayWebhook sends a webhook again that was given up, with the same id. Problems: invalid, not-found.
func (s *Service) ReplayWebhook(ctx context.Context, by identity.Actor, id identity.ID, reason string) error {
	private, err := because(by, reason, map[string]string{"webhook": id.String()})
	if err != nil {
		return err
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		err := s.stillOperator(ctx, tx, by)
		if err == nil {
			err = tx.ReviveWebhook(ctx, id)
		}
		return audit.Event{Name: audit.AuthzAdmin, Reason: "webhook sent again", Private: private}, err
	})
	if errors.Is(err, ErrMissing) {
		err = problem.New(problem.Missing, "not-found", "No webhook with this id was given up.")
	}
	return err
}
