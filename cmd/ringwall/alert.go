package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/internal/alerts"
)

type alertCommands struct {
	settingFlags
	List alertList `cmd:"" help:"List the alerts, open ones and those of the last ninety days."`
}

// Help is the example.
func (alertCommands) Help() string { return "Example:\n\n    ringwall alert list" }

type alertList struct {
	Limit int  `default:"20" help:"How many, at most 1000."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// Help is the example.
func (alertList) Help() string {
	return "The latest stands first. What each kind means stands in docs/operating.md.\n\nExample:\n\n    ringwall alert list --limit 5"
}

// Run lists alerts.
func (c *alertList) Run(ctx context.Context, a *app, group *alertCommands) error {
	var out struct {
		Alerts []alerts.View `json:"alerts"`
	}
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	if err := a.call(ctx, group.settingFlags, "alert.list", map[string]int{"limit": c.Limit}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	if len(out.Alerts) == 0 {
		return a.say("There is no alert.")
	}
	var rows [][]string
	for _, alert := range out.Alerts {
		closed := "open"
		if alert.ClosedAt != "" {
			closed = moment(alert.ClosedAt)
		}
		rows = append(rows, []string{alert.Kind, moment(alert.OpenedAt), moment(alert.LastSeenAt), closed, strconv.FormatInt(alert.Count, 10), strings.Join(alert.Where, " "), alert.Help})
	}
	return a.printTable([]string{"KIND", "OPENED", "LAST SEEN", "CLOSED", "COUNT", "WHERE", "WHAT HELPS"}, rows)
}

type webhookCommands struct {
	settingFlags
	List   webhookList   `cmd:"" help:"List the webhooks that were given up."`
	Replay webhookReplay `cmd:"" help:"Send one of them again."`
}

// Help is the example.
func (webhookCommands) Help() string { return "Example:\n\n    ringwall webhook list" }

type webhookView struct {
	ID        string `json:"id"`
	Target    string `json:"target"`
	Attempts  int    `json:"attempts"`
	Reason    string `json:"reason"`
	CreatedAt string `json:"created_at"`
	GivenUpAt string `json:"given_up_at"`
}

type webhookList struct {
	Limit int  `default:"100" help:"How many, at most 1000."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// Help is the example.
func (webhookList) Help() string {
	return "The latest stands first.\n\nExample:\n\n    ringwall webhook list --limit 5"
}

// Run lists webhooks.
func (c *webhookList) Run(ctx context.Context, a *app, group *webhookCommands) error {
	var out struct {
		Webhooks []webhookView `json:"webhooks"`
	}
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	if err := a.call(ctx, group.settingFlags, "webhook.list", map[string]int{"limit": c.Limit}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	if len(out.Webhooks) == 0 {
		return a.say("No webhook was given up.")
	}
	var rows [][]string
	for _, w := range out.Webhooks {
		rows = append(rows, []string{w.Target, moment(w.CreatedAt), moment(w.GivenUpAt), strconv.Itoa(w.Attempts), w.Reason, w.ID})
	}
	return a.printTable([]string{"TARGET", "MADE", "GIVEN UP", "ATTEMPTS", "WHY", "ID"}, rows)
}

type webhookReplay struct {
	Webhook string `arg:"" help:"The id of a webhook, from webhook list or the log."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (webhookReplay) Help() string {
	return "A server sends it within five minutes, with the id that it had: a receiver that has seen it knows it again.\n\nExample:\n\n    ringwall webhook replay 0192f0c4-0000-7000-8000-000000000000"
}

// Run sends a webhook again.
func (c *webhookReplay) Run(ctx context.Context, a *app, group *webhookCommands) error {
	var out struct{}
	if err := a.call(ctx, group.settingFlags, "webhook.replay", map[string]string{"webhook": c.Webhook}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	return a.say("It will be sent again.")
}
