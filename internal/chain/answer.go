package chain

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/problem"
)

// Fail answers with an error, in the form that the route speaks, and logs what the caller is not told.
func (c *Chain) Fail(w http.ResponseWriter, r *http.Request, err error) {
	c.fail(w, r, From(r.Context()), err)
}

func (c *Chain) fail(w http.ResponseWriter, r *http.Request, req *Request, err error) {
	e := problem.From(err)
	gone := errors.Is(err, context.Canceled) && r.Context().Err() != nil
	if gone {
		e = problem.New(problem.Unavailable, "unavailable", "The request was given up.").Because(err) // nobody reads it
	}
	c.log(r, req, e, gone)
	if e.Code == "invalid" || e.Code == "malformed" {
		c.refuse(r, req, eventOf(e), e.Code)
	}
	if !req.page || c.errorPage == nil {
		problem.Write(w, c.Prefix, req.ID, e)
		return
	}
	if e.Code == "unauthenticated" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		// A person who follows a link is led to sign in, and back.
		http.Redirect(w, r, c.Prefix+"/login?return_to="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	c.errorPage(w, r.WithContext(withRequest(r.Context(), req)), e)
}

// log tells once, where the request ends. What a human must repair is an error; refusals are in the audit log.
func (c *Chain) log(r *http.Request, req *Request, e *problem.Error, gone bool) {
	level := slog.LevelDebug
	if !gone && (e.Kind == problem.Internal || e.Kind == problem.Unavailable && e.Code != "busy") {
		level = slog.LevelError
	}
	if !c.Log.Enabled(r.Context(), level) {
		return
	}
	c.Log.LogAttrs(r.Context(), level, "request failed",
		slog.String("request_id", req.ID), slog.String("route", req.route), slog.String("request_method", r.Method),
		slog.Int("status", e.Kind.Status()), slog.String("problem", e.Code), slog.Any("error", e.Unwrap()))
}

// recoverPanic turns a panic into a 500. The process lives. Of what the handler has begun nothing is left: neither its
// headers, nor, if its head is out already, an answer that looks whole: the connection is cut. Seen is nil where the context
// knows the request.
func (c *Chain) recoverPanic(w http.ResponseWriter, r *http.Request, seen *proof) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // the value is compared as net/http does
		panic(p)
	}
	sent, req := headers.Sent(w), From(r.Context())
	if seen != nil {
		req = c.describe(r, seen)
	}
	c.Log.ErrorContext(r.Context(), "panic in a handler", "request_id", req.ID, "route", req.route, "cut_off", sent, "panic", panicText(p), "stack", string(debug.Stack()))
	if sent {
		panic(http.ErrAbortHandler)
	}
	clear(w.Header())
	last(w, r)
	c.setHeaders(w, req.page)
	c.fail(w, r, req, problem.New(problem.Internal, "internal", "Something went wrong here. Try again; if it stays, tell the operator the request id."))
}

// panicText keeps what a panic says short, on one line, and without the values that a runtime error never has.
func panicText(p any) string {
	text := "a value that is no error"
	switch p := p.(type) {
	case error:
		text = p.Error()
	case string:
		text = p
	}
	return clip(strings.ReplaceAll(text, "\n", " "), 500)
}

// eventOf tells what no client of ours sends from what is only wrong.
func eventOf(e *problem.Error) audit.Name {
	for _, f := range e.Fields {
		if f.Code == "unknown" {
			return audit.MaliciousExtraneous
		}
	}
	return audit.InputValidationFail
}
