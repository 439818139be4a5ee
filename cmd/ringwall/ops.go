package main

import (
	"context"
	"net/http"
	"time"

	"github.com/ringwall/ringwall/internal/problem"
)

const readyTimeout = 2 * time.Second

// opsServer answers those who watch: /healthz as long as the process runs, /readyz while it can serve people.
func (s *site) opsServer() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerOK(w) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if s.draining.Load() {
			problem.Write(w, "", "", problem.New(problem.Unavailable, "unavailable", "The server is stopping.").After(time.Second))
			return
		}
		if err := s.rw.Ready(ctx); err != nil {
			s.log.WarnContext(r.Context(), "not ready", "error", err)
			problem.Write(w, "", "", problem.New(problem.Unavailable, "unavailable", "A part of the service is out of reach; the log tells which.").After(time.Second))
			return
		}
		answerOK(w)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, "", "", problem.New(problem.Missing, "not-found", "There are /healthz and /readyz here."))
	})
	return &http.Server{
		Handler: mux, ErrorLog: serverErrors(s.log), DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readHeaderTimeout, WriteTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 8 << 10,
	}
}

func answerOK(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte("ok\n")) // whoever watched is gone
}

func (s *site) opsAddress() string {
	if s.ops == nil {
		return ""
	}
	return s.ops.Addr().String()
}
