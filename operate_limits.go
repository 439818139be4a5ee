package ringwall

import (
	"context"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/identity"
)

type limitView struct {
	Who     string `json:"who"`
	Layer   string `json:"layer"`
	Refused bool   `json:"refused"`
	Tries   int    `json:"tries,omitempty"`
	Since   string `json:"since,omitempty"`
	Until   string `json:"until,omitempty"`
	Why     string `json:"why"`
}

func viewLimits(list []account.Limited) []limitView {
	views := make([]limitView, 0, len(list))
	for _, l := range list {
		view := limitView{Who: l.Who, Layer: l.Layer, Refused: l.Refused, Tries: l.Tries, Why: l.Why}
		if l.SinceMicros != 0 {
			view.Since = stamp(l.SinceMicros)
		}
		if l.UntilMicros != 0 {
			view.Until = stamp(l.UntilMicros)
		}
		views = append(views, view)
	}
	return views
}

type limitsInput struct {
	Who    string `json:"who,omitempty" maxLength:"254"`
	Reason string `json:"reason,omitempty" maxLength:"500"`
}

type limitsReply struct {
	Limits []limitView `json:"limits"`
}

func (rw *Ringwall) showLimits(ctx context.Context, by identity.Actor, in limitsInput) (limitsReply, error) {
	list, err := rw.accounts.Limits(ctx, by, in.Who)
	return limitsReply{viewLimits(list)}, err
}

func (rw *Ringwall) clearLimits(ctx context.Context, by identity.Actor, in limitsInput) (limitsReply, error) {
	if err := rw.accounts.ClearLimits(ctx, by, in.Who, in.Reason); err != nil {
		return limitsReply{}, err
	}
	return rw.showLimits(ctx, by, in)
}

type blockInput struct {
	Network string `json:"network" required:"true" maxLength:"64"`
	Seconds int64  `json:"seconds,omitempty"`
	Reason  string `json:"reason,omitempty" maxLength:"500"`
	Force   bool   `json:"force,omitempty"`
}

type blockReply struct {
	Network string `json:"network"`
	Until   string `json:"until,omitempty"`
}

const mostBlockSeconds = 1 << 32 // what overflows no duration; the account's service sets the bound

func (rw *Ringwall) block(ctx context.Context, by identity.Actor, in blockInput) (blockReply, error) {
	life := time.Duration(min(in.Seconds, mostBlockSeconds)) * time.Second
	b, err := rw.accounts.Block(ctx, by, account.NewBlock{Prefix: in.Network, For: life, Reason: in.Reason, Force: in.Force})
	if err != nil {
		return blockReply{}, err
	}
	return blockReply{b.Prefix.String(), stamp(b.ExpiresMicros)}, nil
}

func (rw *Ringwall) unblock(ctx context.Context, by identity.Actor, in blockInput) (blockReply, error) {
	prefix, err := rw.accounts.Unblock(ctx, by, in.Network, in.Reason)
	return blockReply{Network: prefix.String()}, err
}
