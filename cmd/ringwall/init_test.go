package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// begun makes a service with `ringwall init`, from this checkout.
func begun(t *testing.T) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "notes")
	var out bytes.Buffer
	a := &app{args: []string{"init", folder, "--checkout", "../.."}, environ: os.Environ(), out: &out, err: &out}
	if status := a.run(t.Context()); status != 0 {
		t.Fatalf("ringwall init = %d\n%s", status, out.Bytes())
	}
	return folder
}

func goIn(t *testing.T, folder string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", arguments...)
	command.Dir = folder
	text, err := command.CombinedOutput()
	return string(text), err
}

// S113: what init makes builds, is formatted, has no door around a package, and passes its tests as it stands.
func TestANewServicePassesUnchanged(t *testing.T) {
	folder := begun(t)
	for _, arguments := range [][]string{{"vet", "./..."}, {"tool", "ringwall", "vet", "./..."}, {"test", "-count=1", "./..."}, {"mod", "tidy", "-diff"}} {
		if text, err := goIn(t, folder, arguments...); err != nil {
			t.Errorf("go %s: %v\n%s", strings.Join(arguments, " "), err, text)
		}
	}
	if text, err := exec.CommandContext(t.Context(), "gofmt", "-l", folder).CombinedOutput(); err != nil || len(text) > 0 {
		t.Errorf("gofmt: %v %s", err, text)
	}
	for _, path := range []string{"Dockerfile", "Makefile", "notes.service", ".github/workflows/ci.yml", ".gitignore", "README.md"} {
		text, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil || bytes.Contains(text, []byte("@NAME@")) {
			t.Errorf("%s: %v, or a name was not put in", path, err)
		}
	}
}

// The challenge in its README is true: with a layer taken out, the test that is named there fails.
func TestTheChallengeOfANewService(t *testing.T) {
	folder := begun(t)
	path := filepath.Join(folder, "notes.go")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ from, to, fails string }{
		"the rule":        {`"GET /notes", authz.SignedIn()`, `"GET /notes", authz.Public()`, "TestMatrix"},
		"the owner":       {`WHERE owner_id = $1 AND id = $2`, `WHERE ($1 = $1) AND id = $2`, "TestMatrix"},
		"the schema":      {`required:"true" maxLength:"2000"`, ``, "TestForgedAndMalformedRequestsChangeNothing"},
		"done once":       {`n.once.Handler(h)`, `h`, "TestSentTwiceIsDoneOnce"},
		"a quiet log":     {`"note_id", made,`, `"note_id", in.Text,`, "TestLogHoldsNothingPersonal"},
		"a limit":         {`n.limit.Handler(byPerson(), n.once.Handler(h))`, `n.once.Handler(h)`, "TestWritesAreLimited"},
		"a route unnamed": {`mux.HandleFunc("GET /notes",`, `mux.HandleFunc("GET /more", authz.SignedIn(), n.list)` + "\n\t" + `mux.HandleFunc("GET /notes",`, "TestMatrix"},
	} {
		if !bytes.Contains(readme, []byte("`"+tt.fails+"`")) {
			t.Errorf("%s: the README does not name %s", name, tt.fails)
		}
		mutant := strings.ReplaceAll(string(whole), tt.from, tt.to)
		if name == "done once" {
			mutant = strings.Replace(mutant, "err = idempotency.Once(r.Context(), tx)", "", 1)
		}
		if mutant == string(whole) {
			t.Errorf("%s: nothing was taken out", name)
		}
		if err := os.WriteFile(path, []byte(mutant), 0o600); err != nil {
			t.Fatal(err)
		}
		if text, err := goIn(t, folder, "test", "-count=1", "-run", "^"+tt.fails+"$", "."); err == nil || !strings.Contains(text, "--- FAIL: "+tt.fails) {
			t.Errorf("without %s, %s does not fail: %v\n%s", name, tt.fails, err, text)
		}
	}
}

// A path that the go command would stumble over, or take for one of its own, is refused before anything is written. `fmt` once
// made a module that did not build.
func TestInitTakesPathsThatBuild(t *testing.T) {
	full := t.TempDir()
	for _, path := range []string{
		"fmt", "net/http", "embed", "main", "internal", "vendor", "std", "cmd", "cmd/x", "all", "go", "toolchain", "C", "X", "notes", "acme/notes",
		"a b", "-x", "../x", "./x", "x/", "/x", ".", "..", "example.com/../x", "example.com/./x", "example.com/x/", "example.com//x", "example.com/.x", "example.com/x.",
		"example.com/-x", "example.com/a..b", "example..com/x", ".example.com/x", "example.com./x", "Example.com/x", "example.com/é", "example.com/a!b", "example.com/a@v1", "example.com/a:b",
		"example.com/x~1", "example.com/~1", "example.com/con", "example.com/Aux.x/y", "nul.example.com/x", "example.com/x/v0", "example.com/x/v1", "example.com/x/v01",
		"example.com/x\ny", "example.com/x\\y", `example.com/"x"`, "example.com/" + strings.Repeat("x", 200), ourModule, ourModule + "/session",
	} {
		var out bytes.Buffer
		a := &app{args: []string{"init", filepath.Join(full, "fine"), "--module=" + path}, environ: os.Environ(), out: &out, err: &out}
		if status := a.run(t.Context()); status != statusMisuse || !strings.Contains(out.String(), "--module example.org/notes") {
			t.Errorf("%q: %d %q, want 2 and the mend", path, status, out.String())
		}
	}
	if _, err := os.Stat(filepath.Join(full, "fine")); err == nil {
		t.Error("a refused init wrote something")
	}
	for _, path := range []string{
		"example.org/notes", "example.org", "github.com/Acme/notes", "git.sr.ht/~acme/notes", "gitlab.com/a/b/c_d/e-f/g.h", "example.org/notes/v2", "example.org/2fa",
		"example.org/main", "example.org/fmt", "example.org/x/internal", "xn--bcher-kva.example/x", "example.org/vendor", "example.org/cons", "example.org/x/v10", ourModule + "s",
	} {
		if !isModulePath(path) {
			t.Errorf("%q is refused", path)
		}
		folder := t.TempDir()
		for name, text := range map[string]string{"go.mod": "module " + path + "\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() {}\n"} {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := goIn(t, folder, "list", "./..."); err != nil || text != path+"\n" {
			t.Errorf("%q is taken, and go list says %v\n%s", path, err, text)
		}
	}
}

func TestInitRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	notes := filepath.Join(full, "notes")
	if err := os.Mkdir(notes, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(notes, "mine"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a folder with something in it": {[]string{notes}, "is not empty"},
		"a name that is none":           {[]string{filepath.Join(full, "Bad Name")}, "cannot name a service"},
		"a path out of a template":      {[]string{filepath.Join(full, "fine"), "--module", "a b\nreplace"}, "cannot be the path of a module"},
		"another checkout":              {[]string{filepath.Join(full, "fine"), "--checkout", full}, "no checkout of Ringwall"},
	} {
		var out bytes.Buffer
		a := &app{args: append([]string{"init"}, tt.args...), environ: os.Environ(), out: &out, err: &out}
		if status := a.run(t.Context()); status != statusMisuse || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: %d %q, want 2 and %q", name, status, out.String(), tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(full, "fine")); err == nil {
		t.Error("a refused init wrote something")
	}
}
