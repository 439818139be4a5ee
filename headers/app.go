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
//   - adds the charset to a Content-Type that is text/html and nothing else: a browser that guesses one may read markup
//     where there was none;
//   - removes Server and X-Powered-By;
//   - closes the connection after a request in chunks (RFC 9112, section 6.1): a Content-Length may have come beside them,
//     which net/http drops, and what a proxy in front took for the body would be read as somebody's next request.
//
// A panic passes through with the headers in place, so that whoever recovers outside can answer with them. The writer
// that the handler sees works with [http.ResponseController], flushes, hijacks and sends files as the server's own.
func (p *Policy) App(next http.Handler) http.Handler {
	complete := p.complete
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guarded := &headWriter{ResponseWriter: w, complete: complete, last: len(r.TransferEncoding) > 0}
		defer guarded.finish()
		next.ServeHTTP(guarded, r)
	})
}

// headWriter has the head of an answer completed just before it is sent.
type headWriter struct {
	http.ResponseWriter
	complete func(http.Header)
	last     bool // nothing more is read from the connection
	finished bool
	sent     bool
}

// Sent reports whether the head of the answer has gone out (or the connection was taken over), of a writer that
// [Policy.App] gave to its handler. What recovers from a panic inside of App learns by it whether another answer is
// still possible: if not, panic with [http.ErrAbortHandler], so that the client sees a broken answer and no whole one.
// Of any other writer it knows nothing and says false.
func Sent(w http.ResponseWriter) bool {
	guarded, ok := w.(*headWriter)
	return ok && guarded.sent
}

// finish completes the head, once, just before it is sent. Not earlier: handlers replace and clear headers until then
// (httputil.ReverseProxy clears all of them after an informational answer).
func (w *headWriter) finish() {
	if w.finished {
		return
	}
	w.finished = true
	w.complete(w.Header())
	if w.last {
		w.Header().Set("Connection", "close")
	}
}

func (p *Policy) complete(h http.Header) {
	set(h, p.always)
	delete(h, "Server")
	delete(h, "X-Powered-By")
	public, chosen := false, false
	for i := range p.unlessSet {
		f := &p.unlessSet[i]
		switch have := h[f.name]; {
		case isEmpty(have):
			if !chosen || f.name != contentReports { // which would report on a policy that is not in force
				h[f.name] = f.value
			}
		case f.name == contentPolicy: // it stands before its reports
			chosen = true
		case f.name == cacheControl:
			public = isPublic(have)
		}
	}
	if kind := h["Content-Type"]; len(kind) == 1 && strings.EqualFold(kind[0], "text/html") {
		h["Content-Type"] = p.html
	}
	if !public {
		p.addVary(h)
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

func (w *headWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.finish()
		w.sent = true
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *headWriter) Write(body []byte) (int, error) {
	w.finish()
	w.sent = true
	return w.ResponseWriter.Write(body)
}

func (w *headWriter) WriteString(body string) (int, error) {
	w.finish()
	w.sent = true
	return io.WriteString(w.ResponseWriter, body)
}

// ReadFrom lets the server send a file without copying it through memory.
func (w *headWriter) ReadFrom(src io.Reader) (int64, error) {
	w.finish()
	w.sent = true
	return io.Copy(w.ResponseWriter, src)
}

// FlushError is what [http.ResponseController] calls.
func (w *headWriter) FlushError() error {
	w.finish()
	w.sent = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is for handlers that ask for [http.Flusher].
func (w *headWriter) Flush() {
	_ = w.FlushError() // the interface has nowhere to put it; the next Write fails too
}

// Hijack is for handlers that ask for [http.Hijacker].
func (w *headWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil { // whoever writes the head of a 101 by hand takes it from Header, as httputil.ReverseProxy does
		w.finish()
		w.sent = true
	}
	return conn, buffered, err
}

// Unwrap is what [http.ResponseController] needs for the rest.
func (w *headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
