package ringwall

import (
	"context"
	"slices"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

type tailInput struct {
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
}

// tailAudit shows the newest events, or those after a known one, oldest first, with their personal fields opened.
func (rw *Ringwall) tailAudit(ctx context.Context, by identity.Actor, in tailInput) (tailReply, error) {
	var rows []audit.Row
	var err error
	if in.AfterSeq > 0 {
		rows, err = rw.store.Rows(ctx, in.AfterSeq, bounded(in.Limit))
	} else if rows, err = rw.store.LastRows(ctx, bounded(in.Limit)); err == nil {
		slices.Reverse(rows)
		// That somebody reads is an event of its own (C215); following is one reading.
		err = rw.store.Change(ctx, by, func(context.Context, account.Tx) (audit.Event, error) {
			return audit.Event{Name: audit.AuthzAdmin, Reason: "audit log read"}, nil
		})
	}
	if err != nil {
		return tailReply{}, err
	}
	out := tailReply{Events: make([]eventView, 0, len(rows))}
	for _, row := range rows {
		view := eventView{
			Seq: row.Seq, Time: stamp(row.TimeMicros), Event: row.Name, Level: string(audit.LevelOf(audit.Name(row.Name))),
			Description: audit.Describe(audit.Name(row.Name)), Actor: row.ActorKind, Reason: row.Reason, Count: row.Count, RequestID: row.RequestID,
		}
		switch {
		case !row.ActorUser.IsZero():
			view.Actor += ":" + row.ActorUser.String()
		case row.ActorName != "":
			view.Actor += ":" + row.ActorName
		}
		if !row.User.IsZero() {
			view.User = row.User.String()
		}
		if !row.Session.IsZero() {
			view.Session = row.Session.String()
		}
		// What cannot be opened is shown without: the row itself is what audit verify judges.
		if personal, err := rw.builder.Open(ctx, rw.store, row); err == nil {
			view.IP, view.UserAgent, view.Private = personal.Address, personal.UserAgent, personal.Private
		}
		out.Events = append(out.Events, view)
	}
	return out, nil
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
