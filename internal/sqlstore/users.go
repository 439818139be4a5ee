package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

// reader answers the reads of [account.Reader], from the pool or inside of a transaction.
type reader struct {
	q    querier
	now  func() time.Time
	lock bool // a person who is read stays as they are until the transaction ends
}

var (
	userByID = sqlsafe.New(`
		SELECT id, email, email_canonical, display_name, password, password_changed_micros, created_micros, locked_micros, lock_reason,
			language, lock_until_micros, reset_demanded_micros, delete_micros,
			COALESCE((SELECT string_agg(role, ',') FROM ringwall_roles WHERE user_id = u.id), '')
		FROM ringwall_users AS u
		WHERE id = $1`)
	userByEmail = sqlsafe.New(`
		SELECT id, email, email_canonical, display_name, password, password_changed_micros, created_micros, locked_micros, lock_reason,
			language, lock_until_micros, reset_demanded_micros, delete_micros,
			COALESCE((SELECT string_agg(role, ',') FROM ringwall_roles WHERE user_id = u.id), '')
		FROM ringwall_users AS u
		WHERE email_canonical = $1`)
	users = sqlsafe.List(`
		SELECT id, email, email_canonical, display_name, NULL, password_changed_micros, created_micros, locked_micros, lock_reason,
			language, lock_until_micros, reset_demanded_micros, delete_micros,
			COALESCE((SELECT string_agg(role, ',') FROM ringwall_roles WHERE user_id = u.id), '')
		FROM ringwall_users AS u
		WHERE TRUE`).OrderBy(`id`)
	// PostgreSQL only: on SQLite a transaction that writes is alone anyway.
	lockUserByID    = sqlsafe.New(`SELECT id FROM ringwall_users WHERE id = $1 FOR NO KEY UPDATE`)
	lockUserByEmail = sqlsafe.New(`SELECT id FROM ringwall_users WHERE email_canonical = $1 FOR NO KEY UPDATE`)

	insertUser = sqlsafe.New(`
		INSERT INTO ringwall_users (id, email, email_canonical, display_name, password, password_changed_micros, created_micros, locked_micros, lock_reason,
			language, lock_until_micros, reset_demanded_micros, delete_micros)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (email_canonical) DO NOTHING`)
	setPassword = sqlsafe.New(`
		UPDATE ringwall_users
		SET password = $2, password_changed_micros = $3, reset_demanded_micros = 0, password_shape = ''
		WHERE id = $1`)
	setLock = sqlsafe.New(`
		UPDATE ringwall_users
		SET locked_micros = $2, lock_until_micros = $3, lock_reason = $4
		WHERE id = $1`)
	setProfile = sqlsafe.New(`
		UPDATE ringwall_users
		SET display_name = $2, language = $3
		WHERE id = $1`)
	demandReset = sqlsafe.New(`
		UPDATE ringwall_users
		SET reset_demanded_micros = $2
		WHERE id = $1`)
	grantRole = sqlsafe.New(`
		INSERT INTO ringwall_roles (user_id, role)
		SELECT id, $2 FROM ringwall_users WHERE id = $1
		ON CONFLICT (user_id, role) DO NOTHING`)
	// Whoever may still act as an administrator, but for one.
	otherAdministrators = sqlsafe.New(`
		SELECT COUNT(*)
		FROM ringwall_users AS u
		JOIN ringwall_roles AS r ON r.user_id = u.id
		WHERE r.role = 'admin' AND u.id <> $1 AND u.delete_micros = 0
			AND (u.locked_micros = 0 OR u.lock_until_micros <> 0 AND u.lock_until_micros <= $2)`)
	// PostgreSQL only: whoever takes an administrator away waits here for others who do, and then sees what they did.
	oneAdministratorAtATime = sqlsafe.New(`SELECT pg_advisory_xact_lock(8244241983541963885)`)
	revokeRole              = sqlsafe.New(`DELETE FROM ringwall_roles WHERE user_id = $1 AND role = $2`)
)

func (r reader) UserByID(ctx context.Context, id identity.ID) (account.User, error) {
	if r.lock {
		if _, err := many(ctx, r.q, scanID, lockUserByID.With(key(id))); err != nil {
			return account.User{}, err
		}
	}
	return missing(one(ctx, r.q, scanUser, userByID.With(key(id))))
}

func (r reader) UserByEmail(ctx context.Context, canonical string) (account.User, error) {
	if !storable(canonical) {
		return account.User{}, account.ErrMissing
	}
	if r.lock {
		if _, err := many(ctx, r.q, scanID, lockUserByEmail.With(canonical)); err != nil {
			return account.User{}, err
		}
	}
	return missing(one(ctx, r.q, scanUser, userByEmail.With(canonical)))
}

func (r reader) Users(ctx context.Context, after identity.ID, limit int) ([]account.User, error) {
	return many(ctx, r.q, scanUser, users.And(`id > ?`, key(after)).Limit(limit))
}

func (r reader) SearchUsers(ctx context.Context, f account.UserFilter) ([]account.User, error) {
	q := users.And(`email_canonical > ?`, clean(f.After)).OrderBy(`email_canonical`).Limit(f.Limit)
	if f.Text != "" {
		part := "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(clean(f.Text))) + "%"
		q = q.And(`email_canonical LIKE ? ESCAPE '!' OR LOWER(display_name) LIKE ? ESCAPE '!'`, part, part)
	}
	if f.Role != "" {
		q = q.And(`EXISTS (SELECT 1 FROM ringwall_roles WHERE user_id = u.id AND role = ?)`, clean(f.Role))
	}
	switch {
	case f.Locked == nil:
	case *f.Locked:
		q = q.And(`locked_micros <> 0 AND (lock_until_micros = 0 OR lock_until_micros > ?)`, f.NowMicros)
	default:
		q = q.And(`locked_micros = 0 OR lock_until_micros <> 0 AND lock_until_micros <= ?`, f.NowMicros)
	}
	return many(ctx, r.q, scanUser, q)
}

func scanUser(s scanner) (u account.User, err error) {
	var roles string
	err = s.Scan(&u.ID, &u.Email, &u.EmailCanonical, &u.DisplayName, &u.Password, &u.PasswordChangedMicros, &u.CreatedMicros,
		&u.LockedMicros, &u.LockReason, &u.Language, &u.LockUntilMicros, &u.ResetDemandedMicros, &u.DeleteMicros, &roles)
	u.Roles = splitRoles(roles)
	return u, err
}

// splitRoles sorts by bytes, whatever order the database believes in.
func splitRoles(joined string) []string {
	if joined == "" {
		return nil
	}
	roles := strings.Split(joined, ",")
	slices.Sort(roles)
	return roles
}

func (c *change) InsertUser(ctx context.Context, user account.User) error {
	n, err := c.turn.exec(ctx, insertUser.With(key(user.ID), clean(user.Email), clean(user.EmailCanonical), clean(user.DisplayName), blob(user.Password),
		user.PasswordChangedMicros, user.CreatedMicros, user.LockedMicros, clean(user.LockReason),
		clean(user.Language), user.LockUntilMicros, user.ResetDemandedMicros, user.DeleteMicros))
	if err == nil && n == 0 {
		return account.ErrTaken
	}
	c.turn.users = append(c.turn.users, user.ID)
	if err == nil {
		_, err = c.turn.exec(ctx, deleteInvitationsFor.With(clean(user.EmailCanonical)))
	}
	return err
}

func (c *change) SetPassword(ctx context.Context, user identity.ID, sealed []byte, nowMicros int64) error {
	return c.toUser(ctx, user, setPassword.With(key(user), blob(sealed), nowMicros))
}

func (c *change) SetLock(ctx context.Context, user identity.ID, lockedMicros, untilMicros int64, reason string) error {
	return c.toUser(ctx, user, setLock.With(key(user), lockedMicros, untilMicros, clean(reason)))
}

func (c *change) SetProfile(ctx context.Context, user identity.ID, displayName, language string) error {
	return c.toUser(ctx, user, setProfile.With(key(user), clean(displayName), clean(language)))
}

func (c *change) DemandReset(ctx context.Context, user identity.ID, nowMicros int64) error {
	return c.toUser(ctx, user, demandReset.With(key(user), nowMicros))
}

// toUser runs a statement that changes a person, who must exist.
func (c *change) toUser(ctx context.Context, user identity.ID, q sqlsafe.Query) error {
	n, err := c.turn.exec(ctx, q)
	if err == nil && n == 0 {
		return account.ErrMissing
	}
	c.turn.users = append(c.turn.users, user)
	return err
}

var errRole = errors.New("sqlstore: a role is 1 to 64 of a-z, 0-9 and -_.:")

func (c *change) Grant(ctx context.Context, user identity.ID, role string) error {
	if strings.Trim(role, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") != "" || role == "" || len(role) > 64 {
		return errRole
	}
	if _, err := c.UserByID(ctx, user); err != nil {
		return err
	}
	c.turn.users = append(c.turn.users, user)
	_, err := c.turn.exec(ctx, grantRole.With(key(user), role))
	return err
}

func (c *change) Revoke(ctx context.Context, user identity.ID, role string) error {
	if !storable(role) {
		return nil
	}
	c.turn.users = append(c.turn.users, user)
	_, err := c.turn.exec(ctx, revokeRole.With(key(user), role))
	return err
}

// OtherAdministrators counts; see [account.AdminTx].
func (c *change) OtherAdministrators(ctx context.Context, except identity.ID, nowMicros int64) (int, error) {
	if c.lock {
		if _, err := c.turn.exec(ctx, oneAdministratorAtATime); err != nil {
			return 0, err
		}
	}
	n, err := one(ctx, c.q, scanNumber, otherAdministrators.With(key(except), nowMicros))
	return int(n), err
}

// missing is the account's word for no row.
func missing[T any](found T, err error) (T, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return found, account.ErrMissing
	}
	return found, err
}

// storable reports whether both engines can hold the text: PostgreSQL takes neither NUL nor broken UTF-8.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

// clean makes a text storable.
func clean(text string) string {
	if storable(text) {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
