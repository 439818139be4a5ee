package input

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/ringwall/ringwall/internal/problem"
)

func tooLarge() *problem.Error {
	return problem.New(problem.TooLarge, "too-large", "The body is longer than this call takes.")
}

// checkType answers 415 unless the request declares exactly one content type, the wanted one, in UTF-8 and not
// compressed.
func checkType(r *http.Request, want string) error {
	refusal := problem.New(problem.UnsupportedMedia, "unsupported-media-type", "Send Content-Type: "+want+", in UTF-8 and without Content-Encoding.")
	types := r.Header["Content-Type"]
	if len(types) != 1 {
		return refusal
	}
	media, params, err := mime.ParseMediaType(types[0])
	if err != nil || media != want {
		return refusal
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return refusal
		}
	}
	if !isPlainEncoding(r) {
		return refusal
	}
	return nil
}

// isPlainEncoding reports whether the body is not compressed.
func isPlainEncoding(r *http.Request) bool {
	for _, encoding := range r.Header["Content-Encoding"] {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			return false
		}
	}
	return true
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	if limit <= 0 {
		limit = MaxBodyBytes
	}
	if r.ContentLength > limit {
		return nil, tooLarge()
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	if err == nil {
		return body, nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, problem.New(problem.TimedOut, "timeout", "The body took too long to arrive.").Because(err)
	}
	return nil, malformed("The body ended before its time.").Because(err)
}
