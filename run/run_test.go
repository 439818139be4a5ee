package run_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringwall/ringwall/run"
)

// folder is one that nobody else may write, whatever the umask is.
func folder(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// script writes a program: what it does with its arguments is a shell's matter, how they reach it is ours.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(folder(t), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func program(t *testing.T, body string, o run.Options) *run.Program {
	t.Helper()
	p, err := run.New(script(t, body), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// S089: whatever a request puts into a value arrives as one argument, letter for letter, and nothing else happens.
func TestAValueIsOneArgumentAndNoCommand(t *testing.T) {
	dir := t.TempDir()
	p := program(t, `for a in "$@"; do printf '[%s]\0' "$a"; done`, run.Options{Dir: dir})
	for _, attack := range []string{
		"; touch pwned", "x; touch pwned;", "$(touch pwned)", "`touch pwned`", "| touch pwned", "|| touch pwned", "& touch pwned &", "&& touch pwned", "x\ntouch pwned\n", "x\r\ntouch pwned", "> pwned", ">pwned", "'; touch pwned; '", `"; touch pwned; "`,
		`\"; touch pwned; \"`, "${IFS}touch${IFS}pwned", "{touch,pwned}", "<(touch pwned)", "$'\\n'touch pwned", "*", "~", "$HOME", "%0atouch pwned", "!!", "#", "a b\tc", "", " ", " -x", "ö\u2028\u202e", "\xff\xfe", "..", "/etc/passwd",
	} {
		out, err := p.Run(t.Context(), run.Flag("--"), run.Value(attack), run.Value("last"))
		if want := "[--]\x00[" + attack + "]\x00[last]\x00"; err != nil || string(out.Stdout) != want || len(out.Stderr) != 0 {
			t.Errorf("Run(%q) = %q %q, %v", attack, out.Stdout, out.Stderr, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("an attack left %v, %v", left, err)
	}
}

// The class of CVE-2017-1000117 (git, ssh): a host name that begins with a hyphen is an option, and -oProxyCommand runs a command.
func TestAValueIsNeverAFlag(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	p := program(t, "touch "+ran, run.Options{})
	for name, arg := range map[string]run.Arg{
		"an option with a command": run.Value("-oProxyCommand=touch pwned"), "an option": run.Value("-o"), "a long option": run.Value("--output=/etc/cron.d/x"), "a hyphen": run.Value("-"), "two": run.Value("--"), "NUL": run.Value("a\x00-o"), "NUL alone": run.Value("\x00"),
		"too long": run.Value(strings.Repeat("a", 32<<10+1)), "made by nobody": {}, "NUL in a flag": run.Flag("-a\x00b"),
	} {
		out, err := p.Run(t.Context(), run.Flag("-o"), arg)
		if !errors.Is(err, run.ErrArgument) || out.Code != -1 {
			t.Errorf("%s: Run = %+v, %v, want ErrArgument", name, out, err)
		}
		if err != nil && (strings.Contains(err.Error(), "Proxy") || strings.Contains(err.Error(), "aaaa") || strings.ContainsRune(err.Error(), 0)) {
			t.Errorf("%s: the error repeats the value: %v", name, err)
		}
	}
	many := make([]run.Arg, 257)
	for i := range many {
		many[i] = run.Value("a")
	}
	if _, err := p.Run(t.Context(), many...); !errors.Is(err, run.ErrArgument) {
		t.Errorf("257 arguments: Run = %v", err)
	}
	long := run.Value(strings.Repeat("a", 32<<10))
	if _, err := p.Run(t.Context(), long, long, long, long); !errors.Is(err, run.ErrArgument) {
		t.Errorf("128 KiB of arguments: Run = %v", err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("the program ran all the same")
	}
	if _, err := p.Run(t.Context(), long, long, long); err != nil {
		t.Errorf("96 KiB of arguments: Run = %v", err)
	}
}

func TestAProgramThatSomebodyElseCouldReplaceIsRefused(t *testing.T) {
	good := script(t, "echo hello")
	in := func(mode os.FileMode, dirMode os.FileMode) string {
		path := script(t, "echo hello")
		for name, mode := range map[string]os.FileMode{path: mode, filepath.Dir(path): dirMode} {
			if err := os.Chmod(name, mode); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	link := func(target string) string {
		path := filepath.Join(folder(t), "tool")
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{
		"nothing": "", "a name to look up": "ls", "a relative path": "./program", "another": "bin/ls", "dots in it": filepath.Dir(good) + "/../" + filepath.Base(filepath.Dir(good)) + "/program", "a slash too many": "/" + good, "NUL": good + "\x00", "not there": good + "x",
		"a folder": filepath.Dir(good), "a device": "/dev/null", "no program": in(0o600, 0o700), "everybody may write it": in(0o777, 0o700), "others may write its folder": in(0o700, 0o777),
		"a shell": "/bin/sh", "a shell by another name": link("/bin/sh"), "env": "/usr/bin/env", "xargs": "/usr/bin/xargs", "sed, whose e is a command": "/usr/bin/sed", "a link to one that everybody may write": link(in(0o707, 0o700)), "a link to nothing": link("/nonexistent"),
	} {
		if _, err := run.New(path, run.Options{}); !errors.Is(err, run.ErrProgram) {
			t.Errorf("%s: New(%q) = %v, want ErrProgram", name, path, err)
		}
	}
	if _, err := run.New(in(0o755, os.ModeSticky|0o777), run.Options{}); err != nil {
		t.Errorf("in a folder like /tmp: New = %v", err)
	}
	p, err := run.New(link(good), run.Options{})
	if err != nil {
		t.Fatalf("a link to a good program: New = %v", err)
	}
	if out, err := p.Run(t.Context()); err != nil || string(out.Stdout) != "hello\n" {
		t.Errorf("Run = %q, %v", out.Stdout, err)
	}
	if err := os.Chmod(good, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context()); !errors.Is(err, run.ErrProgram) {
		t.Errorf("everybody may write it since: Run = %v, want ErrProgram", err)
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	path := script(t, "")
	for name, o := range map[string]run.Options{
		"a negative timeout": {Timeout: -1}, "negative output": {MaxOutputBytes: -1}, "negative turns": {AtOnce: -1}, "a relative folder": {Dir: "tmp"}, "no folder": {Dir: "/nonexistent"}, "a file": {Dir: path},
		"no pair": {Env: []string{"A"}}, "no name": {Env: []string{"=a"}}, "NUL": {Env: []string{"A=a\x00LD_PRELOAD=x"}}, "a library to load": {Env: []string{"LD_PRELOAD=/tmp/x.so"}}, "the same on macOS": {Env: []string{"DYLD_INSERT_LIBRARIES=x"}}, "a script to run first": {Env: []string{"BASH_ENV=/tmp/x"}},
	} {
		if _, err := run.New(path, o); err == nil || errors.Is(err, run.ErrProgram) {
			t.Errorf("%s: New = %v", name, err)
		}
	}
}

func TestAProgramSeesNothingOfOurs(t *testing.T) {
	t.Setenv("RINGWALL_SECRET", "a key")
	p := program(t, "pwd; cat; env", run.Options{Env: []string{"WORD=x y"}})
	out, err := p.Run(t.Context())
	lines := strings.Split(strings.TrimSpace(string(out.Stdout)), "\n")
	if err != nil || lines[0] != "/" {
		t.Fatalf("Run = %q, %v", lines, err)
	}
	for _, line := range lines[1:] {
		switch name, value, _ := strings.Cut(line, "="); name {
		case "PWD", "SHLVL", "_", "OLDPWD": // the shell's own
		case "PATH", "LC_ALL":
		case "WORD":
			if value != "x y" {
				t.Errorf("WORD is %q", value)
			}
		default:
			t.Errorf("the program sees %s", name)
		}
	}
}

// What a service manager or a supervisor has opened for this process is not marked to be closed, as what Go opens is.
func TestAProgramGetsNoOpenFile(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(secret)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD, 50)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	path, number := script(t, `cat "/dev/fd/$1" || true`), strconv.Itoa(fd)
	if got, err := exec.CommandContext(t.Context(), path, number).Output(); err != nil || string(got) != "a key" {
		t.Fatalf("without this package the program reads %q, %v, want what the test hides from it", got, err)
	}
	p, err := run.New(path, run.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := p.Run(t.Context(), run.Value(number)); err != nil || len(out.Stdout) > 0 || len(out.Stderr) == 0 {
		t.Errorf("Run = %q %q, %v, want a file that is not there", out.Stdout, out.Stderr, err)
	}
}

func TestAnEndIsTold(t *testing.T) {
	p := program(t, `echo out; echo err >&2; case "$1" in code) exit 3;; signal) kill -9 $$;; esac`, run.Options{})
	for _, tt := range []struct {
		arg  string
		code int
		want error
	}{{"well", 0, nil}, {"code", 3, run.ErrFailed}, {"signal", -1, run.ErrFailed}} {
		out, err := p.Run(t.Context(), run.Value(tt.arg))
		if !errors.Is(err, tt.want) || out.Code != tt.code || string(out.Stdout) != "out\n" || string(out.Stderr) != "err\n" {
			t.Errorf("%s: Run = %+v, %v", tt.arg, out, err)
		}
	}
	broken := script(t, "")
	if err := os.WriteFile(broken, []byte("\x7fELF neither"), 0o700); err != nil {
		t.Fatal(err)
	}
	q, err := run.New(broken, run.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Run(t.Context()); !errors.Is(err, run.ErrProgram) {
		t.Errorf("what is no program: Run = %v, want ErrProgram", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	for _, body := range []string{"yes aaaaaaaa", "yes aaaaaaaa >&2", "exec yes", "head -c 100000 /dev/zero"} {
		p := program(t, body, run.Options{MaxOutputBytes: 64 << 10, Timeout: time.Minute})
		out, err := p.Run(t.Context())
		if !errors.Is(err, run.ErrOutput) || max(len(out.Stdout), len(out.Stderr)) != 64<<10 {
			t.Errorf("%s: Run = %d and %d bytes, %v, want ErrOutput", body, len(out.Stdout), len(out.Stderr), err)
		}
	}
	p := program(t, "head -c 65536 /dev/zero", run.Options{MaxOutputBytes: 64 << 10})
	if out, err := p.Run(t.Context()); err != nil || len(out.Stdout) != 64<<10 {
		t.Errorf("as much as may be: Run = %d bytes, %v", len(out.Stdout), err)
	}
}

// child is a program that starts another, which holds a pipe for as long as it lives: begun waits until it does, and dead until
// it does not.
func child(t *testing.T, o run.Options, then string) (p *run.Program, begun, dead func()) {
	t.Helper()
	pipe, there := filepath.Join(t.TempDir(), "pipe"), filepath.Join(t.TempDir(), "there")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(pipe, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	begun = func() {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			_ = end.SetReadDeadline(deadline)
			if n, err := end.Read(make([]byte, 1)); n == 1 {
				return
			} else if !errors.Is(err, io.EOF) || time.Now().After(deadline) { // the end, too, while nobody has opened it
				t.Fatalf("no child has begun: %v", err)
			}
		}
	}
	dead = func() {
		t.Helper()
		_ = end.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, end); err != nil {
			t.Errorf("a child lives on: %v", err)
		}
	}
	return program(t, "( trap '' TERM INT HUP; exec 9>"+pipe+"; echo >&9; : >"+there+"; sleep 600 ) &\nwhile [ ! -e "+there+" ]; do sleep 0.01; done\n"+then, o), begun, dead
}

func TestTheDeadlineKillsChildrenToo(t *testing.T) {
	p, begun, dead := child(t, run.Options{Timeout: 5 * time.Second}, "echo half; sleep 600")
	started := time.Now()
	out, err := p.Run(t.Context())
	if !errors.Is(err, run.ErrTimeout) || string(out.Stdout) != "half\n" || out.Code != -1 {
		t.Errorf("Run = %+v, %v, want ErrTimeout", out, err)
	}
	if took := time.Since(started); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	begun()
	dead()
}

func TestTheEndOfTheContextKillsChildrenToo(t *testing.T) {
	gone := errors.New("the client is gone")
	p, begun, dead := child(t, run.Options{Timeout: 5 * time.Minute}, "sleep 600")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := p.Run(ctx)
		ended <- err
	}()
	begun()
	cancel(gone)
	if err := <-ended; !errors.Is(err, gone) {
		t.Errorf("Run = %v, want the cause", err)
	}
	dead()
	if _, err := p.Run(ctx); !errors.Is(err, gone) {
		t.Errorf("Run with a context that has ended = %v", err)
	}
}

func TestWhatAProgramLeavesBehindIsKilled(t *testing.T) {
	p, begun, dead := child(t, run.Options{Timeout: 5 * time.Minute}, "echo done")
	started := time.Now()
	out, err := p.Run(t.Context())
	if err != nil || string(out.Stdout) != "done\n" {
		t.Errorf("Run = %+v, %v", out, err)
	}
	if took := time.Since(started); took > 2*time.Minute {
		t.Errorf("Run waited %v for a child that holds its output", took)
	}
	begun()
	dead()
}

func TestRunsAtOnceAreBounded(t *testing.T) {
	dir := t.TempDir()
	p := program(t, `mkdir "at.$$"; ls | wc -l; sleep 0.1; rmdir "at.$$"`, run.Options{Dir: dir, AtOnce: 2, Timeout: time.Minute})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			out, err := p.Run(t.Context())
			if n, bad := strconv.Atoi(strings.TrimSpace(string(out.Stdout))); err != nil || bad != nil || n < 1 || n > 2 {
				t.Errorf("%q ran at once, %v", out.Stdout, err)
			}
		})
	}
	group.Wait()
}

func TestNobodyWaitsForATurnForEver(t *testing.T) {
	p := program(t, "sleep 600", run.Options{AtOnce: 1, Timeout: 300 * time.Millisecond})
	errs := make(chan error, 6)
	for range cap(errs) {
		go func() {
			_, err := p.Run(t.Context())
			errs <- err
		}()
	}
	busy := 0
	for range cap(errs) {
		switch err := <-errs; {
		case errors.Is(err, run.ErrBusy):
			busy++
		case !errors.Is(err, run.ErrTimeout):
			t.Errorf("Run = %v", err)
		}
	}
	if busy == 0 {
		t.Error("six waited for one turn, and none was told")
	}
}
