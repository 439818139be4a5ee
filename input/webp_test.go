package input_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/webp"

	"github.com/ringwall/ringwall/input"
)

// webps are files as Chromium writes them, with a profile, of the picture that quarters is; the first quarter of one is
// transparent.
func webps(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range []string{"lossy", "lossless", "transparent"} {
		content, err := os.ReadFile("testdata/webp/" + name + ".webp")
		if err != nil {
			t.Fatal(err)
		}
		files[name] = content
	}
	return files
}

// riff is a WebP with these chunks.
func riff(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func riffChunk(kind string, data []byte) []byte {
	out := append(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data))), data...)
	return append(out, make([]byte, len(data)%2)...)
}

// canvas is the chunk that comes first if there is more than pixels.
func canvas(flags byte, width, height int) []byte {
	size := uint64(width-1) | uint64(height-1)<<24
	return riffChunk("VP8X", append([]byte{flags, 0, 0, 0}, binary.LittleEndian.AppendUint64(nil, size)[:6]...))
}

// plain is a lossless frame of any size in which all pixels have one colour: a few bytes.
func plain(width, height int) []byte {
	var bits uint64
	n := 0
	put := func(value uint64, count int) { bits, n = bits|value<<n, n+count }
	put(uint64(width-1), 14)
	put(uint64(height-1), 14)
	put(0, 4+1+1+1) // no transparency, version 0, no transform, no cache, one group of codes
	out := append([]byte{0x2f}, binary.LittleEndian.AppendUint64(nil, bits)[:4]...)
	rest, at := bits>>32, n-32
	for range 5 { // a code with one symbol of one bit, 0
		rest, at = rest|1<<at, at+4
	}
	return riffChunk("VP8L", append(append(out, binary.LittleEndian.AppendUint64(nil, rest)...), 0, 0))
}

func TestDecodeUploadReadsWebP(t *testing.T) {
	want := map[string]struct{ kind, ext, corners string }{
		"lossy": {"image/jpeg", ".jpg", "0123"}, "lossless": {"image/png", ".png", "0123"}, "transparent": {"image/png", ".png", "-123"},
	}
	for name, content := range webps(t) {
		for lies := 0; lies <= 9; lies++ {
			marked := content
			seenCorners := want[name].corners
			if lies > 0 {
				marked = riff(content[12:], riffChunk("EXIF", taken(binary.LittleEndian, lies)), riffChunk("XMP ", []byte("PAYLOAD")))
			}
			if lies > 1 && lies < 9 {
				seenCorners = strings.NewReplacer("0", seenCorners[:1]).Replace(corners[lies])
			}
			got, err := sent(t, append(bytes.Clone(marked), "PAYLOAD"...), "image/webp")
			if err != nil || got.Type != want[name].kind || got.Ext != want[name].ext {
				t.Fatalf("%s: DecodeUpload = %s %s, %s", name, got.Type, got.Ext, face(err))
			}
			p, format, err := image.Decode(bytes.NewReader(got.Bytes))
			if err != nil || "image/"+format != got.Type || seen(p) != seenCorners {
				t.Errorf("%s, orientation %d: what came out is %s with %s in its corners, want %s, %v", name, lies, format, seen(p), seenCorners, err)
			}
			if turned := lies >= 5 && lies <= 8; p.Bounds().Dx() != 48 && !turned || p.Bounds().Dx() != 32 && turned {
				t.Errorf("%s, orientation %d: what came out is %v", name, lies, p.Bounds())
			}
			for _, left := range []string{"PAYLOAD", "ICCP", "Exif", "EXIF", "ACME"} {
				if bytes.Contains(got.Bytes, []byte(left)) {
					t.Errorf("%s, orientation %d: %s came through", name, lies, left)
				}
			}
		}
	}
}

func TestAWebPThatLiesIsRefused(t *testing.T) {
	made := webps(t)
	lossy := made["lossy"]
	frame := lossy[bytes.Index(lossy, []byte("VP8 ")):]
	changed := func(at int, to string) []byte {
		out := bytes.Clone(frame)
		copy(out[8+at:], to)
		return riff(out)
	}
	long := bytes.Clone(lossy)
	binary.LittleEndian.PutUint32(long[4:], 1<<32-1)
	for name, tt := range map[string]struct {
		content []byte
		want    string
	}{
		"a small one": {riff(plain(40, 30)), "ok"}, "one with a canvas": {riff(canvas(0, 40, 30), plain(40, 30)), "ok"}, "the largest": {riff(plain(2048, 2048)), "ok"}, "the frame alone": {riff(frame), "ok"},
		"one row more": {riff(plain(2048, 2049)), "invalid f:too-large"}, "a bomb": {riff(plain(1<<14, 1<<14)), "invalid f:too-large"}, "a bomb on a small canvas": {riff(canvas(0, 1, 1), plain(1<<14, 1<<14)), "invalid f:too-large"}, "a small one on a canvas that is a bomb": {riff(canvas(1<<4, 1<<14, 1<<14), riffChunk("ALPH", []byte{1}), frame), "invalid f:too-large"}, "a canvas of all numbers": {riff(canvas(0, 1<<24, 1<<24), frame), "invalid f:too-large"}, "a lossy bomb": {changed(6, "\xff\x3f\xff\x3f"), "invalid f:too-large"},
		"another canvas": {riff(canvas(0, 50, 30), plain(40, 30)), "invalid f:format"}, "a canvas too late": {riff(plain(40, 30), canvas(0, 40, 30)), "invalid f:format"}, "an animation": {riff(canvas(1<<1, 40, 30), riffChunk("ANIM", make([]byte, 6)), plain(40, 30)), "invalid f:format"}, "one that hides": {riff(canvas(0, 40, 30), riffChunk("ANMF", make([]byte, 16)), plain(40, 30)), "invalid f:format"},
		"two frames": {riff(plain(40, 30), plain(40, 30)), "invalid f:format"}, "no frame": {riff(canvas(0, 40, 30)), "invalid f:format"}, "no chunk": {riff(), "invalid f:format"}, "no width": {changed(6, "\x00\x00"), "invalid f:format"}, "a frame that needs another": {changed(0, string([]byte{frame[8] | 1})), "invalid f:format"}, "no start code": {changed(3, "\x00"), "invalid f:format"}, "another frame": {riff(riffChunk("VP8L", frame[8:])), "invalid f:format"},
		"transparency without a canvas": {riff(riffChunk("ALPH", []byte{0, 1}), frame), "invalid f:format"}, "too little of it": {riff(canvas(1<<4, 48, 32), riffChunk("ALPH", []byte{0, 1}), frame), "invalid f:format"},
		"half of it": {lossy[:len(lossy)/2], "invalid f:format"}, "half a frame": {riff(riffChunk("VP8 ", frame[8:60])), "invalid f:format"}, "a length beyond the end": {long, "invalid f:format"}, "a chunk beyond the end": {riff([]byte("VP8 \xff\xff\xff\xff")), "invalid f:format"}, "a head alone": {[]byte("RIFF\x04\x00\x00\x00WEBP"), "invalid f:format"}, "a length of nothing": {[]byte("RIFF\x00\x00\x00\x00WEBP"), "invalid f:format"},
		"sound": {[]byte("RIFF\x04\x00\x00\x00WAVE\x00"), "invalid f:type"}, "text": {[]byte("RIFF is no picture"), "invalid f:type"},
	} {
		if got, err := sent(t, tt.content, "image/webp"); face(err) != tt.want || err != nil && got.Bytes != nil {
			t.Errorf("%s: DecodeUpload = %s %d bytes, %s, want %s", name, got.Type, len(got.Bytes), face(err), tt.want)
		}
	}
	if _, err := sent(t, lossy, "image/png", "image/jpeg"); face(err) != "invalid f:type" {
		t.Errorf("where it may not be sent: DecodeUpload = %s", face(err))
	}
	o := input.Upload{Field: "f", Types: []string{"image/webp"}, MaxBytes: int64(len(lossy))}
	if _, err := input.DecodeUpload(nil, upload(t, part{"f", "x", "", string(lossy)}), o); face(err) != "invalid f:too-large" {
		t.Errorf("one that is longer as JPEG: DecodeUpload = %s", face(err))
	}
}

// What is refused for its size costs nothing, and what passes costs what the contract says.
func TestAWebPIsNoBomb(t *testing.T) {
	for name, tt := range map[string]struct {
		content []byte
		atMost  uint64 // bytes
	}{
		"a bomb": {riff(plain(1<<14, 1<<14)), 1 << 20}, "a bomb on a small canvas": {riff(canvas(0, 1, 1), plain(1<<14, 1<<14)), 1 << 20}, "the largest": {riff(plain(2048, 2048)), 30 << 20},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = sent(t, tt.content, "image/webp")
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > tt.atMost {
			t.Errorf("%s: %d bytes take %d KiB of memory", name, len(tt.content), took>>10)
		}
	}
	if p, err := webp.Decode(bytes.NewReader(riff(plain(700, 300)))); err != nil || p.Bounds().Dx() != 700 {
		t.Errorf("what is sent here is no WebP: %v", err)
	}
}
