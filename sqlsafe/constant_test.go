package sqlsafe_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/compiletest"
)

func TestOnlyConstantsCompile(t *testing.T) {
	check := compiletest.Checker(t)
	compile := func(body string) error {
		return check(`package snippet
import "github.com/ringwall/ringwall/sqlsafe"
type text string
const table = "users"
const typed string = "SELECT 1"
func build(input string, list sqlsafe.ListQuery) any { ` + body + ` }`)
	}
	entries := []string{"return sqlsafe.New(%s)", "return sqlsafe.List(%s)", "return sqlsafe.Owned(%s)", "return list.And(%s)", "return list.OrderBy(%s)"}
	for _, entry := range entries {
		for _, good := range []string{`"SELECT 1"`, "`SELECT 1`", `"SELECT id FROM " + table`} {
			if err := compile(fmt.Sprintf(entry, good)); err != nil {
				t.Errorf("%s does not compile: %v", fmt.Sprintf(entry, good), err)
			}
		}
		for _, bad := range []string{
			`input`, `"SELECT " + input`, `"SELECT 1" + input[:1]`, `string("SELECT 1")`, `typed`, `text("SELECT 1")`, `text(input)`,
			`[]string{"SELECT 1"}[0]`, `func() string { return "SELECT 1" }()`, `[]byte("SELECT 1")`, `any("SELECT 1")`, `sqlsafe.constant(input)`,
		} {
			err := compile(fmt.Sprintf(entry, bad))
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
		if err := compile(bad); err == nil {
			t.Errorf("%s compiles", bad)
		}
	}
}
