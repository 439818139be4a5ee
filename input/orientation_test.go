package input_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/ringwall/ringwall/input"
)

// corners are those that are seen at the top left, the top right, and below, for each orientation of EXIF 3.0, 4.6.5.1 (D):
// 0 is what is stored at the top left, 1 at the top right, 2 and 3 below.
var corners = [...]string{1: "0123", "1032", "3210", "2301", "0213", "2031", "3120", "1302"}

// colours of the quarters of what is stored, in that order, 48 by 32 pixels.
func colours() []color.RGBA {
	return []color.RGBA{{0xd0, 0x20, 0x20, 0xff}, {0x20, 0xa0, 0x20, 0xff}, {0x20, 0x20, 0xd0, 0xff}, {0xf0, 0xf0, 0xf0, 0xff}}
}

func quarters() image.Image {
	p := image.NewRGBA(image.Rect(0, 0, 48, 32))
	for y := range 32 {
		for x := range 48 {
			p.SetRGBA(x, y, colours()[x/24+y/16*2])
		}
	}
	return p
}

// seen names the colours in the corners of a picture.
func seen(p image.Image) (found string) {
	b := p.Bounds()
	for _, at := range []image.Point{{5, 5}, {b.Dx() - 5, 5}, {5, b.Dy() - 5}, {b.Dx() - 5, b.Dy() - 5}} {
		name := "?"
		got := color.RGBAModel.Convert(p.At(b.Min.X+at.X, b.Min.Y+at.Y)).(color.RGBA)
		for i, want := range colours() {
			near := func(a, b uint8) bool { return max(a, b)-min(a, b) < 40 }
			if near(got.R, want.R) && near(got.G, want.G) && near(got.B, want.B) {
				name = strconv.Itoa(i)
			}
		}
		if got.A == 0 {
			name = "-"
		}
		found += name
	}
	return found
}

// entry is one of a directory of EXIF.
type entry struct {
	tag, kind    uint16
	count, value uint32
}

// exif has a directory with these entries, and behind it what else a camera would write.
func exif(order binary.AppendByteOrder, entries ...entry) []byte {
	out := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		out = []byte("MM\x00*")
	}
	out = order.AppendUint16(order.AppendUint32(out, 8), uint16(len(entries)))
	for _, e := range entries {
		out = order.AppendUint32(order.AppendUint16(order.AppendUint16(out, e.tag), e.kind), e.count)
		if e.kind == 3 {
			out = order.AppendUint16(order.AppendUint16(out, uint16(e.value)), 0)
		} else {
			out = order.AppendUint32(out, e.value)
		}
	}
	return append(order.AppendUint32(out, 0), "PAYLOAD: 48.8584 N, 2.2945 E, ACME camera 1"...)
}

// taken is how a camera writes where it was and how it was held.
func taken(order binary.AppendByteOrder, lies int) []byte {
	return exif(order, entry{0x010f, 2, 8, 60}, entry{0x0112, 3, 1, uint32(lies)}, entry{0x8825, 4, 1, 60})
}

// jpegWith is a JPEG with an EXIF segment.
func jpegWith(t testing.TB, exif []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, quarters(), nil); err != nil {
		t.Fatal(err)
	}
	if exif == nil {
		return b.Bytes()
	}
	return insert(b.Bytes(), 2, segment(0xe1, "Exif\x00\x00"+string(exif)))
}

// onlyOrientation is all EXIF that comes out.
func onlyOrientation(lies int) []byte {
	return []byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(rune(lies)) + "\x00\x00\x00\x00\x00\x00")
}

func sent(t testing.TB, content []byte, types ...string) (input.File, error) {
	t.Helper()
	return input.DecodeUpload(httptest.NewRecorder(), upload(t, part{"f", "x", "", string(content)}), input.Upload{Field: "f", Types: types})
}

// A photo that was taken with the camera on its side: browsers turn it, and where it was taken is gone. That they do is seen
// in internal/webtest.
func TestAPhotoStaysUpright(t *testing.T) {
	bare := jpegWith(t, nil)
	for lies := 1; lies <= 8; lies++ {
		want := bare
		if lies > 1 {
			want = insert(bare, 2, onlyOrientation(lies))
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			got, err := sent(t, jpegWith(t, taken(order, lies)), "image/jpeg")
			if err != nil || got.Type != "image/jpeg" || !bytes.Equal(got.Bytes, want) {
				t.Fatalf("orientation %d, %s: DecodeUpload = %.60q, %s, want %.60q", lies, order, got.Bytes, face(err), want)
			}
		}
	}
}

// EXIF that is made to lead a reader astray is as good as none.
func TestHostileEXIFIsIgnored(t *testing.T) {
	bare, good := jpegWith(t, nil), taken(binary.LittleEndian, 6)
	at := func(offset uint32) []byte {
		out := bytes.Clone(good)
		binary.LittleEndian.PutUint32(out[4:], offset)
		return out
	}
	counts := func(count uint16) []byte {
		out := bytes.Clone(good)
		binary.LittleEndian.PutUint16(out[8:], count)
		return out
	}
	one := func(e entry) []byte { return exif(binary.LittleEndian, e) }
	for name, hostile := range map[string][]byte{
		"nothing": {}, "a head alone": good[:8], "no order": append([]byte("IM*\x00"), good[4:]...), "another number": append([]byte("II+\x00"), good[4:]...), "half a directory": good[:30], "no end of the directory": good[:8+2+3*12+3],
		"a directory in the head": at(0), "one that overlaps it": at(4), "one behind the end": at(uint32(len(good))), "one that ends there": at(uint32(len(good) - 1)), "one at the end of numbers": at(1<<32 - 1), "one that overflows": at(1<<32 - 8), "a loop": at(8 + 2 + 12 + 8),
		"too many entries": counts(1<<16 - 1), "one entry too many": counts(8), "no entries": counts(0),
		"2^32 numbers": one(entry{0x0112, 3, 1<<32 - 1, 6}), "no number": one(entry{0x0112, 3, 0, 6}), "a long number": one(entry{0x0112, 4, 1, 6}), "text": one(entry{0x0112, 2, 2, 6}), "orientation 0": one(entry{0x0112, 3, 1, 0}), "orientation 9": one(entry{0x0112, 3, 1, 9}), "orientation 65535": one(entry{0x0112, 3, 1, 65535}), "one that is wrong, then one that is right": exif(binary.LittleEndian, entry{0x0112, 3, 1, 9}, entry{0x0112, 3, 1, 6}),
		"directories in each other": one(entry{0x8769, 4, 1, 8}), "a directory in itself": one(entry{0x014a, 4, 1<<32 - 1, 8}),
	} {
		if got, err := sent(t, jpegWith(t, hostile), "image/jpeg"); err != nil || !bytes.Equal(got.Bytes, bare) {
			t.Errorf("%s: DecodeUpload = %.60q, %s", name, got.Bytes, face(err))
		}
	}
	exifOf := func(lies int) []byte {
		return segment(0xe1, "Exif\x00\x00"+string(taken(binary.BigEndian, lies)))
	}
	twice, err := sent(t, insert(insert(bare, 2, exifOf(6)), 2, exifOf(3)), "image/jpeg")
	if err != nil || bytes.Count(twice.Bytes, []byte("Exif")) != 1 || !bytes.Contains(twice.Bytes, []byte("\x00\x03\x00\x00\x00\x01\x00\x03")) {
		t.Errorf("two of them: DecodeUpload = %.99q, %s", twice.Bytes, face(err))
	}
	late, err := sent(t, insert(bare, bytes.Index(bare, []byte{0xff, 0xda}), exifOf(6)), "image/jpeg")
	if err != nil || !bytes.Equal(late.Bytes, bare) {
		t.Errorf("behind the frame: DecodeUpload = %.99q, %s", late.Bytes, face(err))
	}
	many, err := sent(t, insert(bare, 2, bytes.Repeat(exifOf(1), 5000)), "image/jpeg")
	if err != nil || !bytes.Equal(many.Bytes, bare) {
		t.Errorf("thousands of them: DecodeUpload = %.99q, %s", many.Bytes, face(err))
	}
}

// FuzzOrientation: whatever EXIF says, the picture is the same, and of the EXIF at most one number from 2 to 8 comes out.
func FuzzOrientation(f *testing.F) {
	for lies := range 10 {
		f.Add(taken(binary.LittleEndian, lies))
		f.Add(taken(binary.BigEndian, lies))
	}
	f.Add([]byte("MM\x00*\xff\xff\xff\xff"))
	bare := jpegWith(f, nil)
	f.Fuzz(func(t *testing.T, exif []byte) {
		if len(exif) > 60_000 {
			return
		}
		got, err := sent(t, jpegWith(t, append([]byte{}, exif...)), "image/jpeg")
		if err != nil {
			t.Fatalf("%q: %s", exif, face(err))
		}
		for lies := 2; lies <= 8; lies++ {
			if bytes.Equal(got.Bytes, insert(bare, 2, onlyOrientation(lies))) {
				return
			}
		}
		if !bytes.Equal(got.Bytes, bare) {
			t.Fatalf("%q came out as %q", exif, got.Bytes)
		}
	})
}
