package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

var greeting = regexp.MustCompile(`(?s)Invoices are at (http://127\.0\.0\.1:\d+)/.*password\n\n  (\w+)\n`)

// began runs the example until the test ends it, and returns its address and password.
func began(t *testing.T, f flags) (origin, password string, end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, f, write) }()
	var seen []byte
	part := make([]byte, 4096)
	n, err := read.Read(part)
	seen = append(seen, part[:n]...)
	m := greeting.FindSubmatch(seen)
	if err != nil || m == nil {
		stop()
		t.Fatalf("the example says %q, %v", seen, err)
	}
	return string(m[1]), string(m[2]), func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the example ended with %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the example does not end")
		}
	}
}

// A fresh clone needs one command: what it prints lets somebody in, and it leaves nothing behind.
func TestRunsWithoutConfiguration(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	origin, password, end := began(t, flags{addr: "127.0.0.1:0", hosts: "example.com"})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	body, err := json.Marshal(map[string]string{"email": "ada@example.com", "password": password})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Post(origin+"/auth/v1/login", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	page, err := client.Get(origin + "/invoices")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(page.Body)
	_ = page.Body.Close()
	if err != nil || answer.StatusCode != 200 || page.StatusCode != 200 || !strings.Contains(string(text), "Harbour Books") {
		t.Errorf("sign in = %d, invoices = %d, %v\n%s", answer.StatusCode, page.StatusCode, err, text)
	}
	end()
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

func TestKeepsWhatItIsToldTo(t *testing.T) {
	f := flags{addr: "127.0.0.1:0", data: t.TempDir() + "/kept"}
	_, first, end := began(t, f)
	end()
	ctx, stop := context.WithCancel(t.Context())
	var said bytes.Buffer
	err := run(ctx, f, writer(func(text []byte) { said.Write(text); stop() }))
	if err != nil || !strings.Contains(said.String(), "Sign in as before") || strings.Contains(said.String(), first) {
		t.Errorf("the second start says %q, %v", said.String(), err)
	}
}

type writer func([]byte)

func (w writer) Write(text []byte) (int, error) { w(text); return len(text), nil }

func TestATakenPortIsSaid(t *testing.T) {
	taken, _, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	if err := run(t.Context(), flags{addr: taken.Addr().String()}, io.Discard); err == nil || !strings.Contains(err.Error(), "choose another port with --addr") {
		t.Errorf("run on a taken port = %v, want what to do", err)
	}
}

func TestStaysOnThisMachine(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		if err := run(t.Context(), flags{addr: addr}, io.Discard); err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("run on %s = %v, want a refusal", addr, err)
		}
	}
}
