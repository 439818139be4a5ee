package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	knowsDevice = sqlsafe.Owned(`
		SELECT id FROM ringwall_devices
		WHERE user_id = $1 AND id = $2 AND expires_micros > $3`)
	rememberDevice = sqlsafe.Owned(`
		INSERT INTO ringwall_devices (user_id, id, expires_micros)
		VALUES ($1, $2, $3)
		ON CONFLICT (user_id, id) DO UPDATE SET expires_micros = excluded.expires_micros`)
	forgetOldDevices = sqlsafe.Owned(`
		DELETE FROM ringwall_devices
		WHERE user_id = $1 AND id IN (
			SELECT id FROM ringwall_devices
			WHERE user_id = $1
			ORDER BY expires_micros DESC, id DESC
			LIMIT 1000 OFFSET 50)`)
	ownDevices = sqlsafe.Owned(`
		SELECT expires_micros FROM ringwall_devices
		WHERE user_id = $1
		ORDER BY expires_micros DESC
		LIMIT 50`)
	forgetDevices = sqlsafe.Owned(`DELETE FROM ringwall_devices WHERE user_id = $1`)
)

func (r reader) KnowsDevice(ctx context.Context, user, device identity.ID) (bool, error) {
	if user.IsZero() {
		return false, nil
	}
	found, err := many(ctx, r.q, scanID, knowsDevice.For(identity.SubjectOf(user), key(device), r.now().UnixMicro()))
	return len(found) == 1, err
}

func (r reader) Devices(ctx context.Context, owner identity.Subject) ([]account.Device, error) {
	return many(ctx, r.q, func(row scanner) (d account.Device, err error) { return d, row.Scan(&d.ExpiresMicros) }, ownDevices.For(owner))
}

func (c *change) RememberDevice(ctx context.Context, user, device identity.ID, expiresMicros int64) error {
	_, err := c.turn.exec(ctx, rememberDevice.For(identity.SubjectOf(user), key(device), expiresMicros))
	if err != nil {
		return err
	}
	_, err = c.turn.exec(ctx, forgetOldDevices.For(identity.SubjectOf(user)))
	return err
}

func (c *change) ForgetDevices(ctx context.Context, user identity.ID) error {
	_, err := c.turn.exec(ctx, forgetDevices.For(identity.SubjectOf(user)))
	return err
}
