package ringwall

import (
	"context"
	"strings"

	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/problem"
)

type listAlertsInput struct {
	Limit int `json:"limit,omitempty"`
}

type listAlertsReply struct {
	Alerts []alerts.View `json:"alerts"`
}

// listAlerts shows open and closed alerts, the latest first.
func (rw *Ringwall) listAlerts(ctx context.Context, by identity.Actor, in listAlertsInput) (out listAlertsReply, err error) {
	list, _, err := rw.accounts.ListAlerts(ctx, by, bounded(in.Limit), "")
	out.Alerts = make([]alerts.View, 0, len(list))
	for _, a := range list {
		out.Alerts = append(out.Alerts, alerts.ViewOf(a))
	}
	return out, err
}

type deadWebhookView struct {
	ID        identity.ID `json:"id"`
	Target    string      `json:"target"`
	Attempts  int         `json:"attempts"`
	Reason    string      `json:"reason"`
	CreatedAt string      `json:"created_at"`
	GivenUpAt string      `json:"given_up_at"`
}

type listWebhooksReply struct {
	Webhooks []deadWebhookView `json:"webhooks"`
}

type listWebhooksInput struct {
	Limit int `json:"limit,omitempty"`
}

// listWebhooks shows the webhooks that were given up, the latest first.
func (rw *Ringwall) listWebhooks(ctx context.Context, by identity.Actor, in listWebhooksInput) (out listWebhooksReply, err error) {
	list, _, err := rw.accounts.DeadWebhooks(ctx, by, bounded(in.Limit), "")
	out.Webhooks = make([]deadWebhookView, 0, len(list))
	for _, w := range list {
		out.Webhooks = append(out.Webhooks, deadWebhookView{w.ID, w.Target, w.Attempts, w.Reason, stamp(w.CreatedMicros), stamp(w.DeadMicros)})
	}
	return out, err
}

type replayInput struct {
	Webhook string `json:"webhook" required:"true" maxLength:"40"`
}

// replayWebhook sends a webhook again that was given up, with the same id. Logs and receivers name it with msg_ before it.
func (rw *Ringwall) replayWebhook(ctx context.Context, by identity.Actor, in replayInput) (struct{}, error) {
	id, err := identity.ParseID(strings.TrimPrefix(in.Webhook, "msg_"))
	if err != nil {
		return struct{}{}, problem.New(problem.Invalid, "invalid", "A webhook is named by its id, as `ringwall webhook list` shows it.")
	}
	return struct{}{}, rw.accounts.ReplayWebhook(ctx, by, id, "")
}
