package account

import (
	"context"
	"errors"

	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/password"
)

// approach leads a sign-in through all that needs no database: the address, unless its device is known; the ceiling; and the
// queue, where it keeps a place until room, that of a known device if granted. Whoever will be turned away is so before anything
// is written for them, and of many who come at once no more go on than the queue can take: a flood must not keep the disk busy.
func (s *Service) approach(ctx context.Context, by identity.Actor, wish ceiling.Attempt, granted bool) (from limits.Try, room func(), err error) {
	if !wish.Known {
		from, err = s.enter(ctx, by)
	}
	if err == nil {
		err = s.refuses(ctx, by, wish)
	}
	if err != nil {
		return from, func() {}, err
	}
	if room, err = s.Hasher.Room(password.SignIn, granted); err != nil {
		return from, func() {}, hashing(err)
	}
	return from, room, nil
}

// userAt is who has an address, if anybody has, and whether they have used the device before, which only one that was signed
// here can be.
func (s *Service) userAt(ctx context.Context, key string, device identity.ID, signed bool) (user User, known bool, err error) {
	user, err = s.Store.UserByEmail(ctx, key)
	if err != nil && !errors.Is(err, ErrMissing) {
		return User{}, false, err
	}
	if !signed {
		return user, false, nil
	}
	known, err = s.knows(ctx, user, device)
	return user, known, err
}

// knows reports whether somebody has used the device before. It asks the store also where there is nobody.
func (s *Service) knows(ctx context.Context, user User, device identity.ID) (bool, error) {
	id := user.ID
	if id.IsZero() {
		id = identity.NewRandomID()
	}
	return s.Store.KnowsDevice(ctx, id, device)
}

// enterKnown gives somebody the place of a known device in the hash queue, one at a time: an account of one's own must not
// buy the places of everybody else. Leave gives it back.
func (s *Service) enterKnown(user identity.ID, known bool) (granted bool, leave func()) {
	if !known {
		return false, func() {}
	}
	if _, taken := s.known.LoadOrStore(user, true); taken {
		return false, func() {}
	}
	return true, func() { s.known.Delete(user) }
}
