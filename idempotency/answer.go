package idempotency

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"
)

// kept are the headers that are stored: what the body is, who may keep it, and where to go. The others are set anew by
// whoever stands in front.
func kept() []string {
	return []string{
		"Allow", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Etag", "Last-Modified", "Link", "Location", "Vary",
	}
}

// answer takes what a handler answers, and passes it on as it comes when it grows too large to be stored.
type answer struct {
	w      http.ResponseWriter
	most   int64
	status int
	body   bytes.Buffer
	passed bool
}

// Header is that of the answer.
func (a *answer) Header() http.Header { return a.w.Header() }

// WriteHeader sets the status, once. Information (1xx) goes out at once.
func (a *answer) WriteHeader(status int) {
	switch {
	case a.status != 0:
	case status < 200 || status > 999:
		a.w.WriteHeader(status)
	default:
		a.status = status
	}
}

// Write takes a part of the body.
func (a *answer) Write(part []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if !a.passed && int64(a.body.Len()+len(part)) > a.most {
		a.send()
		a.passed = true
		a.body = bytes.Buffer{}
	}
	if a.passed {
		return a.w.Write(part)
	}
	return a.body.Write(part)
}

// send answers with what was taken.
func (a *answer) send() {
	if a.passed {
		return
	}
	a.WriteHeader(http.StatusOK)
	a.w.WriteHeader(a.status)
	if a.body.Len() > 0 {
		_, _ = a.w.Write(a.body.Bytes()) // #nosec G705 -- what the handler wrote, with its content type; the client is gone: nobody to tell
	}
}

// invitesAnother reports whether the answer does not tell what became of the request.
func (a *answer) invitesAnother() bool {
	again := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests}
	return a.status >= 500 || slices.Contains(again, a.status)
}

// head is what stands before the body of a stored answer, as JSON on one line.
type head struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
}

func (a *answer) seal(c claim) []byte {
	a.WriteHeader(http.StatusOK)
	h := head{a.status, http.Header{}}
	for _, name := range kept() {
		if values := a.Header()[name]; len(values) > 0 {
			h.Header[name] = values
		}
	}
	if _, declared := a.Header()["Content-Type"]; !declared && a.body.Len() > 0 {
		h.Header.Set("Content-Type", http.DetectContentType(a.body.Bytes())) // as net/http does
	}
	line, _ := json.Marshal(h) // numbers and strings
	return c.keys.Seal(c.id, slices.Concat(line, []byte("\n"), a.body.Bytes()))
}

// stored is an answer from the database.
type stored struct {
	head
	body    []byte
	expires time.Time
}

func openAnswer(c claim, sealed []byte) (*stored, error) {
	plain, err := c.keys.Open(c.id, sealed)
	if err != nil {
		return nil, err
	}
	line, body, ok := bytes.Cut(plain, []byte("\n"))
	s := &stored{body: body}
	if err := json.Unmarshal(line, &s.head); err != nil || !ok || s.Status < 200 {
		return nil, errors.Join(errors.New("not in the form of a stored answer"), err)
	}
	return s, nil
}

// replay answers again.
func (s *stored) replay(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = nil // what had none gets none
	for name, values := range s.Header {
		h[name] = values
	}
	h.Set(headerReplayed, "true")
	h.Set(headerExpires, s.expires.UTC().Format(http.TimeFormat))
	w.WriteHeader(s.Status)
	if len(s.body) > 0 {
		_, _ = w.Write(s.body) // #nosec G705 -- what the handler wrote, with its content type
	}
}
