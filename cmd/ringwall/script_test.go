package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ringwall/ringwall/internal/testdb"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ringwall": main})
}

// TestScripts gives each script the cache of the go command, which some of them run: to compile everything anew takes a minute.
func TestScripts(t *testing.T) {
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	runScripts(t, "testdata/scripts", func(env *testscript.Env) error {
		env.Setenv("GOCACHE", strings.TrimSpace(string(cache)))
		return nil
	})
}

// TestPostgresScripts gives each script an empty database.
func TestPostgresScripts(t *testing.T) {
	db := testdb.Empty(t)
	runScripts(t, "testdata/postgres", func(env *testscript.Env) error {
		env.Setenv("RUNTIME", db.DSN)
		env.Setenv("OWNER", db.OwnerDSN)
		env.Setenv("SUPERUSER", db.AdminDSN)
		return nil
	})
}

func runScripts(t *testing.T, dir string, setup func(*testscript.Env) error) {
	testscript.Run(t, testscript.Params{Dir: dir, Setup: setup, Deadline: time.Now().Add(10 * time.Minute), Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "waitready": waitReady, "certificate": certificate, "capture": capture,
	}})
}

// exits runs a command and checks its status: exits 2 ringwall serve
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	have := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		have = ended.ExitCode()
	}
	if have != want {
		ts.Fatalf("exit status %d, want %d", have, want)
	}
}

// waitReady waits for the server that holds a data folder: waitready ringwall-data
func waitReady(ts *testscript.TestScript, _ bool, args []string) {
	for range 1200 { // a minute: scripts run side by side
		d, err := openSocketDoor(context.Background(), ts.MkAbs(args[0]), patience{})
		if err == nil {
			ts.Check(d.close())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no server answers at %s", args[0])
}

// certificate makes a key pair for this machine: certificate cert.pem key.pem
func certificate(ts *testscript.TestScript, _ bool, args []string) {
	text, err := makeCertificate()
	ts.Check(err)
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), text, 0o600))
	}
}

// capture keeps what the last command printed in a variable: capture ID 'regular expression with one group'
func capture(ts *testscript.TestScript, _ bool, args []string) {
	found := mustFind(ts, args[1], ts.ReadFile("stdout"))
	ts.Setenv(args[0], found)
}

func mustFind(ts *testscript.TestScript, pattern, text string) string {
	expression, err := regexp.Compile(pattern)
	ts.Check(err)
	match := expression.FindStringSubmatch(text)
	if match == nil {
		ts.Fatalf("%q is not in %q", pattern, text)
	}
	return match[1]
}
