package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

type userDemandReset struct {
	User string `arg:"" help:"An address or id."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userDemandReset) Help() string {
	return "Every session of the account ends at once, and its password opens nothing until its owner chooses another through a mailed link.\n\nExample:\n\n    ringwall user demand-reset you@example.org"
}

// Run demands a new password.
func (c *userDemandReset) Run(ctx context.Context, a *app, group *userCommands) error {
	var out userReply
	if err := a.call(ctx, group.settingFlags, "user.demand-reset", map[string]string{"user": c.User}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(map[string]any{"user": out.User})
	}
	return a.say(oneLine(out.User.Email) + " is signed out everywhere. A link to choose a new password is on its way to that address.")
}

type userDelete struct {
	User string `arg:"" help:"An address or id."`
	Now  bool   `help:"Delete at once, without the delay in which its owner can undo it."`
	Yes  bool   `help:"Do not ask."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userDelete) Help() string {
	return "The account is deleted after the delay of DELETION_DELAY, in which a mailed link keeps it; with --now at once. The audit log stays whole, but what was personal in it cannot be read any more.\n\nExample:\n\n    ringwall user delete you@example.org\n    ringwall user delete you@example.org --now --yes"
}

// Run deletes an account, after its address or id was typed once more.
func (c *userDelete) Run(ctx context.Context, a *app, group *userCommands) error {
	if !c.Yes {
		if err := a.confirm(c.User); err != nil {
			return err
		}
	}
	var out struct {
		User     userView `json:"user"`
		DeleteAt string   `json:"delete_at,omitempty"`
	}
	if err := a.call(ctx, group.settingFlags, "user.delete", map[string]any{"user": c.User, "now": c.Now}, &out); err != nil {
		return err
	}
	switch {
	case c.JSON:
		return a.printJSON(out)
	case out.DeleteAt == "":
		return a.say(oneLine(out.User.Email) + " is deleted.")
	default:
		return a.say(fmt.Sprintf("%s is signed out everywhere and will be deleted at %s. The link that was mailed keeps the account until then.", oneLine(out.User.Email), moment(out.DeleteAt)))
	}
}

// confirm asks to type a text once more.
func (a *app) confirm(text string) error {
	if _, err := fmt.Fprintf(a.err, "To delete the account, type %s once more: ", oneLine(text)); err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(a.in, passwordMaxBytes)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the confirmation: %w", err)
	}
	if err != nil { // the input ended, and the line of the question has not
		_, _ = fmt.Fprintln(a.err)
	}
	if err != nil && line == "" {
		return misuse{errors.New("nobody answered. Nothing was deleted; without a terminal, use --yes")}
	}
	if strings.TrimSpace(line) != text {
		return misuse{errors.New("that is something else. Nothing was deleted; type the same again, or use --yes")}
	}
	return nil
}
