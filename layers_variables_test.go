package ringwall_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// packageVariables finds package variables that could change while the program runs. Allowed are "var _ I = T{}",
// embedded files, values made by the constructors of [immutableMakers], and unexported tables and plain values that
// their package never assigns to, takes the address of, or deletes from.
func packageVariables(t tree) (found []string) {
	changed := changedNames(t)
	for _, s := range t.files {
		if s.test {
			continue
		}
		for _, d := range s.syntax.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR {
				continue
			}
			for _, spec := range group.Specs {
				v := spec.(*ast.ValueSpec)
				embedded := isEmbedded(group.Doc) || isEmbedded(v.Doc)
				for i, name := range v.Names {
					if name.Name == "_" {
						continue
					}
					if s.folder == "sqlsafe" && isCallOf(v, i, "New") {
						continue // its own statements
					}
					if why := mutable(v, i, embedded, changed[s.folder]); why != "" {
						found = append(found, fmt.Sprintf("%s: var %s %s", t.at(name), name.Name, why))
					}
				}
			}
		}
	}
	return found
}

func isCallOf(v *ast.ValueSpec, i int, name string) bool {
	if i >= len(v.Values) {
		return false
	}
	call, ok := v.Values[i].(*ast.CallExpr)
	return ok && nameOf(call.Fun) == name
}

// mutable says why a variable counts as one that can change; empty if it does not.
func mutable(v *ast.ValueSpec, i int, embedded bool, changed map[string]bool) string {
	name := v.Names[i]
	switch {
	case changed[name.Name]:
		return "is changed by its package"
	case embedded:
		return ""
	case len(v.Values) != len(v.Names):
		return "has no value of its own"
	}
	switch value := v.Values[i].(type) {
	case *ast.CallExpr:
		maker := nameOf(value.Fun)
		if !slices.Contains(immutableMakers(), maker) && !strings.HasPrefix(maker, "sqlsafe.") && !strings.HasPrefix(maker, "problem.New") {
			return "is made by " + maker + ", which is not known to make what cannot change"
		}
		return ""
	case *ast.UnaryExpr:
		if value.Op == token.AND {
			return "is a pointer to what can change"
		}
	case *ast.CompositeLit:
		if kind, ok := value.Type.(*ast.SelectorExpr); ok && slices.Contains([]string{"sync", "atomic"}, nameOf(kind.X)) {
			return "is there to be shared and changed"
		}
	case *ast.FuncLit:
		return "is a function that can be replaced: declare it with func"
	}
	if name.IsExported() {
		return "is exported, so anybody can change it: make it a constant or a function"
	}
	return ""
}

// immutableMakers are functions whose result cannot be changed, or which is safe for use by many at once.
func immutableMakers() []string {
	return []string{
		"errors.New", "fmt.Errorf", "regexp.MustCompile", "strings.NewReplacer", "big.NewInt",
		"netip.MustParsePrefix", "netip.MustParseAddr", "template.Must", "sync.OnceValue", "sync.OnceValues",
		"language.MustParse", "language.NewMatcher", "reflect.TypeFor", "parser.NewContextKey", "base32.NewEncoding", "base32.StdEncoding.WithPadding",
		"base64.RawURLEncoding.Strict", "[]byte", "string",
	}
}

// nameOf spells an expression without its arguments, such as problem.New.With.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return nameOf(e.Fun)
	case *ast.IndexExpr:
		return nameOf(e.X)
	case *ast.ArrayType:
		return "[]" + nameOf(e.Elt)
	}
	return "an expression"
}

func isEmbedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// changedNames are, by folder, the package variables that some function assigns to (also to a part), increments, takes the
// address of, or deletes or clears. A local variable of the same name hides the package's.
func changedNames(t tree) map[string]map[string]bool {
	changed := map[string]map[string]bool{}
	for _, s := range t.files {
		if s.test {
			continue
		}
		if changed[s.folder] == nil {
			changed[s.folder] = map[string]bool{}
		}
		for _, d := range s.syntax.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			local := localNames(f)
			changes(f.Body, func(e ast.Expr) {
				if root := rootOf(e); root != nil && !local[root.Name] {
					changed[s.folder][root.Name] = true
				}
			})
		}
	}
	return changed
}

// changes calls visit for each expression that the body writes to.
func changes(body ast.Node, visit func(ast.Expr)) {
	ast.Inspect(body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.AssignStmt:
			if node.Tok != token.DEFINE {
				for _, e := range node.Lhs {
					visit(e)
				}
			}
		case *ast.IncDecStmt:
			visit(node.X)
		case *ast.UnaryExpr:
			if node.Op == token.AND {
				visit(node.X)
			}
		case *ast.CallExpr:
			if f, ok := node.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(node.Args) > 0 {
				visit(node.Args[0])
			}
		}
		return true
	})
}

// rootOf is the variable of an expression such as table[i].field.
func rootOf(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// localNames are all names that a function declares: receiver, parameters, results, variables.
func localNames(f *ast.FuncDecl) map[string]bool {
	local := map[string]bool{}
	ast.Inspect(f, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.Field:
			for _, n := range node.Names {
				local[n.Name] = true
			}
		case *ast.ValueSpec:
			for _, n := range node.Names {
				local[n.Name] = true
			}
		case *ast.AssignStmt:
			if node.Tok == token.DEFINE {
				for _, e := range node.Lhs {
					if n, ok := e.(*ast.Ident); ok {
						local[n.Name] = true
					}
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{node.Key, node.Value} {
				if n, ok := e.(*ast.Ident); ok && node.Tok == token.DEFINE {
					local[n.Name] = true
				}
			}
		}
		return true
	})
	return local
}

// variableBreakages are the broken examples of [packageVariables].
func variableBreakages() []breakage {
	in := func(text, want string) breakage { return breakage{"csrf/a.go", "package csrf\n" + text, want} }
	return []breakage{
		in("var count int", "no value"),
		in("var cache = map[string]int{}\nfunc f() { cache[\"a\"] = 1 }", "is changed"),
		in("var cache = map[string]int{}\nfunc f() { delete(cache, \"a\") }", "is changed"),
		in("var total = 1\nfunc f() { total++ }", "is changed"),
		in("var total = 1\nfunc f() *int { return &total }", "is changed"),
		in("var setting = options{}\nfunc f() { setting.on = true }", "is changed"),
		in("var Default = options{Length: 15}", "exported"),
		in("var shared = &options{}", "pointer"),
		in("var cache = make(map[string]int)", "made by make"),
		in("var now = func() int { return 0 }", "can be replaced"),
		in("var pool = sync.Pool{}\nfunc f(p *int) { pool.Put(p) }", "to be shared"),
		in("var ErrGone = errors.New(\"gone\")", ""),
		in("var codes = [...]int{200, 404}\nfunc f(i int) int { return codes[i] }", ""),
		in("var codes = [...]int{200, 404}\nfunc f(i int) { codes := codes; codes[i] = 1 }", ""),
		in("var byID = sqlsafe.New(\"SELECT 1\")", ""),
		{"sqlsafe/a.go", "package sqlsafe\nvar byID = New(\"SELECT 1\")", ""},
		in("var byID = New(\"SELECT 1\")", "made by New"),
		in("//go:embed a.txt\nvar text string", ""),
		in("var _ Store = (*store)(nil)", ""),
	}
}
