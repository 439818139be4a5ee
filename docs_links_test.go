package ringwall_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ringwall/ringwall/internal/settings"
)

// documents are the pages for people.
func documents(t *testing.T) []string {
	t.Helper()
	pages := []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	for _, pattern := range []string{"docs/*.md", "docs/packages/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	return pages
}

// headings are the second-level headings of a page, and anchors what a link can name of it: GitHub's form of every heading.
func headings(page string) (second []string, anchors map[string]bool) {
	anchors = map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(#+) (.*)$`).FindAllStringSubmatch(withoutCode(page), -1) {
		anchors[anchorOf(m[2])] = true
		if m[1] == "##" {
			second = append(second, m[2])
		}
	}
	return second, anchors
}

// anchorOf is the name that GitHub gives to a heading.
func anchorOf(heading string) string {
	kept := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(kept, " ", "-")
}

// withoutCode is a page without its blocks of code, whose comments look like headings and whose calls look like links.
func withoutCode(page string) string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(page, "")
}

// brokenLinks lists the links of a page that lead to no file, or to no heading of it.
func brokenLinks(files fs.FS, page string) (broken []string, err error) {
	text, err := fs.ReadFile(files, page)
	if err != nil {
		return nil, err
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]*))?\)`).FindAllStringSubmatch(withoutCode(string(text)), -1) {
		target := path.Join(path.Dir(page), m[1])
		if m[1] == "" {
			target = page
		}
		if _, err := fs.Stat(files, target); err != nil {
			broken = append(broken, fmt.Sprintf("%s links to %s, which does not exist", page, m[1]))
			continue
		}
		if m[2] == "" {
			continue
		}
		there, err := fs.ReadFile(files, target)
		if err != nil {
			return nil, err
		}
		if _, anchors := headings(string(there)); !anchors[m[2]] {
			broken = append(broken, fmt.Sprintf("%s links to %s#%s, which no heading has", page, m[1], m[2]))
		}
	}
	return broken, nil
}

// Whoever follows a link arrives: at a file that is there, at a heading that it has.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range append(documents(t), "examples/invoices/README.md") {
		broken, err := brokenLinks(os.DirFS("."), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range broken {
			t.Error(link)
		}
	}
}

func TestLinksLeadSomewhereCanFail(t *testing.T) {
	files := fstest.MapFS{
		"docs/a.md": {Data: []byte("# A\n\n## When all, or `some`, wait\n\n```sh\n# no heading\nf[T](x)\n```\n\n[here](#when-all-or-some-wait) [there](b.md#b) [web](https://example.org/x#y)\n" +
			"[1](#no-heading) [2](b.md#a) [3](c.md) [4](../docs/c.md#b)\n")},
		"docs/b.md": {Data: []byte("# B\n")},
	}
	want := []string{
		"docs/a.md links to #no-heading, which no heading has", "docs/a.md links to b.md#a, which no heading has",
		"docs/a.md links to c.md, which does not exist", "docs/a.md links to ../docs/c.md, which does not exist",
	}
	if got, err := brokenLinks(files, "docs/a.md"); err != nil || !slices.Equal(got, want) {
		t.Errorf("brokenLinks = %q, %v, want %q", got, err, want)
	}
}

// The list at the top of the operator's page has every part of it.
func TestOperatingListsItsParts(t *testing.T) {
	page := read(t, "docs/operating.md")
	top, _, _ := strings.Cut(page, "\n## ")
	parts, _ := headings(page)
	for _, part := range parts {
		if entry := "[" + part + "](#" + anchorOf(part) + ")"; !strings.Contains(top, entry) {
			t.Errorf("the top of docs/operating.md does not list %s", entry)
		}
	}
}

// Whatever a page names is there: source files, tests, settings.
func TestDocumentsNameWhatExists(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	tests, known := testNames(house), map[string]bool{}
	for _, s := range settings.Table() {
		known["RINGWALL_"+s.Name], known["RINGWALL_"+s.Name+"_FILE"] = true, true
	}
	for _, name := range []string{"POSTGRES", "CHROMIUM", "AXE"} {
		known["RINGWALL_TEST_"+name] = true
	}
	file := regexp.MustCompile("`((?:[a-z0-9_]+/)*[a-z0-9_]+\\.go)`")
	test := regexp.MustCompile("`([a-z0-9_/]+\\.(?:Test|Fuzz|Example)[A-Z][A-Za-z0-9_]*)`")
	variable := regexp.MustCompile(`\bRINGWALL_[A-Z][A-Z0-9_]*\b`)
	for _, page := range documents(t) {
		text := read(t, page)
		for _, m := range file.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(m[1]); err != nil && !slices.Contains([]string{"helpers.go", "utils.go", "types.go"}, m[1]) {
				t.Errorf("%s names the file %s: %v", page, m[1], err)
			}
		}
		for _, m := range test.FindAllStringSubmatch(text, -1) {
			if !tests[m[1]] && m[1] != "folder.TestName" {
				t.Errorf("%s names the test %s, which does not exist", page, m[1])
			}
		}
		for _, name := range variable.FindAllString(text, -1) {
			if !known[name] {
				t.Errorf("%s names the setting %s, which does not exist", page, name)
			}
		}
	}
}
