package input

import (
	"bytes"
	"encoding/binary"
)

// What is read of EXIF (3.0, 4.6.2 to 4.6.5, in the form of TIFF 6.0, 2).
const (
	exifHead       = "Exif\x00\x00"
	markerEXIF     = 0xe1 // APP1
	tagOrientation = 0x0112
	typeShort      = 3
	entryBytes     = 12
	upright        = 1 // the orientation of a picture that is stored as it is seen
	lastDirection  = 8
)

// orientation is how a picture lies, by its EXIF: 1 to 8. What is not whole, or is no number from 1 to 8 where that is due, is
// upright. The first directory is read, once, as far as there are bytes; no other offset is followed.
func orientation(exif []byte) uint16 {
	tiff := bytes.TrimPrefix(exif, []byte(exifHead))
	if len(tiff) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return upright
	}
	count, entries := int(order.Uint16(tiff[at:])), tiff[at+2:]
	if len(entries) < count*entryBytes+4 { // and where the next directory is
		return upright
	}
	for ; count > 0; count, entries = count-1, entries[entryBytes:] {
		if order.Uint16(entries) != tagOrientation {
			continue
		}
		value := order.Uint16(entries[8:])
		if order.Uint16(entries[2:]) != typeShort || order.Uint32(entries[4:]) != 1 || value < upright || value > lastDirection {
			return upright
		}
		return value
	}
	return upright
}

// orientationOnly is the EXIF that says how a picture lies, and nothing else.
func orientationOnly(value uint16) []byte {
	out := append([]byte(exifHead), "MM\x00*\x00\x00\x00\x08\x00\x01"...)
	for _, v := range []uint16{tagOrientation, typeShort, 0, 1, value, 0, 0, 0} {
		out = binary.BigEndian.AppendUint16(out, v)
	}
	return out
}
