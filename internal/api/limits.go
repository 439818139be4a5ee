package api

import (
	"context"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/problem"
)

type whoQuery struct {
	Who string `query:"who" doc:"A network address or a mail address; without it, all blocks, and the limits of the whole service that are reached. Attempts of a network address are those that the node which answers has counted."`
}

func (in *whoQuery) readPath(r *http.Request) error {
	q := readQuery(r, "who")
	in.Who = q.text("who", 254)
	return q.err()
}

type limitInfo struct {
	Who     string `json:"who"`
	Layer   string `json:"layer" doc:"Such as global, block, lock, reset, deletion, address, account, code or mails."`
	Refused bool   `json:"refused" doc:"The next try would be refused."`
	Tries   int    `json:"tries" doc:"Zero where nothing is counted."`
	Since   string `json:"since,omitempty" format:"date-time" doc:"Missing: not known."`
	Until   string `json:"until,omitempty" format:"date-time" doc:"Missing: it does not end by itself."`
	Why     string `json:"why"`
}

type limitList struct {
	Limits []limitInfo `json:"limits"`
}

func (a *API) adminLimits(ctx context.Context, req *chain.Request, in whoQuery) (reply[limitList], error) {
	found, err := a.accounts.Limits(ctx, req.Actor, in.Who)
	out := limitList{Limits: make([]limitInfo, 0, len(found))}
	for _, l := range found {
		out.Limits = append(out.Limits, limitInfo{l.Who, l.Layer, l.Refused, l.Tries, optional(l.SinceMicros), optional(l.UntilMicros), l.Why})
	}
	return reply[limitList]{body: &out}, err
}

type clearInput struct {
	because
	Who string `json:"who" required:"true" maxLength:"254" doc:"A network address, on the node that answers, or a mail address, everywhere."`
}

func (a *API) adminClearLimits(ctx context.Context, req *chain.Request, in clearInput) (reply[none], error) {
	return reply[none]{}, a.accounts.ClearLimits(ctx, req.Actor, in.Who, in.Reason)
}

type blockInfo struct {
	Network   string `json:"network"`
	CreatedAt string `json:"created_at" format:"date-time"`
	Until     string `json:"until" format:"date-time"`
	Reason    string `json:"reason"`
	By        string `json:"by" doc:"An operator's system account, or person: and an administrator's id."`
}

func describeBlock(b limits.Block) blockInfo {
	return blockInfo{b.Prefix.String(), at(b.CreatedMicros), at(b.ExpiresMicros), b.Reason, b.By}
}

type blockList struct {
	Blocks []blockInfo `json:"blocks"`
	Next   string      `json:"next,omitempty" doc:"Send it as cursor for the next page; missing on the last."`
}

func (a *API) adminBlocks(ctx context.Context, req *chain.Request, in pageQuery) (reply[blockList], error) {
	found, next, err := a.accounts.Blocked(ctx, req.Actor, in.Limit, in.Cursor)
	out := blockList{Blocks: make([]blockInfo, 0, len(found)), Next: next}
	for _, b := range found {
		out.Blocks = append(out.Blocks, describeBlock(b))
	}
	return reply[blockList]{body: &out}, err
}

type blockInput struct {
	because
	Network string `json:"network" required:"true" maxLength:"64" doc:"An address, or a network such as 203.0.113.0/24. Nobody can block this machine or themselves."`
	Until   string `json:"until" required:"true" maxLength:"40" doc:"In RFC 3339, at most 366 days from now."`
}

func (a *API) adminBlock(ctx context.Context, req *chain.Request, in blockInput) (reply[blockInfo], error) {
	until, err := time.Parse(time.RFC3339, in.Until)
	if err != nil {
		return reply[blockInfo]{}, problem.New(problem.Invalid, "invalid", "The end of the block cannot be read.").
			With(problem.Field{Name: "/until", Code: "time", Detail: "Write it as 2026-03-12T09:41:00Z."})
	}
	made, err := a.accounts.Block(ctx, req.Actor, account.NewBlock{Prefix: in.Network, For: until.Sub(a.chain.Now()), Reason: in.Reason})
	if err != nil {
		return reply[blockInfo]{}, err
	}
	out := describeBlock(made)
	return reply[blockInfo]{body: &out}, nil
}

type unblockInput struct {
	because
	Network string `json:"network" required:"true" maxLength:"64" doc:"As it was blocked."`
}

func (a *API) adminUnblock(ctx context.Context, req *chain.Request, in unblockInput) (reply[none], error) {
	_, err := a.accounts.Unblock(ctx, req.Actor, in.Network, in.Reason)
	return reply[none]{}, err
}
