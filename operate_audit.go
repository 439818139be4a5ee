package ringwall

import (
	"context"
	"slices"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

// auditFilter is what tail and export have in common.
type auditFilter struct {
	User  string `json:"user,omitempty" maxLength:"254"` // an id or address
	IP    string `json:"ip,omitempty" maxLength:"64"`    // an address or network
	Event string `json:"event,omitempty" maxLength:"64"`
	Since string `json:"since,omitempty" maxLength:"40"` // RFC 3339
	Until string `json:"until,omitempty" maxLength:"40"`
}

type tailInput struct {
	auditFilter
	AfterSeq int64 `json:"after_seq,omitempty"`
	Limit    int   `json:"limit,omitempty"`
}

type eventView struct {
	Seq         int64             `json:"seq"`
	Time        string            `json:"time"`
	Event       string            `json:"event"`
	Level       string            `json:"level"`
	Description string            `json:"description"`
	Actor       string            `json:"actor"`
	User        string            `json:"user,omitempty"`
	Session     string            `json:"session,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	IP          string            `json:"ip,omitempty"`
	UserAgent   string            `json:"user_agent,omitempty"`
	Private     map[string]string `json:"private,omitempty"`
	Count       int64             `json:"count"`
	RequestID   string            `json:"request_id,omitempty"`
}

type tailReply struct {
	Events []eventView `json:"events"`
	Next   int64       `json:"next,omitempty"` // of an export: the number from which to go on; none: this was all
	Last   int64       `json:"last,omitempty"` // of a tail: the number from which to follow
}

// query reads a filter as an operator wrote it.
func (rw *Ringwall) query(ctx context.Context, by identity.Actor, in auditFilter) (q audit.Query, err error) {
	if in.User != "" {
		if q.User, err = identity.ParseID(in.User); err != nil { // an id may be that of somebody who is gone
			user, err := rw.accounts.FindUser(ctx, by, in.User)
			if err != nil {
				return q, err
			}
			q.User = user.ID
		}
	}
	if in.IP != "" {
		if q.Address, err = audit.ParseNetwork(in.IP); err != nil {
			return q, problem.New(problem.Invalid, "invalid", "ip must be an address, or a network such as 203.0.113.0/24.")
		}
	}
	if q.Name = audit.Name(in.Event); in.Event != "" && !audit.Known(q.Name) {
		return q, problem.New(problem.Invalid, "invalid", "There is no such event. docs/audit.md lists them all, such as authz_fail.")
	}
	since, err := readTime("since", in.Since)
	if err != nil {
		return q, err
	}
	until, err := readTime("until", in.Until)
	if err == nil && !since.IsZero() && !until.IsZero() && !since.Before(until) {
		err = problem.New(problem.Invalid, "invalid", "since must be before until: nothing lies between them.")
	}
	if !since.IsZero() {
		q.SinceMicros = since.UnixMicro()
	}
	if !until.IsZero() {
		q.UntilMicros = until.UnixMicro()
	}
	return q, err
}

// tailAudit shows the newest events, or those after a known one, oldest first, with their personal fields opened.
func (rw *Ringwall) tailAudit(ctx context.Context, by identity.Actor, in tailInput) (tailReply, error) {
	q, err := rw.query(ctx, by, in.auditFilter)
	if err != nil {
		return tailReply{}, err
	}
	last, err := rw.store.Search(ctx, audit.Filter{Limit: 1}) // before the others, so that none is passed over
	if err != nil {
		return tailReply{}, err
	}
	q.AfterSeq, q.Limit, q.Oldest = in.AfterSeq, bounded(in.Limit), in.AfterSeq > 0
	out := tailReply{Last: in.AfterSeq}
	if len(last) > 0 {
		out.Last = last[0].Seq
	}
	var found []audit.Opened
	for { // an address may be far behind
		page, next, err := rw.archive.Search(ctx, q)
		if err != nil {
			return tailReply{}, err
		}
		found = append(found, page...)
		if next == 0 || len(found) >= bounded(in.Limit) {
			if q.Oldest && next != 0 {
				out.Last = next
			}
			break
		}
		q.Limit = bounded(in.Limit) - len(found)
		if q.Oldest {
			q.AfterSeq = next
		} else {
			q.BeforeSeq = next
		}
	}
	if !q.Oldest {
		slices.Reverse(found)
		// That somebody reads is an event of its own (C215); following is one reading.
		err = rw.store.Change(ctx, by, func(context.Context, account.Tx) (audit.Event, error) {
			return audit.Event{Name: audit.AuthzAdmin, Reason: "audit log read"}, nil
		})
	}
	for _, e := range found {
		if !q.Oldest {
			out.Last = max(out.Last, e.Seq)
		}
	}
	out.Events = viewEvents(found)
	return out, err
}

// exportAudit reads a page of the whole log, oldest first. The first page is recorded: that somebody took the log.
func (rw *Ringwall) exportAudit(ctx context.Context, by identity.Actor, in tailInput) (tailReply, error) {
	q, err := rw.query(ctx, by, in.auditFilter)
	if err != nil {
		return tailReply{}, err
	}
	if in.AfterSeq == 0 {
		err := rw.store.Change(ctx, by, func(context.Context, account.Tx) (audit.Event, error) {
			return audit.Event{Name: audit.AuthzAdmin, Reason: "audit log exported"}, nil
		})
		if err != nil {
			return tailReply{}, err
		}
	}
	q.AfterSeq, q.Limit, q.Oldest = in.AfterSeq, bounded(in.Limit), true
	found, next, err := rw.archive.Search(ctx, q)
	return tailReply{Events: viewEvents(found), Next: next}, err
}

func viewEvents(found []audit.Opened) []eventView {
	views := make([]eventView, 0, len(found))
	for _, e := range found {
		view := eventView{
			Seq: e.Seq, Time: stamp(e.TimeMicros), Event: e.Name, Level: string(audit.LevelOf(audit.Name(e.Name))),
			Description: audit.Describe(audit.Name(e.Name)), Actor: e.Actor(), Reason: e.Reason, Count: e.Count, RequestID: e.RequestID,
			IP: e.Details.Address, UserAgent: e.Details.UserAgent, Private: e.Details.Private,
		}
		if !e.User.IsZero() {
			view.User = e.User.String()
		}
		if !e.Session.IsZero() {
			view.Session = e.Session.String()
		}
		views = append(views, view)
	}
	return views
}

type verifyInput struct {
	Head string `json:"head,omitempty" maxLength:"100"`
}

type faultView struct {
	Seq    int64  `json:"seq,omitempty"`
	Seal   int64  `json:"seal,omitempty"`
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

type verifyReply struct {
	OK      bool        `json:"ok"`
	Rows    int64       `json:"rows"`
	Seals   int64       `json:"seals"`
	Waiting int64       `json:"waiting"`
	Head    string      `json:"head"`
	Faults  []faultView `json:"faults"`
}

// verifyAudit checks the whole audit log against its seals, and against a head that was kept elsewhere.
func (rw *Ringwall) verifyAudit(ctx context.Context, _ identity.Actor, in verifyInput) (verifyReply, error) {
	options := audit.VerifyOptions{Now: rw.opt.Now}
	if in.Head != "" {
		known, err := audit.ParseHead(in.Head)
		if err != nil {
			return verifyReply{}, problem.New(problem.Invalid, "invalid", "The head is not one: copy it whole from the log of the server or from an earlier audit verify.")
		}
		options.Known = &known
	}
	report, err := audit.Verify(ctx, rw.store, rw.keys, options)
	if err != nil {
		return verifyReply{}, err
	}
	out := verifyReply{OK: report.OK(), Rows: report.Rows, Seals: report.Seals, Waiting: report.Fresh, Head: report.Head.String(), Faults: make([]faultView, 0, len(report.Findings))}
	for _, f := range report.Findings {
		out.Faults = append(out.Faults, faultView{Seq: f.Seq, Seal: f.Seal, Kind: string(f.Kind), Detail: f.String()})
	}
	return out, nil
}
