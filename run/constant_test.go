package run_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// compile type-checks snippets against the package as it is built.
func compile(t *testing.T) func(body string) error {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			exports[path] = file
		}
	}
	fset := token.NewFileSet()
	packages := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(exports[path])
	})
	return func(body string) error {
		source := "package snippet\nimport \"github.com/ringwall/ringwall/run\"\ntype text string\nconst long, typed = \"--long\", text(\"-t\")\nfunc build(input string) any { " + body + " }"
		file, err := parser.ParseFile(fset, "snippet.go", source, 0)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		_, err = (&types.Config{Importer: packages}).Check("snippet", fset, []*ast.File{file}, nil)
		return err
	}
}

func TestOnlyConstantsAreFlags(t *testing.T) {
	compiles := compile(t)
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
