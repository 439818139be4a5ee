package sqlsafe_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unsafeUses lists who may have the *sql.DB itself, and why.
var unsafeUses = map[string]string{
	"internal/sqlstore/writer.go":      "closes its connection",
	"internal/sqlstore/postgres.go":    "closes its pool",
	"internal/sqlstore/export_test.go": "a test takes the disk away",
	"idempotency/key_test.go":          "a test takes the database away",
}

// The type cannot stop a generic function that takes New as a value; this does, in our own tree.
func TestConstructorsAreOnlyCalled(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && entry.Name() != "..") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasPrefix(path, filepath.Join("..", "sqlsafe")) {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // the compiler tells
		}
		check(t, filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, path string, file *ast.File) {
	called := map[ast.Expr]bool{}
	knows := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return strings.HasSuffix(i.Path.Value, `/sqlsafe"`) })
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			called[call.Fun] = true
		}
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "sqlsafe" && !called[selector] {
			switch selector.Sel.Name {
			case "New", "List", "Owned":
				t.Errorf("%s takes sqlsafe.%s as a value", path, selector.Sel.Name)
			}
		}
		twin := strings.HasPrefix(path, "examples/") && strings.HasPrefix(filepath.Base(path), "unsafe_")    // wrong on purpose
		if selector.Sel.Name == "Unsafe" && (called[selector] || knows) && unsafeUses[path] == "" && !twin { // elsewhere it is a field of others
			t.Errorf("%s calls Unsafe and is not in the list of those who may", path)
		}
		return true
	})
}
