package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	sessionByHash = sqlsafe.New(`
		SELECT s.id, s.user_id, s.device_id, s.token_hash, s.created_micros, s.last_seen_micros, s.expires_micros, s.idle_micros,
			s.fresh_micros, s.remembered, s.bearer, s.address, s.user_agent,
			u.email, u.display_name, u.language, u.locked_micros,
			COALESCE((SELECT string_agg(role, ',') FROM ringwall_roles WHERE user_id = u.id), ''),
			COALESCE((SELECT string_agg(p.permission, ',')
				FROM ringwall_roles AS r
				JOIN ringwall_role_permissions AS p ON p.role = r.role
				WHERE r.user_id = u.id), '')
		FROM ringwall_sessions AS s
		JOIN ringwall_users AS u ON u.id = s.user_id
		WHERE s.token_hash = $1 AND s.epoch = (SELECT epoch FROM ringwall_session_epoch)`)
	ownSessions = sqlsafe.Owned(`
		SELECT id, user_id, device_id, token_hash, created_micros, last_seen_micros, expires_micros, idle_micros,
			fresh_micros, remembered, bearer, address, user_agent
		FROM ringwall_sessions
		WHERE user_id = $1 AND epoch = (SELECT epoch FROM ringwall_session_epoch)
		ORDER BY last_seen_micros DESC, id
		LIMIT 100`)
	// For operators, who know a session by its id alone.
	sessionOwner = sqlsafe.New(`
		SELECT user_id
		FROM ringwall_sessions
		WHERE id = $1 AND epoch = (SELECT epoch FROM ringwall_session_epoch)`)
	// A session that takes the place of another stays in the epoch of that one.
	insertSession = sqlsafe.Owned(`
		INSERT INTO ringwall_sessions (user_id, id, device_id, token_hash, created_micros, last_seen_micros, expires_micros, idle_micros,
			fresh_micros, remembered, bearer, address, user_agent, epoch)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
			COALESCE(CAST($14 AS BIGINT), (SELECT MAX(epoch) FROM ringwall_session_epoch)))`)
	endSession = sqlsafe.Owned(`
		DELETE FROM ringwall_sessions
		WHERE user_id = $1 AND id = $2 AND epoch = (SELECT epoch FROM ringwall_session_epoch)
		RETURNING id, token_hash, epoch`)
	endSessions = sqlsafe.Owned(`
		DELETE FROM ringwall_sessions
		WHERE user_id = $1 AND id <> $2 AND epoch = (SELECT epoch FROM ringwall_session_epoch)
		RETURNING id, token_hash, epoch`)
	nextEpoch     = sqlsafe.New(`UPDATE ringwall_session_epoch SET epoch = epoch + 1 RETURNING epoch`)
	epochSessions = sqlsafe.New(`SELECT COUNT(*) FROM ringwall_sessions WHERE epoch = $1`)
	staleSessions = sqlsafe.Owned(`
		UPDATE ringwall_sessions
		SET fresh_micros = 0
		WHERE user_id = $1 AND fresh_micros <> 0
		RETURNING id, token_hash, epoch`)
	touchSession = sqlsafe.New(`
		UPDATE ringwall_sessions
		SET last_seen_micros = $2
		WHERE id = $1 AND last_seen_micros < $2`)
)

var errOwner = errors.New("sqlstore: a session of somebody else")

// SessionByHash reads a session and its owner in one statement; see [sessions.Store].
func (s *Store) SessionByHash(ctx context.Context, hash sessions.Hash) (sessions.Session, sessions.Person, error) {
	var (
		found  sessions.Session
		person sessions.Person
		locked int64
		roles  string
	)
	_, err := one(ctx, s.q, func(row scanner) (struct{}, error) {
		return struct{}{}, row.Scan(append(sessionColumns(&found), &person.Email, &person.DisplayName, &person.Language, &locked, &roles, &person.Permissions)...)
	}, sessionByHash.With(hash[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return sessions.Session{}, sessions.Person{}, sessions.ErrMissing
	}
	if err != nil {
		return sessions.Session{}, sessions.Person{}, fault(err)
	}
	person.ID, person.Locked, person.Roles = found.User, locked != 0, splitRoles(roles)
	return found, person, nil
}

func sessionColumns(s *sessions.Session) []any {
	return []any{&s.ID, &s.User, &s.Device, hashColumn{&s.TokenHash}, &s.CreatedMicros, &s.LastSeenMicros, &s.ExpiresMicros,
		&s.IdleMicros, &s.FreshMicros, &s.Remembered, &s.Bearer, &s.Address, &s.UserAgent}
}

func scanSession(row scanner) (s sessions.Session, err error) {
	return s, row.Scan(sessionColumns(&s)...)
}

// hashColumn reads a hash.
type hashColumn struct{ hash *sessions.Hash }

// Scan takes exactly thirty-two bytes.
func (h hashColumn) Scan(from any) error {
	raw, ok := from.([]byte)
	if !ok || len(raw) != len(h.hash) {
		return errors.New("sqlstore: not a token hash")
	}
	copy(h.hash[:], raw)
	return nil
}

func scanHash(row scanner) (hash sessions.Hash, err error) { return hash, row.Scan(hashColumn{&hash}) }

// stale is a session that is no longer what it was.
type stale struct {
	id    identity.ID
	hash  sessions.Hash
	epoch int64
}

func scanStale(row scanner) (s stale, err error) {
	return s, row.Scan(&s.id, hashColumn{&s.hash}, &s.epoch)
}

// TouchSessions moves last-seen times forward; see [sessions.Store]. Sessions are taken in the order of their ids, so
// that two nodes cannot wait for each other.
func (s *Store) TouchSessions(ctx context.Context, touches []sessions.Touch) error {
	touches = slices.Clone(touches)
	slices.SortFunc(touches, func(a, b sessions.Touch) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for batch := range slices.Chunk(touches, 500) {
		err := s.write(ctx, func(ctx context.Context, t *turn) error {
			for _, touch := range batch {
				if _, err := t.exec(ctx, touchSession.With(key(touch.ID), touch.LastSeenMicros)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r reader) Sessions(ctx context.Context, owner identity.Subject) ([]sessions.Session, error) {
	return many(ctx, r.q, scanSession, ownSessions.For(owner))
}

func (r reader) SessionOwner(ctx context.Context, id identity.ID) (identity.ID, error) {
	return missing(one(ctx, r.q, scanID, sessionOwner.With(key(id))))
}

func (c *change) InsertSession(ctx context.Context, s sessions.Session) error {
	return c.insertSession(ctx, identity.SubjectOf(s.User), s, nil)
}

// insertSession puts a session into an epoch, a nil one being that of now.
func (c *change) insertSession(ctx context.Context, owner identity.Subject, s sessions.Session, epoch any) error {
	c.turn.hashes = append(c.turn.hashes, s.TokenHash)
	_, err := c.turn.exec(ctx, insertSession.For(owner, key(s.ID), ref(s.Device), s.TokenHash[:], s.CreatedMicros, s.LastSeenMicros,
		s.ExpiresMicros, s.IdleMicros, s.FreshMicros, s.Remembered, s.Bearer, clean(s.Address), clean(s.UserAgent), epoch))
	return err
}

func (c *change) RotateSession(ctx context.Context, owner identity.Subject, id identity.ID, replacement sessions.Session) (bool, error) {
	if replacement.User != owner.ID() {
		return false, errOwner
	}
	gone, err := c.outdate(ctx, endSession.For(owner, key(id)))
	if err != nil || len(gone) == 0 {
		return false, err
	}
	if c.happened != nil {
		c.happened.Renewed = append(c.happened.Renewed, lifecycle.Renewal{User: owner.ID(), Old: id, New: replacement.ID})
	}
	return true, c.insertSession(ctx, owner, replacement, gone[0].epoch)
}

func (c *change) EndSession(ctx context.Context, owner identity.Subject, id identity.ID) (bool, error) {
	n, err := c.end(ctx, owner, endSession.For(owner, key(id)))
	return n == 1, err
}

// hold makes other changes about a person wait, so that no sign-in slips in between what this one reads and what it ends.
func (c *change) hold(ctx context.Context, owner identity.Subject) error {
	if !c.lock {
		return nil
	}
	_, err := many(ctx, c.turn, scanID, lockUserByID.With(key(owner.ID())))
	return err
}

func (c *change) EndSessions(ctx context.Context, owner identity.Subject, except identity.ID) (int, error) {
	if err := c.hold(ctx, owner); err != nil {
		return 0, err
	}
	return c.end(ctx, owner, endSessions.For(owner, key(except)))
}

// EndAllSessions begins another epoch. The rows stay until they are purged, and are no sessions any more.
func (c *change) EndAllSessions(ctx context.Context) (int, error) {
	c.turn.all = true
	epoch, err := one(ctx, c.turn, scanNumber, nextEpoch.With())
	if err != nil {
		return 0, err
	}
	ended, err := one(ctx, c.turn, scanNumber, epochSessions.With(epoch-1))
	return int(ended), err
}

func (c *change) StaleSessions(ctx context.Context, owner identity.Subject) error {
	if err := c.hold(ctx, owner); err != nil {
		return err
	}
	_, err := c.outdate(ctx, staleSessions.For(owner))
	return err
}

// end runs a statement that ends sessions.
func (c *change) end(ctx context.Context, owner identity.Subject, q sqlsafe.Query) (int, error) {
	ended, err := c.outdate(ctx, q)
	if c.happened != nil {
		for _, s := range ended {
			c.happened.Ended = append(c.happened.Ended, lifecycle.Session{User: owner.ID(), ID: s.id})
		}
	}
	return len(ended), err
}

// outdate runs a statement that returns sessions which are no longer what they were.
func (c *change) outdate(ctx context.Context, q sqlsafe.Query) ([]stale, error) {
	list, err := many(ctx, c.turn, scanStale, q)
	for _, s := range list {
		c.turn.hashes = append(c.turn.hashes, s.hash)
	}
	return list, err
}
