package input_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/lineartest"
)

// bulk is input of any length, of a kind that a decoder could take too long for, and how it is read.
type bulk struct {
	name string
	make func(n int) []byte
	read func(body []byte)
}

func repeated(head, unit, tail string) func(int) []byte {
	return func(n int) []byte { return []byte(head + strings.Repeat(unit, n/len(unit)) + tail) }
}

// numbered repeats a text that holds its number, so that each is another name.
func numbered(head, format, tail string) func(int) []byte {
	return func(n int) []byte {
		b := bytes.NewBufferString(head)
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(b, format, i)
		}
		return append(b.Bytes(), tail...)
	}
}

type everything struct {
	Text   string            `json:"text" form:"text" query:"text" maxLength:"10" pattern:"(a+)+$"`
	List   []string          `json:"list"`
	Deep   []place           `json:"deep"`
	Labels map[string]string `json:"labels"`
}

func bulks() []bulk {
	json := func(body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		_, _ = input.DecodeJSON[everything](r, 2<<20)
	}
	file := func(body []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		_, _ = input.DecodeUpload(httptest.NewRecorder(), r, input.Upload{Field: "f", Types: []string{"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"}, MaxBytes: 2 << 20})
	}
	uploaded := func(content func(int) []byte) func(int) []byte {
		return func(n int) []byte {
			return append(append([]byte("--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n"), content(n)...), "\r\n--x--\r\n"...)
		}
	}
	header := func(name string) func([]byte) {
		return func(body []byte) {
			r := &http.Request{Header: http.Header{name: {string(body)}}, RemoteAddr: "10.0.0.1:1"}
			input.ClientAddress(r, proxies, name)
		}
	}
	pngChunks := func(n int) []byte {
		return append([]byte("\x89PNG\r\n\x1a\n"), append(chunk("IHDR", []byte{0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0}), bytes.Repeat(chunk("IDAT", nil), n/12)...)...)
	}
	webpChunks := func(n int) []byte { return riff(bytes.Repeat(riffChunk("XMP ", nil), n/8), plain(40, 30)) }
	return []bulk{
		{"JSON/a long text", repeated(`{"text":"`, "a", `"}`), json}, {"JSON/escapes", repeated(`{"text":"`, `\u00e9`, `"}`), json}, {"JSON/a list", repeated(`{"list":[`, `"a",`, `"b"]}`), json}, {"JSON/a list of faults", repeated(`{"list":[`, `1,`, `2]}`), json}, {"JSON/objects", repeated(`{"deep":[`, `{"city":"a"},`, `{"city":"b"}]}`), json},
		{"JSON/faulty objects", repeated(`{"deep":[`, `{},`, `{}]}`), json}, {"JSON/names", numbered(`{"labels":{`, `"a%d":"b",`, `"z":""}}`), json}, {"JSON/unknown names", numbered(`{`, `"a%d":"b",`, `"z":""}`), json}, {"JSON/brackets", repeated("", "[", ""), json}, {"JSON/quotes", repeated("", `"`, ""), json}, {"JSON/backslashes", repeated(`{"text":"`, `\`, ``), json}, {"JSON/space", repeated("", " ", ""), json}, {"JSON/digits", repeated(`{"text":`, "1", `}`), json},
		{"query/a long text", repeated("text=", "a", ""), func(body []byte) {
			r := &http.Request{Method: "POST", Header: http.Header{"Content-Type": {formType}}, Body: http.NoBody, PostForm: map[string][]string{"text": {string(body)}}}
			_, _ = input.DecodeForm[everything](r)
		}},
		{"text/email", repeated("", "a.", "@b.example"), func(body []byte) { _, _ = input.ParseEmail(string(body)) }}, {"text/name", repeated("", "e\u0301", ""), func(body []byte) { _, _ = input.ParseDisplayName(string(body)) }}, {"text/return path", repeated("/", "a/", ""), func(body []byte) { input.ReturnPath(string(body), "/") }},
		{"header/X-Forwarded-For", repeated("", "10.0.0.1,", "10.0.0.2"), header("X-Forwarded-For")}, {"header/Forwarded", repeated("", "for=10.0.0.1,", "for=10.0.0.2"), header("Forwarded")}, {"header/commas", repeated("", ",", ""), header("X-Forwarded-For")}, {"header/quotes", repeated("", `for="`, ""), header("Forwarded")},
		{"upload/text", uploaded(repeated("", "words ", "")), file}, {"upload/markup", uploaded(repeated("", "<scrip", "")), file}, {"upload/chunks of a PNG", uploaded(pngChunks), file}, {"upload/segments of a JPEG", uploaded(repeated("\xff\xd8", "\xff\xdb\x00\x02", "")), file}, {"upload/scans of a JPEG", uploaded(repeated("\xff\xd8", "\xff\xda\x00\x02", "")), file}, {"upload/EXIF of a JPEG", uploaded(repeated("\xff\xd8", string(segment(0xe1, "Exif\x00\x00"+string(taken(binary.BigEndian, 6)))), "")), file}, {"upload/chunks of a WebP", uploaded(webpChunks), file}, {"upload/fill in a JPEG", uploaded(repeated("\xff\xd8", "\xff", "")), file},
		{"upload/extensions of a GIF", uploaded(repeated("GIF89a\x01\x00\x01\x00\x00\x00\x00", "!\xfe\x00", "")), file}, {"upload/frames of a GIF", uploaded(repeated("GIF89a\x01\x00\x01\x00\x00\x00\x00", ",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x00", ";")), file}, {"upload/blocks of a GIF", uploaded(repeated("GIF89a\x01\x00\x01\x00\x00\x00\x00!\xfe", "\x01a", "\x00;")), file},
		{"upload/boundaries", repeated("", "--x", ""), file}, {"upload/half boundaries", uploaded(repeated("", "\r\n--", "")), file}, {"upload/heads", repeated("--x\r\n", "A: b\r\n", ""), file}, {"upload/a long head", repeated("--x\r\nA: ", "b", ""), file}, {"upload/a long name", repeated("--x\r\nContent-Disposition: form-data; name=\"", "\\\"", "\"\r\n\r\n"), file},
	}
}

// BenchmarkLinear doubles input that is made to be slow; see [lineartest.Run].
func BenchmarkLinear(b *testing.B) {
	for _, kind := range bulks() {
		b.Run(kind.name, func(b *testing.B) {
			lineartest.Run(b, func(n int) func() {
				in := kind.make(n)
				return func() { kind.read(in) }
			})
		})
	}
}
