package idempotency

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/internal/problem"
)

const leastKey, mostKey = 16, 128 // characters

func missing() error {
	return problem.New(problem.Malformed, "idempotency-key-missing", "Send an Idempotency-Key: a new UUID, in double quotes.")
}

func malformed() error {
	return problem.New(problem.Malformed, "idempotency-key-malformed", "Send one Idempotency-Key of 16 to 128 characters in double quotes, such as a UUID.")
}

// parseKey reads the header field: an Item of RFC 9651 whose value is a String, with nothing after it.
func parseKey(lines []string) (string, error) {
	switch len(lines) {
	case 0:
		return "", missing()
	case 1:
	default:
		return "", malformed()
	}
	rest, quoted := strings.CutPrefix(strings.Trim(lines[0], " "), `"`)
	if !quoted {
		return "", malformed()
	}
	var key strings.Builder
	for i := 0; i < len(rest) && key.Len() <= mostKey; i++ {
		c := rest[i]
		switch {
		case c == '"':
			if i != len(rest)-1 || key.Len() < leastKey || key.Len() > mostKey {
				return "", malformed()
			}
			return key.String(), nil
		case c == '\\':
			i++
			if i == len(rest) || rest[i] != '"' && rest[i] != '\\' {
				return "", malformed()
			}
			c = rest[i]
		case c < ' ' || c > '~':
			return "", malformed()
		}
		key.WriteByte(c)
	}
	return "", malformed()
}

// fieldKey reads the key from a form.
func fieldKey(r *http.Request, body []byte, field string) (string, error) {
	form := r.PostForm // of somebody in front who has read it already
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); form == nil && err == nil && media == "application/x-www-form-urlencoded" {
		if form, err = url.ParseQuery(string(body)); err != nil {
			return "", problem.New(problem.Malformed, "malformed", "The form cannot be read.").Because(err)
		}
	}
	values := slices.Clone(form[field])
	for i, value := range values {
		values[i] = `"` + value + `"`
	}
	return parseKey(values)
}

// readBody reads the whole body, and puts it back.
func readBody(r *http.Request, most int64) ([]byte, error) {
	tooLarge := problem.New(problem.TooLarge, "too-large", "The body is longer than this call takes.")
	if r.ContentLength > most {
		return nil, tooLarge
	}
	if r.MultipartForm != nil {
		return nil, errors.New("idempotency: the body was read before: put the Handler in front of what does")
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, most))
	switch {
	case err == nil:
		r.Body = restored{bytes.NewReader(body), r.Body}
		return body, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, problem.New(problem.TimedOut, "timeout", "The body took too long to arrive.").Because(err)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	return nil, problem.New(problem.Malformed, "malformed", "The body ended before its time.").Because(err)
}

// restored is a body that was read and can be read again.
type restored struct {
	io.Reader
	io.Closer
}
