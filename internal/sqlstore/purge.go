package sqlstore

import (
	"context"
	"time"

	"github.com/ringwall/ringwall/sqlsafe"
)

const (
	purgeBatch = 500
	// Last-seen times are stored up to a minute late: a session that seems to have timed out may have been used since.
	purgeGrace = 2 * time.Minute
	// What an operator may want to look at, or to send again, though it is over.
	keepAlerts   = 90 * 24 * time.Hour
	keepWebhooks = 30 * 24 * time.Hour
)

var (
	purgeSignups = sqlsafe.New(`
		DELETE FROM ringwall_signups
		WHERE id IN (SELECT id FROM ringwall_signups WHERE expires_micros <= $1 LIMIT 500)`)
	purgeInvitations = sqlsafe.New(`
		DELETE FROM ringwall_invitations
		WHERE id IN (SELECT id FROM ringwall_invitations WHERE expires_micros <= $1 LIMIT 500)`)
	purgeResets = sqlsafe.New(`
		DELETE FROM ringwall_resets
		WHERE id IN (SELECT id FROM ringwall_resets WHERE expires_micros <= $1 LIMIT 500)`)
	purgeEmailChanges = sqlsafe.New(`
		DELETE FROM ringwall_email_changes
		WHERE user_id IN (SELECT user_id FROM ringwall_email_changes WHERE expires_micros <= $1 LIMIT 500)`)
	purgeLinks = sqlsafe.New(`
		DELETE FROM ringwall_links
		WHERE id IN (SELECT id FROM ringwall_links WHERE expires_micros <= $1 LIMIT 500)`)
	purgeDevices = sqlsafe.New(`
		DELETE FROM ringwall_devices
		WHERE (user_id, id) IN (SELECT user_id, id FROM ringwall_devices WHERE expires_micros <= $1 LIMIT 500)`)
	purgeAttempts = sqlsafe.New(`
		DELETE FROM ringwall_attempts
		WHERE key IN (SELECT key FROM ringwall_attempts WHERE expires_micros <= $1 LIMIT 500)`)
	purgePuzzles = sqlsafe.New(`
		DELETE FROM ringwall_puzzles
		WHERE key IN (SELECT key FROM ringwall_puzzles WHERE expires_micros <= $1 LIMIT 500)`)
	purgeCeiling = sqlsafe.New(`
		DELETE FROM ringwall_ceiling
		WHERE minute IN (SELECT minute FROM ringwall_ceiling WHERE minute < CAST($1 AS BIGINT) / 60000000 - 10080 LIMIT 500)`)
	purgeAlerts = sqlsafe.New(`
		DELETE FROM ringwall_alerts
		WHERE id IN (SELECT id FROM ringwall_alerts WHERE closed_micros > 0 AND closed_micros <= $1 LIMIT 500)`)
	purgeWebhooks = sqlsafe.New(`
		DELETE FROM ringwall_webhooks
		WHERE id IN (SELECT id FROM ringwall_webhooks WHERE dead_micros > 0 AND dead_micros <= $1 LIMIT 500)`)
	purgeBlocks = sqlsafe.New(`
		DELETE FROM ringwall_blocks
		WHERE prefix IN (SELECT prefix FROM ringwall_blocks WHERE expires_micros <= $1 LIMIT 500)`)
	// Of an earlier epoch, by its index: there may be a million at once. No mirror holds them.
	purgeEpochs = sqlsafe.New(`
		DELETE FROM ringwall_sessions
		WHERE id IN (
			SELECT id FROM ringwall_sessions
			WHERE epoch < (SELECT epoch FROM ringwall_session_epoch)
			ORDER BY epoch
			LIMIT 500)`)
	endedSessions = sqlsafe.New(`
		SELECT id FROM ringwall_sessions
		WHERE expires_micros <= $1 OR last_seen_micros + idle_micros <= $1
		LIMIT 500`)
	purgeSession = sqlsafe.New(`
		DELETE FROM ringwall_sessions
		WHERE id = $1 AND (expires_micros <= $2 OR last_seen_micros + idle_micros <= $2)
		RETURNING token_hash`)
)

// Purge deletes what has expired: sign-ups, invitations, resets, links, changes of address, devices, attempt counters, used challenges, blocks, sessions that timed out two minutes ago and those of earlier epochs; alerts
// closed ninety days ago, the minutes of the ceiling after a week, and webhooks given up thirty days ago. It works in batches, so that others have their turn
// between them, and returns how many rows went.
func (s *Store) Purge(ctx context.Context, nowMicros int64) (int, error) {
	total := 0
	for _, expired := range []struct {
		rows  sqlsafe.Statement
		until int64
	}{
		{purgeSignups, nowMicros}, {purgeInvitations, nowMicros}, {purgeResets, nowMicros}, {purgeEmailChanges, nowMicros}, {purgeLinks, nowMicros}, {purgeDevices, nowMicros}, {purgeAttempts, nowMicros},
		{purgePuzzles, nowMicros}, {purgeCeiling, nowMicros}, {purgeBlocks, nowMicros},
		{purgeAlerts, nowMicros - keepAlerts.Microseconds()}, {purgeWebhooks, nowMicros - keepWebhooks.Microseconds()},
	} {
		gone, err := s.purgeRows(ctx, expired.rows.With(expired.until))
		if total += gone; err != nil {
			return total, err
		}
	}
	gone, err := s.purgeRows(ctx, purgeEpochs.With())
	if total += gone; err != nil {
		return total, err
	}
	gone, err = s.purgeSessions(ctx, nowMicros-purgeGrace.Microseconds())
	return total + gone, err
}

func (s *Store) purgeRows(ctx context.Context, batch sqlsafe.Query) (int, error) {
	total := 0
	for {
		gone := 0
		err := s.write(ctx, func(ctx context.Context, t *turn) error {
			n, err := t.exec(ctx, batch)
			gone = int(n)
			return err
		})
		if total += gone; err != nil || gone < purgeBatch {
			return total, err
		}
	}
}

// purgeSessions looks for them with a reader, which is in nobody's way however many there are.
func (s *Store) purgeSessions(ctx context.Context, nowMicros int64) (int, error) {
	total := 0
	for {
		ids, err := many(ctx, s.q, scanID, endedSessions.With(nowMicros))
		if err != nil || len(ids) == 0 {
			return total, err
		}
		gone := 0
		err = s.write(ctx, func(ctx context.Context, t *turn) error {
			gone = 0
			for _, id := range ids {
				ended, err := many(ctx, t, scanHash, purgeSession.With(key(id), nowMicros))
				if err != nil {
					return err
				}
				t.hashes = append(t.hashes, ended...)
				gone += len(ended)
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total += gone
		if len(ids) < purgeBatch || gone == 0 {
			return total, nil
		}
	}
}
