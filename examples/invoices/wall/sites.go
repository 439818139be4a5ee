package wall

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// lures are the pages of the attacker, and what came to them.
type lures struct {
	mu    sync.Mutex
	pages map[string]string
	seen  []string
}

func (l *lures) put(path, body string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pages == nil {
		l.pages = map[string]string{}
	}
	l.pages[path] = body
}

// came reports whether a request with this text in its address has come.
func (l *lures) came(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.seen {
		if strings.Contains(s, text) {
			return true
		}
	}
	return false
}

// Elsewhere serves the attacker's sites: the evil one and the sibling of the application.
func (w *World) Elsewhere() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		l := &w.lures
		l.mu.Lock()
		defer l.mu.Unlock()
		l.seen = append(l.seen, r.URL.RequestURI())
		body, ok := l.pages[r.URL.Path]
		if !ok {
			body = "<h1>Mallory’s site</h1><p>You should not have come here.</p>"
		}
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(rw, "<!doctype html><html lang=en><meta charset=utf-8><title>Win a prize</title><link rel=icon href=data:,>"+body) // the victim is gone
	})
}

// inside is a service that only this machine can reach, as the metadata service of a cloud is.
func (w *World) inside() (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(rw, insideTells)
	})}
	go func() { _ = server.Serve(l) }() // ends with its listener
	return l, nil
}
