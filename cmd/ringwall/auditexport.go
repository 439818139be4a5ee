package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

type auditExport struct {
	auditFilter
	Output string `short:"o" placeholder:"FILE" help:"A file to make, readable by you alone; without it standard output."`
	JSON   bool   `name:"json" help:"Tell as JSON what was written to a file."`
}

// Help is the example.
func (auditExport) Help() string {
	return "The oldest event stands first, with its personal fields opened: keep the file as you keep the database.\n\n" +
		"Example:\n\n    ringwall audit export --since 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z --output march.jsonl"
}

// Run writes events.
func (c *auditExport) Run(ctx context.Context, a *app, group *auditCommands) error {
	input, err := c.input()
	if err != nil {
		return err
	}
	d, err := a.openDoor(ctx, group.settingFlags)
	if err != nil {
		return err
	}
	return errors.Join(c.write(ctx, a, d, input), d.close())
}

func (c *auditExport) write(ctx context.Context, a *app, d door, input map[string]any) (err error) {
	out := a.out
	if c.Output != "" {
		file, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return misuse{fmt.Errorf("%s is there already. Name another file", c.Output)}
		}
		if err != nil {
			return misuse{fmt.Errorf("%s cannot be made: %s", c.Output, reasonOf(err))}
		}
		written, err := exportEvents(ctx, d, input, file)
		if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
			return fmt.Errorf("%s is not whole: %w", c.Output, err)
		}
		if c.JSON {
			return a.printJSON(map[string]any{"file": c.Output, "events": written})
		}
		return a.say(counted(written, "event") + " in " + c.Output + ".")
	}
	_, err = exportEvents(ctx, d, input, out)
	return err
}

// exportEvents asks for a page after the other, so that no log is too long for memory.
func exportEvents(ctx context.Context, d door, input map[string]any, to io.Writer) (written int64, err error) {
	lines := bufio.NewWriter(to)
	input["limit"] = 1000
	for {
		var page struct {
			Events []json.RawMessage `json:"events"`
			Next   int64             `json:"next"`
		}
		if err := ask(ctx, d, "audit.export", input, &page); err != nil {
			return written, errors.Join(err, lines.Flush())
		}
		for _, event := range page.Events {
			if _, err := lines.WriteString(escapeJSON(string(event)) + "\n"); err != nil {
				return written, err
			}
			written++
		}
		if page.Next == 0 {
			return written, lines.Flush()
		}
		input["after_seq"] = page.Next
	}
}
