package audit

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
)

// Personal fields are two sealed parts, each with its length: where the actor came from, which is the actor's, and the
// private details of the event, which are the person's whom it happened to. When one of them is erased, the other's stays.
type origin struct {
	Address   string `json:"address,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
}

const (
	partOrigin  = "origin"
	partPrivate = "private"
)

type part struct {
	name   string
	owner  identity.ID
	sealed []byte
}

func partRow(id identity.ID, name string) string { return "audit/" + id.String() + "/" + name }

// originOwner is whose address and device a row tells: those of the person who acted, also where they have just proved
// who they are. A stranger's are nobody's, whomever they tried; a refusal costs the same then, whether that person exists.
func originOwner(r *Row) identity.ID {
	if !r.ActorUser.IsZero() {
		return r.ActorUser
	}
	switch Name(r.Name) {
	case LoginSuccess, LoginSuccessAfterFail, SessionCreated, SessionsExceeded, SessionLogout, UserCreated, UserUpdated, UserRestored, PasswordChange, ResetRequested:
		return r.User
	}
	return identity.ID{}
}

func privateOwner(r *Row) identity.ID {
	if r.User.IsZero() {
		return r.ActorUser
	}
	return r.User
}

func (b *Builder) sealPersonal(ctx context.Context, people PersonKeys, row *Row, request identity.Request, private map[string]string) ([]byte, error) {
	var from, details []byte
	var err error
	if request.Address.IsValid() || request.UserAgent != "" {
		o := origin{UserAgent: shorten(strings.ToValidUTF8(request.UserAgent, "\uFFFD"), maxUserAgent)}
		if request.Address.IsValid() {
			o.Address = request.Address.String()
		}
		if from, err = b.sealPart(ctx, people, row, partOrigin, o); err != nil {
			return nil, err
		}
	}
	if len(private) > 0 {
		if details, err = b.sealPart(ctx, people, row, partPrivate, private); err != nil {
			return nil, err
		}
	}
	if from == nil && details == nil {
		return nil, nil
	}
	return appendPart(appendPart(nil, from), details), nil
}

// sealPart seals content as a part of the row, under the key of its owner.
func (b *Builder) sealPart(ctx context.Context, people PersonKeys, row *Row, name string, content any) ([]byte, error) {
	owner := originOwner(row)
	if name == partPrivate {
		owner = privateOwner(row)
	}
	plain, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	place := partRow(row.ID, name)
	if owner.IsZero() {
		return b.keys.Seal(secret.Audit, place, plain), nil
	}
	wrapped, err := b.personKey(ctx, people, owner)
	if err != nil || len(wrapped) == 0 { // an empty key: the person was erased
		return nil, err
	}
	return b.keys.SealWith(wrapped, owner, place, plain)
}

func (b *Builder) personKey(ctx context.Context, people PersonKeys, user identity.ID) ([]byte, error) {
	wrapped, ok, err := people.PersonKey(ctx, user)
	if err != nil || ok {
		return wrapped, err
	}
	if err := people.InsertPersonKey(ctx, user, b.keys.NewPersonKey(user)); err != nil {
		return nil, err
	}
	wrapped, ok, err = people.PersonKey(ctx, user) // another transaction may have been first
	if err == nil && !ok {
		err = errors.New("the key of the person was not stored")
	}
	return wrapped, err
}

// Details are the personal fields of a row, opened. They are as strangers sent them: escape them where they are shown.
type Details struct {
	Address   string            `json:"address,omitempty"`
	UserAgent string            `json:"user_agent,omitempty"`
	Private   map[string]string `json:"private,omitempty"`
	Erased    bool              `json:"erased,omitempty"` // something was here, and its person was erased
}

// Open reads the personal fields of a row. It returns [secret.ErrUnopenable] if they were changed or belong to another
// row, and the errors of people.
func (b *Builder) Open(ctx context.Context, people PersonKeyReader, row Row) (Details, error) {
	var d Details
	if len(row.Personal) == 0 {
		return d, nil
	}
	from, rest, ok := cutPart(row.Personal)
	details, rest, ok2 := cutPart(rest)
	if !ok || !ok2 || len(rest) > 0 {
		return Details{}, secret.ErrUnopenable
	}
	var o origin
	gone, err := b.openPart(ctx, people, &row, part{partOrigin, originOwner(&row), from}, &o)
	if err != nil {
		return Details{}, err
	}
	d.Address, d.UserAgent = o.Address, o.UserAgent
	d.Erased, err = b.openPart(ctx, people, &row, part{partPrivate, privateOwner(&row), details}, &d.Private)
	if err != nil {
		return Details{}, err
	}
	d.Erased = d.Erased || gone
	return d, nil
}

func cutPart(from []byte) (part, rest []byte, ok bool) {
	if len(from) < 4 {
		return nil, nil, false
	}
	size := int64(binary.BigEndian.Uint32(from))
	if int64(len(from)-4) < size {
		return nil, nil, false
	}
	return from[4 : 4+size], from[4+size:], true
}

// openPart reads one part into a value; true if the key that it needs was erased.
func (b *Builder) openPart(ctx context.Context, people PersonKeyReader, row *Row, p part, into any) (erased bool, err error) {
	if len(p.sealed) == 0 {
		return false, nil
	}
	var plain []byte
	place := partRow(row.ID, p.name)
	if p.owner.IsZero() {
		plain, err = b.keys.Open(secret.Audit, place, p.sealed)
	} else {
		wrapped, ok, failed := people.PersonKey(ctx, p.owner)
		if failed != nil || !ok || len(wrapped) == 0 {
			return failed == nil, failed
		}
		plain, err = b.keys.OpenWith(wrapped, p.owner, place, p.sealed)
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(plain, into); err != nil {
		return false, secret.ErrUnopenable
	}
	return false, nil
}
