package csrf_test

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/csrf"
)

// upload is a form with files: fields as name and value, a name with a slash is a file.
func upload(t *testing.T, boundary string, fields ...string) *http.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if boundary != "" {
		if err := form.SetBoundary(boundary); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(fields); i += 2 {
		part, err := form.CreateFormField(fields[i])
		if name, file, ok := strings.Cut(fields[i], "/"); ok {
			part, err = form.CreateFormFile(name, file)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "https://id.example.org/x", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return r
}

// A page without script uploads with its token in the form, where no header can be set.
func TestTokenOfAnUpload(t *testing.T) {
	g := guard(t)
	ours, theirs := csrf.Session("ours"), csrf.Session("theirs")
	large := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		name   string
		r      *http.Request
		passes bool
	}{
		{"takes the first field", upload(t, "", "csrf_token", g.Token(ours), "picture/a.png", large), true},
		{"takes it behind the longest boundary", upload(t, strings.Repeat("b", 70), "csrf_token", g.Token(ours), "picture/a.png", large), true},
		{"takes it alone", upload(t, "", "csrf_token", g.Token(ours)), true},
		{"refuses another session's", upload(t, "", "csrf_token", g.Token(theirs), "picture/a.png", large), false},
		{"refuses none", upload(t, "", "picture/a.png", large), false},
		{"refuses one behind the file", upload(t, "", "picture/a.png", "x", "csrf_token", g.Token(ours)), false},
		{"refuses a file of that name", upload(t, "", "csrf_token/a.txt", g.Token(ours)), false},
		{"refuses one with more behind it", upload(t, "", "csrf_token", g.Token(ours)+"x", "picture/a.png", large), false},
		{"refuses an endless one", upload(t, "", "csrf_token", large), false},
		{"refuses an empty form", upload(t, ""), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent := tt.r.ContentLength
			err := g.CheckToken(tt.r, ours)
			if (err == nil) != tt.passes || err != nil && !errors.Is(err, csrf.ErrToken) {
				t.Errorf("CheckToken = %v, want it to pass: %v", err, tt.passes)
			}
			if left, err := io.ReadAll(tt.r.Body); int64(len(left)) != sent || err != nil {
				t.Errorf("the handler reads %d bytes (%v), want all %d", len(left), err, sent)
			}
		})
	}
	bare := httptest.NewRequest("POST", "https://id.example.org/x", strings.NewReader("--b\r\n"))
	bare.Header.Set("Content-Type", "multipart/form-data")
	if err := g.CheckToken(bare, ours); !errors.Is(err, csrf.ErrToken) {
		t.Errorf("without a boundary: CheckToken = %v, want ErrToken", err)
	}
}
