package vet

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// rawSQL looks for what runs a statement: methods of database/sql, also as values, and the door of sqlsafe.
func rawSQL(pass *analysis.Pass, n ast.Node, _ []ast.Node, report finding) {
	selector, ok := n.(*ast.SelectorExpr)
	if !ok || isPackage(pass.Pkg.Path(), module+"/sqlsafe") {
		return
	}
	fn, from := callee(pass, selector)
	if fn == nil {
		return
	}
	_, of := receiver(fn)
	switch {
	case from == "database/sql" && slices.Contains([]string{"DB", "Tx", "Conn"}, of) && runsStatement(fn.Name()):
		report(selector.Sel.Pos(), "a statement that database/sql runs by itself: wrap the database with sqlsafe.Wrap, and make the statement with sqlsafe.New, List or Owned")
	case from == module+"/sqlsafe" && of == "DB" && fn.Name() == "Unsafe":
		report(selector.Sel.Pos(), "the database without sqlsafe around it: whatever it runs is not held to constants and owners")
	}
}

func runsStatement(method string) bool {
	return slices.Contains([]string{"Exec", "Query", "QueryRow", "Prepare"}, strings.TrimSuffix(method, "Context"))
}

// roleName are names of variables and fields that hold the name of a role.
var roleName = regexp.MustCompile(`(?i)^(user|my|current)?_?roles?$`)

const useRules = "let a rule decide at the route: authz.Role or authz.Permission with authz.Mux, or authz.When for what depends on the request"

// roleCheck looks for decisions by roles outside of rules: a method of the session that tells of them, its list of roles,
// and a role compared with a constant.
func roleCheck(pass *analysis.Pass, n ast.Node, above []ast.Node, report finding) {
	if inRule(pass, above) || isPackage(pass.Pkg.Path(), module+"/authz") || isPackage(pass.Pkg.Path(), module+"/session") {
		return
	}
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if fn, from := callee(pass, n); from == module+"/session" && (fn.Name() == "HasRole" || fn.Name() == "HasPermission") {
			report(n.Sel.Pos(), "a decision by a role, away from the route: "+useRules)
		}
		if field, ok := pass.TypesInfo.Selections[n]; ok && field.Kind() == types.FieldVal && n.Sel.Name == "Roles" {
			if from, name := typeName(field.Recv()); from == module+"/session" && name == "Session" {
				report(n.Sel.Pos(), "the list of somebody's roles: "+useRules)
			}
		}
	case *ast.BinaryExpr:
		if n.Op == token.EQL || n.Op == token.NEQ {
			if isRole(n.X) && isText(pass, n.Y) || isRole(n.Y) && isText(pass, n.X) {
				report(n.OpPos, "a role compared with a name: "+useRules)
			}
		}
	case *ast.SwitchStmt:
		if n.Tag != nil && isRole(n.Tag) {
			report(n.Pos(), "a switch over the names of roles: "+useRules)
		}
	}
}

// inRule reports whether a place stands in a function that is given to [authz.When].
func inRule(pass *analysis.Pass, above []ast.Node) bool {
	return slices.ContainsFunc(above, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return false
		}
		fn, from := callee(pass, call.Fun)
		return fn != nil && from == module+"/authz" && fn.Name() == "When"
	})
}

func isRole(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return roleName.MatchString(e.Name)
	case *ast.SelectorExpr:
		return roleName.MatchString(e.Sel.Name)
	}
	return false
}

// isText reports whether an expression is a constant text that is not empty: whether there is a role at all is no decision by it.
func isText(pass *analysis.Pass, e ast.Expr) bool {
	value := pass.TypesInfo.Types[e].Value
	return value != nil && value.Kind() == constant.String && constant.StringVal(value) != ""
}

// rawMarkup looks for conversions to the types that html/template trusts, and for templates that escape nothing.
func rawMarkup(pass *analysis.Pass, n ast.Node, _ []ast.Node, report finding) {
	if isPackage(pass.Pkg.Path(), module+"/sanitize") {
		return
	}
	switch n := n.(type) {
	case *ast.CallExpr:
		if len(n.Args) != 1 || !pass.TypesInfo.Types[n.Fun].IsType() || pass.TypesInfo.Types[n.Args[0]].Value != nil {
			return // no conversion, or one of a constant
		}
		if from, name := typeName(pass.TypesInfo.TypeOf(n.Fun)); from == "html/template" {
			report(n.Pos(), "text that html/template will not escape any more ("+name+"): let it be escaped, or make it safe with sanitize.HTML or sanitize.Markdown")
		}
	case *ast.ImportSpec:
		if n.Path.Value == `"text/template"` && importsOf(pass, "net/http") {
			report(n.Pos(), "text/template escapes nothing: in a program that answers browsers use html/template")
		}
	}
}

func importsOf(pass *analysis.Pass, wanted string) bool {
	return slices.ContainsFunc(pass.Pkg.Imports(), func(p *types.Package) bool { return p.Path() == wanted })
}

// rawProcess looks for processes that are not started by package run, and for a shell that it was told to start.
func rawProcess(pass *analysis.Pass, n ast.Node, _ []ast.Node, report finding) {
	if isPackage(pass.Pkg.Path(), module+"/run") {
		return
	}
	switch n := n.(type) {
	case *ast.SelectorExpr:
		starts := map[string][]string{"os/exec": {"Command", "CommandContext"}, "os": {"StartProcess"}, "syscall": {"Exec", "ForkExec", "StartProcess"}}
		if fn, from := callee(pass, n); fn != nil && fn.Signature().Recv() == nil && slices.Contains(starts[from], fn.Name()) {
			report(n.Sel.Pos(), "a process: start it with package run, which knows no shell, keeps values from being flags, and bounds time and output")
		}
	case *ast.CallExpr:
		if fn, from := callee(pass, n.Fun); fn == nil || from != module+"/run" || fn.Name() != "New" || len(n.Args) == 0 {
			return
		}
		if value := pass.TypesInfo.Types[n.Args[0]].Value; value != nil && value.Kind() == constant.String && readsCommands(constant.StringVal(value)) {
			report(n.Pos(), "a program that reads commands from its arguments: start the program that you mean")
		}
	}
}

// readsCommands reports whether a program is a shell, or another that starts what its arguments say.
func readsCommands(program string) bool {
	name := strings.TrimSuffix(path.Base(program), ".exe")
	return slices.Contains([]string{"sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "cmd", "powershell", "pwsh", "env", "xargs", "sudo", "ssh"}, name)
}
