package sqlstore

import (
	"context"
	"fmt"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	insertAuditRow = sqlsafe.New(`
		INSERT INTO ringwall_audit (id, time_micros, name, actor_kind, actor_name, actor_user, user_id, session_id, request_id, route, reason, count, personal, mark)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`)
	auditRows = sqlsafe.List(`
		SELECT seq, tx, id, time_micros, name, actor_kind, actor_name, actor_user, user_id, session_id, request_id, route, reason, count, personal, mark
		FROM ringwall_audit
		WHERE TRUE`)
	// A session that began says no more than the sign-in that began it.
	ownEvents = sqlsafe.Owned(`
		SELECT seq, tx, id, time_micros, name, actor_kind, actor_name, actor_user, user_id, session_id, request_id, route, reason, count, personal, mark
		FROM ringwall_audit
		WHERE user_id = $1 AND seq < $2 AND (name <> 'session_created' OR NOT $3)
		ORDER BY seq DESC
		LIMIT $4`)
	// PostgreSQL only. A transaction that is still running may write a row before the position; so rows are told only
	// up to the oldest running one.
	oldestTx        = sqlsafe.New(`SELECT ringwall_oldest_tx()`)
	personKey       = sqlsafe.New(`SELECT wrapped FROM ringwall_person_keys WHERE user_id = $1`)
	insertPersonKey = sqlsafe.New(`
		INSERT INTO ringwall_person_keys (user_id, wrapped)
		VALUES ($1, $2)
		ON CONFLICT (user_id) DO NOTHING`)
)

func insertAudit(ctx context.Context, t *turn, r audit.Row) error {
	_, err := t.exec(ctx, insertAuditRow.With(key(r.ID), r.TimeMicros, r.Name, r.ActorKind, r.ActorName, ref(r.ActorUser), ref(r.User), ref(r.Session),
		r.RequestID, r.Route, r.Reason, r.Count, r.Personal, blob(r.Mark)))
	t.events = true
	return err
}

func scanAudit(s scanner) (r audit.Row, err error) {
	return r, s.Scan(&r.Seq, &r.Tx, &r.ID, &r.TimeMicros, &r.Name, &r.ActorKind, &r.ActorName, &r.ActorUser, &r.User, &r.Session,
		&r.RequestID, &r.Route, &r.Reason, &r.Count, &r.Personal, &r.Mark)
}

// InsertRefusals writes a row for each refusal, in one transaction; see [audit.RefusalStore].
func (s *Store) InsertRefusals(ctx context.Context, refusals []audit.Refusal) error {
	keys := s.keys.Load()
	if keys == nil {
		return ErrNoKeyring
	}
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		c := &change{reader: reader{q: t, now: s.config.Now}, turn: t, keys: keys}
		for _, refusal := range refusals {
			row, err := keys.build.Refusal(ctx, c, refusal)
			if err != nil {
				return fmt.Errorf("audit refusal %s: %w", refusal.Event.Name, err)
			}
			if err := insertAudit(ctx, t, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// Rows reads rows with a higher seq; see [audit.SealStore].
func (s *Store) Rows(ctx context.Context, afterSeq int64, limit int) ([]audit.Row, error) {
	return many(ctx, s.q, scanAudit, auditRows.And(`seq > ?`, afterSeq).OrderBy(`seq`).Limit(limit))
}

// Search reads the rows that a filter chooses; see [audit.ArchiveStore].
func (s *Store) Search(ctx context.Context, f audit.Filter) ([]audit.Row, error) {
	q := auditRows.And(`seq > ?`, f.AfterSeq).OrderBy(`seq DESC`).Limit(f.Limit)
	if f.Oldest {
		q = q.OrderBy(`seq`)
	}
	if f.BeforeSeq != 0 {
		q = q.And(`seq < ?`, f.BeforeSeq)
	}
	if !f.User.IsZero() {
		q = q.And(`user_id = ? OR actor_user = ?`, key(f.User), key(f.User))
	}
	if f.Name != "" {
		q = q.And(`name = ?`, string(f.Name))
	}
	if f.SinceMicros != 0 {
		q = q.And(`time_micros >= ?`, f.SinceMicros)
	}
	if f.UntilMicros != 0 {
		q = q.And(`time_micros < ?`, f.UntilMicros)
	}
	return many(ctx, s.q, scanAudit, q)
}

func (r reader) OwnEvents(ctx context.Context, owner identity.Subject, beforeSeq int64, brief bool, limit int) ([]audit.Row, error) {
	return many(ctx, r.q, scanAudit, ownEvents.For(owner, beforeSeq, brief, limit))
}

// Unsealed reads rows after a position, in the order of their transactions; see [audit.SealStore].
func (s *Store) Unsealed(ctx context.Context, lastTx, lastSeq int64, limit int) (rows []audit.Row, held bool, err error) {
	after := auditRows.And(`(tx, seq) > (?, ?)`, lastTx, lastSeq).OrderBy(`tx, seq`).Limit(limit)
	if s.engine.exact() { // one writer: rows appear in the order of their numbers
		rows, err = many(ctx, s.q, scanAudit, after)
		return rows, false, err
	}
	// Read first: a row that is committed later than this belongs to this transaction or a later one.
	oldest, err := one(ctx, s.q, scanNumber, oldestTx)
	if err != nil {
		return nil, false, err
	}
	if rows, err = many(ctx, s.q, scanAudit, after); err != nil {
		return nil, false, err
	}
	for at, row := range rows {
		if row.Tx >= oldest {
			return rows[:at], true, nil
		}
	}
	return rows, false, nil
}

// PersonKey reads the wrapped key of a person; see [audit.PersonKeyReader].
func (r reader) PersonKey(ctx context.Context, user identity.ID) (wrapped []byte, ok bool, err error) {
	found, err := many(ctx, r.q, scanBytes, personKey.With(key(user)))
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	return found[0], true, nil
}

func (c *change) InsertPersonKey(ctx context.Context, user identity.ID, wrapped []byte) error {
	_, err := c.turn.exec(ctx, insertPersonKey.With(key(user), blob(wrapped)))
	return err
}
