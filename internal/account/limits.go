package account

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
)

// Limited is one thing that counts against somebody, or keeps them out.
type Limited struct {
	Who         string
	Layer       string // "block", "lock", "address", "sign-ups of an address", "account" or "mails"
	Refused     bool   // the next try would be refused
	Tries       int    // zero where nothing is counted
	SinceMicros int64  // zero: not known
	UntilMicros int64  // when it ends by itself; zero: it does not
	Why         string
}

// counted are the counters of a mail address that everybody shares, with what they count.
func counted() [4]struct{ what, layer, why string } {
	return [...]struct{ what, layer, why string }{
		{"login", "account", "sign-ins from unknown devices"},
		{"signup from everywhere", "mails", "sign-ups were asked for"},
		{"resend from everywhere", "mails", "mails to confirm were asked for"},
		{"forgot from everywhere", "mails", "resets were asked for"},
	}
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
		return address, "", problem.New(problem.Invalid, "invalid", "Name a network address, such as 203.0.113.1, or a mail address.")
	}
	return address, parsed.Key(), nil
}

// Limits tells what holds somebody up: a network address, a mail address (alike whether it has an account), or, for "", all
// blocks. Attempts of addresses are those that this process has counted.
func (s *Service) Limits(ctx context.Context, by identity.Actor, who string) ([]Limited, error) {
	if err := operator(by); err != nil {
		return nil, err
	}
	if who == "" {
		return s.blocked(ctx, netip.Addr{})
	}
	address, email, err := limitedWho(who)
	if err != nil {
		return nil, err
	}
	if email != "" {
		return s.accountLimits(ctx, email)
	}
	list, err := s.blocked(ctx, address)
	now := s.Now()
	for _, held := range s.Addresses.Look(ctx, address) {
		until := now.Add(held.Whole)
		if held.Wait > 0 {
			until = now.Add(held.Wait)
		}
		list = append(list, Limited{Who: address.String(), Layer: held.Layer, Refused: held.Wait > 0, Tries: held.Tries,
			UntilMicros: until.UnixMicro(), Why: "of " + held.Window.String()})
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
	user, _, err := s.userAt(ctx, email, identity.NewRandomID())
	if err != nil {
		return nil, err
	}
	if user.LockedAt(s.Now()) {
		list = append(list, Limited{Who: email, Layer: "lock", Refused: true, SinceMicros: user.LockedMicros, UntilMicros: user.LockUntilMicros, Why: user.LockReason})
	}
	for _, c := range counted() {
		counter, err := s.Store.Counter(ctx, s.attemptsKey(c.what, email), now)
		if err != nil {
			return nil, err
		}
		if counter.Tries == 0 {
			continue
		}
		policy := s.Attempts
		if c.layer == "mails" {
			policy = mailsAnHour
		}
		l := Limited{Who: email, Layer: c.layer, Tries: counter.Tries, SinceMicros: counter.WindowMicros, UntilMicros: counter.WindowMicros + policy.WindowMicros, Why: c.why}
		if counter.LockedMicros > now {
			l.Refused, l.UntilMicros = true, counter.LockedMicros
		}
		if l.UntilMicros > now {
			list = append(list, l)
		}
	}
	return list, nil
}

// ClearLimits forgets what somebody has tried: a network address in this process, a mail address everywhere. Blocks and locks stay.
func (s *Service) ClearLimits(ctx context.Context, by identity.Actor, who string) error {
	if err := operator(by); err != nil {
		return err
	}
	address, email, err := limitedWho(who)
	if err != nil {
		return err
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.AuthzAdmin, Reason: "limits cleared", Private: map[string]string{"address": address.String()}}
		if email == "" {
			return event, nil
		}
		event.Private = map[string]string{"email": email}
		for _, c := range counted() {
			if err := tx.ClearAttempts(ctx, s.attemptsKey(c.what, email)); err != nil {
				return event, err
			}
		}
		return event, nil
	})
	if err == nil && email == "" {
		s.Addresses.Clear(ctx, address)
	}
	return err
}

// NewBlock is a network that an operator keeps out.
type NewBlock struct {
	Prefix string // an address, or a network such as 203.0.113.0/24
	For    time.Duration
	Reason string
	Force  bool // also what covers this machine itself, or everybody
}

const longestBlock = 366 * 24 * time.Hour

// Block keeps a network out, from the next request on; on other nodes within a second. A block of the same network is replaced.
// Problems: invalid, conflict.
func (s *Service) Block(ctx context.Context, by identity.Actor, in NewBlock) (limits.Block, error) {
	if err := operator(by); err != nil {
		return limits.Block{}, err
	}
	prefix, err := blockPrefix(in.Prefix)
	if err != nil {
		return limits.Block{}, err
	}
	switch {
	case strings.TrimSpace(in.Reason) == "":
		return limits.Block{}, problem.New(problem.Invalid, "invalid", "Say why: --reason \"…\" goes into the audit log.")
	case in.For < time.Second || in.For > longestBlock:
		return limits.Block{}, problem.New(problem.Invalid, "invalid", "A block ends by itself: say when, from a second to 366 days.")
	case !in.Force && coversUs(prefix):
		return limits.Block{}, problem.New(problem.Invalid, "invalid", "That covers everybody, or this machine itself. Name a smaller network, or add --force.")
	}
	now := s.Now()
	if held, err := s.Store.Blocks(ctx, now.UnixMicro()); err != nil {
		return limits.Block{}, err
	} else if len(held) >= limits.MostBlocks {
		return limits.Block{}, problem.New(problem.Conflict, "conflict", "There are a thousand blocks already. Lift some, or block a larger network.")
	}
	block := limits.Block{Prefix: prefix, CreatedMicros: now.UnixMicro(), ExpiresMicros: now.Add(in.For).UnixMicro(), Reason: in.Reason, By: by.Name()}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.AuthzAdmin, Reason: "network blocked", Private: map[string]string{"network": prefix.String(), "reason": in.Reason}}
		return event, tx.InsertBlock(ctx, block)
	})
	if err != nil {
		return limits.Block{}, err
	}
	return block, s.Blocks.Reload(ctx)
}

// Unblock lifts a block. Problems: invalid, not-found.
func (s *Service) Unblock(ctx context.Context, by identity.Actor, network string) (netip.Prefix, error) {
	if err := operator(by); err != nil {
		return netip.Prefix{}, err
	}
	prefix, err := blockPrefix(network)
	if err != nil {
		return prefix, err
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.AuthzAdmin, Reason: "network unblocked", Private: map[string]string{"network": prefix.String()}}
		there, err := tx.DeleteBlock(ctx, prefix, s.Now().UnixMicro())
		if err == nil && !there {
			err = problem.New(problem.Missing, "not-found", "This network is not blocked. `ringwall limits show` lists those that are, as they were named.")
		}
		return event, err
	})
	if err != nil {
		return prefix, err
	}
	return prefix, s.Blocks.Reload(ctx)
}

func blockPrefix(text string) (netip.Prefix, error) {
	wrong := problem.New(problem.Invalid, "invalid", "Name an address, or a network such as 203.0.113.0/24 or 2001:db8::/48, without bits beyond its length.")
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err == nil && prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	if err != nil || prefix.Masked() != prefix {
		return netip.Prefix{}, wrong
	}
	return prefix, nil
}

func coversUs(prefix netip.Prefix) bool {
	return prefix.Bits() == 0 || prefix.Overlaps(netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8)) || prefix.Overlaps(netip.PrefixFrom(netip.IPv6Loopback(), 128))
}
