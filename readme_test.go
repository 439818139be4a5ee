package ringwall_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block is the text of the fenced block of a document whose first line is the given one, such as "sh walk".
func block(t *testing.T, document, fence string) string {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, document), "\n```"+fence+"\n")
	text, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatalf("%s has no block ```%s", document, fence)
	}
	return text + "\n"
}

// command is a process that is ended with the test.
func command(t *testing.T, folder, name string, arguments ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, arguments...)
	c.Dir = folder
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 20 * time.Second
	return c
}

func build(t *testing.T, folder, output, what string) {
	t.Helper()
	c := command(t, folder, "go", "build", "-o", output, what)
	c.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", what, err, out)
	}
}

// The curl walk of the README, run as it stands against `ringwall dev`.
func TestReadmeWalk(t *testing.T) {
	folder := t.TempDir()
	binary := filepath.Join(folder, "ringwall")
	build(t, ".", binary, "./cmd/ringwall")
	// Without a number the ceiling follows what the machine can hash, which is next to nothing while other tests run.
	dev := command(t, folder, binary, "dev", "--addr", "127.0.0.1:0", "--limit-global", "600/1m")
	dev.Stderr = t.Output()
	said, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dev.Wait() }) // it was told to end
	host := addressIn(t, said)

	const documented = "http://127.0.0.1:8080"
	script := block(t, "README.md", "sh walk")
	if strings.Count(script, documented) != 1 {
		t.Fatalf("the walk names %s %d times, want once", documented, strings.Count(script, documented))
	}
	walk := command(t, folder, "sh", "-eu", "-c", strings.Replace(script, documented, host, 1))
	out, err := walk.CombinedOutput()
	if err != nil {
		t.Fatalf("the walk: %v\n%s", err, out)
	}
	statuses := strings.Join(regexp.MustCompile(`(?m) (\d{3})$`).FindAllString(string(out), -1), "")
	// sign up, confirm, sign in twice, who is it, devices, throw out, the thrown out, sign out, signed out
	if want := " 202 204 200 200 200 200 204 401 204 401"; statuses != want {
		t.Errorf("the walk was answered%s, want%s\n%s", statuses, want, out)
	}
	if n := strings.Count(string(out), `"current":`); n != 2 || !strings.Contains(string(out), `"device":"curl"`) {
		t.Errorf("the walk listed %d devices, want two by the name of curl\n%s", n, out)
	}
}

// addressIn reads the address that `dev` prints when it is ready.
func addressIn(t *testing.T, said io.Reader) string {
	t.Helper()
	line := regexp.MustCompile(`^ *Address +(http://[0-9.:]+)/auth/$`)
	scan := bufio.NewScanner(said)
	for scan.Scan() {
		if match := line.FindStringSubmatch(scan.Text()); match != nil {
			go func() { _, _ = io.Copy(io.Discard, said) }() // so that it never waits for us
			return match[1]
		}
	}
	t.Fatalf("`ringwall dev` ended without an address: %v", scan.Err())
	return ""
}

// The Go program of the README, compiled as a stranger would, and asked.
func TestReadmeProgram(t *testing.T) {
	folder, here := t.TempDir(), workingFolder(t)
	free := freeAddress(t)
	const documented = "127.0.0.1:8090"
	program := block(t, "README.md", "go program")
	if lines := strings.Count(program, "\n"); lines > 40 {
		t.Errorf("the program has %d lines: is it still the shortest?", lines)
	}
	write(t, filepath.Join(folder, "main.go"), strings.ReplaceAll(program, documented, free))
	write(t, filepath.Join(folder, "go.mod"), "module example.org/app\n\ngo 1.26.0\n\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+here+"\n")
	write(t, filepath.Join(folder, "go.sum"), read(t, "go.sum"))
	build(t, folder, "app", ".")

	app := command(t, folder, filepath.Join(folder, "app"))
	app.Stderr = t.Output()
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Wait() }) // it was told to end
	await(t, "http://"+free+"/auth/login")
	for _, tt := range []struct {
		path, accept string
		status       int
		location     string
	}{
		{"/auth/login", "text/html", 200, ""},
		{"/", "text/html", 303, "/auth/login?return_to=%2F"},
		{"/", "application/json", 401, ""},
		{"/auth/dev/mail", "application/json", 200, ""},
		{"/.well-known/change-password", "text/html", 303, "/auth/account#password"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+free+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", tt.accept)
		got, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if got.StatusCode != tt.status || got.Header.Get("Location") != tt.location {
			t.Errorf("GET %s for %s = %d to %q, want %d to %q", tt.path, tt.accept, got.StatusCode, got.Header.Get("Location"), tt.status, tt.location)
		}
	}
}

func workingFolder(t *testing.T) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return here
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freeAddress is an address on loopback that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// await waits until a server answers.
func await(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			_ = got.Body.Close()
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("no answer from %s: %v", url, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
