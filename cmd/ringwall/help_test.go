package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func parserFor(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := kong.New(newCommands(), kong.Name("ringwall"), kong.Exit(func(int) { t.Error("the parser ends the process") }), kong.Writers(&bytes.Buffer{}, &bytes.Buffer{}))
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

func TestEachCommandHasHelpWithAnExampleThatParses(t *testing.T) {
	parser := parserFor(t)
	leaves := parser.Model.Leaves(false)
	if len(leaves) < 16 {
		t.Fatalf("found %d commands", len(leaves))
	}
	for _, leaf := range leaves {
		path := strings.TrimPrefix(leaf.FullPath(), "ringwall ")
		if leaf.Help == "" {
			t.Errorf("%s: no help", path)
		}
		_, example, found := strings.Cut(leaf.Detail, "Example:\n\n")
		if !found {
			t.Errorf("%s: no example", path)
			continue
		}
		shown := false
		for line := range strings.Lines(example) {
			words := fields(strings.TrimSpace(line))
			if len(words) == 0 || words[0] != "ringwall" {
				continue
			}
			parsed, err := parserFor(t).Parse(words[1:])
			if err != nil {
				t.Errorf("%s: the example %q is refused: %v", path, line, err)
				continue
			}
			shown = shown || parsed.Selected().FullPath() == leaf.FullPath()
		}
		if !shown {
			t.Errorf("%s: no example shows the command itself", path)
		}
	}
}

// fields splits at spaces outside of single quotes.
func fields(line string) []string {
	var words []string
	quoted := false
	for i, part := range strings.Split(line, "'") {
		quoted = i%2 == 1
		if quoted {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}

func TestWhatPrintsDataPrintsJSON(t *testing.T) {
	for _, leaf := range parserFor(t).Model.Leaves(false) {
		path := strings.TrimPrefix(leaf.FullPath(), "ringwall ")
		if path == "dev" || path == "serve" || path == "migrate dry-run" || path == "audit export" || path == "init" { // audit export prints JSON alone, init makes files
			continue
		}
		has := false
		for _, flag := range leaf.Flags {
			has = has || flag.Name == "json"
		}
		if !has {
			t.Errorf("%s has no --json", path)
		}
	}
}
