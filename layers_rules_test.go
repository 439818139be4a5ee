package ringwall_test

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// rule is a promise about the source that no compiler keeps. Check returns what breaks it, one line each.
type rule struct {
	name   string
	check  func(tree) []string
	broken []breakage
}

// breakage is a file that breaks a rule, with a part of the finding; an empty want marks a file that keeps it.
type breakage struct{ path, text, want string }

// houseRules are all of them. Exceptions stand in the lists that the checks use, each with its reason.
func houseRules() []rule {
	imports := func(what string) string { return "package x\nimport _ " + `"` + what + `"` }
	identity := func(call string) string {
		return "package x\nimport who \"" + module + "/internal/identity\"\nfunc f() { _ = who." + call + " }"
	}
	return []rule{
		{"no import runs up", orderOfLayers, []breakage{
			{"internal/sessions/a.go", imports(module + "/internal/account"), "stands above"},
			{"password/a.go", imports(module), "stands above"},
			{"internal/web/a.go", imports(module + "/internal/api"), "must not know each other"},
			{"internal/sqlstore/deep/a.go", imports(module + "/internal/redisstore"), "must not know each other"},
			{"internal/sqlstore/a.go", imports(module + "/internal/sqlstore/migrations"), ""},
			{"internal/web/a_test.go", imports(module + "/internal/api"), ""},
			{"stray/a.go", "package stray", "has no place"},
			{"a.go", imports(module + "/stray"), "no place in the layers"},
		}},
		{"public leaves stand alone", leavesStandAlone, []breakage{
			{"csrf/a.go", imports(module + "/internal/audit"), "public leaf csrf imports internal/audit"},
			{"csrf/a.go", imports(module + "/internal/problem"), ""},
			{"idempotency/a.go", imports(module + "/session"), ""},
		}},
		{"identity is made in few places", identityMakers, []breakage{
			{"internal/web/a.go", identity("SubjectOf(id)"), "SubjectOf"},
			{"internal/api/a.go", identity("NewPerson"), "NewPerson"}, // not even called
			{"internal/account/a.go", identity("NewOperator(name)"), "NewOperator"},
			{"internal/audit/a.go", "package x\nimport . \"" + module + "/internal/identity\"\nvar _ = NewSystem", "NewSystem"},
			{"internal/sqlstore/a.go", identity("SubjectOf(id)"), "SubjectOf"},
			{"internal/sessions/a.go", identity("SubjectOf(id)"), ""},
			{"internal/sqlstore/a.go", strings.Replace(identity("SubjectOf(id)"), "func f", "func KnowsDevice", 1), ""},
		}},
		{"layers are left out in the wall alone", onlyTheWallLeavesOut, []breakage{
			{"protect.go", "package ringwall\nimport \"" + module + "/internal/chain\"\nvar _ = chain.Without", "chain.Without"},
			{"e2e/a_test.go", "package e2e\nimport c \"" + module + "/internal/chain\"\nfunc f() { c.Without(nil) }", "chain.Without"},
			{"internal/chain/a.go", "package chain\nfunc f() { Without(nil) }", "chain.Without"},
			{"examples/invoices/cmd/lab/a.go", "package main\nimport \"" + module + "/internal/chain\"\nfunc f() { chain.Without(nil) }", ""},
			{"internal/chain/a_test.go", "package chain_test\nimport \"" + module + "/internal/chain\"\nfunc f() { chain.Without(nil) }", ""},
		}},
		{"database drivers stay in the store", importsOnlyIn(databaseImports()), []breakage{
			{"internal/account/a.go", imports("database/sql"), "database/sql"},
			{"internal/api/a.go", imports("github.com/jackc/pgx/v5/pgxpool"), "pgx"},
			{"internal/identity/a.go", imports("database/sql/driver"), ""},
			{"internal/sqlstore/a.go", imports("database/sql"), ""},
			{"examples/invoices/app/a.go", imports("database/sql"), ""},
		}},
		{"unsafe twins stay in the lab", twinsStayInTheLab, []breakage{
			{"e2e/a_test.go", imports(module + "/examples/invoices/app"), "imports examples/invoices/app"},
			{"a.go", imports(module + "/examples/invoices/app"), "imports examples/invoices/app"},
			{"cmd/ringwall/a.go", imports(module + "/examples/invoices/wall"), "imports examples/invoices/wall"},
			{"examples/invoices/a.go", "package main\nimport \"" + module + "/examples/invoices/app\"\nvar _ = app.Config{Off: nil}", "switches layers off"},
			{"examples/invoices/a.go", "package main\nimport \"" + module + "/examples/invoices/app\"\nfunc f(c app.Config) { c.Off = nil }", "switches layers off"},
			{"examples/invoices/a.go", "package main\nimport \"" + module + "/examples/invoices/app\"\nvar _ = app.Config{}", ""},
			{"examples/invoices/cmd/lab/a.go", "package main\nimport \"" + module + "/examples/invoices/app\"\nvar _ = app.Config{Off: nil}", ""},
		}},
		{"processes start in run", importsOnlyIn(processImports()), []breakage{
			{"internal/mail/a.go", imports("os/exec"), "os/exec"},
			{"internal/mail/a_test.go", imports("os/exec"), ""},
			{"examples/invoices/app/report.go", imports("os/exec"), "os/exec"},
			{"examples/invoices/app/unsafe_report.go", imports("os/exec"), ""},
			{"internal/mail/unsafe_report.go", imports("os/exec"), "os/exec"},
		}},
		{"randomness is crypto/rand", importsOnlyIn(weakImports()), []breakage{
			{"internal/sessions/a.go", imports("math/rand/v2"), "math/rand"},
			{"internal/sessions/a.go", imports("math/rand"), "math/rand"},
			{"internal/sessions/a.go", imports("crypto/rand"), ""},
		}},
		{"test modules stay in tests", importsOnlyIn(testImports()), []breakage{
			{"internal/api/a.go", imports("github.com/google/go-cmp/cmp"), "go-cmp"},
			{"cmd/ringwall/a.go", imports(module + "/internal/testdb"), "internal/testdb"},
			{"sqlsafe/a.go", imports(module + "/internal/compiletest"), "internal/compiletest"},
			{"sanitize/a.go", imports(module + "/internal/lineartest"), "internal/lineartest"},
			{"internal/web/a.go", imports("testing"), "testing"},
			{"internal/mail/smtpsink/a.go", imports("github.com/emersion/go-smtp"), ""},
			{"internal/api/a_test.go", imports("github.com/google/go-cmp/cmp"), ""},
		}},
		{"markup is escaped by the templates", noRawMarkup, []breakage{
			{"internal/web/a.go", "package web\nimport \"html/template\"\nfunc f(s string) any { return template.HTML(s) }", "template.HTML"},
			{"internal/web/a.go", "package web\nimport t \"html/template\"\ntype page struct{ Link t.URL }", "template.URL"},
			{"run/a.go", "package run\nimport . \"html/template\"\nfunc f(s string) any { return HTML(s) }", "template.HTML"},
			{"sanitize/a.go", "package sanitize\nimport \"html/template\"\nfunc f(s string) any { return template.URL(s) }", "template.URL"},
			{"sanitize/a.go", "package sanitize\nimport \"html/template\"\nfunc f(s string) any { return template.HTML(s) }", ""},
			{"examples/invoices/app/comments.go", "package app\nimport \"html/template\"\nfunc f(s string) any { return template.HTML(s) }", "template.HTML"},
			{"examples/invoices/app/unsafe_comments.go", "package app\nimport \"html/template\"\nfunc f(s string) any { return template.HTML(s) }", ""},
			{"internal/web/a.go", "package web\nimport \"html/template\"\nfunc f() *template.Template { return template.New(\"\") }", ""},
		}},
		{"mails speak their reader's language", mailsKnowTheirReader, []breakage{
			{"internal/account/a.go", "package account\nimport \"" + module + "/internal/mail\"\nfunc f() { mail.Compose(mail.ResetPassword, \"\", data) }", "compose"},
			{"internal/account/a.go", "package account\nimport \"" + module + "/internal/mail\"\nfunc compose() { mail.Compose(kind, lang, data) }", ""},
		}},
		{"refusals are problem documents", noBareErrors, []breakage{
			{"internal/api/a.go", "package api\nimport \"net/http\"\nfunc f(w http.ResponseWriter) { http.Error(w, \"\", 500) }", "http.Error"},
		}},
		{"nothing runs at import", noInit, []breakage{
			{"headers/a.go", "package headers\nfunc init() {}", "init"},
			{"headers/a.go", "package headers\ntype t struct{}\nfunc (t) init() {}", ""},
		}},
		{"package variables do not change", packageVariables, variableBreakages()},
		{"files have names and sizes", filesAreNamed, []breakage{
			{"internal/api/utils.go", "package api", "utils.go"},
			{"internal/api/types_test.go", "package api", "types_test.go"},
			{"internal/api/a.go", "package api" + strings.Repeat("\n", 501), "501 lines"},
			{"internal/api/a.go", "package api" + strings.Repeat("\n", 500), ""},
		}},
		{"no test is skipped", noSkips, []breakage{
			{"csrf/a_test.go", "package csrf\nfunc TestA(t *testing.T) { t.Skip() }", "Skip"},
			{"csrf/a_test.go", "package csrf\nfunc BenchmarkA(b *testing.B) { b.Skipf(\"\") }", "Skipf"},
		}},
	}
}

// identityMakers finds uses of the constructors of identity outside the places that prove who acts.
func identityMakers(t tree) (found []string) {
	// Where a request begins, and where a session or token found in it says whose it is.
	proofs := []string{"internal/chain", "internal/sessions", "internal/tokens", "client"}
	// Besides, somebody has just proved by password, link or code who they are, or an operator has named a person.
	subjects := append(slices.Clone(proofs), "internal/account")
	makers := map[string][]string{
		"SubjectOf":    subjects,
		"NewPerson":    proofs,
		"NewAnonymous": proofs,
		"NewOperator":  {"."},
		"NewSystem":    {"."},
	}
	// Single functions of the store: the row that they write or look for names its owner, who is not signed in yet.
	excused := []string{
		"internal/sqlstore.InsertSession", "internal/sqlstore.KnowsDevice", "internal/sqlstore.RememberDevice", "internal/sqlstore.ForgetDevices", "internal/sqlstore.InsertReset", "internal/sqlstore.InsertLink", "internal/sqlstore.DeleteLinks",
	}
	tests := []string{"internal/testdb", "internal/webtest", "internal/bench", "ringwalltest"}
	for _, s := range t.files {
		if s.test || s.folder == "internal/identity" {
			continue
		}
		s.mentions(module+"/internal/identity", func(name string, node ast.Node) {
			allowed, ok := makers[name]
			if !ok || slices.Contains(allowed, s.folder) || slices.Contains(tests, s.folder) {
				return
			}
			if name != "SubjectOf" || !slices.Contains(excused, s.folder+"."+s.functionAt(node)) {
				found = append(found, fmt.Sprintf("%s: identity.%s in %s, allowed in %s", t.at(node), name, s.folder, strings.Join(allowed, ", ")))
			}
		})
	}
	return found
}

// onlyTheWallLeavesOut finds whoever else takes layers from the chain. The wall and the lab show what each is there for;
// the tests of the chain attack the door itself.
func onlyTheWallLeavesOut(t tree) (found []string) {
	for _, s := range t.files {
		if under(s.folder, []string{"examples/invoices/wall", "examples/invoices/cmd/lab"}) || s.test && s.folder == "internal/chain" {
			continue
		}
		tell := func(node ast.Node) {
			found = append(found, t.at(node)+": chain.Without leaves out layers: only the wall and the lab may")
		}
		s.mentions(module+"/internal/chain", func(name string, node ast.Node) {
			if name == "Without" {
				tell(node)
			}
		})
		if s.folder != "internal/chain" {
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "Without" {
					tell(call)
				}
			}
			return true
		})
	}
	return found
}

// mailsKnowTheirReader finds mails of the account that are composed past the one function that knows the language which
// their reader has chosen.
func mailsKnowTheirReader(t tree) (found []string) {
	for _, s := range t.files {
		if s.test || s.folder != "internal/account" {
			continue
		}
		s.mentions(module+"/internal/mail", func(name string, node ast.Node) {
			if name == "Compose" && s.functionAt(node) != "compose" {
				found = append(found, fmt.Sprintf("%s: mail.Compose; call compose, which takes the reader", t.at(node)))
			}
		})
	}
	return found
}

// databaseImports are imports by their beginning, and the folders that may have them.
func databaseImports() map[string][]string {
	store := []string{"sqlsafe", "internal/sqlstore", "internal/testdb", "examples/invoices"}
	return map[string][]string{
		"database/sql":                store,
		"github.com/jackc/pgx/":       store,
		"modernc.org/sqlite":          store,
		"github.com/pressly/goose/v3": store,
	}
}

// isTwin reports whether a file is wrong on purpose: what runs in an example when the lab has switched a layer off.
func isTwin(s source) bool {
	return under(s.folder, []string{"examples"}) && strings.HasPrefix(path.Base(s.path), "unsafe_")
}

// twinsStayInTheLab finds what else could come to run an unsafe twin: an import from outside of the examples, and a program
// besides the lab and the wall that switches layers off.
func twinsStayInTheLab(t tree) (found []string) {
	const app = "examples/invoices/app"
	mayChoose := []string{app, "examples/invoices/wall", "examples/invoices/cmd/lab"}
	for _, s := range t.files {
		if !under(s.folder, []string{"examples"}) {
			for _, imported := range s.internalImports() {
				if under(imported, []string{"examples"}) {
					found = append(found, s.path+": imports "+imported+", whose unsafe twins stay in the examples")
				}
			}
			continue
		}
		if !slices.Contains(s.internalImports(), app) {
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			var name ast.Expr
			switch node := node.(type) {
			case *ast.KeyValueExpr:
				name = node.Key
			case *ast.SelectorExpr:
				name = node.Sel
			}
			if id, ok := name.(*ast.Ident); ok && id.Name == "Off" && !under(s.folder, mayChoose) {
				found = append(found, t.at(node)+": switches layers off: only the lab and the wall may")
			}
			return true
		})
	}
	return found
}

func processImports() map[string][]string {
	return map[string][]string{"os/exec": {"run", "internal/testdb", "internal/compiletest", "cmd/ringwall"}} // testdb: a PostgreSQL that a test may stop; compiletest and `vet` in cmd ask the go command
}

func weakImports() map[string][]string {
	return map[string][]string{"math/rand": {}, "math/rand/v2": {}}
}

func testImports() map[string][]string {
	tests := []string{"internal/testdb", "internal/lineartest", "internal/compiletest", "internal/mail/smtpsink", "internal/webtest", "internal/bench", "ringwalltest"}
	return map[string][]string{
		"testing":                          tests,
		"net/http/httptest":                tests,
		"github.com/chromedp/":             tests,
		"github.com/emersion/go-smtp":      tests,
		"github.com/google/go-cmp/":        tests,
		"github.com/rogpeppe/go-internal/": tests,
		"github.com/throttled/":            tests,
		"go.uber.org/goleak":               tests,
		"pgregory.net/rapid":               tests,
		module + "/internal/testdb":        tests,
		module + "/internal/lineartest":    tests,
		module + "/internal/compiletest":   tests,
		module + "/internal/mail/smtpsink": tests,
		module + "/internal/webtest":       tests,
		module + "/ringwalltest":           {"examples"},
	}
}

// importsOnlyIn finds imports outside of the folders that may have them. Tests may import anything. An import is meant
// by its path, or by its beginning if that ends in a slash.
func importsOnlyIn(allowed map[string][]string) func(tree) []string {
	return func(t tree) (found []string) {
		for _, s := range t.files {
			if s.test {
				continue
			}
			for _, imported := range s.imports() {
				for meant, folders := range allowed {
					if imported != meant && (!strings.HasSuffix(meant, "/") || !strings.HasPrefix(imported, meant)) {
						continue
					}
					if !under(s.folder, folders) && !isTwin(s) {
						found = append(found, fmt.Sprintf("%s: imports %s, allowed in %q", s.path, imported, folders))
					}
				}
			}
		}
		return found
	}
}

// noRawMarkup finds the types of html/template that switch its escaping off. Package sanitize alone may make HTML, because
// there is nothing else that it does: whoever shows a stranger's markup gets the type from there, and not by a conversion.
func noRawMarkup(t tree) (found []string) {
	raw := []string{"HTML", "HTMLAttr", "JS", "JSStr", "CSS", "URL", "Srcset"}
	for _, s := range t.files {
		if s.test || isTwin(s) {
			continue
		}
		s.mentions("html/template", func(name string, node ast.Node) {
			if slices.Contains(raw, name) && !(name == "HTML" && s.folder == "sanitize") {
				found = append(found, fmt.Sprintf("%s: template.%s switches escaping off", t.at(node), name))
			}
		})
	}
	return found
}

// noBareErrors finds answers of 400 and more that are no problem documents, in what answers for Ringwall.
func noBareErrors(t tree) (found []string) {
	for _, s := range t.files {
		if s.test || under(s.folder, []string{"ringwalltest", "examples"}) {
			continue
		}
		s.mentions("net/http", func(name string, node ast.Node) {
			if name == "Error" || name == "NotFound" || name == "NotFoundHandler" {
				found = append(found, fmt.Sprintf("%s: http.%s: use problem.Write", t.at(node), name))
			}
		})
	}
	return found
}

func noInit(t tree) (found []string) {
	for _, s := range t.files {
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				found = append(found, t.at(f)+": init runs at import: make it a constructor")
			}
		}
	}
	return found
}

func filesAreNamed(t tree) (found []string) {
	nameless := []string{"utils", "util", "helpers", "helper", "types", "interfaces", "common", "misc"}
	for _, s := range t.files {
		name := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.path), ".go"), "_test")
		if slices.Contains(nameless, name) {
			found = append(found, s.path+": name the file for its idea")
		}
		if s.lines > 500 {
			found = append(found, fmt.Sprintf("%s: %d lines, at most 500: is it one idea?", s.path, s.lines))
		}
	}
	return found
}

func noSkips(t tree) (found []string) {
	for _, s := range t.files {
		if !s.test {
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, f.Sel.Name) {
				found = append(found, fmt.Sprintf("%s: %s: a test that cannot run must fail", t.at(call), f.Sel.Name))
			}
			return true
		})
	}
	return found
}
