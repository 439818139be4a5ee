package sqlstore_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// S092: a statement about rows that belong to somebody takes their owner, or stands here with a reason.
var withoutOwner = map[string]string{
	"sessionByHash": "the token is the proof; who owns it is the question",
	"sessionOwner":  "operators know a session by its id alone",
	"touchSession":  "a later time of a session that the engine has checked; it gives nothing and ends nothing",
	"endedSessions": "purge: what has timed out is nobody's any more",
	"purgeSession":  "purge",
	"purgeEpochs":   "purge: whose epoch is over is nobody's any more",
	"epochSessions": "counts those of everybody that end",
	"purgeDevices":  "purge",
	"purgeSignups":  "purge",
	"purgeResets":   "purge",
	"purgeLinks":    "purge",
	"linkByToken":   "the token is the proof; who owns it is the question",
	"takeLink":      "the token is the proof",
	"resetByToken":  "the token is the proof; who owns it is the question",
	"takeReset":     "the token is the proof",
	"insertReset":   "whoever forgot the password is not signed in; the account's service names the person",
	"deleteResets":  "part of a reset by its token",

	"purgeEmailChanges":  "purge",
	"emailChangeByToken": "the token is the proof; who owns it is the question",
	"approveEmailChange": "the token is the proof",
	"confirmEmailChange": "the token is the proof",
}

var (
	owned     = regexp.MustCompile(`ringwall_(sessions|devices|resets|email_changes|links)\b`)
	byOwner   = regexp.MustCompile(`(?s)WHERE user_id = \$1|INSERT INTO ringwall_\w+ \(user_id,.*VALUES \(\$1,`)
	unbounded = regexp.MustCompile(`(?s)\bSELECT\b`)
	bounded   = regexp.MustCompile(`(?s)LIMIT \d+|COUNT\(|MAX\(|WHERE (\w+\.)?(id|token_mac|token_hash|email_canonical|user_id|name|key|rolname) = |SELECT '|SELECT set_config|SELECT pg_advisory_xact_lock|SELECT ringwall_oldest_tx`)
)

type statement struct{ name, kind, text string }

func statements(t *testing.T) []statement {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []statement
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != len(spec.Names) {
				return true
			}
			for i, value := range spec.Values {
				kind, text := made(value)
				if kind != "" {
					found = append(found, statement{spec.Names[i].Name, kind, text})
				}
			}
			return true
		})
	}
	return found
}

// made reads sqlsafe.New(`…`), also with methods called on it.
func made(value ast.Expr) (kind, text string) {
	ast.Inspect(value, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "sqlsafe" && len(call.Args) == 1 {
			kind = selector.Sel.Name
			if literal, ok := call.Args[0].(*ast.BasicLit); ok {
				text, _ = strconv.Unquote(literal.Value)
			}
		}
		return true
	})
	return kind, text
}

func TestStatementsNameTheOwner(t *testing.T) {
	all := statements(t)
	if len(all) < 50 {
		t.Fatalf("only %d statements found", len(all))
	}
	unused := map[string]bool{}
	for name := range withoutOwner {
		unused[name] = true
	}
	for _, s := range all {
		delete(unused, s.name)
		switch {
		case s.kind == "Owned" && !byOwner.MatchString(s.text):
			t.Errorf("%s: the owner is not in its condition", s.name)
		case s.kind != "Owned" && owned.MatchString(s.text) && withoutOwner[s.name] == "":
			t.Errorf("%s touches rows that belong to somebody and is not sqlsafe.Owned", s.name)
		}
	}
	for name := range unused {
		t.Errorf("%s has an exception and does not exist", name)
	}
}

func TestStatementsAreBounded(t *testing.T) {
	for _, s := range statements(t) {
		if s.kind == "List" || strings.HasPrefix(strings.TrimSpace(s.text), "DO") {
			continue // a List has its limit by itself
		}
		if unbounded.MatchString(s.text) && !bounded.MatchString(s.text) {
			t.Errorf("%s may return any number of rows:%s", s.name, s.text)
		}
		if strings.Contains(s.text, "SELECT *") {
			t.Errorf("%s does not name its columns", s.name)
		}
	}
}
