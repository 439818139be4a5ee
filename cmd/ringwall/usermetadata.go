package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

type userMetadata struct {
	User    string `arg:"" help:"The id or the mail address."`
	Public  string `placeholder:"JSON" help:"Change what the person reads."`
	Private string `placeholder:"JSON" help:"Change what the person does not read."`
	Own     string `placeholder:"JSON" help:"Change what the person writes."`
	Reason  string `placeholder:"TEXT" help:"Why; it stands in the audit log."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userMetadata) Help() string {
	return "A change is a JSON merge patch (RFC 7396): what it leaves out stays, null takes a member away, or empties the part. It must fit METADATA_SCHEMA.\n\n" +
		"Example:\n\n    ringwall user metadata you@example.org\n    ringwall user metadata you@example.org --public '{\"plan\":\"team\"}' --reason 'ticket 7'"
}

// Run shows or changes metadata.
func (c *userMetadata) Run(ctx context.Context, a *app, group *userCommands) error {
	input := map[string]any{"user": c.User, "reason": c.Reason}
	for name, text := range map[string]string{"public": c.Public, "private": c.Private, "own": c.Own} {
		if text == "" {
			continue
		}
		if !json.Valid([]byte(text)) {
			return misuse{errors.New("--" + name + " is no JSON")}
		}
		input[name] = json.RawMessage(text)
	}
	var out struct {
		Metadata struct {
			Public  json.RawMessage `json:"public"`
			Private json.RawMessage `json:"private"`
			Own     json.RawMessage `json:"own"`
		} `json:"metadata"`
	}
	if err := a.call(ctx, group.settingFlags, "user.metadata", input, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	var text bytes.Buffer
	for _, part := range []struct {
		name string
		text json.RawMessage
	}{{"public", out.Metadata.Public}, {"private", out.Metadata.Private}, {"own", out.Metadata.Own}} {
		fmt.Fprintf(&text, "%-8s %s\n", part.name, oneLine(string(part.text)))
	}
	_, err := io.Copy(a.out, &text)
	return err
}
