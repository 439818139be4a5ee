package main

import (
	"context"
	"errors"
	"time"
)

type userInvite struct {
	Email    string        `arg:"" help:"The mail address."`
	Role     string        `placeholder:"ROLE" help:"A role that the account will have."`
	For      time.Duration `default:"72h" help:"How long the link works, 720h at most."`
	Reason   string        `placeholder:"TEXT" help:"Why; it stands in the audit log."`
	Language string        `enum:"en,de" default:"en" help:"The language of the mail: en or de."`
	JSON     bool          `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userInvite) Help() string {
	return "The address is the one that is invited; its owner chooses name and password. An earlier invitation stops working.\n\n" +
		"Example:\n\n    ringwall user invite you@example.org --role support --for 72h"
}

// Run invites somebody.
func (c *userInvite) Run(ctx context.Context, a *app, group *userCommands) error {
	if c.For <= 0 {
		return misuse{errors.New("--for must be longer than nothing")}
	}
	input := map[string]string{"email": c.Email, "role": c.Role, "reason": c.Reason, "language": c.Language, "until": time.Now().Add(c.For).UTC().Format(time.RFC3339)}
	var out struct {
		ID        string `json:"id"`
		Email     string `json:"email"`
		Role      string `json:"role,omitempty"`
		ExpiresAt string `json:"expires_at"`
		Link      string `json:"link,omitempty"`
	}
	if err := a.call(ctx, group.settingFlags, "user.invite", input, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	text := oneLine(out.Email) + " is invited until " + moment(out.ExpiresAt) + "."
	if out.Link != "" {
		return a.say(text + " The link:\n\n  " + oneLine(out.Link))
	}
	return a.say(text + " The link is on its way to that address.")
}
