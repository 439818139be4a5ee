package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ringwall/ringwall/ringwalltest"
)

// ringwallProgram is the command, built once.
var ringwallProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared, "ringwall")
	out, err := exec.Command("go", "build", "-o", path, "github.com/ringwall/ringwall/cmd/ringwall").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the command: %w\n%s", err, out)
	}
	return path, nil
})

// daemon is `ringwall dev` as a process, at the lowest cost of passwords that is allowed.
type daemon struct {
	t      *testing.T
	url    string
	cmd    *exec.Cmd
	errors *logBuffer
	ended  chan struct{}
	status error
}

// launch starts the command and does not wait until it is ready. A limit is a shell's word that comes before it.
func launch(t *testing.T, data, limit string) (*daemon, io.Reader) {
	t.Helper()
	path, err := ringwallProgram()
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, errors: &logBuffer{}, ended: make(chan struct{})}
	d.cmd = exec.Command("/bin/sh", "-c", limit+` exec "$0" "$@"`, path, "dev", "--addr", "127.0.0.1:0", "--data", data)
	d.cmd.Env = append(os.Environ(), "RINGWALL_ARGON2ID=m=19456,t=2,p=1", "RINGWALL_LOG_LEVEL=warn", "RINGWALL_LIMIT_ADDRESS=1000000/1h", "RINGWALL_LIMIT_GLOBAL=1000000/1m", "RINGWALL_LIMIT_MAILS=1000000/1m")
	d.cmd.Stderr = d.errors
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Stdout = in
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	go func() {
		d.status = d.cmd.Wait()
		close(d.ended)
	}()
	t.Cleanup(func() {
		d.kill()
		_ = out.Close()
	})
	return d, out
}

func run(t *testing.T, data, limit string) *daemon {
	t.Helper()
	d, out := launch(t, data, limit)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, address, ok := strings.Cut(lines.Text(), "Address  "); ok {
			d.url = strings.TrimSuffix(address, "/auth/")
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return d
		}
	}
	<-d.ended
	t.Fatalf("ringwall dev did not start: %v\n%s", d.status, d.errors)
	return nil
}

// kill is SIGKILL: nothing more is written, nobody is told.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	<-d.ended
}

// stop is SIGTERM, and wants the process to end well.
func (d *daemon) stop() {
	d.t.Helper()
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(30 * time.Second):
		d.t.Fatal("ringwall dev does not stop")
	}
	if d.status != nil {
		d.t.Errorf("ringwall dev ended with %v\n%s", d.status, d.errors)
	}
}

// command runs another command on the same data folder and returns what it printed.
func command(t *testing.T, data string, arguments ...string) (string, error) {
	t.Helper()
	path, err := ringwallProgram()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), path, append(arguments, "--data", data)...)
	var out, problems bytes.Buffer
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("ringwall %s: %w\n%s", strings.Join(arguments, " "), err, problems.String())
	}
	return out.String(), nil
}

// caller is a program that talks to a daemon.
type caller struct {
	http http.Client
	url  string
}

func (d *daemon) caller() *caller {
	return &caller{http: http.Client{Transport: &http.Transport{}, Timeout: time.Minute}, url: d.url}
}

var errBusy = errors.New("busy")

// call sends a request and reads its whole answer: only then it counts as acknowledged.
func (c *caller) call(method, path, token string, body any) (status int, answer object, err error) {
	for range 200 {
		status, answer, err = c.once(method, path, token, body)
		if !errors.Is(err, errBusy) {
			return status, answer, err
		}
		time.Sleep(20 * time.Millisecond) // the hash queue is short on purpose
	}
	return status, answer, err
}

func (c *caller) once(method, path, token string, body any) (int, object, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequest(method, c.url+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, err
	}
	var answer object
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			return 0, nil, err
		}
	}
	if kind, _ := answer["type"].(string); strings.HasSuffix(kind, "/busy") {
		return response.StatusCode, answer, errBusy
	}
	return response.StatusCode, answer, nil
}

// mail is the newest mail to an address, if it has come.
func (c *caller) mail(to string) (found ringwalltest.Mail, ok bool, err error) {
	_, answer, err := c.call("GET", "/auth/dev/mail", "", nil)
	if err != nil {
		return found, false, err
	}
	text, err := json.Marshal(answer["messages"])
	if err != nil {
		return found, false, err
	}
	var all []ringwalltest.Mail
	if err := json.Unmarshal(text, &all); err != nil {
		return found, false, err
	}
	for _, m := range all {
		if m.To == to {
			return m, true, nil
		}
	}
	return found, false, nil
}
