package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

type sessionCommands struct {
	settingFlags
	List   sessionList   `cmd:"" help:"List the sessions of an account."`
	Revoke sessionRevoke `cmd:"" help:"End a session, all of an account, or everybody's."`
}

// Help is the example.
func (sessionCommands) Help() string { return "Example:\n\n    ringwall session list you@example.org" }

type sessionView struct {
	ID         string `json:"id"`
	Device     string `json:"device"`
	IP         string `json:"ip"`
	UserAgent  string `json:"user_agent"`
	CreatedAt  string `json:"created_at"`
	LastSeenAt string `json:"last_seen_at"`
	ExpiresAt  string `json:"expires_at"`
}

type sessionList struct {
	User string `arg:"" help:"An address or id."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (sessionList) Help() string { return "Example:\n\n    ringwall session list you@example.org" }

// Run lists sessions.
func (c *sessionList) Run(ctx context.Context, a *app, group *sessionCommands) error {
	var out struct {
		Sessions []sessionView `json:"sessions"`
	}
	if err := a.call(ctx, group.settingFlags, "session.list", map[string]string{"user": c.User}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	return a.printSessions(out.Sessions)
}

func (a *app) printSessions(sessions []sessionView) error {
	if len(sessions) == 0 {
		return a.say("No session is open.")
	}
	var rows [][]string
	for _, s := range sessions {
		rows = append(rows, []string{s.Device, s.IP, moment(s.CreatedAt), moment(s.LastSeenAt), moment(s.ExpiresAt), s.ID})
	}
	return a.printTable([]string{"DEVICE", "ADDRESS", "SIGNED IN", "LAST SEEN", "ENDS", "ID"}, rows)
}

type sessionRevoke struct {
	Session string `arg:"" optional:"" help:"The id of a session, from session list."`
	User    string `placeholder:"USER" help:"An address or id, with --all."`
	All     bool   `help:"End every session of --user."`

	Everybody bool   `help:"End every session of everybody, also yours in a browser. With --reason."`
	Reason    string `placeholder:"TEXT" help:"Why; it goes into the audit log."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (sessionRevoke) Help() string {
	return "What is revoked is out with its next request, on every node.\n\nExample:\n\n    ringwall session revoke 0192f0c4-0000-7000-8000-000000000000\n    ringwall session revoke --user you@example.org --all\n    ringwall session revoke --everybody --reason 'a backup was stolen'"
}

// Run ends sessions.
func (c *sessionRevoke) Run(ctx context.Context, a *app, group *sessionCommands) error {
	input := map[string]any{"session": c.Session}
	switch {
	case c.Everybody && (c.Session != "" || c.User != "" || c.All):
		return misuse{errors.New("--everybody stands alone, with --reason")}
	case c.Everybody && strings.TrimSpace(c.Reason) == "":
		return misuse{errors.New("say why: --everybody needs --reason")}
	case c.Everybody:
		input = map[string]any{"everybody": true}
	case c.Session != "" && (c.User != "" || c.All):
		return misuse{errors.New("name either one session, or --user with --all")}
	case c.Session == "" && (c.User == "" || !c.All):
		return misuse{errors.New("name a session, --user with --all, or --everybody with --reason")}
	case c.Session == "":
		input = map[string]any{"user": c.User, "all": true}
	}
	if c.Reason != "" {
		input["reason"] = c.Reason
	}
	var out struct {
		Ended int `json:"ended"`
	}
	if err := a.call(ctx, group.settingFlags, "session.revoke", input, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	switch out.Ended {
	case 0:
		return a.say("No session was open.")
	case 1:
		return a.say("One session has ended.")
	default:
		return a.say(fmt.Sprintf("%d sessions have ended.", out.Ended))
	}
}
