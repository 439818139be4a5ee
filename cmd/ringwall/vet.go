package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/ringwall/ringwall/internal/vet"
)

type vetCommand struct {
	Packages []string `arg:"" optional:"" name:"packages" help:"Packages, as the go command names them. Default: ./..."`
	JSON     bool     `name:"json" help:"Print JSON, as go vet does."`
}

// Help is the example.
func (vetCommand) Help() string {
	text := "Looks at the source of a Go program for doors that lead around Ringwall's packages:\n\n"
	for _, a := range vet.Analyzers() {
		text += fmt.Sprintf("  - %s %s\n", a.Name, a.Doc)
	}
	return text + "\nA place with a good reason says so beside the line:\n\n    //ringwall:allow rawsql the reason\n\n" +
		"In the folder of your module. Example:\n\n    ringwall vet ./..."
}

// Run lets the go command load the packages and ask this program about each.
func (c *vetCommand) Run(ctx context.Context, a *app) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	arguments := []string{"vet", "-vettool=" + self}
	if c.JSON {
		arguments = append(arguments, "-json")
	}
	if len(c.Packages) == 0 {
		c.Packages = []string{"./..."}
	}
	for _, p := range c.Packages {
		if strings.HasPrefix(p, "-") {
			return misuse{fmt.Errorf("%q is no package; see ringwall vet --help", p)}
		}
	}
	return a.goIn(ctx, ".", append(arguments, c.Packages...)...)
}

// isVetTool reports whether the go command asks, in the words of its -vettool: flags, and the description of a package.
func isVetTool(args []string) bool {
	last := len(args) - 1
	if last == 0 && (args[0] == "-V=full" || args[0] == "-flags") {
		return true
	}
	return last >= 0 && strings.HasSuffix(args[last], ".cfg") && !slices.ContainsFunc(args[:last], func(a string) bool { return !strings.HasPrefix(a, "-") })
}

// vetTool answers the go command, and ends the process.
func vetTool() { unitchecker.Main(vet.Analyzers()...) }
