package ringwall_test

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/audit"
)

const unwritten = "nothing writes it yet"

// TestAuditEventsAreDocumented holds docs/audit.md against the vocabulary and the source: the same events in the same order and words,
// each with the reasons that the source gives, and "nothing writes it yet" where that is so.
func TestAuditEventsAreDocumented(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range undocumentedEvents(read(t, "docs/audit.md"), house) {
		t.Error(finding)
	}
}

func TestAuditEventsAreDocumentedCanFail(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	good := read(t, "docs/audit.md")
	for _, tt := range []struct{ name, old, changed, want string }{
		{"lacks an event", "| `session_created` |", "| `session_begun` |", "session_begun"},
		{"has another level", "| `session_created` | INFO", "| `session_created` | WARN", "session_created"},
		{"has other words", "A session began.", "A session starts.", "session_created"},
		{"lacks a reason", "(`maxretries`)", "", "maxretries"},
		{"has a reason of its own", "with every sign-in", "with every `sign-in`", "sign-in"},
		{"calls a written event unwritten", "with every sign-in", unwritten, "session_created"},
		{"lacks a fault", "| `row_forged` |", "| `row_false` |", "row_forged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(good, tt.old) {
				t.Fatalf("docs/audit.md does not hold %q any more", tt.old)
			}
			found := undocumentedEvents(strings.Replace(good, tt.old, tt.changed, 1), house)
			if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, tt.want) }) {
				t.Errorf("found %q, want one about %s", found, tt.want)
			}
		})
	}
}

func undocumentedEvents(text string, house tree) (found []string) {
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (INFO|WARN|CRITICAL) \\| (.+?) \\| (.+) \\|$")
	rows := row.FindAllStringSubmatch(text, -1)
	names := eventNames(house)
	used := reasonsInUse(house)
	for i, e := range audit.Vocabulary() {
		if i >= len(rows) {
			return append(found, fmt.Sprintf("%s has no row", e.Name))
		}
		r := rows[i]
		if r[1] != string(e.Name) || r[2] != string(e.Level) || r[3] != e.Describe {
			found = append(found, fmt.Sprintf("row %d is %q, the vocabulary has %s, %s, %q there", i, r[1:4], e.Name, e.Level, e.Describe))
			continue
		}
		reasons, written := used[names[r[1]]]
		if written == (r[4] == unwritten) {
			found = append(found, fmt.Sprintf("%s: the source writes it: %v; the page says %q", e.Name, written, r[4]))
		}
		for _, reason := range reasons {
			if !strings.Contains(r[4], "`"+reason+"`") {
				found = append(found, fmt.Sprintf("%s: the reason %q is missing", e.Name, reason))
			}
		}
		for _, said := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(r[4], -1) {
			if !isReasonSomewhere(said[1], used) {
				found = append(found, fmt.Sprintf("%s: nothing in the source gives the reason %q", e.Name, said[1]))
			}
		}
	}
	if len(rows) > len(audit.Vocabulary()) {
		found = append(found, "there are rows of events that the vocabulary does not have")
	}
	for _, kind := range constants(house, "internal/audit", "Kind") {
		if !strings.Contains(text, "\n| `"+kind+"` | ") {
			found = append(found, fmt.Sprintf("the fault %q is missing", kind))
		}
	}
	return found
}

func isReasonSomewhere(said string, used map[string][]string) bool {
	others := []string{"private", "SESSION_MAX"} // a field of the row, a setting
	for _, reasons := range used {
		others = append(others, reasons...)
	}
	return slices.Contains(others, said)
}

// constants are the texts of a folder's typed constants.
func constants(house tree, folder, typeName string) (texts []string) {
	for _, text := range namedConstants(house, folder, typeName) {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return texts
}

func namedConstants(house tree, folder, typeName string) map[string]string {
	texts := map[string]string{}
	for _, s := range house.files {
		if s.folder != folder || s.test {
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			if v, ok := node.(*ast.ValueSpec); ok && v.Type != nil && nameOf(v.Type) == typeName && len(v.Values) == 1 {
				if text, ok := textOf(v.Values[0]); ok {
					texts[v.Names[0].Name] = text
				}
			}
			return true
		})
	}
	return texts
}

// eventNames are the constants of the events by what stands in the log.
func eventNames(house tree) map[string]string {
	names := map[string]string{}
	for constant, text := range namedConstants(house, "internal/audit", "Name") {
		names[text] = constant
	}
	return names
}

// reasonsInUse are the reasons that the source gives with each event, by the name of its constant: those that stand in the same literal,
// call or block. An event that is written without a reason has none.
func reasonsInUse(house tree) map[string][]string {
	used := map[string][]string{}
	for _, s := range house.files {
		if s.test || s.folder == "internal/audit" || s.folder == "internal/lifecycle" { // which reads events and makes none
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			var parts []ast.Expr
			switch n := node.(type) {
			case *ast.CompositeLit:
				parts = n.Elts
			case *ast.CallExpr:
				parts = n.Args
				if nameOf(n.Fun) == "s.reserve" { // its reason is what is counted
					used["LoginFailMax"] = append(used["LoginFailMax"], textsIn(parts)...)
				}
				if nameOf(n.Fun) == "s.reserveMail" {
					used["RateLimitExceeded"] = append(used["RateLimitExceeded"], textsIn(parts)...)
				}
			case *ast.BlockStmt:
				noteBlock(n, used)
			}
			noteEvents(parts, used)
			return true
		})
	}
	// The reasons of these are not literals in the place where they are written: the counters of a sign-in, what the holder of a link
	// proves, the codes of refused input, roles.
	used["LoginFailMax"] = append(used["LoginFailMax"], "login", "login from device", "confirm", "address")
	used["LoginFail"] = append(used["LoginFail"], "confirm", "address")
	used["InputValidationFail"] = append(used["InputValidationFail"], "malformed", "invalid")
	used["MaliciousExtraneous"] = append(used["MaliciousExtraneous"], "invalid")
	used["AuthzChange"] = append(used["AuthzChange"], "granted", "revoked")
	return used
}

func noteEvents(parts []ast.Expr, used map[string][]string) {
	var event string
	var reasons []string
	for _, part := range parts {
		if pair, ok := part.(*ast.KeyValueExpr); ok {
			if key := nameOf(pair.Key); key != "Name" && key != "Reason" {
				continue
			}
			part = pair.Value
		}
		if name, ok := strings.CutPrefix(nameOf(part), "audit."); ok && isEvent(name) {
			event = name
		} else if text, ok := textOf(part); ok {
			reasons = append(reasons, text)
		}
	}
	if event != "" {
		used[event] = append(used[event], reasons...)
	}
}

// noteBlock notes an event that a block chooses by assignment, with the reason that it chooses too.
func noteBlock(block *ast.BlockStmt, used map[string][]string) {
	var parts []ast.Expr
	for _, statement := range block.List {
		if a, ok := statement.(*ast.AssignStmt); ok && len(a.Lhs) == 1 && len(a.Rhs) == 1 {
			if to := nameOf(a.Lhs[0]); to == "event.Name" || to == "event.Reason" {
				parts = append(parts, a.Rhs[0])
			}
		}
	}
	noteEvents(parts, used)
}

func textsIn(parts []ast.Expr) (texts []string) {
	for _, part := range parts {
		if text, ok := textOf(part); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

func isEvent(constant string) bool {
	return !slices.Contains([]string{"Event", "Info", "Warn", "Critical", "Row"}, constant)
}
