package run_test

import (
	"testing"

	"github.com/ringwall/ringwall/internal/compiletest"
)

func TestOnlyConstantsAreFlags(t *testing.T) {
	check := compiletest.Checker(t)
	compiles := func(body string) error {
		return check("package snippet\nimport \"github.com/ringwall/ringwall/run\"\ntype text string\nconst long, typed = \"--long\", text(\"-t\")\nfunc build(input string) any { " + body + " }")
	}
	for _, good := range []string{`run.Flag("-o")`, "run.Flag(long)", `run.Flag(long + "=x")`, "run.Value(input)"} {
		if err := compiles("return " + good); err != nil {
			t.Errorf("%s does not compile: %v", good, err)
		}
	}
	for _, bad := range []string{"run.Flag(input)", `run.Flag("-o" + input)`, `run.Flag(string("-o"))`, "run.Flag(typed)", "run.Flag(text(input))", `run.Flag([]string{"-o"}[0])`, "run.Flag(run.constant(input))", "run.Arg{text: input}", "run.Arg{input, nil, true}"} {
		if err := compiles("return " + bad); err == nil {
			t.Errorf("%s compiles", bad)
		}
	}
	for _, bad := range []string{"var p run.Program; _, err := p.Run(nil, input); return err", `var p run.Program; _, err := p.Run(nil, "-o"); return err`} {
		if err := compiles(bad); err == nil {
			t.Errorf("%s compiles", bad)
		}
	}
}
