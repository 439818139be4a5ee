package e2e_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/ringwall/ringwall"
)

// logBuffer keeps everything that is logged, at every level, as a server writes it: one JSON object a line.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logBuffer) contains(text string) bool { return strings.Contains(l.String(), text) }

func (l *logBuffer) count(message string) int {
	return strings.Count(l.String(), `"msg":"`+message+`"`)
}

// S106, C213: every line of the log is one JSON object, whatever strangers send.
func TestLogCannotBeForged(t *testing.T) {
	log := &logBuffer{}
	s := start(t, ringwall.Options{Log: log.logger()})
	evil := "x\u0085{\"level\":\"ERROR\",\"msg\":\"forged\"}\u2028\u202e\u009b31m canary"
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.Header.Set("User-Agent", evil) },
		func(r *http.Request) { r.Header.Set("Referer", evil) },
		func(r *http.Request) { r.Header.Set("X-Request-Id", evil) },
		func(r *http.Request) { r.Header.Set("X-Forwarded-For", evil) },
		func(r *http.Request) { r.Header.Set("Origin", evil) },
		func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+evil) },
		func(r *http.Request) { r.Host = "evil\u0085.example" },
		func(r *http.Request) { r.URL.RawQuery = url.QueryEscape(evil + "\r\n\x1b[31m") },
		func(r *http.Request) { r.URL.Path = "/auth/v1/\n{\"msg\":\"forged\"}\x1b[31m" },
		func(r *http.Request) { r.Method = "FORGED" },
	} {
		for _, path := range []string{"/auth/v1/login", "/auth/login", "/somewhere"} {
			body, _ := json.Marshal(object{"email": evil + "\r\n\x1b[31m@example.org", "password": evil})
			r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+path, bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			change(r)
			if got := statusOf(s, r); got >= 500 || got == 200 {
				t.Errorf("a forged request = %d", got)
			}
		}
	}
	if _, err := s.Ringwall.Operate(t.Context(), "evil\n{\"msg\":\"forged\"}\x1b[31m", "user.create", []byte(`{"email":"forged@example.org","password":"correct horse battery staple"}`)); err != nil {
		t.Error(err)
	}
	text := log.String()
	if !strings.HasSuffix(text, "\n") || strings.Count(text, "\n") < 5 {
		t.Fatalf("too little was logged to tell: %q", text)
	}
	for line := range strings.Lines(text) {
		var read struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &read); err != nil || read.Msg == "" || read.Msg == "forged" {
			t.Errorf("a line of the log is not one of ours: %q %v", line, err)
		}
		if strings.ContainsAny(line, "\x1b\r\u0085\u009b\u2028\u202e") || strings.Contains(line, "forged") {
			t.Errorf("a line of the log holds what a stranger sent: %q", line)
		}
	}
	// Nor can the audit log: what strangers send lies sealed, and what is told of it is one line.
	for _, e := range operate(t, s, "audit.tail", object{"limit": 1000})["events"].([]any) {
		event := e.(object)
		for _, field := range []string{"event", "actor", "reason", "description"} {
			if text, _ := event[field].(string); strings.ContainsAny(text, "\n\r\x1b\u0085\u009b\u2028") {
				t.Errorf("the event %v has a field %s of two lines: %q", event["event"], field, text)
			}
		}
	}
}
