package input

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"

	"github.com/ringwall/ringwall/internal/problem"
)

const (
	// MaxUploadBytes is how long a file may be unless [Upload] says otherwise: 1 MiB.
	MaxUploadBytes = 1 << 20
	// MaxPixels is how many pixels a picture may have, all its frames together: 16 Mi, such as 4096 by 4096. WebP: a quarter.
	MaxPixels = 1 << 24

	maxParts     = 10
	uploadAround = 64 << 10 // bytes for what stands around the file
)

// Upload is what [DecodeUpload] takes. The zero value takes nothing.
type Upload struct {
	// Field is the name of the form's field. Required.
	Field string

	// Types are the content types that may pass, of these: image/png, image/jpeg, image/gif, image/webp, text/plain. WebP
	// comes out as JPEG or, if it has transparency or lost nothing, as PNG. Required.
	Types []string

	// MaxBytes is how long the file may be, as it comes and as it comes out. Default: [MaxUploadBytes].
	MaxBytes int64
}

// File is an uploaded file, as it may be stored and served.
type File struct {
	Type  string // what it is, by its content
	Ext   string // the ending that belongs to Type, with its dot, for a name of your own making
	Bytes []byte // of a picture, the picture alone: no metadata, nothing behind its end
}

// DecodeUpload reads a body of multipart/form-data with one file in it, in the field that o names. A field csrf_token,
// which package csrf reads, may stand beside it, and nothing else.
//
// What the file is shows from its content. The name and the type that the client sends are not even looked at, and do
// not come out. A picture is read to its end, part by part, and written again with those parts alone that make its
// pixels: no text, no place where it was taken, no thumbnail, no colour profile, nothing before or behind. Of the EXIF of
// a JPEG, one number stays, by which browsers turn a photo upright; a decoder that does not know EXIF, such as image/jpeg,
// shows it as the camera was held. So a file that is a script, a page or an archive as well comes out as a picture only,
// or is refused if the other hides in its pixels. Its frames have at most [MaxPixels].
//
// Nothing is decompressed here but WebP. That has at most 4 Mi pixels, is upright when it comes out, and takes memory
// meanwhile: some 30 MB for transparent pixels, 150 MB if it is made to. Limit how many a host takes at a time.
//
// Text is UTF-8 without control characters, does not begin as a page does, and has none of the usual marks of one in it
// (<script, <img, onerror= and the like): not all that a browser could read as markup, so serve it as text/plain and with
// nosniff. SVG and HTML are programs, and never pass.
//
// The error is a 400, 408, 413, 415, or a 422 that names the field. An Upload without a Field or with other Types than
// these is an error that [Refuse] answers with 500.
func DecodeUpload(w http.ResponseWriter, r *http.Request, o Upload) (File, error) {
	if err := o.check(); err != nil {
		return File{}, err
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = MaxUploadBytes
	}
	boundary, err := boundaryOf(r)
	if err != nil {
		return File{}, err
	}
	if r.ContentLength > o.MaxBytes+uploadAround {
		return File{}, tooLarge()
	}
	if r.Body == nil || r.MultipartForm != nil {
		return File{}, malformed("There is no body, or it was read already.")
	}
	content, err := o.read(multipart.NewReader(http.MaxBytesReader(w, r.Body, o.MaxBytes+uploadAround), boundary))
	if err != nil {
		return File{}, err
	}
	file, fault := o.recognise(content)
	if fault != nil {
		return File{}, invalid([]problem.Field{{Name: o.Field, Code: fault.Code, Detail: fault.Detail}})
	}
	return file, nil
}

func (o Upload) check() error {
	if o.Field == "" || o.Field == tokenField || len(o.Types) == 0 {
		return errors.New("decode upload: Field and Types must be set")
	}
	for _, t := range o.Types {
		if extensionOf(t) == "" {
			return fmt.Errorf("decode upload: %q is no type that can be checked", t)
		}
	}
	return nil
}

func extensionOf(contentType string) string {
	switch contentType {
	case typePNG:
		return ".png"
	case typeJPEG:
		return ".jpg"
	case typeGIF:
		return ".gif"
	case typeWebP:
		return ".webp"
	case typeText:
		return ".txt"
	}
	return ""
}

// boundaryOf is what stands between the parts; a 415 if the body is no multipart/form-data, or is compressed.
func boundaryOf(r *http.Request) (string, error) {
	refusal := problem.New(problem.UnsupportedMedia, "unsupported-media-type", "Send Content-Type: multipart/form-data with a boundary, and no Content-Encoding.")
	types := r.Header["Content-Type"]
	if len(types) != 1 {
		return "", refusal
	}
	media, params, err := mime.ParseMediaType(types[0])
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" || len(params) != 1 || !isPlainEncoding(r) {
		return "", refusal
	}
	return params["boundary"], nil
}

// read walks through all parts, so that a body that breaks off is seen, and returns the content of the file.
func (o Upload) read(parts *multipart.Reader) (content []byte, err error) {
	seen := map[string]bool{}
	for range maxParts {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			if !seen[o.Field] {
				return nil, invalid([]problem.Field{{Name: o.Field, Code: "required", Detail: "This field is required."}})
			}
			return content, nil
		}
		if err != nil {
			return nil, uploadError(err)
		}
		name := part.FormName()
		switch {
		case seen[name]:
			return nil, malformed("The form holds the same field twice.")
		case name == tokenField:
			_, err = io.Copy(io.Discard, part)
		case name != o.Field:
			return nil, invalid([]problem.Field{{Code: "unknown", Detail: "There is a field that this form does not know. Known are: " + o.Field + "."}})
		case part.Header.Get("Content-Transfer-Encoding") != "":
			return nil, malformed("A part of the form is encoded: send it as it is.")
		default:
			content, err = io.ReadAll(io.LimitReader(part, o.MaxBytes+1))
			if int64(len(content)) > o.MaxBytes {
				return nil, tooLarge()
			}
		}
		if err != nil {
			return nil, uploadError(err)
		}
		seen[name] = true
	}
	return nil, malformed("The form has too many parts.")
}

// uploadError gives an error of the body its public face.
func uploadError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return problem.New(problem.TimedOut, "timeout", "The body took too long to arrive.").Because(err)
	}
	// The cause stays out of the log: it may quote the body.
	return malformed("The parts of the form cannot be read, or end before their time.")
}
