package headers

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
)

// App guards a handler that knows nothing of this package. On every final status, errors and implicit 200s included, it
//
//   - sets X-Content-Type-Options, X-Frame-Options and Strict-Transport-Security, whatever the handler says;
//   - sets Content-Security-Policy, Cache-Control (no-store), Referrer-Policy, Permissions-Policy and the three Cross-Origin policies
//     where the handler has set none (an empty value counts as none: to loosen one, name the looser value);
//   - adds what the answer depends on to Vary, unless the handler calls it public in Cache-Control;
//   - removes Server and X-Powered-By.
//
// A panic passes through with the headers in place, so that whoever recovers outside can answer with them. The writer
// that the handler sees works with [http.ResponseController], flushes, hijacks and sends files as the server's own.
func (p *Policy) App(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		set(w.Header(), p.always)
		guarded := &appWriter{ResponseWriter: w, policy: p}
		defer guarded.finish()
		next.ServeHTTP(guarded, r)
	})
}

type appWriter struct {
	http.ResponseWriter
	policy   *Policy
	finished bool
	sent     bool
}

// Sent reports whether the head of the answer has gone out (or the connection was taken over), of a writer that
// [Policy.App] gave to its handler. What recovers from a panic inside of App learns by it whether another answer is
// still possible: if not, panic with [http.ErrAbortHandler], so that the client sees a broken answer and no whole one.
// Of any other writer it knows nothing and says false.
func Sent(w http.ResponseWriter) bool {
	guarded, ok := w.(*appWriter)
	return ok && guarded.sent
}

// finish completes the head, once, just before it is sent. Not earlier: handlers replace and clear headers until then
// (httputil.ReverseProxy clears all of them after an informational answer).
func (w *appWriter) finish() {
	if w.finished {
		return
	}
	w.finished = true
	h := w.Header()
	set(h, w.policy.always)
	delete(h, "Server")
	delete(h, "X-Powered-By")
	public := isPublic(h["Cache-Control"])
	for _, f := range w.policy.unlessSet {
		if isEmpty(h[f.name]) {
			h[f.name] = f.value
		}
	}
	if !public {
		w.policy.addVary(h)
	}
}

func (p *Policy) addVary(h http.Header) {
	have := h["Vary"]
	switch {
	case isEmpty(have):
		h["Vary"] = p.vary.value
	case slices.Contains(have, varyOn) || slices.Contains(have, "*"):
	default:
		h["Vary"] = append(slices.Clip(have), varyOn)
	}
}

func isEmpty(values []string) bool {
	for _, value := range values {
		if value != "" {
			return false
		}
	}
	return true
}

func isPublic(cacheControl []string) bool {
	for _, line := range cacheControl {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(directive), "public") {
				return true
			}
		}
	}
	return false
}

func (w *appWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.finish()
		w.sent = true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *appWriter) Write(body []byte) (int, error) {
	w.finish()
	w.sent = true
	return w.ResponseWriter.Write(body)
}

func (w *appWriter) WriteString(body string) (int, error) {
	w.finish()
	w.sent = true
	return io.WriteString(w.ResponseWriter, body)
}

// ReadFrom lets the server send a file without copying it through memory.
func (w *appWriter) ReadFrom(src io.Reader) (int64, error) {
	w.finish()
	w.sent = true
	return io.Copy(w.ResponseWriter, src)
}

// FlushError is what [http.ResponseController] calls.
func (w *appWriter) FlushError() error {
	w.finish()
	w.sent = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is for handlers that ask for [http.Flusher].
func (w *appWriter) Flush() {
	_ = w.FlushError() // the interface has nowhere to put it; the next Write fails too
}

// Hijack is for handlers that ask for [http.Hijacker].
func (w *appWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.sent = w.sent || err == nil
	return conn, buffered, err
}

// Unwrap is what [http.ResponseController] needs for the rest.
func (w *appWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
