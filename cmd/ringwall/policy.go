package main

import (
	"cmp"
	"context"
)

type policyCommand struct {
	settingFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is the example.
func (policyCommand) Help() string {
	return "A program that imports Ringwall lists the routes of its application too, with Ringwall.Routes or the operation policy.show.\n\nExample:\n\n    ringwall policy"
}

type routeView struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	Rule        string `json:"rule"`
	Summary     string `json:"summary,omitempty"`
	Application bool   `json:"application"`
}

type policyReply struct {
	Routes []routeView `json:"routes"`
}

// Run lists every route with its rule.
func (c *policyCommand) Run(ctx context.Context, a *app) error {
	var out policyReply
	if err := a.call(ctx, c.settingFlags, "policy.show", struct{}{}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	var rows [][]string
	applications := 0
	for _, r := range out.Routes {
		of := "ringwall"
		if r.Application && r.Method+" "+r.Path != rootPattern {
			of = "application"
			applications++
		}
		rows = append(rows, []string{cmp.Or(r.Method, "ANY"), r.Path, r.Rule, of})
	}
	if err := a.printTable([]string{"METHOD", "PATH", "RULE", "OF"}, rows); err != nil || applications > 0 {
		return err
	}
	if err := a.say("No application runs in this process: these are Ringwall's own routes, and your backend answers for its own."); err != nil {
		return err
	}
	return a.say("In Go, give its routes to an authz.Mux and that to Protect: Ringwall.Routes then lists them too, with their rules.")
}
