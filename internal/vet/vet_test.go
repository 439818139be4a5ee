package vet_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/ringwall/ringwall/internal/vet"
)

// The go command asks this program about packages, as it asks `ringwall vet`.
func TestMain(m *testing.M) {
	if last := os.Args[len(os.Args)-1]; last == "-V=full" || last == "-flags" || strings.HasSuffix(last, ".cfg") {
		unitchecker.Main(vet.Analyzers()...)
	}
	os.Exit(m.Run())
}

var wanted = regexp.MustCompile("// want (.*)$")

// Each folder of testdata goes around one package in the ways that there are. Its lines say what is to be found; whatever is
// found beside them fails.
func TestDoorsAreFound(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	arguments := []string{"vet", "-vettool=" + self, "-json"}
	for _, a := range vet.Analyzers() {
		arguments = append(arguments, "./testdata/"+a.Name)
	}
	var out, problems bytes.Buffer
	check := exec.CommandContext(t.Context(), "go", arguments...)
	check.Stdout, check.Stderr = &out, &problems
	if err := check.Run(); err != nil {
		t.Fatalf("go vet: %v\n%s%s", err, out.Bytes(), problems.Bytes())
	}
	found := map[string][]string{} // by "file:line"
	for _, text := range []string{out.String(), problems.String()} {
		decoder := json.NewDecoder(strings.NewReader(regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(text, "")))
		for decoder.More() {
			var packages map[string]map[string][]struct{ Posn, Message string }
			if err := decoder.Decode(&packages); err != nil {
				t.Fatalf("what go vet says: %v\n%s", err, text)
			}
			for _, analyzers := range packages {
				for name, list := range analyzers {
					for _, d := range list {
						place := d.Posn[:strings.LastIndex(d.Posn, ":")]
						if filepath.Base(filepath.Dir(place)) == name { // what another one finds there is not the matter
							found[place] = append(found[place], d.Message)
						}
					}
				}
			}
		}
	}
	for _, a := range vet.Analyzers() {
		compare(t, filepath.Join("testdata", a.Name, "a.go"), found)
	}
	for place, messages := range found {
		t.Errorf("%s: not to be found: %q", place, messages)
	}
}

// S066: the application that others learn from has no door that does not say why.
func TestTheExamplesHaveNoDoors(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := exec.CommandContext(t.Context(), "go", "vet", "-vettool="+self, "../../examples/...").CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, text)
	}
}

// compare takes what a file wants out of what was found.
func compare(t *testing.T, path string, found map[string][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		place := absolute + ":" + strconv.Itoa(i+1)
		if m := wanted.FindStringSubmatch(line); m != nil {
			for _, want := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(m[1], -1) {
				at := slices.IndexFunc(found[place], func(message string) bool { return regexp.MustCompile(want[1]).MatchString(message) })
				if at < 0 {
					t.Errorf("%s: nothing found like %q", place, want[1])
					continue
				}
				found[place] = slices.Delete(found[place], at, at+1)
			}
		}
		if len(found[place]) == 0 {
			delete(found, place)
		}
	}
}
