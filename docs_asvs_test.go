package ringwall_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const requirementHead = "| row | how it is met | tests |"

// What docs/asvs.md says is met names a test that exists; no requirement of a section is left out or judged twice.
func TestRequirementsHaveTests(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	page := read(t, "docs/asvs.md")
	wrong, bare := untested(page, requirementHead, house)
	for _, finding := range append(wrong, misnumbered(page)...) {
		t.Error(finding)
	}
	for _, row := range bare {
		t.Errorf("%s is met by no test", row)
	}
}

func TestRequirementsHaveTestsCanFail(t *testing.T) {
	table := func(rows ...string) string {
		text := "# Words\n\n" + requirementHead + "\n|---|---|---|\n"
		for _, row := range rows {
			text += "| " + row + " | somehow | `x.TestX` |\n"
		}
		return text + "\n| word | more |\n|---|---|\n| a | b |\n"
	}
	for _, tt := range []struct{ text, want string }{
		{table("V1.1.1, V1.1.2", "V1.2.1"), ""},
		{table("V1.1.1", "V1.1.3"), "V1.1.2 is left out"},
		{table("V1.1.1", "V1.3.1"), "V1.2.1 is left out"},
		{table("V1.1.1", "V1.1.1"), "V1.1.1 stands twice"},
		{table("V1.1.1", "V1.1"), `"V1.1" is no number`},
		{strings.ReplaceAll(table("V1.1.1"), "| row |", "| line |"), "no table"},
	} {
		found := misnumbered(tt.text)
		if (tt.want == "") != (len(found) == 0) || tt.want != "" && !strings.Contains(found[0], tt.want) {
			t.Errorf("misnumbered(%q) = %q, want %q", tt.text, found, tt.want)
		}
	}
}

// tableRows are the cells of all tables whose head begins with a column of a name.
func tableRows(text, first string) (rows [][]string) {
	inTable := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "| "+first+" |"):
			inTable = true
			continue
		case !strings.HasPrefix(line, "|"):
			inTable = false
		}
		if inTable && !strings.HasPrefix(line, "|---") {
			rows = append(rows, strings.Split(strings.Trim(line, "|"), "|"))
		}
	}
	return rows
}

// misnumbered says which numbers of requirements stand twice or are left out. A chapter that no table judges is left to the words.
func misnumbered(text string) (found []string) {
	form := regexp.MustCompile(`^V(\d+)\.(\d+)\.(\d+)$`)
	seen, sections, chapters := map[string]bool{}, map[string]int{}, map[string]int{}
	rows := tableRows(text, "row")
	for _, cells := range rows {
		for id := range strings.SplitSeq(cells[0], ",") {
			id = strings.TrimSpace(id)
			m := form.FindStringSubmatch(id)
			switch {
			case m == nil:
				found = append(found, fmt.Sprintf("%q is no number of a requirement", id))
				continue
			case seen[id]:
				found = append(found, id+" stands twice")
			}
			seen[id] = true
			section, _ := strconv.Atoi(m[2])
			number, _ := strconv.Atoi(m[3])
			chapters["V"+m[1]] = max(chapters["V"+m[1]], section)
			name := "V" + m[1] + "." + m[2]
			sections[name] = max(sections[name], number)
		}
	}
	for _, chapter := range slices.Sorted(maps.Keys(chapters)) {
		for section := range chapters[chapter] {
			name := chapter + "." + strconv.Itoa(section+1)
			for number := range max(sections[name], 1) {
				if id := name + "." + strconv.Itoa(number+1); !seen[id] {
					found = append(found, id+" is left out")
				}
			}
		}
	}
	if len(rows) == 0 {
		found = append(found, "no table of requirements")
	}
	return found
}

// The inventory of cryptography in docs/asvs.md is what the source imports, where it imports it.
func TestCryptographyIsListed(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range unlistedCryptography(read(t, "docs/asvs.md"), house) {
		t.Error(finding)
	}
}

func TestCryptographyIsListedCanFail(t *testing.T) {
	table := func(packages, folders string) string {
		return "| package of Go | where | what for |\n|---|---|---|\n| " + packages + " | " + folders + " | something |\n"
	}
	house := plant(t, "csrf/a.go", "package csrf\nimport (\n\t_ \"crypto/hmac\"\n\t_ \"fmt\"\n)")
	for _, tt := range []struct{ text, want string }{
		{table("`crypto/hmac`", "`csrf`"), ""},
		{table("`crypto/hmac`", "`password`"), "csrf imports crypto/hmac"},
		{table("`crypto/hmac`, `crypto/md5`", "`csrf`"), "crypto/md5"},
		{table("`crypto/hmac`", "`csrf`, `password`"), "password"},
		{"", "csrf imports crypto/hmac"},
	} {
		found := unlistedCryptography(tt.text, house)
		if (tt.want == "") != (len(found) == 0) || tt.want != "" && !strings.Contains(found[0], tt.want) {
			t.Errorf("unlistedCryptography(%q) = %q, want %q", tt.text, found, tt.want)
		}
	}
	inTest := plant(t, "csrf/a_test.go", "package csrf\nimport _ \"crypto/md5\"")
	if found := unlistedCryptography("", inTest); len(found) > 0 {
		t.Errorf("of tests: %q", found)
	}
}

func unlistedCryptography(text string, house tree) (found []string) {
	type use struct{ what, folder string }
	used := map[use]bool{}
	notOurs := []string{"examples", "bench", "ringwalltest", "internal/bench", "internal/testdb", "internal/webtest", "internal/compiletest", "internal/lineartest", "internal/mail/smtpsink"}
	for _, s := range house.files {
		if s.test || under(s.folder, notOurs) {
			continue
		}
		for _, spec := range s.syntax.Imports {
			what, _ := strconv.Unquote(spec.Path.Value)
			if strings.HasPrefix(what, "crypto/") || strings.HasPrefix(what, "golang.org/x/crypto/") {
				used[use{what, strings.Replace(s.folder, ".", "ringwall", 1)}] = true
			}
		}
	}
	name, listed := regexp.MustCompile("`([^`]+)`"), map[use]bool{}
	for _, cells := range tableRows(text, "package of Go") {
		idle := map[string]bool{}
		packages, folders := name.FindAllStringSubmatch(cells[0], -1), name.FindAllStringSubmatch(cells[1], -1)
		for _, m := range slices.Concat(packages, folders) {
			idle[m[1]] = true
		}
		for _, p := range packages {
			for _, f := range folders {
				listed[use{p[1], f[1]}] = true
				if used[use{p[1], f[1]}] {
					delete(idle, p[1])
					delete(idle, f[1])
				}
			}
		}
		for _, stale := range slices.Sorted(maps.Keys(idle)) {
			found = append(found, "the row of "+strings.TrimSpace(cells[0])+" names "+stale+" for nothing")
		}
	}
	missing := []string{}
	for u := range used {
		if !listed[u] {
			missing = append(missing, u.folder+" imports "+u.what+", which the table does not list")
		}
	}
	slices.Sort(missing)
	return append(missing, found...)
}
