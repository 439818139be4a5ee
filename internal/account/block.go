package account

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/problem"
)

// NewBlock is a network that an operator keeps out.
type NewBlock struct {
	Prefix string // an address, or a network such as 203.0.113.0/24
	For    time.Duration
	Reason string
	Force  bool // also what covers this machine itself, or everybody; of a command alone
}

const longestBlock = 366 * 24 * time.Hour

// Blocked are the blocks that hold, the newest first. Next leads to the page after; empty if there is none. Problems: invalid.
func (s *Service) Blocked(ctx context.Context, by identity.Actor, limit int, cursor string) (found []limits.Block, next string, err error) {
	if err := operator(by); err != nil {
		return nil, "", err
	}
	after, err := s.openCursor("blocks", cursor)
	if err != nil {
		return nil, "", err
	}
	all, err := s.Store.Blocks(ctx, s.Now().UnixMicro())
	if err != nil {
		return nil, "", err
	}
	place := func(b limits.Block) string { return fmt.Sprintf("%020d %s", math.MaxInt64-b.CreatedMicros, b.Prefix) }
	slices.SortFunc(all, func(a, b limits.Block) int { return strings.Compare(place(a), place(b)) })
	for _, b := range all {
		switch {
		case after != "" && place(b) <= after:
		case len(found) == limit:
			return found, s.sealCursor("blocks", place(found[limit-1])), s.look(ctx, by, lookAtBlocks())
		default:
			found = append(found, b)
		}
	}
	return found, "", s.look(ctx, by, lookAtBlocks())
}

func lookAtBlocks() audit.Event { return audit.Event{Name: audit.AuthzAdmin, Reason: "blocks listed"} }

// Block keeps a network out, from the next request on; on other nodes within a second. A block of the same network is replaced.
// An administrator can keep out neither this machine nor themselves. Problems: invalid, conflict.
func (s *Service) Block(ctx context.Context, by identity.Actor, in NewBlock) (limits.Block, error) {
	if err := operator(by); err != nil {
		return limits.Block{}, err
	}
	prefix, err := blockPrefix(in.Prefix)
	if err == nil {
		err = in.check(by, prefix)
	}
	if err != nil {
		return limits.Block{}, err
	}
	private, err := because(by, in.Reason, map[string]string{"network": prefix.String()})
	if err != nil {
		return limits.Block{}, err
	}
	now := s.Now()
	if held, err := s.Store.Blocks(ctx, now.UnixMicro()); err != nil {
		return limits.Block{}, err
	} else if len(held) >= limits.MostBlocks {
		return limits.Block{}, problem.New(problem.Conflict, "conflict", "There are a thousand blocks already. Lift some, or block a larger network.")
	}
	block := limits.Block{Prefix: prefix, CreatedMicros: now.UnixMicro(), ExpiresMicros: now.Add(in.For).UnixMicro(), Reason: strings.TrimSpace(in.Reason), By: by.Name()}
	if by.Kind() == identity.Person {
		block.By = "person:" + by.Subject().ID().String()
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.AuthzAdmin, Reason: "network blocked", Private: private}
		if err := s.stillOperator(ctx, tx, by); err != nil {
			return event, err
		}
		return event, tx.InsertBlock(ctx, block)
	})
	if err != nil {
		return limits.Block{}, err
	}
	return block, s.Blocks.Reload(ctx)
}

func (in NewBlock) check(by identity.Actor, prefix netip.Prefix) error {
	person := by.Kind() == identity.Person
	wrong := func(field, detail string) error {
		return problem.New(problem.Invalid, "invalid", detail).With(problem.Field{Name: field, Code: "block", Detail: detail})
	}
	switch {
	case !person && strings.TrimSpace(in.Reason) == "":
		return wrong("/reason", "Say why: --reason \"…\" goes into the audit log.")
	case in.For < time.Second || in.For > longestBlock:
		return wrong("/until", "A block ends by itself: say when, from a second to 366 days.")
	case person && (coversUs(prefix) || prefix.Contains(by.Request().Address.Unmap().WithZone(""))):
		return wrong("/network", "That covers everybody, this machine itself, or you. Name a smaller network.")
	case !in.Force && coversUs(prefix):
		return wrong("/network", "That covers everybody, or this machine itself. Name a smaller network, or add --force.")
	}
	return nil
}

// Unblock lifts a block. Problems: invalid, not-found.
func (s *Service) Unblock(ctx context.Context, by identity.Actor, network, reason string) (netip.Prefix, error) {
	prefix, err := blockPrefix(network)
	if err != nil {
		return prefix, err
	}
	private, err := because(by, reason, map[string]string{"network": prefix.String()})
	if err != nil {
		return prefix, err
	}
	err = s.Store.Change(ctx, by, func(ctx context.Context, tx Tx) (audit.Event, error) {
		event := audit.Event{Name: audit.AuthzAdmin, Reason: "network unblocked", Private: private}
		if err := s.stillOperator(ctx, tx, by); err != nil {
			return event, err
		}
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
	wrong := problem.New(problem.Invalid, "invalid", "Name an address, or a network such as 203.0.113.0/24 or 2001:db8::/48, without bits beyond its length.").
		With(problem.Field{Name: "/network", Code: "network", Detail: "Name an address, or a network such as 203.0.113.0/24 or 2001:db8::/48, without bits beyond its length."})
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
