package main

import (
	"context"
	"strconv"
	"time"
)

type limitsCommands struct {
	settingFlags
	Show    limitsShow    `cmd:"" help:"Show what holds somebody up: which layer, since when, until when, why."`
	Clear   limitsClear   `cmd:"" help:"Forget what somebody has tried."`
	Block   limitsBlock   `cmd:"" help:"Keep a network out, for a time."`
	Unblock limitsUnblock `cmd:"" help:"Lift a block."`
}

// Help is the example.
func (limitsCommands) Help() string { return "Example:\n\n    ringwall limits show 203.0.113.1" }

type limitView struct {
	Who     string `json:"who"`
	Layer   string `json:"layer"`
	Refused bool   `json:"refused"`
	Tries   int    `json:"tries,omitempty"`
	Since   string `json:"since,omitempty"`
	Until   string `json:"until,omitempty"`
	Why     string `json:"why"`
}

type limitsReply struct {
	Limits []limitView `json:"limits"`
}

type limitsShow struct {
	Who  string `arg:"" optional:"" help:"A network address or a mail address; without one, every block, and what holds for the whole service."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (limitsShow) Help() string {
	return "Attempts of a network address lie in the memory of the server: what a node has counted is shown there. Of a mail address all counters are shown, also those of single networks, devices and sessions.\n\nExample:\n\n    ringwall limits show\n    ringwall limits show 203.0.113.1\n    ringwall limits show you@example.org"
}

// Run shows limits.
func (c *limitsShow) Run(ctx context.Context, a *app, group *limitsCommands) error {
	var out limitsReply
	if err := a.call(ctx, group.settingFlags, "limits.show", map[string]string{"who": c.Who}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	return a.printLimits(out.Limits)
}

func (a *app) printLimits(limits []limitView) error {
	if len(limits) == 0 {
		return a.say("Nothing holds anybody up here.")
	}
	var rows [][]string
	for _, l := range limits {
		state, tries := "counted", ""
		if l.Refused {
			state = "refused"
		}
		if l.Tries > 0 {
			tries = strconv.Itoa(l.Tries)
		}
		rows = append(rows, []string{l.Who, l.Layer, state, tries, moment(l.Since), moment(l.Until), l.Why})
	}
	return a.printTable([]string{"WHO", "LAYER", "STATE", "TRIES", "SINCE", "UNTIL", "WHY"}, rows)
}

type limitsClear struct {
	Who    string `arg:"" help:"A network address or a mail address."`
	Reason string `placeholder:"TEXT" help:"Why; it stands in the audit log."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (limitsClear) Help() string {
	return "Blocks and locks stay: see limits unblock and user unlock.\n\nExample:\n\n    ringwall limits clear you@example.org"
}

// Run forgets what somebody has tried.
func (c *limitsClear) Run(ctx context.Context, a *app, group *limitsCommands) error {
	var out limitsReply
	if err := a.call(ctx, group.settingFlags, "limits.clear", map[string]string{"who": c.Who, "reason": c.Reason}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	return a.say(oneLine(c.Who) + " may try anew.")
}

type blockReply struct {
	Network string `json:"network"`
	Until   string `json:"until,omitempty"`
}

type limitsBlock struct {
	Network string        `arg:"" help:"An address, or a network such as 203.0.113.0/24."`
	For     time.Duration `default:"1h" placeholder:"DURATION" help:"How long, default 1h."`
	Reason  string        `required:"" placeholder:"TEXT" help:"Why; it goes into the audit log."`
	Force   bool          `help:"Also what covers this machine itself, or everybody."`
	JSON    bool          `name:"json" help:"Print JSON."`
}

// Help is the example.
func (limitsBlock) Help() string {
	return "Every request from the network is answered 403, from the next one on, on other nodes within a second. The block ends by itself.\n\nExample:\n\n    ringwall limits block 203.0.113.0/24 --for 1h --reason 'guesses passwords'"
}

// Run keeps a network out.
func (c *limitsBlock) Run(ctx context.Context, a *app, group *limitsCommands) error {
	input := map[string]any{"network": c.Network, "seconds": int64(c.For / time.Second), "reason": c.Reason, "force": c.Force}
	var out blockReply
	if err := a.call(ctx, group.settingFlags, "limits.block", input, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	return a.say(oneLine(out.Network) + " is kept out until " + moment(out.Until) + ".")
}

type limitsUnblock struct {
	Network string `arg:"" help:"The network, as it was blocked."`
	Reason  string `placeholder:"TEXT" help:"Why; it stands in the audit log."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (limitsUnblock) Help() string { return "Example:\n\n    ringwall limits unblock 203.0.113.0/24" }

// Run lifts a block.
func (c *limitsUnblock) Run(ctx context.Context, a *app, group *limitsCommands) error {
	var out blockReply
	if err := a.call(ctx, group.settingFlags, "limits.unblock", map[string]any{"network": c.Network, "reason": c.Reason}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	return a.say(oneLine(out.Network) + " is let in again.")
}
