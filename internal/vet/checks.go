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

// rawSQL looks for what runs a statement: methods of database/sql, also as values and behind an interface, what hands out the
// driver's own connection, and the door of sqlsafe.
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
	const mend = ": wrap the database with sqlsafe.Wrap, and make the statement with sqlsafe.New, List or Owned"
	switch {
	case from == "database/sql" && slices.Contains([]string{"DB", "Tx", "Conn"}, of) && runsStatement(fn.Name()):
		report(selector.Sel.Pos(), "a statement that database/sql runs by itself"+mend)
	case from == "database/sql" && of == "Conn" && fn.Name() == "Raw":
		report(selector.Sel.Pos(), "the driver's own connection, which runs whatever it is given"+mend)
	case isInterface(fn) && runsStatement(fn.Name()) && takesText(fn) && givesRows(fn):
		report(selector.Sel.Pos(), "a statement for whatever is behind an interface that *sql.DB has too"+mend)
	case from == module+"/sqlsafe" && of == "DB" && fn.Name() == "Unsafe":
		report(selector.Sel.Pos(), "the database without sqlsafe around it: whatever it runs is not held to constants and owners")
	}
}

func runsStatement(method string) bool {
	return slices.Contains([]string{"Exec", "Query", "QueryRow", "Prepare"}, strings.TrimSuffix(method, "Context"))
}

func isInterface(fn *types.Func) bool {
	recv := fn.Signature().Recv()
	return recv != nil && types.IsInterface(recv.Type())
}

func takesText(fn *types.Func) bool {
	for v := range fn.Signature().Params().Variables() {
		if basic, ok := v.Type().Underlying().(*types.Basic); ok && basic.Kind() == types.String {
			return true
		}
	}
	return false
}

func givesRows(fn *types.Func) bool {
	for v := range fn.Signature().Results().Variables() {
		if from, _ := typeName(v.Type()); from == "database/sql" {
			return true
		}
	}
	return false
}

// roleName are names of variables, fields and methods that hold the name of a role.
var roleName = regexp.MustCompile(`(?i)^(get)?_?(user|my|current|account|member)?_?roles?(_?name)?$`)

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
		if isSessionRoles(pass, n) {
			report(n.Sel.Pos(), "the list of somebody's roles: "+useRules)
		}
	case *ast.CallExpr:
		if fn, from := callee(pass, n.Fun); fn != nil && (from == "strings" || from == "slices") && comparesRole(pass, n.Args) {
			report(n.Pos(), "a role compared with a name: "+useRules)
		}
	case *ast.IndexExpr:
		if isRole(n.X) && isText(pass, n.Index) && isSet(pass.TypesInfo.TypeOf(n.X)) {
			report(n.Pos(), "a role compared with a name: "+useRules)
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

// isSessionRoles reports whether an expression is the list of a session's roles.
func isSessionRoles(pass *analysis.Pass, e ast.Expr) bool {
	selector, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Roles" {
		return false
	}
	field, ok := pass.TypesInfo.Selections[selector]
	if !ok || field.Kind() != types.FieldVal {
		return false
	}
	from, name := typeName(field.Recv())
	return from == module+"/session" && name == "Session"
}

// comparesRole reports whether among arguments are a role and a name. The list of a session is told of by itself.
func comparesRole(pass *analysis.Pass, args []ast.Expr) bool {
	return slices.ContainsFunc(args, func(e ast.Expr) bool { return isRole(e) && !isSessionRoles(pass, e) }) &&
		slices.ContainsFunc(args, func(e ast.Expr) bool { return isText(pass, e) })
}

// isSet reports whether a type is a set of texts: a map to bool or to nothing.
func isSet(t types.Type) bool {
	m, ok := t.Underlying().(*types.Map)
	if !ok {
		return false
	}
	switch value := m.Elem().Underlying().(type) {
	case *types.Basic:
		return value.Kind() == types.Bool
	case *types.Struct:
		return value.NumFields() == 0
	}
	return false
}

// isRole reports whether an expression is called a role, or is made of one: converted, in small letters, one of several.
func isRole(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return roleName.MatchString(e.Name)
	case *ast.SelectorExpr:
		return roleName.MatchString(e.Sel.Name)
	case *ast.StarExpr:
		return isRole(e.X)
	case *ast.IndexExpr:
		return isRole(e.X)
	case *ast.CallExpr:
		return isRole(e.Fun) || len(e.Args) == 1 && isRole(e.Args[0])
	}
	return false
}

// isText reports whether an expression is a constant text that is not empty: whether there is a role at all is no decision by it.
func isText(pass *analysis.Pass, e ast.Expr) bool {
	value := pass.TypesInfo.Types[e].Value
	return value != nil && value.Kind() == constant.String && constant.StringVal(value) != ""
}

// rawMarkup looks for conversions to the types that html/template trusts, also by a function with a type parameter, and for
// templates that escape nothing.
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
	case *ast.Ident:
		if name := convertsTo(pass, n); name != "" {
			report(n.Pos(), "a function that may convert to what html/template will not escape any more ("+name+"): let it be escaped, or make it safe with sanitize.HTML or sanitize.Markdown")
		}
	case *ast.ImportSpec:
		if n.Path.Value == `"text/template"` && importsOf(pass, "net/http") {
			report(n.Pos(), "text/template escapes nothing: in a program that answers browsers use html/template")
		}
	}
}

// convertsTo is the type of html/template that a generic function gets and can convert a text to; "" if there is none.
func convertsTo(pass *analysis.Pass, n *ast.Ident) string {
	fn, ok := pass.TypesInfo.Uses[n].(*types.Func)
	if !ok {
		return ""
	}
	args, params := pass.TypesInfo.Instances[n].TypeArgs, fn.Signature().TypeParams()
	for i := range args.Len() {
		if from, name := typeName(args.At(i)); from == "html/template" && namesTypes(params.At(i).Constraint()) {
			return name
		}
	}
	return ""
}

// namesTypes reports whether a constraint has a list of types, such as ~string.
func namesTypes(constraint types.Type) bool {
	i, ok := constraint.Underlying().(*types.Interface)
	if !ok {
		return true
	}
	for t := range i.EmbeddedTypes() {
		if _, isUnion := types.Unalias(t).(*types.Union); isUnion || namesTypes(t) {
			return true
		}
	}
	return false
}

func importsOf(pass *analysis.Pass, wanted string) bool {
	return slices.ContainsFunc(pass.Pkg.Imports(), func(p *types.Package) bool { return p.Path() == wanted })
}

// rawProcess looks for processes that are not started by package run, and for a shell that it was told to start.
func rawProcess(pass *analysis.Pass, n ast.Node, above []ast.Node, report finding) {
	if isPackage(pass.Pkg.Path(), module+"/run") {
		return
	}
	const mend = "start it with package run, which knows no shell, keeps values from being flags, and bounds time and output"
	switch n := n.(type) {
	case *ast.Ident: // also the name behind a package, and alone where that is imported with a dot
		if fn, from := callee(pass, n); fn != nil && fn.Signature().Recv() == nil && slices.Contains(starters()[from], fn.Name()) {
			report(n.Pos(), "a process: "+mend)
		}
		if made, ok := pass.TypesInfo.Uses[n].(*types.TypeName); ok && made.Pkg() != nil && made.Pkg().Path() == "os/exec" && made.Name() == "Cmd" && !isPointedTo(above) {
			report(n.Pos(), "a process that is put together by hand: "+mend)
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

// starters are the functions that start a process, by package.
func starters() map[string][]string {
	commands := []string{"Command", "CommandContext"}
	return map[string][]string{
		"os/exec": commands, "golang.org/x/sys/execabs": commands, "os": {"StartProcess"}, "syscall": {"Exec", "ForkExec", "StartProcess"}, "golang.org/x/sys/unix": {"Exec"},
	}
}

// isPointedTo reports whether the type that stands below these is meant as a pointer to it: whoever holds one did not make it.
func isPointedTo(above []ast.Node) bool {
	last := len(above) - 1
	if _, ok := above[last].(*ast.SelectorExpr); ok {
		last--
	}
	_, ok := above[last].(*ast.StarExpr)
	return ok
}

// readsCommands reports whether a program is a shell, or another that starts what its arguments say.
func readsCommands(program string) bool {
	name := strings.TrimSuffix(path.Base(program), ".exe")
	return slices.Contains([]string{"sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "cmd", "powershell", "pwsh", "env", "xargs", "sudo", "ssh"}, name)
}
