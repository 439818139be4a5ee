package ringwall_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ringwall/ringwall/internal/problem"
)

// read is a file of the repository as text.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestProblemsAreDocumented holds docs/problems.md against the catalogue: the same codes in the same order, each with its
// status, title and mend, and an example that is what Write answers.
func TestProblemsAreDocumented(t *testing.T) {
	for _, finding := range undocumented(read(t, "docs/problems.md"), problem.Catalogue()) {
		t.Error(finding)
	}
}

func TestProblemsAreDocumentedCanFail(t *testing.T) {
	entry := problem.Entry{Code: "gone", Title: "It is gone", Mend: "Look elsewhere.", Kind: problem.Conflict}
	good := "# Problems\n\n## gone\n\n**409 · It is gone**\n\nWhat to do: Look elsewhere.\n\n```http\nHTTP/1.1 409 Conflict\n\n" +
		`{"type": "/auth/problems/gone", "title": "It is gone", "status": 409, "detail": "Gone."}` + "\n```\n"
	for _, tt := range []struct{ name, text, want string }{
		{"agrees", good, ""},
		{"lacks the section", "# Problems\n", "sections"},
		{"has one too many", good + "\n## more\n", "sections"},
		{"has another status", strings.Replace(good, "**409", "**404", 1), "**409 · It is gone**"},
		{"has another mend", strings.Replace(good, "elsewhere", "here", 1), "Look elsewhere."},
		{"has another status in the example", strings.Replace(good, `"status": 409`, `"status": 404`, 1), "example"},
		{"has another title in the example", strings.Replace(good, `"title": "It`, `"title": "He`, 1), "example"},
		{"has no example", strings.Replace(good, "```http", "```", 1), "example"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := undocumented(tt.text, []problem.Entry{entry})
			if (tt.want == "") != (len(found) == 0) || tt.want != "" && !strings.Contains(found[0], tt.want) {
				t.Errorf("undocumented = %q, want %q", found, tt.want)
			}
		})
	}
}

// undocumented says where the text and the catalogue differ.
func undocumented(text string, catalogue []problem.Entry) (found []string) {
	sections := strings.Split(text, "\n## ")[1:]
	var have, want []string
	for _, s := range sections {
		code, _, _ := strings.Cut(s, "\n")
		have = append(have, code)
	}
	for _, e := range catalogue {
		want = append(want, e.Code)
	}
	if !slices.Equal(have, want) {
		return []string{fmt.Sprintf("sections are %q, the catalogue has %q", have, want)}
	}
	for i, e := range catalogue {
		head := fmt.Sprintf("\n**%d · %s**\n", e.Kind.Status(), e.Title)
		for _, part := range []string{head, "\nWhat to do: " + e.Mend + "\n"} {
			if !strings.Contains(sections[i], part) {
				found = append(found, fmt.Sprintf("%s: lacks %q", e.Code, strings.TrimSpace(part)))
			}
		}
		if err := checkExample(sections[i], e); err != nil {
			found = append(found, fmt.Sprintf("%s: example: %v", e.Code, err))
		}
	}
	return found
}

func checkExample(section string, e problem.Entry) error {
	_, rest, ok := strings.Cut(section, "```http\n")
	answer, _, closed := strings.Cut(rest, "\n```")
	head, body, parted := strings.Cut(answer, "\n\n")
	if !ok || !closed || !parted {
		return errors.New("no block ```http with an answer")
	}
	if !strings.HasPrefix(head, "HTTP/1.1 "+strconv.Itoa(e.Kind.Status())+" ") {
		return errors.New("another status line")
	}
	var document struct {
		Type, Title, Detail, Instance string
		Status                        int
		Errors                        []problem.Field
		Challenge                     json.RawMessage // of challenge-required
		Violated                      []string        `json:"violated-policies"`
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		return err
	}
	if document.Type != "/auth/problems/"+e.Code || document.Title != e.Title || document.Status != e.Kind.Status() || document.Detail == "" {
		return fmt.Errorf("another type, title or status: %+v", document)
	}
	return nil
}

// TestProblemsAreInTheCatalogue holds every problem.New in the source against the catalogue: the code is there, with that kind, and its
// detail is no input. Commands are left out: they tell the owner of the machine what a stranger is not told.
func TestProblemsAreInTheCatalogue(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range uncatalogued(house) {
		t.Error(finding)
	}
}

func TestProblemsAreInTheCatalogueCanFail(t *testing.T) {
	in := func(arguments string) string {
		return "package api\nimport \"" + module + "/internal/problem\"\nvar e = problem.New(" + arguments + ")"
	}
	for _, tt := range []struct{ arguments, want string }{
		{`problem.Missing, "not-found", "x"`, ""},
		{`problem.Missing, "not-there", "x"`, "not in the catalogue"},
		{`problem.Conflict, "not-found", "x"`, "answers 409"},
		{`problem.Missing, code, "x"`, "not a constant"},
		{`problem.Missing, "not-found", "x" + r.URL.Path`, "not a constant"},
		{`problem.Missing, "not-found", fmt.Sprintf("%s", x)`, "not a constant"},
	} {
		found := uncatalogued(plant(t, "internal/api/a.go", in(tt.arguments)))
		if (tt.want == "") != (len(found) == 0) || tt.want != "" && !strings.Contains(found[0], tt.want) {
			t.Errorf("uncatalogued(%s) = %q, want %q", tt.arguments, found, tt.want)
		}
	}
}

func uncatalogued(t tree) (found []string) {
	status := map[string]int{}
	for _, e := range problem.Catalogue() {
		status[e.Code] = e.Kind.Status()
	}
	for _, s := range t.files {
		local := s.nameOf(module + "/internal/problem")
		if s.test || local == "" || under(s.folder, []string{"cmd"}) {
			continue
		}
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || nameOf(call.Fun) != local+".New" || len(call.Args) != 3 {
				return true
			}
			code, isText := textOf(call.Args[1])
			want, known := status[code]
			switch got := statusOf(nameOf(call.Args[0])); {
			case !isText || !isConstantText(call.Args[2]):
				found = append(found, t.at(call)+": code or detail is not a constant")
			case !known:
				found = append(found, fmt.Sprintf("%s: the code %q is not in the catalogue", t.at(call), code))
			case got != 0 && got != want:
				found = append(found, fmt.Sprintf("%s: the code %q answers %d here and %d in the catalogue", t.at(call), code, got, want))
			}
			return true
		})
	}
	return found
}

func textOf(e ast.Expr) (string, bool) {
	literal, ok := e.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}

// isConstantText reports whether a text cannot hold input as far as syntax tells: literals and names and their sums, the
// field of a typed error, and the sentence of an error pass; what is formatted or read from a request does not.
func isConstantText(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit, *ast.Ident, *ast.SelectorExpr:
		return true
	case *ast.BinaryExpr:
		return isTextOrName(e.X) && isTextOrName(e.Y)
	case *ast.CallExpr:
		return strings.HasSuffix(nameOf(e.Fun), ".Error")
	}
	return false
}

func isTextOrName(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit, *ast.Ident:
		return true
	case *ast.BinaryExpr:
		return isTextOrName(e.X) && isTextOrName(e.Y)
	}
	return false
}

// statusOf is the status of a kind as the source spells it, such as problem.Missing; zero for a variable.
func statusOf(kind string) int {
	names := []string{"Internal", "Malformed", "Unauthenticated", "Forbidden", "Missing", "MethodNotAllowed", "Conflict", "TooLarge",
		"UnsupportedMedia", "Misdirected", "Invalid", "TooMany", "Unavailable", "TimedOut", "HeadersTooLarge"}
	_, name, _ := strings.Cut(kind, ".")
	if i := slices.Index(names, name); i >= 0 {
		return problem.Kind(i).Status()
	}
	return 0
}

// threatsWithoutTest is how many rows of docs/threat-model.md name no test yet. It only goes down.
const threatsWithoutTest = 0

// TestThreatsHaveTests holds docs/threat-model.md against the source: every test that it names exists, and no more rows
// than threatsWithoutTest name none.
func TestThreatsHaveTests(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	wrong, bare := untested(read(t, "docs/threat-model.md"), threatHead, house)
	for _, finding := range wrong {
		t.Error(finding)
	}
	if len(bare) > threatsWithoutTest {
		t.Errorf("%d threats name no test, at most %d may: %s", len(bare), threatsWithoutTest, strings.Join(bare, "; "))
	}
	if len(bare) < threatsWithoutTest {
		t.Errorf("%d threats name no test: lower threatsWithoutTest from %d", len(bare), threatsWithoutTest)
	}
}

func TestThreatsHaveTestsCanFail(t *testing.T) {
	house := plant(t, "password/a_test.go", `package password
		func TestVerify(t *testing.T) {}
		func FuzzParse(f *testing.F) {}
		func ExampleHash() {
			// Output: a hash
		}
		func ExampleIdle() {}
		func TestHelper(t *testing.T) string { return "" }
		func TestMain(m *testing.M) {}
		func Testing(t *testing.T) {}
		type suite struct{}
		func (suite) TestMethod(t *testing.T) {}`)
	table := func(tests string) string {
		return "words\n\n| threat | layers | tests |\n|---|---|---|\n| guessing | hashing | " + tests + " |\n\nmore\n"
	}
	for _, tt := range []struct {
		text, want string
		bare       int
	}{
		{table("`password.TestVerify` `password.FuzzParse` `password.ExampleHash`"), "", 0},
		{table("`password.ExampleIdle`"), "password.ExampleIdle", 0},
		{table("`password.TestHelper`"), "password.TestHelper", 0},
		{table("`password.TestMain`"), "password.TestMain", 0},
		{table("`password.Testing`"), "password.Testing", 0},
		{table("`password.TestMethod`"), "password.TestMethod", 0},
		{table("`password.TestVerify`, `password.TestGone`"), "password.TestGone", 0},
		{table("`other.TestVerify`"), "other.TestVerify", 0},
		{table("`password.Verify`"), "`password.Verify`", 0},
		{table("some day"), "some day", 0},
		{table("one | two"), "three columns", 0},
		{table(""), "", 1},
		{"no table at all", "no table", 0},
	} {
		wrong, bare := untested(tt.text, threatHead, house)
		if (tt.want == "") != (len(wrong) == 0) || tt.want != "" && !strings.Contains(wrong[0], tt.want) || len(bare) != tt.bare {
			t.Errorf("untested(%q) = %q, %q, want %q and %d", tt.text, wrong, bare, tt.want, tt.bare)
		}
	}
}

const threatHead = "| threat | layers | tests |"

// untested reads the tables with a head of three columns, the last of them tests. It returns what is wrong in them, such as
// the name of a test that does not exist, and the first cells of rows that name no test. Tests are named `internal/web.TestPages` by their folder
// from the root of the module, the root's own `ringwall.TestX`.
func untested(text, head string, house tree) (wrong, bare []string) {
	exists := testNames(house)
	name := regexp.MustCompile("^`([a-z0-9_/]+\\.(?:Test|Fuzz|Example)[A-Za-z0-9_]*)`$")
	inTable, rows := false, 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == head:
			inTable = true
			continue
		case !strings.HasPrefix(line, "|"):
			inTable = false
		}
		if !inTable || strings.HasPrefix(line, "|---") {
			continue
		}
		rows++
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		if len(cells) != 3 {
			wrong = append(wrong, "not three columns: "+line)
			continue
		}
		threat, names := strings.TrimSpace(cells[0]), strings.Fields(strings.ReplaceAll(cells[2], ",", " "))
		if len(names) == 0 {
			bare = append(bare, threat)
		}
		for _, n := range names {
			if match := name.FindStringSubmatch(n); match == nil || !exists[match[1]] {
				wrong = append(wrong, fmt.Sprintf("%s is no test, named in %q for: %s", n, strings.TrimSpace(cells[2]), threat))
			}
		}
	}
	if rows == 0 {
		wrong = append(wrong, "no table with the head "+head)
	}
	return wrong, bare
}

// testNames are the tests, fuzz targets and examples of a tree that go test runs, as folder.Name.
func testNames(house tree) map[string]bool {
	exists := map[string]bool{}
	for _, s := range house.files {
		folder := s.folder
		if folder == "." {
			folder = path.Base(module)
		}
		for _, d := range s.syntax.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test && f.Recv == nil && isRun(s, f) {
				exists[folder+"."+f.Name.Name] = true
			}
		}
	}
	return exists
}

// isRun reports whether go test runs a function: by its name, its one parameter, and for an example the output that it is held
// against. A helper that is merely called TestX is none.
func isRun(s source, f *ast.FuncDecl) bool {
	takes := func(kind string) bool {
		if len(f.Type.Params.List) != 1 || len(f.Type.Params.List[0].Names) > 1 || f.Type.Results != nil || f.Type.TypeParams != nil {
			return false
		}
		pointer, ok := f.Type.Params.List[0].Type.(*ast.StarExpr)
		return ok && nameOf(pointer.X) == "testing."+kind
	}
	for prefix, is := range map[string]func() bool{
		"Test":    func() bool { return takes("T") },
		"Fuzz":    func() bool { return takes("F") },
		"Example": func() bool { return len(f.Type.Params.List) == 0 && hasOutput(s, f) },
	} {
		if rest, ok := strings.CutPrefix(f.Name.Name, prefix); ok {
			first, _ := utf8.DecodeRuneInString(rest)
			return !unicode.IsLower(first) && is()
		}
	}
	return false
}

func hasOutput(s source, f *ast.FuncDecl) bool {
	output := regexp.MustCompile(`(?i)^\s*(unordered )?output:`)
	return slices.ContainsFunc(s.syntax.Comments, func(c *ast.CommentGroup) bool {
		return f.Pos() < c.Pos() && c.End() < f.End() && output.MatchString(c.Text())
	})
}
