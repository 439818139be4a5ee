// Package problem is what a caller is told when a request is refused or fails: RFC 9457 problem documents.
//
// Make one with [New] where the rule is; everything else that comes up as an error is answered as "internal",
// because what we did not foresee, we do not explain. [Write] is the only place that writes a status of 400 or more.
// Details never repeat input and never tell whether an account exists.
package problem

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Kind decides the HTTP status. The zero Kind is [Internal].
type Kind uint8

// The kinds, each with its status.
const (
	Internal         Kind = iota // 500
	Malformed                    // 400: not readable at all
	Unauthenticated              // 401
	Forbidden                    // 403
	Missing                      // 404
	MethodNotAllowed             // 405
	Conflict                     // 409
	TooLarge                     // 413
	UnsupportedMedia             // 415
	Misdirected                  // 421
	Invalid                      // 422: readable, but a field breaks a rule
	TooMany                      // 429
	Unavailable                  // 503
	TimedOut                     // 408: the client was too slow
)

var status = [...]int{500, 400, 401, 403, 404, 405, 409, 413, 415, 421, 422, 429, 503, 408}

// Status is the HTTP status of the kind.
func (k Kind) Status() int { return status[k] }

// Field is one fault in the input: a JSON pointer or form field, and the mend in words. It never holds the value.
type Field struct {
	Name   string `json:"field"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Error is an error with a public face. Code is stable: it ends the type URI and has an entry in docs/problems.md.
type Error struct {
	Kind       Kind
	Code       string
	Detail     string
	Fields     []Field
	RetryAfter time.Duration // rounded up to whole seconds; zero: no Retry-After
	Header     http.Header   // more response headers, such as Allow
	Members    []Member      // extension members of the document (RFC 9457, 3.2)
	Violated   []string      // the policies that a quota-exceeded problem names
	cause      error
}

// Member is an extension member: its name, and a value that encodes as JSON and holds no input.
type Member struct {
	Name  string
	Value any
}

// New makes an Error. Code and detail are constants of the caller's: never input.
func New(kind Kind, code, detail string) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail}
}

// Because records the cause for the log; the caller never sees it. It returns a copy.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// After sets Retry-After. It returns a copy.
func (e *Error) After(wait time.Duration) *Error {
	c := *e
	c.RetryAfter = wait
	return &c
}

// With lists the faults field by field. It returns a copy.
func (e *Error) With(fields ...Field) *Error {
	c := *e
	c.Fields = fields
	return &c
}

// Extend adds an extension member to the document. It returns a copy.
func (e *Error) Extend(name string, value any) *Error {
	c := *e
	c.Members = append(slices.Clone(e.Members), Member{name, value})
	return &c
}

// Error is the code and the cause, for the log.
func (e *Error) Error() string {
	if e.cause != nil {
		return e.Code + ": " + e.cause.Error()
	}
	return e.Code
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether the target is an Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// From is the public face of any error: the Error in its chain, or "internal".
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return New(Internal, "internal", "Something went wrong here. Try again; if it stays, tell the operator the request id.").Because(err)
}

type document struct {
	Type     string  `json:"type"`
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail"`
	Instance string  `json:"instance,omitempty"`
	Fields   []Field `json:"errors,omitempty"`

	Violated []string `json:"violated-policies,omitempty"`
}

// WriteHead sets the headers that belong to e, apart from the content type. Pages use it before they show e in their own frame.
func WriteHead(h http.Header, e *Error) {
	for name, values := range e.Header {
		h[name] = values
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	if e.Kind == Unauthenticated && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", `Bearer realm="ringwall"`)
	}
	h.Set("Cache-Control", "no-store")
}

// Write answers with the problem document of err. Prefix is where our routes live ("/auth"); requestID may be empty.
func Write(w http.ResponseWriter, prefix, requestID string, err error) {
	e := From(err)
	doc := document{Type: prefix + "/problems/" + e.Code, Title: Title(e.Code), Status: e.Kind.Status(), Detail: e.Detail, Fields: e.Fields, Violated: e.Violated}
	if requestID != "" {
		doc.Instance = "urn:uuid:" + requestID
	}
	body, err := encode(doc, e.Members)
	if err != nil { // cannot happen: strings, numbers and members of our own
		body = []byte(`{"status":500}`)
	}
	h := w.Header()
	WriteHead(h, e)
	h.Set("Content-Type", "application/problem+json")
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	h.Del("ETag")
	w.WriteHeader(e.Kind.Status())
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody to tell
}

// encode puts the extension members behind the others.
func encode(doc document, members []Member) ([]byte, error) {
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		one, err := json.Marshal(map[string]any{m.Name: m.Value})
		if err != nil {
			return nil, err
		}
		body = append(append(body[:len(body)-1], ','), one[1:]...)
	}
	return body, nil
}
