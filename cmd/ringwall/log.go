package main

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serverLog writes one JSON object a line, with the names of the OWASP logging vocabulary.
func serverLog(w io.Writer, level slog.Leveler) *slog.Logger {
	handler := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		if len(groups) == 0 {
			switch {
			case attr.Key == slog.TimeKey && attr.Value.Kind() == slog.KindTime:
				attr.Key, attr.Value = "datetime", slog.TimeValue(attr.Value.Time().UTC()) // whatever TZ says
			case attr.Key == slog.MessageKey:
				attr.Key = "description"
			}
		}
		return redactAttr(attr)
	}})
	logger := slog.New(handler).With("appid", "ringwall")
	if host, err := os.Hostname(); err == nil {
		logger = logger.With("hostname", host)
	}
	return logger
}

// peopleLog writes text for somebody who looks on.
func peopleLog(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		if len(groups) == 0 && attr.Key == slog.TimeKey {
			return slog.String(slog.TimeKey, attr.Value.Time().Format(time.TimeOnly))
		}
		return redactAttr(attr)
	}}))
}

// serverErrors takes what net/http says by itself. Failed handshakes are the traffic of scanners: debug.
func serverErrors(logger *slog.Logger) *log.Logger {
	return log.New(lineWriter(func(line string) {
		if strings.Contains(line, "TLS handshake error") || strings.Contains(line, "URL query contains semicolon") {
			logger.Debug("connection refused", "detail", line)
			return
		}
		logger.Warn("http server", "detail", line)
	}), "", 0)
}

type lineWriter func(line string)

func (w lineWriter) Write(line []byte) (int, error) {
	w(strings.TrimSpace(string(line)))
	return len(line), nil
}

// logQueue stands between the server and the output of its log: when the output is full or gone, lines are dropped and
// counted, and no request waits for it.
type logQueue struct {
	lines   chan []byte
	quit    chan struct{}
	ended   chan struct{}
	once    sync.Once
	dropped atomic.Int64
	out     io.Writer
}

const logQueueLines = 4096

func newLogQueue(out io.Writer) *logQueue {
	q := &logQueue{lines: make(chan []byte, logQueueLines), quit: make(chan struct{}), ended: make(chan struct{}), out: out}
	go q.run()
	return q
}

// Write never waits and never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	select {
	case q.lines <- bytes.Clone(line):
	default:
		q.dropped.Add(1)
	}
	return len(line), nil
}

func (q *logQueue) run() {
	defer close(q.ended)
	for {
		select {
		case line := <-q.lines:
			q.print(line)
		case <-q.quit:
			for {
				select {
				case line := <-q.lines:
					q.print(line)
				default:
					return
				}
			}
		}
	}
}

func (q *logQueue) print(line []byte) {
	if n := q.dropped.Swap(0); n > 0 {
		serverLog(q.out, slog.LevelInfo).Warn("log lines dropped because the output was full", "count", strconv.FormatInt(n, 10))
	}
	_, _ = q.out.Write(line) // nobody is left to tell
}

// close writes what is queued, for a second at most.
func (q *logQueue) close() {
	q.once.Do(func() { close(q.quit) })
	select {
	case <-q.ended:
	case <-time.After(time.Second):
	}
}
