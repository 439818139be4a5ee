package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed initial
var initial embed.FS

const ourModule = "github.com/ringwall/ringwall"

type initCommand struct {
	Dir      string `arg:"" name:"dir" help:"The folder to make. Its last part names the service."`
	Module   string `name:"module" placeholder:"PATH" help:"The path of its module, which begins with a host name. Default: example.org/ and the name."`
	Checkout string `name:"checkout" placeholder:"DIR" help:"Use this checkout of Ringwall in place of a published version. Default, for a ringwall that was built from a checkout: the one that it is run in."`
}

// Help is the example.
func (initCommand) Help() string {
	return `Makes a small hardened service: a module with one protected resource, tests that attack it, Makefile, Dockerfile, systemd unit and CI file. Its README is a challenge: one endpoint, hardened end to end.

Example:

    ringwall init notes
    cd notes && make test && make run`
}

// places are where the parts of a service go.
func places(name string) map[string]string {
	return map[string]string{
		"main.go.txt": "main.go", "notes.go.txt": "notes.go", "notes_test.go.txt": "notes_test.go", "README.md.txt": "README.md", "Makefile.txt": "Makefile",
		"Dockerfile.txt": "Dockerfile", "unit.service.txt": name + ".service", "ci.yml.txt": ".github/workflows/ci.yml", "gitignore.txt": ".gitignore",
	}
}

var (
	serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	modulePath  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+(/(~?[A-Za-z_]|[0-9])[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*)*$`)
	notInModule = regexp.MustCompile(`(?i)(^|/)(con|prn|aux|nul|com[0-9]|lpt[0-9])([./]|$)|/v(0[0-9]*|1)$`) // devices of Windows; versions that have no path
)

// isModulePath is what the go command takes for a path that others can fetch (go.dev/ref/mod, "Module paths and versions"): a
// host comes first, since paths without a dot belong to Go itself (fmt, std, internal). Ours is taken, with all below.
func isModulePath(path string) bool {
	return len(path) <= 200 && modulePath.MatchString(path) && !notInModule.MatchString(path) && !strings.HasPrefix(path+"/", ourModule+"/")
}

// Run makes the folder, and lets the go command find the modules.
func (c *initCommand) Run(ctx context.Context, a *app) error {
	name := filepath.Base(filepath.Clean(c.Dir))
	if c.Module == "" {
		c.Module = "example.org/" + name
	}
	switch {
	case !serviceName.MatchString(name):
		return misuse{fmt.Errorf("%q cannot name a service: small letters, digits and hyphens, a letter first", name)}
	case !isModulePath(c.Module):
		return misuse{fmt.Errorf("%q cannot be the path of a module: write a host name, then plain names, as in --module example.org/notes", c.Module)}
	}
	if list, err := os.ReadDir(c.Dir); err == nil && len(list) > 0 {
		return misuse{fmt.Errorf("%s is not empty; nothing was written. Name a new folder", c.Dir)}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	module, err := c.goMod()
	if err != nil {
		return err
	}
	if err := c.write(name, module); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.err, "%s is written. Looking for its modules (go mod tidy) …\n", c.Dir)
	if err := a.goIn(ctx, c.Dir, "mod", "tidy"); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "Ready. Next:\n\n    cd %s\n    make test    # the matrix of who may do what, and attacks\n    make run     # http://127.0.0.1:8090/\n\nREADME.md is a challenge: take a layer out, and see which test fails.\n", c.Dir)
	return err
}

// goMod is the module's file. A version that was built from a checkout is published nowhere: then the checkout itself is used.
func (c *initCommand) goMod() (string, error) {
	version, replace := built().Version, ""
	if c.Checkout == "" && version == "devel" {
		c.Checkout = checkoutAbove(".")
		if c.Checkout == "" {
			return "", misuse{errors.New("this ringwall was built from a checkout, so its version is published nowhere: say where that is with --checkout DIR")}
		}
	}
	if c.Checkout != "" {
		folder, err := filepath.Abs(c.Checkout)
		if err != nil {
			return "", err
		}
		if checkoutAbove(folder) != folder {
			return "", misuse{fmt.Errorf("%s is no checkout of Ringwall: it has no go.mod of %s", c.Checkout, ourModule)}
		}
		version, replace = "v0.0.0", fmt.Sprintf("\nreplace %s => %q\n", ourModule, folder)
	}
	return fmt.Sprintf("module %s\n\ngo 1.26\n\nrequire %s %s\n\ntool %s/cmd/ringwall\n%s", c.Module, ourModule, version, ourModule, replace), nil
}

// checkoutAbove is the folder with Ringwall's own go.mod, at or above a folder; "" if there is none.
func checkoutAbove(folder string) string {
	at, err := filepath.Abs(folder)
	for err == nil {
		text, readErr := os.ReadFile(filepath.Join(at, "go.mod")) // #nosec G304 -- looked at for one line
		if readErr == nil && strings.HasPrefix(string(text), "module "+ourModule+"\n") {
			return at
		}
		if filepath.Dir(at) == at {
			break
		}
		at = filepath.Dir(at)
	}
	return ""
}

func (c *initCommand) write(name, module string) error {
	files := map[string]string{"go.mod": module}
	for from, to := range places(name) {
		text, err := initial.ReadFile("initial/" + from)
		if err != nil {
			return err
		}
		files[to] = strings.ReplaceAll(string(text), "@NAME@", name)
	}
	for path, text := range files {
		path = filepath.Join(c.Dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // #nosec G301 -- source, for whoever may look at it
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { // #nosec G306 -- source, for whoever may look at it
			return err
		}
	}
	return nil
}

// goIn runs the go command in a folder, and shows what it says.
func (a *app) goIn(ctx context.Context, folder string, arguments ...string) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return errors.New("the go command is not in PATH: install Go, or add it to PATH, and run it again")
	}
	command := exec.CommandContext(ctx, tool, arguments...) // #nosec G204 -- the go command, on what its caller names
	command.Dir, command.Stdout, command.Stderr, command.Env = folder, a.out, a.err, a.environ
	err = command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return fmt.Errorf("go %s failed: see above", arguments[0])
	}
	return err
}
