package webhook_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/webhook"
)

// The program of docs/webhooks.md takes what we send, and nothing that was forged, changed or kept.
func TestTheReceiverOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```go\n")
	program, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("docs/webhooks.md has no program")
	}
	folder := t.TempDir()
	file, built := filepath.Join(folder, "main.go"), filepath.Join(folder, "receiver")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", built, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	receiver := exec.Command(built)
	receiver.Env = []string{"ADDR=" + address, "WEBHOOK_SECRET=" + signing}
	if err := receiver.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = receiver.Process.Kill()
		_ = receiver.Wait()
	})

	h := newHouse(t)
	h.queue(t, "alerts")
	h.deliver(t, "http://"+address+"/ringwall")
	eventually(t, "it answers", func() bool { return !h.waits(t) || strings.Contains(h.said(), "status 403") })
	if strings.Contains(h.said(), "status 403") {
		t.Fatalf("it refuses what we send:\n%s", h.said())
	}

	secret, err := webhook.ParseSecret(secret.NewText(signing))
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"type": "user.created"}`)
	send := func(at time.Time, signature string, body []byte) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/ringwall", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("webhook-id", "msg_1")
		r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		r.Header.Set("webhook-signature", signature)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	now, old := time.Now(), time.Now().Add(-6*time.Minute)
	for name, tt := range map[string]struct {
		at        time.Time
		signature string
		body      []byte
		want      int
	}{
		"a good one":       {now, webhook.Sign(secret, "msg_1", now, body), body, 200},
		"no signature":     {now, "", body, 403},
		"another body":     {now, webhook.Sign(secret, "msg_1", now, body), []byte(`{"type": "user.deleted"}`), 403},
		"another id":       {now, webhook.Sign(secret, "msg_2", now, body), body, 403},
		"an old one":       {old, webhook.Sign(secret, "msg_1", old, body), body, 403},
		"an old one moved": {now, webhook.Sign(secret, "msg_1", old, body), body, 403},
		"one from later":   {now.Add(time.Hour), webhook.Sign(secret, "msg_1", now.Add(time.Hour), body), body, 403},
	} {
		if got := send(tt.at, tt.signature, tt.body); got != tt.want {
			t.Errorf("%s = %d, want %d", name, got, tt.want)
		}
	}
}
