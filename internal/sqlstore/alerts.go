package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	// The unique index over open rows makes one alert of whatever nodes raise at once.
	raiseAlert = sqlsafe.New(`
		INSERT INTO ringwall_alerts AS a (id, kind, key, what, places, help, count, opened_micros, seen_micros, closed_micros)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0)
		ON CONFLICT (kind, key) WHERE closed_micros = 0 DO UPDATE SET
			what = $4,
			help = $6,
			count = a.count + $7,
			seen_micros = CASE WHEN a.seen_micros > $8 THEN a.seen_micros ELSE $8 END
		RETURNING id, kind, key, what, places, help, count, opened_micros, seen_micros, closed_micros`)
	placeAlert = sqlsafe.New(`UPDATE ringwall_alerts SET places = $2 WHERE id = $1`)
	closeAlert = sqlsafe.New(`
		UPDATE ringwall_alerts
		SET closed_micros = $4
		WHERE kind = $1 AND key = $2 AND closed_micros = 0 AND seen_micros <= $3
		RETURNING id, kind, key, what, places, help, count, opened_micros, seen_micros, closed_micros`)
	openAlerts = sqlsafe.New(`
		SELECT id, kind, key, what, places, help, count, opened_micros, seen_micros, closed_micros
		FROM ringwall_alerts
		WHERE closed_micros = 0
		ORDER BY seen_micros
		LIMIT 100`)
	alertRows = sqlsafe.List(`
		SELECT id, kind, key, what, places, help, count, opened_micros, seen_micros, closed_micros
		FROM ringwall_alerts
		WHERE TRUE`)
)

const placeMark = "\n" // between the places of an alert

// ChangeAlerts runs a change of alerts in one transaction; see [alerts.Store].
func (s *Store) ChangeAlerts(ctx context.Context, by identity.Actor, run func(context.Context, alerts.Tx) error) error {
	if by.Kind() == identity.Nobody {
		return errNobody
	}
	keys := s.keys.Load()
	if keys == nil {
		return ErrNoKeyring
	}
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		return run(ctx, &change{reader: reader{q: t, now: s.config.Now, lock: t.lock}, turn: t, keys: keys, by: by})
	})
}

func scanAlert(s scanner) (o alerts.Open, err error) {
	var places string
	err = s.Scan(&o.ID, &o.Kind, &o.Key, &o.What, &places, &o.Help, &o.Count, &o.OpenedMicros, &o.SeenMicros, &o.ClosedMicros)
	if places != "" {
		o.Where = strings.Split(places, placeMark)
	}
	return o, err
}

// RaiseAlert opens an alert or adds to the open one; see [alerts.Tx].
func (c *change) RaiseAlert(ctx context.Context, a alerts.Alert, seenMicros int64) (alerts.Open, bool, error) {
	id := identity.NewID()
	now, err := one(ctx, c.turn, scanAlert, raiseAlert.With(key(id), a.Kind, a.Key, a.What, strings.Join(a.Where, placeMark), a.Help, a.Count, seenMicros))
	if err != nil || now.ID == id {
		return now, err == nil, err
	}
	if places := alerts.Merge(slices.Clone(now.Where), a.Where); len(places) != len(now.Where) {
		now.Where = places
		_, err = c.turn.exec(ctx, placeAlert.With(key(now.ID), strings.Join(places, placeMark)))
	}
	return now, false, err
}

// CloseAlert closes an alert that is quiet; see [alerts.Tx].
func (c *change) CloseAlert(ctx context.Context, kind, key string, quietSinceMicros, nowMicros int64) (alerts.Open, bool, error) {
	closed, err := many(ctx, c.turn, scanAlert, closeAlert.With(kind, key, quietSinceMicros, nowMicros))
	if err != nil || len(closed) == 0 {
		return alerts.Open{}, false, err
	}
	return closed[0], true, nil
}

// OpenAlerts are the alerts that are open; see [alerts.Store].
func (s *Store) OpenAlerts(ctx context.Context) ([]alerts.Open, error) {
	return many(ctx, s.q, scanAlert, openAlerts)
}

// Alerts are open and closed alerts, the latest first; see [account.AlertReader].
func (s *Store) Alerts(ctx context.Context, openedMicros int64, after identity.ID, limit int) ([]alerts.Open, error) {
	return many(ctx, s.q, scanAlert, alertRows.And(`opened_micros < ? OR opened_micros = ? AND id > ?`, openedMicros, openedMicros, key(after)).OrderBy(`opened_micros DESC, id`).Limit(limit))
}
