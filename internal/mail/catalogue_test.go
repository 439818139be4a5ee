package mail_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func catalogue(t *testing.T, path string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var words map[string]string
	if err := json.Unmarshal(raw, &words); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if n := strings.Count(string(raw), `": "`); n != len(words) {
		t.Errorf("%s has %d lines for %d keys: one stands there twice", path, n, len(words))
	}
	return words
}

// shape is each key with its placeholders.
func shape(words map[string]string) map[string][]string {
	shapes := make(map[string][]string)
	for key, sentence := range words {
		found := placeholder.FindAllString(sentence, -1)
		slices.Sort(found)
		shapes[key] = slices.Compact(found)
	}
	return shapes
}

func TestCataloguesAreComplete(t *testing.T) {
	paths, err := filepath.Glob("catalogue/*.json")
	if err != nil || len(paths) < 2 {
		t.Fatalf("catalogues: %v, %v; want two or more", paths, err)
	}
	english := catalogue(t, "catalogue/en.json")
	for _, path := range paths {
		words := catalogue(t, path)
		if diff := cmp.Diff(shape(english), shape(words)); diff != "" {
			t.Errorf("%s has not the keys and placeholders of en.json (-en +it):\n%s", path, diff)
		}
		for key, sentence := range words {
			if strings.TrimSpace(sentence) != sentence || sentence == "" || strings.ContainsAny(sentence, "!<>\n") {
				t.Errorf("%s: %s = %q: empty, untrimmed, marked up or shouting", path, key, sentence)
			}
		}
		if n := len(strings.Fields(words["months"])); n != 12 {
			t.Errorf("%s: %d months", path, n)
		}
	}
}

// Every key stands in the code, and every key of the code stands in the catalogue.
func TestCatalogueIsUsed(t *testing.T) {
	english := catalogue(t, "catalogue/en.json")
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`\bsay\("([^"]+)"`)
	used := make(map[string]bool)
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		code, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range said.FindAllStringSubmatch(string(code), -1) {
			used[match[1]] = true
			if _, ok := english[match[1]]; !ok {
				t.Errorf("%s says %q, which is not in the catalogue", path, match[1])
			}
		}
	}
	for key := range english {
		if !used[key] {
			t.Errorf("nothing says %q", key)
		}
	}
}
