package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/webhook"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	insertWebhook = sqlsafe.New(`
		INSERT INTO ringwall_webhooks (id, target, sealed, attempts, next_micros, created_micros, dead_micros, reason)
		VALUES ($1, $2, $3, 0, $4, $4, 0, '')`)
	// Two nodes may choose the same message; the second one then finds it claimed, because PostgreSQL asks the condition again.
	claimWebhook = sqlsafe.New(`
		UPDATE ringwall_webhooks
		SET attempts = attempts + 1, next_micros = $2
		WHERE next_micros <= $1 AND dead_micros = 0 AND id = (
			SELECT id FROM ringwall_webhooks
			WHERE target = $3 AND next_micros <= $1 AND dead_micros = 0
			ORDER BY next_micros, id
			LIMIT 1)
		RETURNING id, target, sealed, attempts, created_micros`)
	nextWebhook = sqlsafe.New(`
		SELECT next_micros FROM ringwall_webhooks
		WHERE target = $1 AND dead_micros = 0
		ORDER BY next_micros
		LIMIT 1`)
	deleteWebhook   = sqlsafe.New(`DELETE FROM ringwall_webhooks WHERE id = $1`)
	postponeWebhook = sqlsafe.New(`
		UPDATE ringwall_webhooks
		SET next_micros = $2, reason = $3
		WHERE id = $1`)
	buryWebhook = sqlsafe.New(`
		UPDATE ringwall_webhooks
		SET dead_micros = $2, reason = $3
		WHERE id = $1`)
	reviveWebhook = sqlsafe.New(`
		UPDATE ringwall_webhooks
		SET dead_micros = 0, attempts = 0, next_micros = $2
		WHERE id = $1 AND dead_micros > 0`)
	deadWebhooks = sqlsafe.List(`
		SELECT id, target, attempts, reason, created_micros, dead_micros
		FROM ringwall_webhooks
		WHERE dead_micros > 0`)
)

// EnqueueWebhook puts a message, sealed to its row, into the outbox of the transaction.
func (c *change) EnqueueWebhook(ctx context.Context, message webhook.Message) error {
	if message.ID.IsZero() {
		return errors.New("sqlstore: a webhook without an id")
	}
	sealed := c.keys.ring.Seal(secret.Outbox, sealedWebhook(message.ID), message.Body)
	_, err := c.turn.exec(ctx, insertWebhook.With(key(message.ID), message.Target, sealed, c.now().UnixMicro()))
	c.turn.webhook = true
	return err
}

func sealedWebhook(id identity.ID) string { return "webhooks/" + id.String() }

type claimedWebhook struct {
	claimed
	target string
}

func scanWebhook(s scanner) (c claimedWebhook, err error) {
	return c, s.Scan(&c.id, &c.target, &c.sealed, &c.attempts, &c.created)
}

// NextWebhook claims a message; see [webhook.OutboxStore].
func (s *Store) NextWebhook(ctx context.Context, target string, nowMicros int64) (webhook.Entry, bool, error) {
	keys := s.keys.Load()
	if keys == nil {
		return webhook.Entry{}, false, ErrNoKeyring
	}
	for {
		due, waits, err := s.NextWebhookDue(ctx, target)
		if err != nil || !waits || due > nowMicros {
			return webhook.Entry{}, false, err
		}
		var found claimedWebhook
		err = s.write(ctx, func(ctx context.Context, t *turn) (err error) {
			found, err = one(ctx, t, scanWebhook, claimWebhook.With(nowMicros, nowMicros+webhook.ClaimMicros, target))
			return err
		})
		if errors.Is(err, sql.ErrNoRows) {
			continue // another node was faster
		}
		if err != nil {
			return webhook.Entry{}, false, err
		}
		entry := webhook.Entry{Message: webhook.Message{ID: found.id, Target: found.target}, Attempts: found.attempts, CreatedMicros: found.created}
		if entry.Message.Body, err = keys.ring.Open(secret.Outbox, sealedWebhook(found.id), found.sealed); err != nil {
			err = fmt.Errorf("webhook %s: %w: %w", found.id, webhook.ErrUnreadable, err)
		}
		return entry, true, err
	}
}

// NextWebhookDue is when the earliest message is due; see [webhook.OutboxStore].
func (s *Store) NextWebhookDue(ctx context.Context, target string) (micros int64, ok bool, err error) {
	found, err := many(ctx, s.q, scanNumber, nextWebhook.With(target))
	if err != nil || len(found) == 0 {
		return 0, false, err
	}
	return found[0], true, nil
}

// WebhookSent ends a message: nothing of it stays.
func (s *Store) WebhookSent(ctx context.Context, id identity.ID) error {
	return s.run(ctx, deleteWebhook.With(key(id)))
}

// WebhookFailed sets the next try of a message; zero gives it up and keeps it.
func (s *Store) WebhookFailed(ctx context.Context, id identity.ID, nextMicros int64, reason string) error {
	if nextMicros == 0 {
		return s.run(ctx, buryWebhook.With(key(id), s.config.Now().UnixMicro(), reason))
	}
	return s.run(ctx, postponeWebhook.With(key(id), nextMicros, reason))
}

func scanDead(s scanner) (d webhook.Dead, err error) {
	return d, s.Scan(&d.ID, &d.Target, &d.Attempts, &d.Reason, &d.CreatedMicros, &d.DeadMicros)
}

// DeadWebhooks are the messages that were given up, the latest first; see [account.AlertReader].
func (s *Store) DeadWebhooks(ctx context.Context, deadMicros int64, after identity.ID, limit int) ([]webhook.Dead, error) {
	return many(ctx, s.q, scanDead, deadWebhooks.And(`dead_micros < ? OR dead_micros = ? AND id > ?`, deadMicros, deadMicros, key(after)).OrderBy(`dead_micros DESC, id`).Limit(limit))
}

// ReviveWebhook has a message sent again that was given up; see [account.AlertTx].
func (c *change) ReviveWebhook(ctx context.Context, id identity.ID) error {
	n, err := c.turn.exec(ctx, reviveWebhook.With(key(id), c.now().UnixMicro()))
	if err == nil && n == 0 {
		err = account.ErrMissing
	}
	c.turn.webhook = true
	return err
}
