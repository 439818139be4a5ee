package account

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/problem"
)

// compose writes a mail in the language that its reader has chosen, and to whoever has chosen none in the one that the
// request asks for; where there is no request, that is empty. A rule of the house holds that nothing else in this package
// composes a mail, so that the choice cannot be forgotten.
func compose(kind mail.Kind, reader User, asked string, data mail.Data) mail.Message {
	return mail.Compose(kind, cmp.Or(reader.Language, asked), data)
}

// Me is an account as its owner sees it, without its password.
type Me struct {
	User
	Pending  *EmailChange // the change of address that waits for its links; nil: none
	Metadata Metadata     // without the private part
}

// Me is the account of the person who asks. Problems: unauthenticated.
func (s *Service) Me(ctx context.Context, by identity.Actor) (Me, error) {
	if by.Subject().IsZero() {
		return Me{}, errSignIn
	}
	user, err := s.Store.UserByID(ctx, by.Subject().ID())
	if errors.Is(err, ErrMissing) {
		err = errSignIn
	}
	if err != nil {
		return Me{}, err
	}
	user.Password = nil
	me := Me{User: user}
	sealed, err := s.Store.Metadata(ctx, by.Subject())
	if err == nil {
		me.Metadata, err = s.openMetadata(ctx, by, by.Subject(), sealed, false)
	}
	if err != nil {
		return Me{}, err
	}
	wanted, err := s.Store.EmailChange(ctx, by.Subject())
	if errors.Is(err, ErrMissing) || err == nil && s.Now().UnixMicro() >= wanted.ExpiresMicros {
		return me, nil
	}
	me.Pending = &wanted
	return me, err
}

// Profile is what people choose about themselves. What is nil stays as it is.
type Profile struct {
	DisplayName *string
	Language    *string         // "en", "de", or empty: as the browser says
	Own         json.RawMessage // a change of their own metadata; see [Metadata]
}

// ChangeProfile changes name, language and own metadata of the person who asks, and nobody else's: all of it or nothing. It
// returns the account as it is then. Problems: unauthenticated, invalid.
func (s *Service) ChangeProfile(ctx context.Context, by identity.Actor, in Profile) (Me, error) {
	if by.Subject().IsZero() {
		return Me{}, errSignIn
	}
	name, err := in.read()
	if err != nil {
		return Me{}, err
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.UserUpdated, User: by.Subject().ID(), Session: by.Session(), Reason: "profile", Private: map[string]string{}}
		user, err := tx.UserByID(ctx, by.Subject().ID())
		if errors.Is(err, ErrMissing) {
			err = errSignIn
		}
		if err == nil {
			err = stillSignedIn(ctx, tx, by)
		}
		if err != nil {
			return event, err
		}
		if in.DisplayName != nil && name != user.DisplayName {
			event.Private["old_display_name"] = user.DisplayName
			user.DisplayName = name
		}
		if in.Language != nil && *in.Language != user.Language {
			event.Private["old_language"] = user.Language
			user.Language = *in.Language
		}
		if len(event.Private) > 0 {
			err = tx.SetProfile(ctx, user.ID, user.DisplayName, user.Language)
		}
		if err == nil && in.Own != nil {
			_, err = s.mergeMetadata(ctx, tx, by.Subject(), "/metadata", Metadata{Own: in.Own}, event.Private)
		}
		if len(event.Private) == 0 {
			return audit.Event{Name: audit.Unrecorded}, err
		}
		return event, err
	})
	if err != nil {
		return Me{}, err
	}
	return s.Me(ctx, by)
}

// read checks what was sent, and returns the name as it is stored.
func (p Profile) read() (name string, err error) {
	if p.DisplayName != nil {
		parsed, err := input.ParseDisplayName(*p.DisplayName)
		if err != nil {
			return "", wrongField("display_name", err)
		}
		name = string(parsed)
	}
	if p.Language != nil && *p.Language != "" && !slices.Contains(mail.Languages(), *p.Language) {
		const mend = "Send \"en\", \"de\", or \"\" for the language of the browser."
		return "", problem.New(problem.Invalid, "invalid", mend).With(problem.Field{Name: "language", Code: "unavailable", Detail: mend})
	}
	return name, nil
}
