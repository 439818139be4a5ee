package input

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/webp"
)

const (
	maxDecodedPixels = 1 << 22
	jpegQuality      = 90

	webpHead      = 12 // bytes: RIFF, length, WEBP
	canvasBytes   = 10
	flagAnimation = 1 << 1
	flagAlpha     = 1 << 4
)

// webp keeps canvas, transparency and pixels of an unanimated picture (RFC 9649, 2.3 to 2.7), decodes that and writes it anew:
// as JPEG if it was made like one, else as PNG.
func (s *scanner) webp(maxBytes int64) File {
	lies := s.webpChunks()
	if lies == 0 {
		return File{}
	}
	decoded, err := webp.Decode(bytes.NewReader(s.out))
	if err != nil {
		return File{}
	}
	if lies != upright {
		decoded = turned{decoded, lies}
	}
	out := &short{left: maxBytes}
	f := File{Type: typePNG}
	if decoded.ColorModel() == color.YCbCrModel {
		f.Type = typeJPEG
		err = jpeg.Encode(out, decoded, &jpeg.Options{Quality: jpegQuality})
	} else {
		err = png.Encode(out, decoded)
	}
	if err != nil {
		s.long = true // there is no other error: the picture has pixels
		return File{}
	}
	f.Bytes = out.Bytes()
	return f
}

// webpChunks writes the chunks that are kept. It returns the picture's orientation; 0 if there is no picture.
func (s *scanner) webpChunks() uint16 {
	head := s.take(webpHead)
	if head == nil || int64(binary.LittleEndian.Uint32(head[4:])) > int64(len(s.rest))+4 || binary.LittleEndian.Uint32(head[4:]) < 4 {
		return 0
	}
	s.rest = s.rest[:binary.LittleEndian.Uint32(head[4:])-4]
	s.out = append(s.out, head...)
	lies, frames := uint16(upright), 0
	for first := true; len(s.rest) > 0; first = false {
		name := s.take(8)
		if name == nil || binary.LittleEndian.Uint32(name[4:]) > 1<<30 {
			return 0
		}
		data := s.take(int(binary.LittleEndian.Uint32(name[4:])))
		if data == nil || len(data)%2 == 1 && s.take(1) == nil {
			return 0
		}
		switch kind := string(name[:4]); kind {
		case "VP8X":
			if !first || len(data) != canvasBytes || data[0]&flagAnimation != 0 || !s.decodable(int(uint24(data[4:]))+1, int(uint24(data[7:]))+1) {
				return 0
			}
			data = append([]byte{data[0] & flagAlpha, 0, 0, 0}, data[4:]...)
		case "ALPH":
		case "VP8 ", "VP8L":
			frames++
			if width, height := frameOfWebP(kind, data); !s.decodable(width, height) {
				return 0
			}
		case "EXIF":
			lies = orientation(data)
			continue
		case "ANIM", "ANMF":
			return 0
		default:
			continue
		}
		s.out = append(append(s.out, name...), data...)
		s.out = append(s.out, make([]byte, len(data)%2)...)
	}
	if frames != 1 {
		return 0
	}
	binary.LittleEndian.PutUint32(s.out[4:], uint32(len(s.out)-8)) // #nosec G115 -- shorter than what came in, whose length is such a number
	return lies
}

// frameOfWebP is the size of a frame by its head; none if that is not the head of a picture that stands alone.
func frameOfWebP(kind string, data []byte) (width, height int) {
	switch {
	case kind == "VP8 " && len(data) >= 10 && data[0]&1 == 0 && string(data[3:6]) == "\x9d\x01\x2a":
		return int(binary.LittleEndian.Uint16(data[6:])) & 0x3fff, int(binary.LittleEndian.Uint16(data[8:])) & 0x3fff
	case kind == "VP8L" && len(data) >= 5 && data[0] == 0x2f:
		bits := int(binary.LittleEndian.Uint32(data[1:]))
		return bits&0x3fff + 1, bits>>14&0x3fff + 1
	}
	return 0, 0
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// decodable reports whether a frame has pixels, and so few that they may be decoded.
func (s *scanner) decodable(width, height int) bool {
	if width <= 0 || height <= 0 {
		return false
	}
	s.large = s.large || width > maxDecodedPixels/height
	return !s.large
}

// turned is a picture as it is seen, where it is stored otherwise.
type turned struct {
	image.Image
	lies uint16 // 2 to 8
}

// Bounds is its size.
func (t turned) Bounds() image.Rectangle {
	b := t.Image.Bounds()
	if t.lies >= 5 {
		return image.Rect(0, 0, b.Dy(), b.Dx())
	}
	return image.Rect(0, 0, b.Dx(), b.Dy())
}

// At is a pixel. From 5 on, rows are stored as columns.
func (t turned) At(x, y int) color.Color {
	b := t.Image.Bounds()
	right, bottom := b.Dx()-1, b.Dy()-1
	if t.lies >= 5 {
		x, y = y, x
	}
	switch t.lies {
	case 2, 7, 3, 8:
		x = right - x
	}
	switch t.lies {
	case 3, 4, 6, 7:
		y = bottom - y
	}
	return t.Image.At(b.Min.X+x, b.Min.Y+y)
}

var errLong = errors.New("the picture is longer than it may be")

// short is a buffer that takes so many bytes.
type short struct {
	bytes.Buffer
	left int64
}

// Write takes them all, or none.
func (s *short) Write(p []byte) (int, error) {
	if s.left -= int64(len(p)); s.left < 0 {
		return 0, errLong
	}
	return s.Buffer.Write(p)
}
