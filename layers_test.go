package ringwall_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ringwall/ringwall"

// layer is a row of the house. A package may import from its own row and from those below, never from above.
type layer struct {
	folders []string // each with what lies beneath it; the longest match wins
	apart   bool     // those in this row do not know each other
}

// layers is the order of the house, from the roof down. A package that is missing here fails the test: give it a place.
func layers() []layer {
	return []layer{
		{folders: []string{"cmd", "examples", "ringwalltest", "internal/webtest", "internal/testdb", "internal/lineartest", "internal/compiletest", "internal/bench", "internal/vet"}},
		{folders: []string{"."}},
		{folders: []string{"internal/web", "internal/api", "internal/sqlstore", "internal/redisstore"}, apart: true},
		{folders: []string{"internal/chain"}},
		{folders: []string{"internal/account", "internal/social"}},
		{folders: []string{"internal/sessions", "internal/tokens", "session", "token", "client", "authz", "csrf", "idempotency"}},
		{folders: []string{"internal/audit", "internal/mail", "internal/outbox", "internal/lifecycle", "internal/limits", "internal/settings", "internal/metadata", "internal/ceiling", "internal/challenge", "internal/alerts", "internal/watch", "internal/webhook", "ratelimit", "password", "input", "headers", "sanitize", "outbound", "run"}},
		{folders: []string{"internal/identity", "internal/secret", "internal/problem", "sqlsafe"}},
	}
}

// leaves are the public packages that a stranger can import alone, and leafFloor all that they may know of internal. Session
// is among them because authz and idempotency read what Protect has put into the request's context.
func leaves() []string {
	return []string{"authz", "session", "input", "sanitize", "idempotency", "csrf", "headers", "ratelimit", "password", "sqlsafe", "outbound", "run"}
}

func leafFloor() []string {
	return []string{"internal/identity", "internal/secret", "internal/problem"}
}

// placeOf is the row of a folder and the entry that put it there.
func placeOf(folder string) (row int, entry string, ok bool) {
	for i, l := range layers() {
		for _, f := range l.folders {
			if (folder == f || f != "." && strings.HasPrefix(folder, f+"/")) && len(f) > len(entry) {
				row, entry, ok = i, f, true
			}
		}
	}
	return row, entry, ok
}

// orderOfLayers finds imports that run up, and imports between those that stand apart.
func orderOfLayers(t tree) (found []string) {
	for _, s := range t.files {
		if s.test {
			continue
		}
		from, fromEntry, ok := placeOf(s.folder)
		if !ok {
			found = append(found, fmt.Sprintf("%s: package %s has no place in the layers", s.path, s.folder))
			continue
		}
		for _, imported := range s.internalImports() {
			to, toEntry, ok := placeOf(imported)
			switch {
			case !ok:
				found = append(found, fmt.Sprintf("%s: imports %s, which has no place in the layers", s.path, imported))
			case to < from:
				found = append(found, fmt.Sprintf("%s: %s imports %s, which stands above it", s.path, s.folder, imported))
			case to == from && toEntry != fromEntry && layers()[to].apart:
				found = append(found, fmt.Sprintf("%s: %s and %s must not know each other", s.path, s.folder, imported))
			}
		}
	}
	return found
}

// leavesStandAlone finds public leaves that need more of internal than a stranger should get with them.
func leavesStandAlone(t tree) (found []string) {
	for _, s := range t.files {
		if s.test || !under(s.folder, leaves()) {
			continue
		}
		for _, imported := range s.internalImports() {
			if !under(imported, leafFloor()) && !under(imported, leaves()) {
				found = append(found, fmt.Sprintf("%s: the public leaf %s imports %s", s.path, s.folder, imported))
			}
		}
	}
	return found
}

// tree is the source of a module, parsed.
type tree struct {
	set   *token.FileSet
	files []source
}

// source is one Go file. Its path and folder are slash-separated and relative to the module; the root is ".".
type source struct {
	path, folder string
	test         bool
	lines        int
	syntax       *ast.File
}

// readTree parses every Go file under root, whatever its build constraints, but those in testdata and hidden folders.
func readTree(root string) (tree, error) {
	t := tree{set: token.NewFileSet()}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(relative), test: strings.HasSuffix(name, "_test.go"), lines: strings.Count(string(text), "\n")}
		s.folder = path.Dir(s.path)
		s.syntax, err = parser.ParseFile(t.set, s.path, text, parser.ParseComments|parser.SkipObjectResolution)
		t.files = append(t.files, s)
		return err
	})
	return t, err
}

// at is where a node stands, for a finding.
func (t tree) at(node ast.Node) string {
	p := t.set.Position(node.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// imports are the paths that the file imports.
func (s source) imports() (paths []string) {
	for _, spec := range s.syntax.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, imported)
		}
	}
	return paths
}

// internalImports are the folders of this module that the file imports.
func (s source) internalImports() (folders []string) {
	for _, imported := range s.imports() {
		if imported == module {
			folders = append(folders, ".")
		} else if folder, ok := strings.CutPrefix(imported, module+"/"); ok {
			folders = append(folders, folder)
		}
	}
	return folders
}

// nameOf is what the file calls an imported package; empty if it does not import it.
func (s source) nameOf(imported string) string {
	for _, spec := range s.syntax.Imports {
		if spec.Path.Value != strconv.Quote(imported) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}

// mentions calls visit for every use of a name of an imported package, such as http.Error, called or not.
// Under a dot import every bare identifier counts, because it could be such a name.
func (s source) mentions(imported string, visit func(name string, node ast.Node)) {
	local := s.nameOf(imported)
	if local == "" || local == "_" {
		return
	}
	ast.Inspect(s.syntax, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr:
			if x, ok := node.X.(*ast.Ident); ok && x.Name == local {
				visit(node.Sel.Name, node)
			}
		case *ast.Ident:
			if local == "." {
				visit(node.Name, node)
			}
		}
		return true
	})
}

// functionAt is the name of the function or method in whose body a node stands.
func (s source) functionAt(node ast.Node) string {
	for _, d := range s.syntax.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Pos() <= node.Pos() && node.End() <= f.End() {
			return f.Name.Name
		}
	}
	return ""
}

// under reports whether a folder is one of those listed, or lies beneath one.
func under(folder string, list []string) bool {
	return slices.ContainsFunc(list, func(f string) bool { return folder == f || strings.HasPrefix(folder, f+"/") })
}

// TestHouseRules holds every rule of houseRules against this module.
func TestHouseRules(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(house.files) < 10 {
		t.Fatalf("readTree found %d files: the rules would hold for nothing", len(house.files))
	}
	for _, r := range houseRules() {
		t.Run(r.name, func(t *testing.T) {
			for _, finding := range r.check(house) {
				t.Error(finding)
			}
		})
	}
}

// TestHouseRulesCanFail breaks each rule on purpose, in a tree of its own: a rule that finds nothing there holds nothing.
func TestHouseRulesCanFail(t *testing.T) {
	for _, r := range houseRules() {
		if len(r.broken) == 0 {
			t.Errorf("%s: has no broken example", r.name)
		}
		for i, b := range r.broken {
			t.Run(fmt.Sprintf("%s/%d", r.name, i), func(t *testing.T) {
				found := r.check(plant(t, b.path, b.text))
				if b.want == "" && len(found) > 0 {
					t.Errorf("check = %q, want no finding", found)
				}
				if b.want != "" && (len(found) != 1 || !strings.Contains(found[0], b.want)) {
					t.Errorf("check = %q, want one finding with %q", found, b.want)
				}
			})
		}
	}
}

// plant writes one file into a tree of its own and reads that.
func plant(t *testing.T, name, text string) tree {
	t.Helper()
	root := t.TempDir()
	file := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	planted, err := readTree(root)
	if err != nil {
		t.Fatal(err)
	}
	return planted
}
