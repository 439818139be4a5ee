package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/secret"
)

func TestLogLinesHaveTheNamesOfTheVocabulary(t *testing.T) {
	var out bytes.Buffer
	record := slog.NewRecord(time.Now().In(time.FixedZone("elsewhere", 5400)), slog.LevelInfo, "session revoked", 0)
	record.Add("request_id", "r1", slog.Group("audit", "level", "WARN", "msg", "x"))
	if err := serverLog(&out, slog.LevelInfo).Handler().Handle(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(line["datetime"]))
	if err != nil || time.Since(at) > time.Minute || !strings.HasSuffix(fmt.Sprint(line["datetime"]), "Z") {
		t.Errorf("datetime = %v, %v", line["datetime"], err)
	}
	for key, want := range map[string]string{"level": "INFO", "appid": "ringwall", "description": "session revoked", "request_id": "r1"} {
		if line[key] != want {
			t.Errorf("%s = %v, want %s", key, line[key], want)
		}
	}
	if group := line["audit"].(map[string]any); group["level"] != "WARN" || group["msg"] != "x" {
		t.Errorf("a group's own names were changed: %v", group)
	}
}

// Every shape in which a secret could be logged is tried, in every way in which slog takes values.
func TestNoSecretReachesTheLog(t *testing.T) {
	const canary = "5ec2e7c4ffee"
	token := strings.Repeat(canary, 11)[:128]
	secrets := map[string]string{
		"a session token":             token,
		"a password hash":             "$argon2id$v=19$m=65536,t=3,p=1$" + canary + canary + "$" + canary + canary,
		"a hash of another kind":      "$2b$12$" + canary + canary + canary,
		"a database address":          "postgres://ringwall:" + canary + "@db.example.org/ringwall?sslmode=require",
		"an address of a key":         "redis://:" + canary + "@h",
		"a connection string":         "host=h password=" + canary + " user=u",
		"a link of a mail":            "https://id.example.org/auth/reset-password?token=" + canary,
		"a cookie":                    "Cookie: a=b; __Host-ringwall=" + canary + "; c=d",
		"an Authorization header":     "Authorization: Bearer " + canary + canary,
		"a private key":               "-----BEGIN PRIVATE KEY-----\n" + canary + "\n-----END PRIVATE KEY-----",
		"a form":                      "email=a%40b.example&new_password=" + canary + "&code=" + canary,
		"the beginning of a key file": "-----BEGIN EC PRIVATE KEY-----\n" + canary,
	}
	parsed := func(text string) any {
		if u, err := url.Parse(text); err == nil {
			return u
		}
		return text
	}
	for name, text := range secrets {
		for way, args := range map[string][]any{
			"string": {"detail", text}, "error": {"error", fmt.Errorf("open: %w", errors.New(text))}, "bytes": {"body", []byte(text)},
			"struct": {"request", struct{ Header map[string][]string }{map[string][]string{"X": {text}}}}, "stringer": {"url", parsed(text)},
			"list": {"list", []string{text}}, "group": {slog.Group("a", slog.Group("b", "c", text))}, "key": {"password", canary}, "type": {"x", secret.NewText(canary)},
			"group by key": {slog.Group("a", "Cookie", canary)},
		} {
			for kind, make := range map[string]func(*bytes.Buffer) *slog.Logger{
				"json": func(b *bytes.Buffer) *slog.Logger { return serverLog(b, slog.LevelDebug) },
				"text": func(b *bytes.Buffer) *slog.Logger { return peopleLog(b, slog.LevelDebug) },
			} {
				var out bytes.Buffer
				make(&out).With(args...).Error("as an attribute", args...)
				make(&out).Error("as a message: " + text)
				if strings.Contains(out.String(), canary) {
					t.Errorf("%s as %s shows in %s: %s", name, way, kind, out.String())
				}
			}
		}
	}
}

func TestWhatIsNoSecretStays(t *testing.T) {
	for _, text := range []string{
		"1-02a3af89d4711320ddd5cf994019eb19d94b0ceae0861f00caa70513bd7567ab", "https://id.example.org/auth/login?return_to=%2F",
		"0192f0c4-0000-7000-8000-000000000000", "postgres://ringwall@db.example.org/ringwall", "127.0.0.1:8080", "", "user=a state=open",
	} {
		if have := redact(text); have != text {
			t.Errorf("redact(%q) = %q", text, have)
		}
	}
}

func TestALineStaysALine(t *testing.T) {
	for name, make := range map[string]func(*bytes.Buffer) *slog.Logger{
		"json": func(b *bytes.Buffer) *slog.Logger { return serverLog(b, slog.LevelInfo) },
		"text": func(b *bytes.Buffer) *slog.Logger { return peopleLog(b, slog.LevelInfo) },
	} {
		var out bytes.Buffer
		make(&out).Info("a\r\nlevel=ERROR forged", "user_agent", "x\n{\"level\":\"ERROR\"}\x1b[2J\u2028")
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 || bytes.ContainsAny(out.Bytes(), "\r\x1b") {
			t.Errorf("%s: one record became %d lines: %q", name, n, out.String())
		}
	}
}

// stuck is an output that nobody reads.
type stuck struct{ free chan struct{} }

func (s stuck) Write(line []byte) (int, error) {
	<-s.free
	return len(line), nil
}

func TestAFullOutputStopsNobody(t *testing.T) {
	out := stuck{make(chan struct{})}
	queue := newLogQueue(out)
	logger := serverLog(queue, slog.LevelInfo)
	started := time.Now()
	for range logQueueLines + 100 {
		logger.Info("x")
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("logging to a stuck output took %s", took)
	}
	if n := queue.dropped.Load(); n < 50 {
		t.Errorf("%d lines were dropped, want about 100", n)
	}
	close(out.free)
	queue.close()
}

func TestWhatWasQueuedIsWritten(t *testing.T) {
	out := &lockedBuffer{}
	queue := newLogQueue(out)
	for i := range 100 {
		serverLog(queue, slog.LevelInfo).Info("line", "n", i)
	}
	queue.close()
	queue.close()
	if n := strings.Count(out.String(), "\n"); n != 100 {
		t.Errorf("%d lines were written, want 100", n)
	}
}

// lockedBuffer may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// An attribute that happens to be called time is one like any other, and ends nothing.
func TestAnAttributeCalledTimeIsNoTime(t *testing.T) {
	var out bytes.Buffer
	serverLog(&out, slog.LevelInfo).Info("served", "time", "noon")
	if !strings.Contains(out.String(), `"time":"noon"`) || !strings.Contains(out.String(), `"datetime":"2`) {
		t.Errorf("logged: %s", out.String())
	}
}
