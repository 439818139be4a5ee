package input

import (
	"bytes"
	"encoding/binary"
)

// Markers of JPEG (ITU-T T.81, B.1.1.3).
const (
	markerSOF0, markerSOF2 = 0xc0, 0xc2 // baseline to progressive, with Huffman codes
	markerDHT, markerDQT   = 0xc4, 0xdb
	markerRST0, markerRST7 = 0xd0, 0xd7
	markerEOI, markerSOS   = 0xd9, 0xda
	markerDRI              = 0xdd
	markerAPP0, markerAPPn = 0xe0, 0xef
	markerAdobe            = 0xee
	markerCOM              = 0xfe
	adobeBytes             = 12
)

// jpeg keeps tables, frame and scans. Of the segments of applications only Adobe's stays, which says what colours mean, and
// of the first EXIF how the picture lies.
func (s *scanner) jpeg() []byte {
	s.out = append(s.out, s.take(2)...)
	for frames, exifs := 0, 0; ; {
		marker := s.marker()
		if marker == markerEOI {
			if frames != 1 {
				return nil
			}
			return append(s.out, 0xff, markerEOI)
		}
		size := s.take(2)
		if size == nil || marker == 0 {
			return nil
		}
		data := s.take(int(binary.BigEndian.Uint16(size)) - 2)
		if data == nil {
			return nil
		}
		switch {
		case marker >= markerSOF0 && marker <= markerSOF2:
			frames++
			if len(data) < 6 || !s.frame(int(binary.BigEndian.Uint16(data[3:])), int(binary.BigEndian.Uint16(data[1:]))) {
				return nil
			}
		case marker == markerDHT || marker == markerDQT || marker == markerDRI || marker == markerSOS:
		case marker == markerAdobe && bytes.HasPrefix(data, []byte("Adobe")) && len(data) == adobeBytes:
		case marker == markerEXIF && bytes.HasPrefix(data, []byte(exifHead)):
			if exifs++; exifs > 1 || frames > 0 || orientation(data) == upright {
				continue
			}
			data = orientationOnly(orientation(data))
			size = binary.BigEndian.AppendUint16(nil, uint16(len(data)+2)) // #nosec G115 -- a constant length
		case marker >= markerAPP0 && marker <= markerAPPn || marker == markerCOM:
			continue
		default:
			return nil
		}
		s.out = append(append(append(s.out, 0xff, marker), size...), data...)
		if marker == markerSOS {
			s.scan()
		}
	}
}

// marker is the next marker; 0 if there is none.
func (s *scanner) marker() byte {
	if b := s.take(1); b == nil || b[0] != 0xff {
		return 0
	}
	for {
		b := s.take(1)
		if b == nil {
			return 0
		}
		if b[0] != 0xff { // any number of 0xff may stand before a marker
			return b[0]
		}
	}
}

// scan copies the data behind the head of a scan, up to the next marker that is no restart.
func (s *scanner) scan() {
	for at := 0; at+1 < len(s.rest); at++ {
		next := s.rest[at+1]
		if s.rest[at] == 0xff && next != 0 && next != 0xff && (next < markerRST0 || next > markerRST7) {
			s.out = append(s.out, s.take(at)...)
			return
		}
	}
	s.rest = nil
}
