package api

import (
	"context"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/identity"
)

type alertInfo struct {
	ID         string   `json:"id" doc:"A UUID."`
	Kind       string   `json:"kind" doc:"Such as spraying."`
	Key        string   `json:"key" doc:"Tells two attacks of one kind apart."`
	What       string   `json:"what"`
	Where      []string `json:"where" doc:"Networks."`
	Count      int64    `json:"count"`
	Help       string   `json:"help" doc:"The command that helps."`
	OpenedAt   string   `json:"opened_at" format:"date-time"`
	LastSeenAt string   `json:"last_seen_at" format:"date-time"`
	ClosedAt   string   `json:"closed_at,omitempty" format:"date-time" doc:"Missing: it goes on."`
}

type alertList struct {
	Alerts []alertInfo `json:"alerts"`
	Next   string      `json:"next,omitempty" doc:"Send it as cursor for the next page; missing on the last."`
}

func (a *API) adminAlerts(ctx context.Context, req *chain.Request, in pageQuery) (reply[alertList], error) {
	found, next, err := a.accounts.ListAlerts(ctx, req.Actor, in.Limit, in.Cursor)
	out := alertList{Alerts: make([]alertInfo, 0, len(found)), Next: next}
	for _, o := range found {
		out.Alerts = append(out.Alerts, alertInfo(alerts.ViewOf(o)))
	}
	return reply[alertList]{body: &out}, err
}

type deadWebhook struct {
	ID        identity.ID `json:"id" doc:"A UUID."`
	Target    string      `json:"target"`
	Attempts  int         `json:"attempts"`
	Reason    string      `json:"reason" doc:"Of the last failure; never what the receiver said."`
	CreatedAt string      `json:"created_at" format:"date-time"`
	GivenUpAt string      `json:"given_up_at" format:"date-time"`
}

type deadWebhookList struct {
	Webhooks []deadWebhook `json:"webhooks"`
	Next     string        `json:"next,omitempty" doc:"Send it as cursor for the next page; missing on the last."`
}

func (a *API) adminWebhooks(ctx context.Context, req *chain.Request, in pageQuery) (reply[deadWebhookList], error) {
	found, next, err := a.accounts.DeadWebhooks(ctx, req.Actor, in.Limit, in.Cursor)
	out := deadWebhookList{Webhooks: make([]deadWebhook, 0, len(found)), Next: next}
	for _, w := range found {
		out.Webhooks = append(out.Webhooks, deadWebhook{w.ID, w.Target, w.Attempts, w.Reason, at(w.CreatedMicros), at(w.DeadMicros)})
	}
	return reply[deadWebhookList]{body: &out}, err
}

func (a *API) adminReplay(ctx context.Context, req *chain.Request, in onID) (reply[none], error) {
	return reply[none]{}, a.accounts.ReplayWebhook(ctx, req.Actor, in.Path.ID, in.Body.Reason)
}
