package ringwall_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pageHeadings are what a page consists of, after the name of its package.
func pageHeadings() []string {
	return []string{"Boundary", "Assumptions", "If they are wrong", "Tests"}
}

// TestPackagesHavePages holds docs/packages against the source: each public package has a page, with its five headings,
// and every test that a page names exists.
func TestPackagesHavePages(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("docs/packages/*")
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages[filepath.Base(file)] = string(text)
	}
	for _, finding := range unpaged(pages, leaves(), testNames(house)) {
		t.Error(finding)
	}
}

func TestPackagesHavePagesCanFail(t *testing.T) {
	exists := map[string]bool{"csrf.TestRule": true, "internal/chain.FuzzPath": true}
	good := "# csrf\n\nWords.\n\n## Boundary\n\nWords.\n\n## Assumptions\n\n- Words.\n\n## If they are wrong\n\n- Words, `other.TestGone`.\n\n## Tests\n\n- `csrf.TestRule`\n- `internal/chain.FuzzPath`: words\n"
	change := func(from, to string) map[string]string {
		return map[string]string{"csrf.md": strings.Replace(good, from, to, 1)}
	}
	for _, tt := range []struct {
		name  string
		pages map[string]string
		want  string
	}{
		{"agrees", change("", ""), ""},
		{"is missing", map[string]string{}, "csrf has no page"},
		{"belongs to no package", map[string]string{"csrf.md": good, "old.md": good}, "old.md belongs to no"},
		{"has another name", change("# csrf", "# CSRF"), "headings"},
		{"lacks a heading", change("## Assumptions\n", "\n"), "headings"},
		{"has them in another order", change("## Boundary", "## Tests"), "headings"},
		{"has one too many", change("## Tests", "## More\n\nWords.\n\n## Tests"), "headings"},
		{"has nothing under one", change("## Boundary\n\nWords.\n", "## Boundary\n"), "nothing under Boundary"},
		{"has no words under its name", change("# csrf\n\nWords.\n", "# csrf\n"), ""},
		{"names no test", change("- `csrf.TestRule`\n- `internal/chain.FuzzPath`: words\n", "- some day\n"), "some day"},
		{"has no list of tests", change("- `csrf.TestRule`\n- `internal/chain.FuzzPath`: words\n", ""), "nothing under Tests"},
		{"names a test that is gone", change("csrf.TestRule", "csrf.TestGone"), "csrf.TestGone"},
		{"names one in words", change(": words", ", as does `csrf.TestOther`"), "csrf.TestOther"},
		{"names a function", change("csrf.TestRule", "csrf.Rule"), "csrf.Rule"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found := unpaged(tt.pages, []string{"csrf"}, exists)
			if (tt.want == "") != (len(found) == 0) || tt.want != "" && !strings.Contains(found[0], tt.want) {
				t.Errorf("unpaged = %q, want %q", found, tt.want)
			}
		})
	}
}

// unpaged says where pages, packages and tests differ.
func unpaged(pages map[string]string, packages []string, exists map[string]bool) (found []string) {
	for _, name := range packages {
		text, ok := pages[name+".md"]
		if !ok {
			found = append(found, fmt.Sprintf("%s has no page docs/packages/%s.md", name, name))
			continue
		}
		for _, finding := range wrongPage(text, name, exists) {
			found = append(found, fmt.Sprintf("docs/packages/%s.md: %s", name, finding))
		}
	}
	for file := range pages {
		if !slices.Contains(packages, strings.TrimSuffix(file, ".md")) {
			found = append(found, fmt.Sprintf("docs/packages/%s belongs to no public package", file))
		}
	}
	return found
}

// wrongPage says what is wrong with one page.
func wrongPage(text, name string, exists map[string]bool) (found []string) {
	heading := regexp.MustCompile(`(?m)^##? (.*)\n`)
	var have []string
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		have = append(have, match[1])
	}
	want := append([]string{name}, pageHeadings()...)
	if !slices.Equal(have, want) || !strings.HasPrefix(text, "# "+name+"\n") {
		return []string{fmt.Sprintf("its headings are %q, want %q", have, want)}
	}
	sections := heading.Split(text, -1)[1:]
	for i, section := range sections {
		if i > 0 && strings.TrimSpace(section) == "" {
			found = append(found, "nothing under "+want[i])
		}
	}
	item := regexp.MustCompile("^- `[^`]+`")
	test := regexp.MustCompile("`([^` ]+\\.[A-Za-z0-9_]+)`")
	for line := range strings.Lines(sections[len(sections)-1]) {
		line = strings.TrimSpace(line)
		if line != "" && !item.MatchString(line) {
			found = append(found, "under Tests stands no test: "+line)
		}
		for _, match := range test.FindAllStringSubmatch(line, -1) {
			if !exists[match[1]] {
				found = append(found, "no such test: "+match[1])
			}
		}
	}
	return found
}
