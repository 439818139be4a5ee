package webtest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ringwall/ringwall/input"
)

// corners draws each picture as a page shows it, and names its size and the grey in its corners: 0 to 3, the darkest first.
const corners = `async sources => JSON.stringify(await Promise.all(sources.map(async source => {
	const picture = new Image();
	picture.src = source;
	await picture.decode();
	const canvas = document.createElement("canvas");
	[canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
	const at = canvas.getContext("2d", {willReadFrequently: true});
	at.drawImage(picture, 0, 0);
	const grey = (x, y) => Math.round(at.getImageData(x, y, 1, 1).data[0] / 80);
	const [right, bottom] = [canvas.width - 5, canvas.height - 5];
	return canvas.width + "x" + canvas.height + " " + grey(5, 5) + grey(right, 5) + grey(5, bottom) + grey(right, bottom);
})))`

// A photo that was taken with the camera on its side is upright in a browser after it was uploaded, whichever side that was.
func TestAnUploadedPhotoIsUprightInABrowser(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, "<!doctype html><title>photos</title><link rel=icon href=data:,><body>")
	}))
	defer server.Close()
	var sources []string
	for lies := 1; lies <= 8; lies++ {
		sources = append(sources, "data:image/jpeg;base64,"+base64.StdEncoding.EncodeToString(uploaded(t, photo(t, lies))))
	}
	literal, err := json.Marshal(sources)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, server.URL, as{})
	b.visit("/page")
	var got []string
	if err := json.Unmarshal([]byte(eval[string](b, "("+corners+")("+string(literal)+")")), &got); err != nil {
		t.Fatal(err)
	}
	// EXIF 3.0, 4.6.5.1 (D): what is stored at the top left is 0, at the top right 1; 2 and 3 below.
	for i, want := range []string{"48x32 0123", "48x32 1032", "48x32 3210", "48x32 2301", "32x48 0213", "32x48 2031", "32x48 3120", "32x48 1302"} {
		if got[i] != want {
			t.Errorf("orientation %d: the browser shows %s, want %s", i+1, got[i], want)
		}
	}
}

// photo is a JPEG with a grey of its own in each quarter, and EXIF that says how the camera was held.
func photo(t *testing.T, lies int) []byte {
	t.Helper()
	p := image.NewGray(image.Rect(0, 0, 48, 32))
	for i := range p.Pix {
		x, y := i%48, i/48
		p.SetGray(x, y, color.Gray{Y: uint8(80 * (x/24 + y/16*2))})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, nil); err != nil {
		t.Fatal(err)
	}
	exif := "\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string(rune(lies)) + "\x00\x00\x00\x00\x00\x00\x00"
	return append([]byte("\xff\xd8"+exif), b.Bytes()[2:]...)
}

// uploaded is what input makes of a file.
func uploaded(t *testing.T, content []byte) []byte {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("photo", "photo.jpg")
	if err == nil {
		_, err = file.Write(content)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	got, err := input.DecodeUpload(httptest.NewRecorder(), r, input.Upload{Field: "photo", Types: []string{"image/jpeg"}})
	if err != nil {
		t.Fatal(err)
	}
	return got.Bytes
}
