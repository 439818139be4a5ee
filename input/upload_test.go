package input_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/input"
)

// photo is a picture whose pixels differ.
func photo(width, height int) *image.Paletted {
	p := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black, color.White, color.RGBA{200, 30, 60, 255}})
	for i := range p.Pix {
		p.Pix[i] = uint8(i * i % 3)
	}
	return p
}

// pictures are files as programs write them, by their type.
func pictures(t testing.TB) map[string][]byte {
	t.Helper()
	made := map[string][]byte{}
	for kind, encode := range map[string]func(io.Writer) error{
		"image/png":  func(w io.Writer) error { return png.Encode(w, photo(40, 30)) },
		"image/jpeg": func(w io.Writer) error { return jpeg.Encode(w, photo(40, 30), nil) },
		"image/gif": func(w io.Writer) error {
			return gif.EncodeAll(w, &gif.GIF{Image: []*image.Paletted{photo(40, 30), photo(40, 30)}, Delay: []int{5, 5}})
		},
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		made[kind] = b.Bytes()
	}
	return made
}

// chunk is a chunk of a PNG.
func chunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// segment is a segment of a JPEG.
func segment(marker byte, data string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(data)+2)), data...)
}

func insert(into []byte, at int, what []byte) []byte {
	return append(append(bytes.Clone(into[:at]), what...), into[at:]...)
}

// afterPalette is where the blocks of a GIF begin.
func afterPalette(g []byte) int {
	if g[10]&0x80 == 0 {
		return 13
	}
	return 13 + 3<<(g[10]&7+1)
}

type part struct{ name, file, kind, content string }

// upload is what a browser would send.
func upload(t testing.TB, parts ...part) *http.Request {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range parts {
		head := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q`, p.name)}}
		if p.file != "" {
			head.Set("Content-Disposition", fmt.Sprintf(`form-data; name=%q; filename=%q`, p.name, p.file))
		}
		if p.kind != "" {
			head.Set("Content-Type", p.kind)
		}
		one, err := w.CreatePart(head)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(one, p.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func avatar() input.Upload {
	return input.Upload{Field: "avatar", Types: []string{"image/png", "image/jpeg", "image/gif"}}
}

func TestDecodeUploadReadsPictures(t *testing.T) {
	endings := map[string]string{"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif"}
	for kind, content := range pictures(t) {
		r := upload(t, part{name: "csrf_token", content: "token"}, part{"avatar", "../../evil.php", "text/html", string(content)})
		got, err := input.DecodeUpload(httptest.NewRecorder(), r, avatar())
		if err != nil || got.Type != kind || got.Ext != endings[kind] {
			t.Fatalf("%s: DecodeUpload = %s %s, %s", kind, got.Type, got.Ext, face(err))
		}
		before, _, _ := image.Decode(bytes.NewReader(content))
		after, format, err := image.Decode(bytes.NewReader(got.Bytes))
		if err != nil || "image/"+format != kind {
			t.Fatalf("%s: what came out is %s, %v", kind, format, err)
		}
		for y := range 30 {
			for x := range 40 {
				if before.At(x, y) != after.At(x, y) {
					t.Fatalf("%s: the pixel at %d, %d has changed", kind, x, y)
				}
			}
		}
	}
	all, err := input.DecodeUpload(httptest.NewRecorder(), upload(t, part{"avatar", "a", "", string(pictures(t)["image/gif"])}), avatar())
	if err != nil {
		t.Fatal(err)
	}
	if animation, err := gif.DecodeAll(bytes.NewReader(all.Bytes)); err != nil || len(animation.Image) != 2 || animation.Delay[0] != 5 {
		t.Errorf("the frames of a GIF: %+v, %v", animation, err)
	}
	text, err := input.DecodeUpload(httptest.NewRecorder(), upload(t, part{"note", "a.html", "text/html", "Grüße\n\ta < b, <ann@b.example>\r\n"}), input.Upload{Field: "note", Types: []string{"text/plain"}})
	if err != nil || text.Type != "text/plain" || text.Ext != ".txt" || string(text.Bytes) != "Grüße\n\ta < b, <ann@b.example>\r\n" {
		t.Errorf("text: DecodeUpload = %+v, %s", text, face(err))
	}
}

// A file that is a picture and something else comes out as a picture, or not at all: nothing of the payload is left.
func TestAPictureIsNothingElse(t *testing.T) {
	const payload = "<script>alert(1)</script><?php system($_GET[0]); ?>/*PAYLOAD*/=1;alert(1)"
	made := pictures(t)
	p, j, g := made["image/png"], made["image/jpeg"], made["image/gif"]
	gifBlocks := afterPalette(g)
	for name, content := range map[string][]byte{
		"behind a PNG": append(bytes.Clone(p), payload...), "behind a JPEG": append(bytes.Clone(j), payload...), "behind a GIF": append(bytes.Clone(g), payload...), "an archive behind a PNG": append(bytes.Clone(p), "PK\x05\x06PAYLOAD"...),
		"in a text of a PNG": insert(p, 33, chunk("tEXt", []byte("Comment\x00"+payload))), "in a private chunk": insert(p, 33, chunk("prVt", []byte(payload))), "in the profile of a PNG": insert(p, 33, chunk("iCCP", []byte(payload))), "in the EXIF of a PNG": insert(p, 33, chunk("eXIf", []byte(payload))),
		"in a comment of a JPEG": insert(j, 2, segment(0xfe, payload)), "in the EXIF of a JPEG": insert(j, 2, segment(0xe1, "Exif\x00\x00"+payload)), "in the thumbnail of a JPEG": insert(j, 2, segment(0xe0, "JFIF\x00"+payload)), "in the profile of a JPEG": insert(j, 2, segment(0xe2, "ICC_PROFILE\x00"+payload)), "in what only looks like Adobe's": insert(j, 2, segment(0xee, "Adobe"+payload)),
		"in a comment of a GIF": insert(g, gifBlocks, append(append([]byte("!\xfe"), byte(len(payload))), payload+"\x00"...)), "in a text of a GIF": insert(g, gifBlocks, append(append([]byte("!\x01"), byte(len(payload))), payload+"\x00"...)), "in an application of a GIF": insert(g, gifBlocks, append(append([]byte("!\xff"), byte(len(payload))), payload+"\x00"...)),
	} {
		got, err := input.DecodeUpload(httptest.NewRecorder(), upload(t, part{"avatar", "x.png", "image/png", string(content)}), avatar())
		if err != nil {
			t.Errorf("%s: DecodeUpload = %s", name, face(err))
			continue
		}
		if bytes.Contains(got.Bytes, []byte("PAYLOAD")) || bytes.Contains(got.Bytes, []byte("alert")) {
			t.Errorf("%s: the payload came through", name)
		}
		if _, _, err := image.Decode(bytes.NewReader(got.Bytes)); err != nil {
			t.Errorf("%s: the picture does not decode: %v", name, err)
		}
	}
}

// archive is a ZIP that begins at a place of a larger file and ends so many bytes before its end.
func archive(t *testing.T, begins, left int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.SetOffset(int64(begins))
	member, err := w.Create("PAYLOAD.class")
	if err == nil {
		_, err = member.Write([]byte("code"))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint16(b.Bytes()[b.Len()-2:], uint16(left)) // the rest is its comment
	return b.Bytes()
}

// Among the pixels, in a palette or a table, where a scanner does not look: the picture is whole, and so is the archive in it.
func TestAPictureHoldsNoFile(t *testing.T) {
	made := pictures(t)
	p, j := made["image/png"], made["image/jpeg"]
	behind := len(p) - 12 // the last chunk
	inTable := append([]byte{0x0f}, archive(t, 7, len(j)-2)...)
	for name, content := range map[string][]byte{
		"an archive among the pixels": insert(p, behind, chunk("IDAT", archive(t, behind+8, 4+12))),
		"an archive in a table":       insert(j, 2, segment(0xdb, string(inTable))),
		"a document in a table":       insert(j, 2, segment(0xdb, "\x0f%PDF-1.7 "+strings.Repeat("x", 55))),
		"another archive":             insert(p, behind, chunk("IDAT", []byte("Rar!\x1a\x07\x01\x00"))),
		"and another":                 insert(p, behind, chunk("IDAT", []byte("7z\xbc\xaf\x27\x1c"))),
	} {
		if strings.HasPrefix(name, "an archive") {
			if z, err := zip.NewReader(bytes.NewReader(content), int64(len(content))); err != nil || z.File[0].Name != "PAYLOAD.class" {
				t.Fatalf("%s: it is none, %v", name, err)
			}
		}
		if got, err := input.DecodeUpload(httptest.NewRecorder(), upload(t, part{"avatar", "x.png", "image/png", string(content)}), avatar()); err == nil {
			t.Errorf("%s came through as %s", name, got.Type)
		}
	}
}

func TestAnUploadThatLiesIsRefused(t *testing.T) {
	made := pictures(t)
	p, j, g := made["image/png"], made["image/jpeg"], made["image/gif"]
	head := func(width, height uint32) []byte {
		ihdr := append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height), 8, 2, 0, 0, 0)
		return append(append(append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", ihdr)...), chunk("IDAT", []byte{0x78, 0x9c, 3, 0, 0, 0, 0, 1})...), chunk("IEND", nil)...)
	}
	wide := bytes.Clone(g)
	copy(wide[6:], "\xff\xff\xff\xff")
	tall := bytes.Replace(j, []byte{0xff, 0xc0, 0, 17, 8, 0, 30, 0, 40}, []byte{0xff, 0xc0, 0, 17, 8, 0xff, 0xff, 0xff, 0xff}, 1)
	frames := bytes.Clone(wide[:afterPalette(g)])
	for range 2 {
		frames = append(frames, ",\x00\x00\x00\x00\x00\x0c\x00\x0c\x00\x02\x00"...) // 3072 by 3072 each
	}
	for name, tt := range map[string]struct {
		content []byte
		want    string
	}{
		"nothing": {nil, "invalid avatar:required"}, "a page": {[]byte("<!DOCTYPE html><script>alert(1)</script>"), "invalid avatar:type"}, "a drawing with script": {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "invalid avatar:markup"}, "the same with a head": {[]byte(`<?xml version="1.0"?><svg onload="alert(1)"/>`), "invalid avatar:type"},
		"a document": {[]byte("%PDF-1.7\n%"), "invalid avatar:type"}, "an archive": {[]byte("PK\x03\x04"), "invalid avatar:type"}, "a program": {[]byte("\x7fELF\x02\x01\x01"), "invalid avatar:type"}, "text": {[]byte("hello"), "invalid avatar:type"}, "space before a picture": {append([]byte("\n"), p...), "invalid avatar:type"},
		"a head of a PNG with a page": {[]byte("\x89PNG\r\n\x1a\n<html><script>alert(1)</script>"), "invalid avatar:format"}, "a GIF that is a script": {[]byte("GIF89a/*<svg/onload=alert(1)>*/=alert(document.domain)//;"), "invalid avatar:format"}, "a JPEG that is a script": {[]byte("\xff\xd8\xff\xe0/*\x4a\x46*/=alert(1)"), "invalid avatar:format"}, "a head alone": {[]byte("GIF89a"), "invalid avatar:format"}, "two bytes more": {[]byte("\xff\xd8\xff\xd9"), "invalid avatar:format"},
		"half a PNG": {p[:len(p)-20], "invalid avatar:format"}, "half a JPEG": {j[:len(j)-20], "invalid avatar:format"}, "half a GIF": {g[:len(g)-20], "invalid avatar:format"}, "a wrong sum": {bytes.Replace(p, []byte("IDAT"), []byte("IDAX"), 1), "invalid avatar:format"}, "a chunk that must be understood": {insert(p, 33, chunk("EVIL", nil)), "invalid avatar:format"}, "another first chunk": {insert(p, 8, chunk("tEXt", nil)), "invalid avatar:format"}, "two heads": {insert(p, 33, p[8:33]), "invalid avatar:format"},
		"no frame": {append(bytes.Clone(g[:afterPalette(g)]), ';'), "invalid avatar:format"}, "two frames in a JPEG": {insert(j, 2, segment(0xc0, "\x08\x00\x01\x00\x01\x01\x01\x11\x00")), "invalid avatar:format"}, "an arithmetic JPEG": {bytes.Replace(j, []byte{0xff, 0xc0, 0, 17}, []byte{0xff, 0xc9, 0, 17}, 1), "invalid avatar:format"},
		"no width": {head(0, 5), "invalid avatar:format"}, "a frame beyond the screen": {bytes.Replace(g, []byte{',', 0, 0, 0, 0, 40}, []byte{',', 1, 0, 0, 0, 40}, 1), "invalid avatar:format"},
		"a bomb of a PNG": {head(50_000, 50_000), "invalid avatar:too-large"}, "one that overflows": {head(1<<31, 1<<31), "invalid avatar:too-large"}, "a bomb of a JPEG": {tall, "invalid avatar:too-large"}, "a bomb of frames": {frames, "invalid avatar:too-large"},
		"a page in the pixels": {insert(j, bytes.Index(j, []byte{0xff, 0xda})+14, []byte("<script>alert(1)</script>")), "invalid avatar:markup"},
	} {
		got, err := input.DecodeUpload(httptest.NewRecorder(), upload(t, part{"avatar", "me.png", "image/png", string(tt.content)}), avatar())
		if face(err) != tt.want || got.Bytes != nil {
			t.Errorf("%s: DecodeUpload = %s %d bytes, %s, want %s", name, got.Type, len(got.Bytes), face(err), tt.want)
		}
	}
	for name, content := range map[string]string{
		"a page": "<html>", "a page further down": strings.Repeat("a ", 600) + "<ScRiPt>alert(1)</script>", "a drawing": "x<svg/onload=alert(1)>", "NUL": "a\x00b", "escape": "a\x1b[2J", "not UTF-8": "\xff\xfea\x00", "a mark of byte order": "\ufeffa", "a picture": string(p),
	} {
		if _, err := input.DecodeUpload(httptest.NewRecorder(), upload(t, part{"note", "a.txt", "text/plain", content}), input.Upload{Field: "note", Types: []string{"text/plain"}}); !strings.HasPrefix(face(err), "invalid note:") {
			t.Errorf("text that is %s: DecodeUpload = %s", name, face(err))
		}
	}
}

func TestDecodeUploadRefusesOtherBodies(t *testing.T) {
	good := string(pictures(t)["image/png"])
	file := part{"avatar", "a.png", "image/png", good}
	whole := upload(t, file)
	raw, err := io.ReadAll(whole.Body)
	if err != nil {
		t.Fatal(err)
	}
	kind := whole.Header.Get("Content-Type")
	many := make([]part, 10_000)
	for i := range many {
		many[i] = part{name: fmt.Sprint("f", i), content: "x"}
	}
	heads := "--x\r\n" + strings.Repeat("A: b\r\n", 10_001) + "\r\n\r\n--x--\r\n"
	for name, tt := range map[string]struct {
		r    *http.Request
		want string
	}{
		"a form": {post(formType, "avatar=x"), "unsupported-media-type"}, "no type": {post("", string(raw)), "unsupported-media-type"}, "no boundary": {post("multipart/form-data", string(raw)), "unsupported-media-type"}, "another multipart": {post(strings.Replace(kind, "form-data", "mixed", 1), string(raw)), "unsupported-media-type"},
		"half a body": {post(kind, string(raw[:len(raw)/2])), "malformed"}, "no end": {post(kind, string(raw[:len(raw)-5])), "malformed"}, "no parts": {post(kind, ""), "invalid avatar:required"}, "noise": {post(kind, strings.Repeat("\r\n--", 9999)), "invalid avatar:required"}, "ten thousand heads": {post("multipart/form-data; boundary=x", heads), "malformed"},
		"ten thousand parts": {upload(t, many...), "too-large"}, "a thousand parts": {upload(t, many[:1000]...), "invalid :unknown"}, "parts without names": {upload(t, part{}, part{}), "invalid :unknown"}, "the file twice": {upload(t, file, file), "malformed"}, "another field": {upload(t, file, part{name: "role", content: "admin"}), "invalid :unknown"}, "another case": {upload(t, part{"Avatar", "a.png", "", good}), "invalid :unknown"}, "no file": {upload(t, part{name: "csrf_token", content: "x"}), "invalid avatar:required"},
		"too long": {upload(t, part{"avatar", "a.png", "", strings.Repeat("a", input.MaxUploadBytes+1)}), "too-large"}, "far too long": {upload(t, part{"avatar", "a.png", "", strings.Repeat("a", 2*input.MaxUploadBytes)}), "too-large"}, "a token that is too long": {upload(t, part{name: "csrf_token", content: strings.Repeat("a", 2*input.MaxUploadBytes)}), "too-large"},
	} {
		if name == "a token that is too long" || name == "far too long" {
			tt.r.ContentLength = -1
		}
		if _, err := input.DecodeUpload(httptest.NewRecorder(), tt.r, avatar()); face(err) != tt.want {
			t.Errorf("%s: DecodeUpload = %s, want %s", name, face(err), tt.want)
		}
	}
	zipped := upload(t, file)
	zipped.Header.Set("Content-Encoding", "gzip")
	if _, err := input.DecodeUpload(httptest.NewRecorder(), zipped, avatar()); face(err) != "unsupported-media-type" {
		t.Errorf("compressed: DecodeUpload = %s", face(err))
	}
	for name, o := range map[string]input.Upload{"the zero value": {}, "no types": {Field: "avatar"}, "no field": {Types: []string{"image/png"}}, "a type that is a program": {Field: "avatar", Types: []string{"image/svg+xml"}}, "the field of the token": {Field: "csrf_token", Types: []string{"image/png"}}} {
		if _, err := input.DecodeUpload(httptest.NewRecorder(), upload(t, file), o); face(err) != "internal" {
			t.Errorf("%s: DecodeUpload = %s, want a mistake of the program's", name, face(err))
		}
	}
}

// FuzzDecodeUpload: what passes is a picture of its type to a decoder that is not ours, of bounded size, and stays what it is when it is sent again.
func FuzzDecodeUpload(f *testing.F) {
	for _, content := range pictures(f) {
		f.Add(content)
	}
	for _, content := range webps(f) {
		f.Add(content)
		f.Add(riff(content[12:], riffChunk("EXIF", taken(binary.LittleEndian, 6))))
	}
	f.Add(riff(plain(40, 30)))
	f.Add(jpegWith(f, taken(binary.BigEndian, 6)))
	f.Add([]byte("GIF89a/*"))
	f.Fuzz(func(t *testing.T, content []byte) {
		o := input.Upload{Field: "f", Types: []string{"image/png", "image/jpeg", "image/gif", "image/webp", "text/plain"}}
		got, err := input.DecodeUpload(httptest.NewRecorder(), upload(t, part{"f", "x", "", string(content)}), o)
		if err != nil {
			return
		}
		if len(got.Bytes) > len(content) && !bytes.HasPrefix(content, []byte("RIFF")) || len(got.Bytes) > input.MaxUploadBytes || bytes.Contains(bytes.ToLower(got.Bytes), []byte("<script")) {
			t.Fatalf("%q came out as %q", content, got.Bytes)
		}
		if got.Type != "text/plain" {
			config, format, err := image.DecodeConfig(bytes.NewReader(got.Bytes))
			if err != nil || "image/"+format != got.Type || config.Width*config.Height > input.MaxPixels {
				t.Fatalf("%q came out as %s: %+v, %v", content, got.Type, config, err)
			}
		}
		again, err := input.DecodeUpload(httptest.NewRecorder(), upload(t, part{"f", "x", "", string(got.Bytes)}), o)
		if err != nil || !bytes.Equal(again.Bytes, got.Bytes) {
			t.Fatalf("%q came out as %q, and that as %q, %v", content, got.Bytes, again.Bytes, err)
		}
	})
}
