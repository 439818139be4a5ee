package sqlstore

import (
	"context"

	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	insertDevMail = sqlsafe.New(`
		INSERT INTO ringwall_dev_mail (id, sealed, created_micros)
		VALUES ($1, $2, $3)
		ON CONFLICT (id) DO NOTHING`)
	deleteOldDevMail = sqlsafe.New(`
		DELETE FROM ringwall_dev_mail
		WHERE id IN (
			SELECT id FROM ringwall_dev_mail
			ORDER BY created_micros DESC, id DESC
			LIMIT 1000 OFFSET 100)`)
	lastDevMail = sqlsafe.New(`
		SELECT id, sealed, 0, created_micros FROM ringwall_dev_mail
		ORDER BY created_micros DESC, id DESC
		LIMIT 100`)
)

// DevMail is a mail that was shown on a page instead of being sent.
type DevMail struct {
	Message       mail.Message
	CreatedMicros int64
}

// DevSender is the [mail.Sender] of development: it keeps the last hundred mails, sealed, for [Store.DevMails].
type DevSender struct{ Store *Store }

// Send keeps the mail. The same mail twice is one.
func (d DevSender) Send(ctx context.Context, message mail.Message) error {
	keys := d.Store.keys.Load()
	if keys == nil {
		return ErrNoKeyring
	}
	sealed, err := keys.sealMail(message)
	if err != nil {
		return err
	}
	return d.Store.write(ctx, func(ctx context.Context, t *turn) error {
		if _, err := t.exec(ctx, insertDevMail.With(key(message.ID), sealed, d.Store.now().UnixMicro())); err != nil {
			return err
		}
		_, err := t.exec(ctx, deleteOldDevMail)
		return err
	})
}

// DevMails reads the last hundred mails of development, newest first. One that cannot be opened is left out.
func (s *Store) DevMails(ctx context.Context) ([]DevMail, error) {
	keys := s.keys.Load()
	if keys == nil {
		return nil, ErrNoKeyring
	}
	rows, err := many(ctx, s.q, scanClaimed, lastDevMail)
	var mails []DevMail
	for _, row := range rows {
		if message, err := keys.openMail(row.id, row.sealed); err == nil {
			mails = append(mails, DevMail{Message: message, CreatedMicros: row.created})
		}
	}
	return mails, err
}

var _ mail.Sender = DevSender{}
