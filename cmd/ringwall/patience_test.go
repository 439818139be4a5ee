package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startDev runs a real server in a process of its own, until it can be asked.
func startDev(t *testing.T) (process *os.Process, data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	link := filepath.Join(t.TempDir(), "ringwall")
	self, err := os.Executable()
	if err = errors.Join(err, os.Symlink(self, link)); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(link, "dev", "--addr", "127.0.0.1:0", "--data", data)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := command.StdoutPipe()
	if err = errors.Join(err, command.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // also of one that was stopped
		_ = command.Wait()
	})
	for told := []byte{}; !bytes.Contains(told, []byte("Ringwall is ready")); {
		next := make([]byte, 1<<10)
		n, err := out.Read(next)
		if err != nil {
			t.Fatalf("the server ended: %v, %s", err, told)
		}
		told = append(told, next[:n]...)
	}
	return command.Process, data
}

// halt stops a process as Ctrl-Z does, and returns when it has stopped.
func halt(t *testing.T, process *os.Process) {
	t.Helper()
	var status syscall.WaitStatus
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Wait4(process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("the server did not stop: %v, %v", status, err)
	}
}

// A command waited for ever for a server that was stopped.
func TestCommandsDoNotWaitForAServerThatWasStopped(t *testing.T) {
	process, data := startDev(t)
	short := patience{every: time.Millisecond, most: 100 * time.Millisecond}
	run := func(p patience, arguments ...string) (status int, told string) {
		var out strings.Builder
		a := &app{args: append(arguments, "--data", data), in: strings.NewReader(""), out: &out, err: &out, patience: p}
		return a.run(t.Context()), out.String()
	}
	open, err := openSocketDoor(t.Context(), data, short)
	for err != nil && t.Context().Err() == nil { // short is too short for a busy machine, while it runs
		time.Sleep(time.Millisecond)
		open, err = openSocketDoor(t.Context(), data, short)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.close() }()
	halt(t, process)

	mend := fmt.Sprintf("the server that holds %s (process %d) does not answer: it gave no sign of life within 100ms. If it was stopped, let it go on: kill -CONT %d. If it hangs, end it and start it again: kill -KILL %d", data, process.Pid, process.Pid, process.Pid)
	for _, arguments := range [][]string{{"user", "list"}, {"limits", "show"}, {"audit", "tail", "--follow"}, {"user", "create", "--email", "late@example.org"}} {
		if status, told := run(short, arguments...); status != statusFailed || told != "ringwall: "+mend+"\n" {
			t.Errorf("%s = %d, %s", strings.Join(arguments, " "), status, told)
		}
	}
	if _, err := open.operate(t.Context(), "user.list", []byte("{}")); err == nil || err.Error() != mend+"\nWhether user.list was done is not known: look before you run the command again" {
		t.Errorf("what it was given already: %v", err)
	}

	if err := process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if status, told := run(patience{most: time.Hour}, "user", "list"); status != 0 || strings.Contains(told, "late@example.org") {
		t.Errorf("when it goes on: %d, %s", status, told)
	}
}

// What takes long is not cut while the server lives; whoever waits may still stop waiting.
func TestLongOperationsAreNotCut(t *testing.T) {
	data := t.TempDir()
	listener, err := listenSocket(data)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan bool, 100)
	server := controlServer(func(ctx context.Context, _, name string, _ []byte) ([]byte, error) {
		if name == "endless" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		for range 4 { // the first is from before
			<-asked
		}
		return []byte(`"done"`), nil
	}, slog.New(slog.DiscardHandler))
	inner := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/alive" {
			select {
			case asked <- true:
			default:
			}
		}
		inner.ServeHTTP(w, r)
	})
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	d, err := openSocketDoor(t.Context(), data, patience{every: time.Millisecond, most: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.operate(t.Context(), "long", []byte("{}")); err != nil || string(got) != `"done"` {
		t.Errorf("a long operation = %s, %v", got, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, stop)
	if _, err := d.operate(ctx, "endless", []byte("{}")); !errors.Is(err, context.Canceled) {
		t.Errorf("an operation that nobody waits for = %v", err)
	}
}
