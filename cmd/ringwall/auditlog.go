package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

type auditCommands struct {
	settingFlags
	Tail   auditTail   `cmd:"" help:"Show the newest events."`
	Export auditExport `cmd:"" help:"Write the log, or a part of it, as a JSON object a line."`
	Verify auditVerify `cmd:"" help:"Check that nothing in the log was changed, removed or put in."`
}

// Help is the example.
func (auditCommands) Help() string { return "Example:\n\n    ringwall audit tail --follow" }

type auditEvent struct {
	Time      string `json:"time"`
	Event     string `json:"event"`
	Level     string `json:"level"`
	Actor     string `json:"actor"`
	User      string `json:"user"`
	Reason    string `json:"reason"`
	IP        string `json:"ip"`
	UserAgent string `json:"user_agent"`
	Count     int64  `json:"count"`
}

// auditFilter chooses events.
type auditFilter struct {
	User  string `placeholder:"USER" help:"Only what this person did, or what happened to them: an address or id."`
	IP    string `name:"ip" placeholder:"ADDRESS" help:"Only what came from this address or network, such as 203.0.113.0/24."`
	Event string `placeholder:"NAME" help:"Only this event, such as authz_fail."`
	Since string `placeholder:"TIME" help:"Only from this time on: 2026-03-12T09:41:00Z, or how long ago, such as 24h."`
	Until string `placeholder:"TIME" help:"Only before this time."`
}

// input is the filter as the operation takes it.
func (f auditFilter) input() (map[string]any, error) {
	in := map[string]any{}
	for name, value := range map[string]string{"user": f.User, "ip": f.IP, "event": f.Event} {
		if value != "" {
			in[name] = value
		}
	}
	for name, text := range map[string]string{"since": f.Since, "until": f.Until} {
		if text == "" {
			continue
		}
		at, err := readMoment(text)
		if err != nil {
			return nil, misuse{fmt.Errorf("--%s must be a time such as 2026-03-12T09:41:00Z, or how long ago it was, such as 24h", name)}
		}
		in[name] = at.UTC().Format(time.RFC3339)
	}
	return in, nil
}

// readMoment reads a time, or how long ago it was.
func readMoment(text string) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-ago), nil
	}
	return time.Parse(time.RFC3339, text)
}

type auditTail struct {
	auditFilter
	Limit  int  `short:"n" default:"50" help:"How many events to begin with, 1000 at most."`
	Follow bool `short:"f" help:"Go on with new events until interrupted. Needs a running server."`
	JSON   bool `name:"json" help:"Print JSON; with --follow one object a line."`
}

// Help is the example.
func (auditTail) Help() string {
	return "The oldest of them stands first.\n\nExample:\n\n    ringwall audit tail --limit 20\n    ringwall audit tail --follow --json\n    ringwall audit tail --user you@example.org --since 24h"
}

// followEvery is how often --follow asks for new events.
const followEvery = time.Second

// Run shows events.
func (c *auditTail) Run(ctx context.Context, a *app, group *auditCommands) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	d, err := a.openDoor(ctx, group.settingFlags)
	if err != nil {
		return err
	}
	if direct, ok := d.(*directDoor); ok && c.Follow && direct.held != nil {
		return errors.Join(errors.New("no server is running, so nothing new would come. Leave out --follow"), d.close())
	}
	err = c.tail(ctx, a, d)
	if ctx.Err() != nil && c.Follow {
		err = nil // whoever watched has seen enough
	}
	return errors.Join(err, d.close())
}

func (c *auditTail) tail(ctx context.Context, a *app, d door) error {
	input, err := c.input()
	if err != nil {
		return err
	}
	input["limit"] = c.Limit
	for first := true; ; first = false {
		var out struct {
			Events []json.RawMessage `json:"events"`
			Last   int64             `json:"last"`
		}
		if err := ask(ctx, d, "audit.tail", input, &out); err != nil {
			return err
		}
		if err := c.print(a, out.Events, first); err != nil || !c.Follow {
			return err
		}
		input["after_seq"] = out.Last
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}

// print shows events.
func (c *auditTail) print(a *app, events []json.RawMessage, first bool) error {
	if c.JSON && !c.Follow {
		if events == nil {
			events = []json.RawMessage{}
		}
		return a.printJSON(map[string]any{"events": events})
	}
	if first && len(events) == 0 && !c.Follow {
		if c.auditFilter != (auditFilter{}) {
			return a.say("No event is like that.")
		}
		return a.say("The audit log is empty.")
	}
	for _, raw := range events {
		var e auditEvent
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("audit.tail: the answer cannot be read: %w", err)
		}
		text := e.line()
		if c.JSON {
			text = escapeJSON(string(raw))
		}
		if _, err := io.WriteString(a.out, text+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (e auditEvent) line() string {
	parts := []string{moment(e.Time), fmt.Sprintf("%-8s", e.Level), fmt.Sprintf("%-30s", e.Event), e.Actor}
	optional := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	optional("user", e.User)
	optional("reason", e.Reason)
	optional("ip", e.IP)
	if e.Count > 1 {
		optional("count", strconv.FormatInt(e.Count, 10))
	}
	return oneLine(strings.Join(parts, "  "))
}

type auditVerify struct {
	Head string `placeholder:"HEAD" help:"A head from the server's log or an earlier run: shows that nothing was cut off since."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (auditVerify) Help() string {
	return "Ends with status 1 if anything is wrong. Keep the head that it prints outside of this machine.\n\nExample:\n\n    ringwall audit verify --json"
}

type auditReport struct {
	OK      bool   `json:"ok"`
	Rows    int64  `json:"rows"`
	Seals   int64  `json:"seals"`
	Waiting int64  `json:"waiting"`
	Head    string `json:"head"`
	Faults  []struct {
		Seq    int64  `json:"seq,omitempty"`
		Seal   int64  `json:"seal,omitempty"`
		Kind   string `json:"kind"`
		Detail string `json:"detail"`
	} `json:"faults"`
}

var errAuditBroken = errors.New("the audit log is not as it was written. Keep the database as it is, and follow docs/audit.md")

// Run checks the log.
func (c *auditVerify) Run(ctx context.Context, a *app, group *auditCommands) error {
	var out auditReport
	if err := a.call(ctx, group.settingFlags, "audit.verify", map[string]string{"head": c.Head}, &out); err != nil {
		return err
	}
	if err := c.print(a, out); err != nil {
		return err
	}
	if !out.OK {
		return errAuditBroken
	}
	return nil
}

func (c *auditVerify) print(a *app, out auditReport) error {
	if c.JSON {
		return a.printJSON(out)
	}
	if len(out.Faults) > 0 {
		var rows [][]string
		for _, f := range out.Faults {
			rows = append(rows, []string{f.Kind, f.Detail})
		}
		if err := a.printTable([]string{"FAULT", "WHAT"}, rows); err != nil {
			return err
		}
	}
	verdict := "Every event is as it was written"
	if !out.OK {
		verdict = counted(int64(len(out.Faults)), "fault")
	}
	text := fmt.Sprintf("%s: %s, %s", verdict, counted(out.Rows, "event"), counted(out.Seals, "seal"))
	if out.Waiting > 0 {
		text += fmt.Sprintf("; %s not sealed yet", counted(out.Waiting, "event"))
	}
	return a.say(text + ".\nHead: " + out.Head)
}

// counted is a number of things in words: "1 seal", "2 seals".
func counted(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.FormatInt(n, 10) + " " + thing
}
