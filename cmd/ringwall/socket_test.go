package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/problem"
)

// serveSocket runs a control server whose operation answers with what it was asked.
func serveSocket(t *testing.T, data string, operate operation) {
	t.Helper()
	listener, err := listenSocket(data)
	if err != nil {
		t.Fatal(err)
	}
	server := controlServer(operate, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(data, socketName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after the end the socket is still there: %v", err)
		}
	})
}

func echo(_ context.Context, operator, name string, input []byte) ([]byte, error) {
	return json.Marshal(map[string]any{"operator": operator, "name": name, "input": json.RawMessage(input)})
}

func TestControlSocketCarriesOperations(t *testing.T) {
	folders := map[string]string{"short": t.TempDir()}
	// A data folder may lie deeper than the address of a socket can say.
	folders["longer than a socket's address"] = filepath.Join(t.TempDir(), strings.Repeat("d", 100), strings.Repeat("e", 100))
	for name, data := range folders {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(data, 0o700); err != nil {
				t.Fatal(err)
			}
			serveSocket(t, data, echo)
			info, err := os.Stat(filepath.Join(data, socketName))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("the socket has mode %v, %v, want 0600", info.Mode(), err)
			}
			d, err := openSocketDoor(t.Context(), data, patience{})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // over the first connection, then over whatever there is
				var out struct{ Operator, Name, Input string }
				if err := ask(t.Context(), d, "user.list", "x", &out); err != nil {
					t.Fatal(err)
				}
				if out.Operator == "" || out.Operator == "uid" || out.Name != "user.list" || out.Input != "x" {
					t.Errorf("the operation was given %+v", out)
				}
			}
			if err := d.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestControlSocketTellsOperatorsWhatWentWrong(t *testing.T) {
	data := t.TempDir()
	answers := map[string]error{
		"missing": problem.New(problem.Missing, "not-found", "There is no such user."),
		"invalid": problem.New(problem.Invalid, "invalid", "Some fields break a rule.").With(problem.Field{Name: "email", Code: "email", Detail: "Write an address."}),
		"broken":  errors.New("disk full; token=c0ffee"),
	}
	serveSocket(t, data, func(_ context.Context, _, name string, _ []byte) ([]byte, error) { return nil, answers[name] })
	d, err := openSocketDoor(t.Context(), data, patience{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.close() }()
	for name, want := range answers {
		_, err := d.operate(t.Context(), name, []byte("{}"))
		have, ok := errors.AsType[*problem.Error](err)
		if !ok {
			t.Errorf("%s: %v is no problem", name, err)
			continue
		}
		if known, ok := errors.AsType[*problem.Error](want); ok && (have.Kind != known.Kind || have.Code != known.Code || have.Detail != known.Detail || len(have.Fields) != len(known.Fields)) {
			t.Errorf("%s: have %+v, want %+v", name, have, known)
		}
		if name == "broken" && (!strings.Contains(have.Detail, "disk full") || strings.Contains(have.Detail, "c0ffee")) {
			t.Errorf("the cause reads %q, want it without the secret", have.Detail)
		}
	}
}

func TestOnlyTheSameUserIsLetIn(t *testing.T) {
	self := uint32(os.Geteuid())
	for uid, want := range map[uint32]bool{0: true, self: true, self + 1: false, 65534: self == 65534, 1<<32 - 1: false} {
		if have := sameUser(uid); have != want {
			t.Errorf("sameUser(%d) = %v, want %v", uid, have, want)
		}
	}
}

// The kernel's word is asked for on a real connection: somebody who is not let in gets no answer, only an end.
func TestAStrangerGetsNoAnswer(t *testing.T) {
	data := t.TempDir()
	listener, err := listenSocket(data)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan uint32, 1)
	listener.(*peerListener).admit = func(uid uint32) bool {
		seen <- uid
		return false
	}
	server := controlServer(echo, slog.New(slog.DiscardHandler))
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	conn, err := dialSocket(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, "POST /v1/operate HTTP/1.1\r\nHost: control\r\nContent-Length: 15\r\n\r\n{\"name\":\"echo\"}")
	if answer, _ := io.ReadAll(conn); len(answer) > 0 {
		t.Errorf("a stranger was answered: %s", answer)
	}
	if uid := <-seen; uid != uint32(os.Geteuid()) {
		t.Errorf("the peer is %d, want %d", uid, os.Geteuid())
	}
}

func TestControlSocketRefusesWhatItDoesNotKnow(t *testing.T) {
	data := t.TempDir()
	serveSocket(t, data, echo)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, data) }}}
	defer client.CloseIdleConnections()
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"another path", "POST", "/auth/login", "{}", 404},
		{"another method", "GET", "/v1/operate", "", 405},
		{"no JSON", "POST", "/v1/operate", "name", 400},
		{"an unknown member", "POST", "/v1/operate", `{"name":"a","operator":"root"}`, 400},
		{"an endless body", "POST", "/v1/operate", `{"name":"` + strings.Repeat("a", controlMaxBytes), 400},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, "http://control"+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		_ = response.Body.Close()
		if response.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, response.StatusCode, tt.status)
		}
	}
}
