package account

import (
	"context"
	"errors"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/password"
)

// approach leads a sign-in past all that needs no database: the address, unless its device is known; the ceiling; and a look at
// the queue, where granted is for the place of a known device. Whoever will be turned away is so before anything is read for them.
func (s *Service) approach(ctx context.Context, by identity.Actor, wish ceiling.Attempt, granted bool) (from limits.Try, err error) {
	if !wish.Known {
		from, err = s.enter(ctx, by)
	}
	if err == nil {
		err = s.refuses(ctx, by, wish)
	}
	if err != nil {
		return from, err
	}
	_, leave, err := s.Hasher.Room(ctx, password.SignIn, granted)
	if err != nil {
		return from, hashing(err)
	}
	leave() // it is kept from when it is known that the account may be tried, and a try is written: see signIn
	return from, nil
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

// tryOf is a counted try.
type tryOf struct {
	key   []byte
	count int // in the window, this one included
	place ceiling.Place
}

// tried refuses whom the counter of an account holds up, from a look at it: nothing is written for them, and nobody else waits.
func (s *Service) tried(ctx context.Context, by identity.Actor, user identity.ID, what string, parts ...string) error {
	now := s.Now().UnixMicro()
	counter, err := s.Store.Counter(ctx, s.tryKey(what, parts), now)
	if err != nil || counter.LockedMicros <= now {
		return err
	}
	return s.refuseTry(ctx, by, user, what, Attempt{RetryMicros: counter.LockedMicros})
}

// reserve counts one try against what its parts name, before any work is done for it.
func (s *Service) reserve(ctx context.Context, by identity.Actor, user identity.ID, what string, parts ...string) (tryOf, error) {
	try, attempt, err := s.count(ctx, s.Attempts, what, parts...)
	if err != nil || attempt.Admitted {
		return try, err
	}
	return try, s.refuseTry(ctx, by, user, what, attempt)
}

func (s *Service) refuseTry(ctx context.Context, by identity.Actor, user identity.ID, what string, attempt Attempt) error {
	event := audit.Event{Name: audit.LoginFailMax, User: user, Reason: what}
	if attempt.FirstRefused {
		event = audit.Event{Name: audit.LoginLock, User: user, Reason: "maxretries"}
	}
	s.Refusals.Count(ctx, by, event)
	return tooMany(s.coarse(attempt)).Because(errTried)
}

// whomBytes is how much of a counter's key tells what it counts and for whom: the first of its parts. What more parts it
// has, such as a session or a network, decides the rest. So all counters of somebody are found where nobody knows those.
const whomBytes = 16

func (s *Service) tryKey(what string, parts []string) []byte {
	raw := [][]byte{[]byte(what)}
	for _, p := range parts {
		raw = append(raw, []byte(p))
	}
	key := s.Keys.MAC(secret.Attempts, raw...)
	if len(parts) > 1 {
		copy(key[:whomBytes], s.attemptsKey(what, parts[0]))
	}
	return key
}

func (s *Service) count(ctx context.Context, policy AttemptPolicy, what string, parts ...string) (tryOf, Attempt, error) {
	key := s.tryKey(what, parts)
	if policy.Max == 0 { // off, in development alone
		return tryOf{key: key}, Attempt{Admitted: true}, nil
	}
	attempt, err := s.Store.Reserve(ctx, key, policy, s.Now().UnixMicro())
	return tryOf{key: key, count: attempt.Count}, attempt, err
}
