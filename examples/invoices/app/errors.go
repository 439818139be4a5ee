package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/ringwall/ringwall/input"
)

// failure is an error that a person is told about. Its text is a constant: never input.
type failure struct {
	status int
	field  string // of the form; empty: none of them
	detail string
}

// Error is the detail.
func (f failure) Error() string { return f.detail }

// What is not there and what is somebody else's are one answer.
var (
	errSignIn  = errors.New("no session: is the application behind rw.Protect?")
	errMissing = failure{status: http.StatusNotFound, detail: "There is nothing here that you may see."}
)

// explain is what a person is told of an error. What we did not foresee, we do not explain.
func explain(err error) input.Refusal {
	if f, ok := errors.AsType[failure](err); ok {
		told := input.Refusal{Status: f.status, Title: http.StatusText(f.status), Detail: f.detail}
		if f.field != "" {
			told.Fields = []input.FieldFault{{Name: f.field, Detail: f.detail}}
		}
		return told
	}
	return input.Explain(err)
}

// fail answers with an error: a page for people, a problem document (RFC 9457) for programs.
func (a *App) fail(w http.ResponseWriter, r *http.Request, err error) {
	told := explain(err)
	if told.Status >= 500 {
		a.config.Log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "error", err)
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		if told.Status == http.StatusNotFound {
			told.Title = "This page is not there"
		}
		a.show(w, r, view{status: told.Status, page: "error", Title: told.Title, Body: told})
		return
	}
	if _, ours := errors.AsType[failure](err); !ours {
		input.Refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(told.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": told.Title, "status": told.Status, "detail": told.Detail}) // the client is gone: nobody to tell
}
