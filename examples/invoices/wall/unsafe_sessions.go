package wall

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// keptSessions signs people in under the token that their browser brought, whoever chose it, instead of a new one.
type keptSessions struct {
	next http.Handler
	name string // of the session's cookie
	mu   sync.Mutex
	kept map[string]string // what the browser brings, and the session that it means
}

// ServeHTTP lets a token that was brought to a sign-in stand for what the sign-in made.
func (k *keptSessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	brought, err := r.Cookie(k.name)
	if err != nil || brought.Value == "" {
		k.next.ServeHTTP(w, r)
		return
	}
	k.mu.Lock()
	means, ok := k.kept[brought.Value]
	k.mu.Unlock()
	if ok {
		r = r.Clone(r.Context())
		r.Header.Set("Cookie", k.name+"="+means)
	}
	k.next.ServeHTTP(&keepingWriter{ResponseWriter: w, name: k.name, keep: func(made string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.kept[brought.Value] = made
	}}, r)
}

// keepingWriter keeps the new token of a sign-in to itself.
type keepingWriter struct {
	http.ResponseWriter
	name string
	keep func(made string)
}

func (w *keepingWriter) take() {
	lines := w.Header()["Set-Cookie"]
	w.Header()["Set-Cookie"] = slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		name, rest, _ := strings.Cut(line, "=")
		value, _, _ := strings.Cut(rest, ";")
		if name != w.name || value == "" {
			return false
		}
		w.keep(value)
		return true
	})
}

// WriteHeader sends the head.
func (w *keepingWriter) WriteHeader(status int) {
	w.take()
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body. A handler that has not called WriteHeader has set no cookie that matters here.
func (w *keepingWriter) Write(body []byte) (int, error) {
	w.take()
	return w.ResponseWriter.Write(body)
}

// Unwrap is what [http.ResponseController] needs for the rest.
func (w *keepingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// keepBody reads a body of at most 64 KiB, and puts it back.
func keepBody(r *http.Request) []byte {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return nil
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	return body
}
