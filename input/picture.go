package input

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	typePNG  = "image/png"
	typeJPEG = "image/jpeg"
	typeGIF  = "image/gif"
	typeWebP = "image/webp"
	typeText = "text/plain"
)

// kindOf is the type of a file by how it begins; "" if it is none of ours.
func kindOf(content []byte) string {
	begins := func(mark string) bool { return bytes.HasPrefix(content, []byte(mark)) }
	switch {
	case begins(pngHead):
		return typePNG
	case begins("\xff\xd8\xff"):
		return typeJPEG
	case begins("GIF87a"), begins("GIF89a"):
		return typeGIF
	case begins("RIFF") && len(content) >= webpHead && string(content[8:webpHead]) == "WEBP":
		return typeWebP
	case isPlainText(content):
		return typeText
	}
	return ""
}

// recognise says what a file is by its content, and returns what of it may pass.
func (o Upload) recognise(content []byte) (File, *Fault) {
	if len(content) == 0 {
		return File{}, &Fault{"required", "The file is empty."}
	}
	kind, s := kindOf(content), &scanner{rest: content}
	f := File{Type: kind, Bytes: content}
	otherType := &Fault{"type", "Send a file of one of these types: " + strings.Join(o.Types, ", ") + "."}
	switch kind {
	case typePNG:
		f.Bytes = s.png()
	case typeJPEG:
		f.Bytes = s.jpeg()
	case typeGIF:
		f.Bytes = s.gif()
	case typeWebP:
		if !slices.Contains(o.Types, kind) { // before it costs anything
			return File{}, otherType
		}
		f = s.webp(o.MaxBytes)
	case "":
		return File{}, &Fault{"type", "This is no file of a type that can be sent here."}
	}
	f.Ext = extensionOf(f.Type)
	switch {
	case s.large:
		return File{}, &Fault{"too-large", "The picture has more pixels than can be sent here."}
	case s.long:
		return File{}, &Fault{"too-large", "The picture is too long once it is written as PNG or JPEG."}
	case f.Bytes == nil || f.Type != typeText && !isPicture(f):
		return File{}, &Fault{"format", "The picture is damaged."}
	case holdsFile(f):
		return File{}, &Fault{"format", "The picture holds another file."}
	case holdsMarkup(f):
		return File{}, &Fault{"markup", "The file holds the code of a page or a program."}
	}
	if !slices.Contains(o.Types, kind) {
		return File{}, otherType
	}
	return f, nil
}

// isPicture asks the decoder of the standard library, which knows nothing of the scanner, for the head of the picture.
func isPicture(f File) bool {
	config, err := png.DecodeConfig(bytes.NewReader(f.Bytes))
	switch f.Type {
	case typeJPEG:
		config, err = jpeg.DecodeConfig(bytes.NewReader(f.Bytes))
	case typeGIF:
		config, err = gif.DecodeConfig(bytes.NewReader(f.Bytes))
	}
	return err == nil && config.Width > 0 && config.Height > 0 && config.Width <= MaxPixels/config.Height
}

// isPlainText reports whether content is what a browser takes for text, and what people take for it too.
func isPlainText(content []byte) bool {
	if !utf8.Valid(content) || http.DetectContentType(content) != "text/plain; charset=utf-8" {
		return false
	}
	return !bytes.ContainsFunc(content, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\ufeff'
	})
}

// holdsMarkup looks for what makes a file a page or a program to something that guesses. In the pixels of a picture it
// is not found by chance: the shortest mark has six letters there.
func holdsMarkup(f File) bool {
	marks := []string{"<script", "<iframe", "<object", "<foreignobject", "<!doctype", "<!entity", "<?php", "<html>", "<html ", "<body>", "<body ", "javascript:", "onerror=", "onload="}
	if f.Type == typeText {
		marks = append(marks, "<?xml", "<svg", "<math", "<html", "<head", "<body", "<img", "<style", "<link", "<meta", "<base", "<embed", "<form")
	}
	lower := bytes.ToLower(f.Bytes)
	return slices.ContainsFunc(marks, func(mark string) bool { return bytes.Contains(lower, []byte(mark)) })
}

// holdsFile looks for what makes a picture another file as well, though it has nothing but the parts of a picture: what lies
// in a palette or among the pixels is not looked at by a scanner, nor by a decoder that has enough of them. A document begins
// in the first KiB; an archive has a directory and its end, anywhere. By chance there is one in ten million pictures of 1 MiB.
func holdsFile(f File) bool {
	if f.Type == typeText {
		return false
	}
	has := func(mark string) bool { return bytes.Contains(f.Bytes, []byte(mark)) }
	return bytes.Contains(f.Bytes[:min(len(f.Bytes), 1<<10)], []byte("%PDF-")) ||
		has("PK\x01\x02") && has("PK\x05\x06") || has("Rar!\x1a\x07") || has("7z\xbc\xaf\x27\x1c")
}

// scanner reads a picture part by part, and writes the parts that make its pixels. Whatever it does not understand
// makes it give up: the result is nil then.
type scanner struct {
	rest   []byte
	out    []byte
	pixels int
	large  bool // too many pixels
	long   bool // too many bytes, once it is written
}

// take is the next n bytes; nil if there are not as many.
func (s *scanner) take(n int) []byte {
	if n < 0 || n > len(s.rest) {
		s.rest = nil
		return nil
	}
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	return taken
}

// frame counts the pixels of a frame. It reports false if it has none, or if all have too many.
func (s *scanner) frame(width, height int) bool {
	if width <= 0 || height <= 0 {
		return false
	}
	if width > (MaxPixels-s.pixels)/height {
		s.large = true
		return false
	}
	s.pixels += width * height
	return true
}

const pngHead = "\x89PNG\r\n\x1a\n"

// png keeps the chunks of an unanimated picture (PNG, third edition, 5).
func (s *scanner) png() []byte {
	s.out = append(s.out, s.take(len(pngHead))...)
	for first := true; ; first = false {
		head := s.take(8)
		if head == nil || binary.BigEndian.Uint32(head) > 1<<30 {
			return nil
		}
		kind := string(head[4:])
		data := s.take(int(binary.BigEndian.Uint32(head)))
		sum := s.take(4)
		if sum == nil || crc32.Update(crc32.ChecksumIEEE(head[4:]), crc32.IEEETable, data) != binary.BigEndian.Uint32(sum) {
			return nil
		}
		if first != (kind == "IHDR") {
			return nil
		}
		if first && (len(data) != 13 || !s.frame(int(binary.BigEndian.Uint32(data)), int(binary.BigEndian.Uint32(data[4:])))) {
			return nil
		}
		switch kind {
		case "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "sBIT", "pHYs":
			s.out = append(append(append(s.out, head...), data...), sum...)
		default:
			if kind[0]&0x20 == 0 { // one that must be understood
				return nil
			}
		}
		if kind == "IEND" {
			return s.out
		}
	}
}
