// Package vet finds, in the source of an application, the doors that lead around Ringwall's packages. [Analyzers] are for
// go/analysis; the command `ringwall vet` runs them.
//
//	rawsql       statements that database/sql runs by itself, beside sqlsafe
//	rolecheck    decisions by the name of a role, beside the rules of authz
//	rawmarkup    text that is declared to be safe markup, beside sanitize
//	rawprocess   processes that os/exec starts, beside run
//
// A place that has a reason says so, on its line or on a line of its own before it; without a reason it is still reported:
//
//	//ringwall:allow rawsql the migration tool brings statements of its own
//
// Files of tests are left out: attacks and set-ups live there.
//
// # What it does not catch
//
// It reads types and calls, not what flows through them: a statement built for another library, a role that was copied
// into a column of yours, a process that a library starts, markup that is decoded or scanned into a field of a trusted
// type. Files that the build leaves out (for another system, behind a tag) are not looked at. It shows where to look; it
// proves nothing.
package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

const (
	module  = "github.com/ringwall/ringwall"
	comment = "//ringwall:allow "
)

// Analyzers are all of them.
func Analyzers() []*analysis.Analyzer {
	return []*analysis.Analyzer{
		analyzer("rawsql", "reports statements that database/sql runs by itself; sqlsafe takes constants and knows owners", rawSQL),
		analyzer("rolecheck", "reports decisions by the name of a role; a rule of authz stands at the route and is listed", roleCheck),
		analyzer("rawmarkup", "reports text that is declared to be safe markup; sanitize makes it so", rawMarkup),
		analyzer("rawprocess", "reports processes that os/exec starts; run knows no shell, and ends them", rawProcess),
	}
}

// finding is a place, and what to do about it.
type finding func(at token.Pos, text string)

func analyzer(name, doc string, look func(*analysis.Pass, ast.Node, []ast.Node, finding)) *analysis.Analyzer {
	return &analysis.Analyzer{Name: name, Doc: doc, URL: "https://pkg.go.dev/" + module + "/cmd/ringwall", Run: func(pass *analysis.Pass) (any, error) {
		for _, file := range pass.Files {
			if strings.HasSuffix(pass.Fset.File(file.FileStart).Name(), "_test.go") {
				continue
			}
			allowed := allowances(pass.Fset, file, name)
			walk(file, func(n ast.Node, above []ast.Node) {
				look(pass, n, above, func(at token.Pos, text string) {
					if reason, there := allowed[pass.Fset.Position(at).Line]; !there {
						pass.Report(analysis.Diagnostic{Pos: at, Message: text})
					} else if reason == "" {
						pass.Report(analysis.Diagnostic{Pos: at, Message: text + " (" + strings.TrimSpace(comment) + " wants a reason)"})
					}
				})
			})
		}
		return nil, nil
	}}
}

// walk visits every node with those above it, the outermost first.
func walk(root ast.Node, visit func(n ast.Node, above []ast.Node)) {
	var above []ast.Node
	ast.Inspect(root, func(n ast.Node) bool {
		if n == nil {
			above = above[:len(above)-1]
			return true
		}
		visit(n, above)
		above = append(above, n)
		return true
	})
}

// allowances are the reasons of one analyzer's comments, by the lines that they excuse: their own, or the one below if they have
// a line to themselves.
func allowances(set *token.FileSet, file *ast.File, name string) map[int]string {
	begins := map[int]token.Pos{} // where the code of a line begins
	walk(file, func(n ast.Node, _ []ast.Node) {
		switch n.(type) {
		case *ast.Comment, *ast.CommentGroup, *ast.File:
			return
		}
		for _, at := range []token.Pos{n.Pos(), n.End() - 1} {
			if line := set.Position(at).Line; begins[line] == token.NoPos || at < begins[line] {
				begins[line] = at
			}
		}
	})
	found := map[int]string{}
	for _, group := range file.Comments {
		for _, c := range group.List {
			rest, ours := strings.CutPrefix(c.Text, comment)
			which, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
			if !ours || which != name {
				continue
			}
			line := set.Position(c.Pos()).Line
			if begins[line] == token.NoPos || begins[line] > c.Pos() {
				line = set.Position(group.End()).Line + 1
			}
			found[line] = strings.TrimSpace(reason)
		}
	}
	return found
}

// isPackage reports whether a path is that of the package or one below it.
func isPackage(path, of string) bool { return path == of || strings.HasPrefix(path, of+"/") }

// callee is the function or method that is called or named, and the package that declares it; "" if it has none.
func callee(pass *analysis.Pass, e ast.Expr) (fn *types.Func, path string) {
	var name *ast.Ident
	switch e := ast.Unparen(e).(type) {
	case *ast.SelectorExpr:
		name = e.Sel
	case *ast.Ident:
		name = e
	default:
		return nil, ""
	}
	fn, _ = pass.TypesInfo.Uses[name].(*types.Func)
	if fn == nil || fn.Pkg() == nil {
		return nil, ""
	}
	return fn, fn.Pkg().Path()
}

// typeName is the package and the name of a named type, or of what a pointer to one points to.
func typeName(t types.Type) (path, name string) {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return "", ""
	}
	return named.Obj().Pkg().Path(), named.Obj().Name()
}

// receiver is the type that a method belongs to.
func receiver(fn *types.Func) (path, name string) {
	signature := fn.Signature()
	if signature.Recv() == nil {
		return "", ""
	}
	return typeName(signature.Recv().Type())
}
