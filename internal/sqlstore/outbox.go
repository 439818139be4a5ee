package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	insertMail = sqlsafe.New(`
		INSERT INTO ringwall_outbox (id, sealed, attempts, next_micros, created_micros)
		VALUES ($1, $2, 0, $3, $3)`)
	// Two nodes may choose the same mail; the second one then finds it claimed, because PostgreSQL asks the condition again.
	claimMail = sqlsafe.New(`
		UPDATE ringwall_outbox
		SET attempts = attempts + 1, next_micros = $2
		WHERE next_micros <= $1 AND id = (
			SELECT id FROM ringwall_outbox
			WHERE next_micros <= $1
			ORDER BY next_micros, id
			LIMIT 1)
		RETURNING id, sealed, attempts, created_micros`)
	nextMail = sqlsafe.New(`
		SELECT next_micros FROM ringwall_outbox
		ORDER BY next_micros
		LIMIT 1`)
	deleteMail   = sqlsafe.New(`DELETE FROM ringwall_outbox WHERE id = $1`)
	postponeMail = sqlsafe.New(`UPDATE ringwall_outbox SET next_micros = $2 WHERE id = $1`)
)

// Enqueue puts a mail, sealed to its row, into the outbox of the transaction.
func (c *change) Enqueue(ctx context.Context, message mail.Message) error {
	sealed, err := c.keys.sealMail(message)
	if err != nil {
		return err
	}
	_, err = c.turn.exec(ctx, insertMail.With(key(message.ID), sealed, c.now().UnixMicro()))
	c.turn.mail = true
	return err
}

func (k *keys) sealMail(message mail.Message) ([]byte, error) {
	if message.ID.IsZero() {
		return nil, errors.New("sqlstore: a mail without an id")
	}
	plain, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("mail %s: %w", message.ID, err)
	}
	return k.ring.Seal(secret.Outbox, message.ID.String(), plain), nil
}

func (k *keys) openMail(id identity.ID, sealed []byte) (mail.Message, error) {
	message := mail.Message{ID: id}
	plain, err := k.ring.Open(secret.Outbox, id.String(), sealed)
	if err == nil {
		err = json.Unmarshal(plain, &message)
	}
	if err != nil {
		return mail.Message{ID: id}, fmt.Errorf("mail %s: %w: %w", id, mail.ErrUnreadable, err)
	}
	return message, nil
}

type claimed struct {
	id       identity.ID
	sealed   []byte
	attempts int
	created  int64
}

func scanClaimed(s scanner) (c claimed, err error) {
	return c, s.Scan(&c.id, &c.sealed, &c.attempts, &c.created)
}

// NextMail claims a mail; see [mail.OutboxStore].
func (s *Store) NextMail(ctx context.Context, nowMicros int64) (mail.Entry, bool, error) {
	keys := s.keys.Load()
	if keys == nil {
		return mail.Entry{}, false, ErrNoKeyring
	}
	for {
		due, waits, err := s.NextDue(ctx)
		if err != nil || !waits || due > nowMicros {
			return mail.Entry{}, false, err
		}
		var found claimed
		err = s.write(ctx, func(ctx context.Context, t *turn) (err error) {
			found, err = one(ctx, t, scanClaimed, claimMail.With(nowMicros, nowMicros+mail.ClaimMicros))
			return err
		})
		if errors.Is(err, sql.ErrNoRows) {
			continue // another node was faster
		}
		if err != nil {
			return mail.Entry{}, false, err
		}
		message, err := keys.openMail(found.id, found.sealed)
		return mail.Entry{Message: message, Attempts: found.attempts, CreatedMicros: found.created}, true, err
	}
}

// NextDue is when the earliest mail is due; see [mail.OutboxStore].
func (s *Store) NextDue(ctx context.Context) (micros int64, ok bool, err error) {
	found, err := many(ctx, s.q, scanNumber, nextMail)
	if err != nil || len(found) == 0 {
		return 0, false, err
	}
	return found[0], true, nil
}

// MailSent ends a mail: nothing of it stays.
func (s *Store) MailSent(ctx context.Context, id identity.ID) error {
	return s.run(ctx, deleteMail.With(key(id)))
}

// MailFailed sets the next try of a mail; zero gives it up, and nothing of it stays.
func (s *Store) MailFailed(ctx context.Context, id identity.ID, nextMicros int64) error {
	if nextMicros == 0 {
		return s.MailSent(ctx, id)
	}
	return s.run(ctx, postponeMail.With(key(id), nextMicros))
}

// run is a transaction of one statement.
func (s *Store) run(ctx context.Context, q sqlsafe.Query) error {
	return s.write(ctx, func(ctx context.Context, t *turn) error {
		_, err := t.exec(ctx, q)
		return err
	})
}
