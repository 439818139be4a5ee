package account

import (
	"context"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/sessions"
)

// programPolicy admits one mail a month for a kind of program and a network: a program keeps no cookie by which it could
// be known again, and a script that signs in every hour must not teach its owner to overlook these mails.
var programPolicy = AttemptPolicy{
	Max: 1, WindowMicros: 30 * 24 * time.Hour.Microseconds(), LockMicros: 30 * 24 * time.Hour.Microseconds(), MaxMicros: 30 * 24 * time.Hour.Microseconds(),
}

// settling is how long after sign-up a first sign-in is no news.
const settling = time.Hour

// newDevice reports whether the owner should hear of a sign-in whose password was right: its device has not been used
// before, and the mails of this hour are not used up.
func (s *Service) newDevice(ctx context.Context, by identity.Actor, b beginning) (news bool, try tryOf, err error) {
	var attempt Attempt
	switch {
	case b.known:
		return false, try, nil
	case b.in.Bearer:
		try, attempt, err = s.count(ctx, programPolicy, "new program", b.user.ID.String(), network(by), sessions.DeviceLabel(by.Request().UserAgent))
	default:
		try, attempt, err = s.count(ctx, mailsAnHour, "new device", b.user.ID.String())
	}
	return attempt.Admitted, try, err
}

// tellNewDevice mails the owner of a sign-in from a device not used before. The first sign-in of an account just made is
// left out: nobody but who confirmed the address knows its password yet. It runs before the new session and device are stored.
func (s *Service) tellNewDevice(ctx context.Context, by identity.Actor, tx Tx, user User, lang string) error {
	if s.Now().Sub(identity.Time(user.CreatedMicros)) < settling && user.PasswordChangedMicros == user.CreatedMicros {
		owner := identity.SubjectOf(user.ID)
		devices, err := tx.Devices(ctx, owner)
		if err != nil {
			return err
		}
		open, err := tx.Sessions(ctx, owner)
		if err != nil || len(devices)+len(open) == 0 {
			return err
		}
	}
	return s.tell(ctx, tx, mail.NewDevice, user, lang, s.mailData(by, user.Email, user.DisplayName))
}
