package sqlsafe_test

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

// compiler type-checks snippets against the package as it is built.
type compiler struct {
	fset     *token.FileSet
	packages types.Importer
}

func newCompiler(t *testing.T) *compiler {
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
	return &compiler{fset, importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(exports[path])
	})}
}

func (c *compiler) compile(t *testing.T, body string) error {
	t.Helper()
	source := `package snippet
import "github.com/ringwall/ringwall/sqlsafe"
type text string
const table = "users"
const typed string = "SELECT 1"
func build(input string, list sqlsafe.ListQuery) any { ` + body + ` }`
	file, err := parser.ParseFile(c.fset, "snippet.go", source, 0)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	_, err = (&types.Config{Importer: c.packages}).Check("snippet", c.fset, []*ast.File{file}, nil)
	return err
}

func TestOnlyConstantsCompile(t *testing.T) {
	c := newCompiler(t)
	entries := []string{"return sqlsafe.New(%s)", "return sqlsafe.List(%s)", "return sqlsafe.Owned(%s)", "return list.And(%s)", "return list.OrderBy(%s)"}
	for _, entry := range entries {
		for _, good := range []string{`"SELECT 1"`, "`SELECT 1`", `"SELECT id FROM " + table`} {
			if err := c.compile(t, fmt.Sprintf(entry, good)); err != nil {
				t.Errorf("%s does not compile: %v", fmt.Sprintf(entry, good), err)
			}
		}
		for _, bad := range []string{
			`input`, `"SELECT " + input`, `"SELECT 1" + input[:1]`, `string("SELECT 1")`, `typed`, `text("SELECT 1")`, `text(input)`,
			`[]string{"SELECT 1"}[0]`, `func() string { return "SELECT 1" }()`, `[]byte("SELECT 1")`, `any("SELECT 1")`, `sqlsafe.constant(input)`,
		} {
			err := c.compile(t, fmt.Sprintf(entry, bad))
			if err == nil {
				t.Errorf("%s compiles", fmt.Sprintf(entry, bad))
			} else if message := err.Error(); !strings.Contains(message, "constant") {
				t.Errorf("%s is refused for another reason: %v", fmt.Sprintf(entry, bad), err)
			}
		}
	}
	for _, bad := range []string{
		`var db sqlsafe.DB; r, _ := db.Exec(nil, input); return r`, `var db sqlsafe.DB; r, _ := db.Query(nil, input); return r`,
		`var db sqlsafe.DB; return db.QueryRow(nil, input)`, `var tx sqlsafe.Tx; r, _ := tx.Exec(nil, input); return r`,
		`return sqlsafe.Statement{text: input}`, `return sqlsafe.Bound{text: input}`, `return sqlsafe.Bound{input, nil, nil}`,
		`var db sqlsafe.DB; return db.QueryRow(nil, sqlsafe.Owned("SELECT 1 WHERE 1 = $1"))`,
		`return sqlsafe.Owned("SELECT 1 WHERE 1 = $1").For("somebody")`,
	} {
		if err := c.compile(t, bad); err == nil {
			t.Errorf("%s compiles", bad)
		}
	}
}
