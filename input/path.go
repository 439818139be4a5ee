package input

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/ringwall/ringwall/internal/problem"
)

// PathGuard answers 404 before anything else looks at a path that two programs could read differently: one with an empty
// segment (//), with . or .. (also encoded), an encoded slash or a backslash, a control character such as NUL, bytes
// that are not UTF-8, or that does not begin with a slash. Behind it [http.ServeMux] cleans no path, and a comparison
// of r.URL.Path sees what the mux sees; the one redirect left to the mux is from /files to /files/, where you
// registered only the latter.
//
// Refuse answers; nil means [Refuse]. Put the guard outside of every other middleware.
func PathGuard(next http.Handler, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	if refuse == nil {
		refuse = Refuse
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPlainPath(r.URL.Path, r.URL.RawPath) {
			refuse(w, r, problem.New(problem.Missing, "not-found", "There is nothing here that you may see."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isPlainPath takes the decoded path, and the encoded one if it has an encoding that is not the default.
func isPlainPath(path, raw string) bool {
	if path == "" || path[0] != '/' || !utf8.ValidString(path) {
		return false
	}
	for rest := path[1:]; ; {
		segment, after, more := strings.Cut(rest, "/")
		if segment == "." || segment == ".." || segment == "" && more {
			return false
		}
		if !more {
			break
		}
		rest = after
	}
	for i := range len(path) {
		if c := path[i]; c < ' ' || c == '\\' || c == 0x7f {
			return false
		}
	}
	for i := 0; i+2 < len(raw); i++ {
		if raw[i] == '%' && raw[i+1] == '2' && raw[i+2]|0x20 == 'f' {
			return false
		}
	}
	return true
}

const maxReturnBytes = 2048

// ReturnPath is raw, if a browser that is sent there stays on this host, and otherwise fallback: an absolute path,
// perhaps with a query and a fragment, in printable ASCII, at most 2,048 bytes, that [PathGuard] would let pass. Where
// within is given, the path must be one of these or lie beneath one.
//
// Give the result to the browser as it is, or behind a constant origin; what you join it to must not end in the middle
// of a host name.
func ReturnPath(raw, fallback string, within ...string) string {
	if raw == "" || len(raw) > maxReturnBytes {
		return fallback
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return fallback
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !isPlainPath(u.Path, u.RawPath) {
		return fallback
	}
	if raw[0] != '/' || !isWithin(u.Path, within) {
		return fallback
	}
	return raw
}

func isWithin(path string, prefixes []string) bool {
	for _, prefix := range prefixes {
		prefix = strings.TrimSuffix(prefix, "/")
		if path == prefix || strings.HasPrefix(path, prefix+"/") {
			return true
		}
	}
	return len(prefixes) == 0
}
