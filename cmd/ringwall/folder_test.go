package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func privateFolder(t *testing.T) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestOneFolderHasOneHolder(t *testing.T) {
	data := privateFolder(t)
	first, err := takeFolder(data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = takeFolder(data)
	held, ok := errors.AsType[inUse](err)
	if !ok || held.pid != os.Getpid() || !strings.Contains(err.Error(), data) {
		t.Fatalf("takeFolder() = %v, want that process %d has it", err, os.Getpid())
	}
	first.release()
	second, err := takeFolder(data)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	second.release()
}

func TestWhatTheLastServerNotedStays(t *testing.T) {
	data := privateFolder(t)
	server, err := takeFolder(data)
	if err != nil {
		t.Fatal(err)
	}
	want := record{pid: os.Getpid(), environment: "development", prefix: "/auth", origins: []string{"http://127.0.0.1:1", "http://localhost:1"}}
	if err := server.note(want); err != nil {
		t.Fatal(err)
	}
	server.release()
	command, err := takeFolder(data)
	if err != nil {
		t.Fatal(err)
	}
	defer command.release()
	if diff := cmp.Diff(want, command.last(), cmp.AllowUnexported(record{})); diff != "" {
		t.Error(diff)
	}
}

func TestFoldersThatAreNotOurs(t *testing.T) {
	dir := t.TempDir()
	if _, err := takeFolder(filepath.Join(dir, "none")); !errors.Is(err, errNoFolder) {
		t.Errorf("a missing folder: %v", err)
	}
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o750)); err != nil {
		t.Fatal(err)
	}
	if _, err := takeFolder(open); err == nil || !strings.Contains(err.Error(), "chmod 700 "+open) {
		t.Errorf("a folder that its group can read: %v", err)
	}
	// A link in place of the lock would let somebody have another file written.
	target := filepath.Join(dir, "target")
	trap := filepath.Join(dir, "trap")
	if err := errors.Join(os.WriteFile(target, []byte("precious"), 0o600), os.Mkdir(trap, 0o700), os.Symlink(target, filepath.Join(trap, "ringwall.lock"))); err != nil {
		t.Fatal(err)
	}
	if _, err := takeFolder(trap); err == nil {
		t.Error("a link in place of the lock was followed")
	}
	if content, _ := os.ReadFile(target); string(content) != "precious" {
		t.Errorf("the link's target now holds %q", content)
	}
}
