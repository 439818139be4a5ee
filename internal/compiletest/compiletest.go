// Package compiletest asks the type checker of Go what compiles, for rules that hold because their breach does not.
package compiletest

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

// Checker returns a function that type-checks the source of one file against the package in the current folder and what that
// imports, as they are built. Source that is no Go at all fails the test.
func Checker(t testing.TB) func(source string) error {
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
	files := token.NewFileSet()
	packages := importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(exports[path])
	})
	return func(source string) error {
		t.Helper()
		file, err := parser.ParseFile(files, "snippet.go", source, 0)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		_, err = (&types.Config{Importer: packages}).Check("snippet", files, []*ast.File{file}, nil)
		return err
	}
}
