package account

import (
	"context"
	"errors"
	"net/netip"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/ratelimit"
)

// Limited is one thing that counts against somebody, or keeps them out.
type Limited struct {
	Who         string
	Layer       string // "global", "block", "lock", "reset", "deletion", "address", "sign-ups of an address", "api", "account", "code" or "mails"
	Refused     bool   // the next try would be refused
	Tries       int    // zero where nothing is counted
	SinceMicros int64  // zero: not known
	UntilMicros int64  // when it ends by itself; zero: it does not
	Why         string
}

// counted is a kind of counter of an account or address that can hold somebody up, and what it counts.
type counted struct {
	what, layer, why string
	policy           AttemptPolicy
	person           bool // by the person's id, not by their address
}

// counters are all of them. Those that only spare somebody a second mail about the same thing hold nobody up.
func (s *Service) counters() []counted {
	return []counted{
		{"login", "account", "sign-ins from unknown devices", s.Attempts, false},
		{"login from device", "account", "sign-ins from a known device", s.Attempts, false},
		{"reset", "account", "uses of links to choose a password", s.Attempts, false},
		{"code", "account", "codes to confirm the address, from one network", s.Attempts, false},
		{"confirm", "account", "passwords for a link or code to confirm the address", s.Attempts, false},
		{"address", "account", "passwords for a link to a new address", s.Attempts, false},
		{"reauthenticate", "account", "passwords to prove again who they are, in one session", s.Attempts, true},
		{"export", "account", "downloads of their data", exportPolicy, true},
		{"signup", "mails", "sign-ups were asked for, from one network", mailsOfANetwork, false},
		{"resend", "mails", "mails to confirm were asked for, from one network", mailsOfANetwork, false},
		{"forgot", "mails", "resets were asked for, from one network", mailsOfANetwork, false},
		{"change address", "mails", "changes to this address were asked for, from one network", mailsOfANetwork, false},
		{"signup from everywhere", "mails", "sign-ups were asked for", mailsAnHour, false},
		{"resend from everywhere", "mails", "mails to confirm were asked for", mailsAnHour, false},
		{"forgot from everywhere", "mails", "resets were asked for", mailsAnHour, false},
		{"change address from everywhere", "mails", "changes to this address were asked for", mailsAnHour, false},
		{"change address of", "mails", "changes of their address were asked for", emailChangesAnHour, true},
	}
}

// begins is how the keys of these counters begin; nil for one of a person where there is nobody.
func (s *Service) begins(c counted, email string, user identity.ID) []byte {
	switch {
	case !c.person:
		return s.attemptsKey(c.what, email)[:whomBytes]
	case user.IsZero():
		return nil
	}
	return s.attemptsKey(c.what, user.String())[:whomBytes]
}

func (s *Service) attemptsKey(what, address string) []byte {
	return s.Keys.MAC(secret.Attempts, []byte(what), []byte(address))
}

// limitedWho reads whom an operator means: a network address, or a mail address.
func limitedWho(who string) (address netip.Addr, email string, err error) {
	if address, err := netip.ParseAddr(who); err == nil {
		return address.Unmap().WithZone(""), "", nil
	}
	parsed, err := input.ParseEmail(who)
	if err != nil {
		return address, "", problem.New(problem.Invalid, "invalid", "Name a network address, such as 203.0.113.1, or a mail address.").
			With(problem.Field{Name: "who", Code: "format", Detail: "Name a network address, such as 203.0.113.1, or a mail address."})
	}
	return address, parsed.Key(), nil
}

// Limits tells what holds somebody up: a network address, a mail address (alike whether it has an account), or, for "", all
// blocks and the limits of the whole service that are reached. Attempts of addresses and requests to the API are those that this process has counted.
func (s *Service) Limits(ctx context.Context, by identity.Actor, who string) ([]Limited, error) {
	if err := operator(by); err != nil {
		return nil, err
	}
	if err := s.look(ctx, by, audit.Event{Name: audit.AuthzAdmin, Reason: "limits read", Private: map[string]string{"who": who}}); err != nil {
		return nil, err
	}
	if who == "" {
		everybody, err := s.everybodyLimits(ctx)
		if err != nil {
			return nil, err
		}
		blocks, err := s.blocked(ctx, netip.Addr{})
		return append(everybody, blocks...), err
	}
	address, email, err := limitedWho(who)
	if err != nil {
		return nil, err
	}
	if email != "" {
		return s.accountLimits(ctx, email)
	}
	list, err := s.blocked(ctx, address)
	held := s.held(address.String(), s.Addresses.Look(ctx, address))
	for i := range held {
		if address.Is6() { // whichever is scarcer is told
			held[i].Why += ", for its /64, or four times as many for its /48"
		}
	}
	return append(list, held...), err
}

// held is what counts against somebody in the memory of this process.
func (s *Service) held(who string, found []limits.Held) (list []Limited) {
	now := s.Now()
	for _, h := range found {
		until := now.Add(h.Whole)
		if h.Wait > 0 {
			until = now.Add(h.Wait)
		}
		list = append(list, Limited{Who: who, Layer: h.Layer, Refused: h.Wait > 0, Tries: h.Tries, UntilMicros: until.UnixMicro(), Why: "of " + h.Window.String()})
	}
	return list
}

// everybodyLimits are those of the whole service that are reached at this moment.
func (s *Service) everybodyLimits(ctx context.Context) (list []Limited, err error) {
	since, until, err := s.Ceiling.Hot(ctx)
	if err != nil {
		return nil, err
	}
	if !until.IsZero() {
		list = append(list, Limited{Who: "strangers", Layer: "global", Refused: true, SinceMicros: since.UnixMicro(), UntilMicros: until.UnixMicro(),
			Why: "very many attempts: a challenge comes first"})
	}
	left, err := s.mailsLeft(ctx)
	if left.half {
		why := "half of LIMIT_MAILS is spent: a challenge comes first"
		if left.all {
			why = "all of LIMIT_MAILS is spent: nobody without a known device gets a mail"
		}
		list = append(list, Limited{Who: "strangers", Layer: "mails", Refused: true, Tries: left.tries, SinceMicros: left.since, UntilMicros: left.until, Why: why})
	}
	return list, err
}

// blocked are the blocks that cover an address, or all of them for the zero one.
func (s *Service) blocked(ctx context.Context, address netip.Addr) ([]Limited, error) {
	blocks, err := s.Store.Blocks(ctx, s.Now().UnixMicro())
	var list []Limited
	for _, b := range blocks {
		if !address.IsValid() || b.Prefix.Contains(address) {
			list = append(list, Limited{Who: b.Prefix.String(), Layer: "block", Refused: true, SinceMicros: b.CreatedMicros, UntilMicros: b.ExpiresMicros, Why: b.Reason + " (" + b.By + ")"})
		}
	}
	return list, err
}

func (s *Service) accountLimits(ctx context.Context, email string) ([]Limited, error) {
	var list []Limited
	now := s.Now().UnixMicro()
	user, _, err := s.userAt(ctx, email, identity.ID{}, false)
	if err != nil {
		return nil, err
	}
	if user.LockedAt(s.Now()) {
		list = append(list, Limited{Who: email, Layer: "lock", Refused: true, SinceMicros: user.LockedMicros, UntilMicros: user.LockUntilMicros, Why: user.LockReason})
	}
	if user.ResetDemandedMicros != 0 {
		list = append(list, Limited{Who: email, Layer: "reset", Refused: true, SinceMicros: user.ResetDemandedMicros, Why: "a new password is demanded; the link is in the mail box"})
	}
	if user.DeleteMicros != 0 {
		list = append(list, Limited{Who: email, Layer: "deletion", Refused: true, UntilMicros: user.DeleteMicros, Why: "the account waits to be deleted; the link in the mail box keeps it"})
	}
	if !user.ID.IsZero() {
		list = append(list, s.held(email, limits.Look(ctx, s.API, "api", ratelimit.Text(user.ID.String())))...)
	}
	tries, err := s.countedLimits(ctx, email, user.ID)
	if err != nil {
		return nil, err
	}
	pending, err := s.Store.SignupsByEmail(ctx, email)
	if errors.Is(err, ErrMissing) {
		err = nil
	}
	for _, p := range pending {
		if p.CodeTries > 0 && p.CodeExpiresMicros() > now {
			tries = append(tries, Limited{Who: email, Layer: "code", Refused: p.CodeTries >= codeTries, Tries: p.CodeTries, SinceMicros: p.CodeMicros, UntilMicros: p.CodeExpiresMicros(),
				Why: "tries of the code in a mail; its link works, and so does the code of a new mail"})
		}
	}
	return append(list, tries...), err
}

// countedLimits is what the counters of an address, and of its person, tell at this moment.
func (s *Service) countedLimits(ctx context.Context, email string, user identity.ID) (list []Limited, err error) {
	now := s.Now().UnixMicro()
	for _, c := range s.counters() {
		begin := s.begins(c, email, user)
		if begin == nil {
			continue
		}
		found, err := s.Store.Counters(ctx, begin, now)
		if err != nil {
			return nil, err
		}
		for _, counter := range found {
			locked, until := counter.LockedMicros != 0, counter.WindowMicros+c.policy.WindowMicros
			if locked {
				until = counter.LockedMicros
			}
			if counter.Tries > 0 && until > now {
				list = append(list, Limited{Who: email, Layer: c.layer, Refused: locked || counter.Tries >= c.policy.Max, Tries: counter.Tries, SinceMicros: counter.WindowMicros, UntilMicros: until, Why: c.why})
			}
		}
	}
	return list, nil
}

// ClearLimits forgets what somebody has tried: a network address in this process, a mail address everywhere, but for
// requests to the API, which each process counts. Blocks and locks stay.
func (s *Service) ClearLimits(ctx context.Context, by identity.Actor, who, reason string) error {
	address, email, err := limitedWho(who)
	if err != nil {
		return err
	}
	private, err := because(by, reason, map[string]string{"address": address.String()})
	if err != nil {
		return err
	}
	if email != "" {
		delete(private, "address")
		private["email"] = email
	}
	var person identity.ID
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.AuthzAdmin, Reason: "limits cleared", Private: private}
		if err := s.stillOperator(ctx, tx, by); err != nil || email == "" {
			return event, err
		}
		user, err := tx.UserByEmail(ctx, email)
		if err != nil && !errors.Is(err, ErrMissing) {
			return event, err
		}
		person = user.ID
		for _, c := range s.counters() {
			if begin := s.begins(c, email, person); begin != nil {
				if err := tx.ClearCounters(ctx, begin); err != nil {
					return event, err
				}
			}
		}
		return event, tx.ClearSignupTries(ctx, email)
	})
	switch {
	case err != nil:
		return err
	case email == "":
		s.Addresses.Clear(ctx, address)
	case !person.IsZero() && s.API != nil:
		return s.API.Clear(ctx, ratelimit.Text(person.String()))
	}
	return nil
}
