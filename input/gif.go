package input

import (
	"bytes"
	"encoding/binary"
)

// gif keeps frames, their timing, and how often they are shown (GIF89a, 17 to 27, and Netscape's loop).
func (s *scanner) gif() []byte {
	head := s.take(13)
	if head == nil {
		return nil
	}
	s.out = append(s.out, head...)
	if !s.palette(head[10]) {
		return nil
	}
	screen := [2]int{int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:]))}
	for frames := 0; ; {
		switch kind := s.take(1); {
		case kind == nil:
			return nil
		case kind[0] == ';':
			if frames == 0 {
				return nil
			}
			return append(s.out, ';')
		case kind[0] == '!':
			if !s.extension() {
				return nil
			}
		case kind[0] == ',':
			frames++
			if !s.picture(screen) {
				return nil
			}
		default:
			return nil
		}
	}
}

// palette copies the table of colours that flags announce.
func (s *scanner) palette(flags byte) bool {
	if flags&0x80 == 0 {
		return true
	}
	colours := s.take(3 << (flags&7 + 1))
	s.out = append(s.out, colours...)
	return colours != nil
}

// extension copies the control of a frame and the loop, and drops others: comments, text, what applications add.
func (s *scanner) extension() bool {
	label := s.take(1)
	if label == nil {
		return false
	}
	before := s.rest
	if !s.blocks() {
		return false
	}
	body := before[:len(before)-len(s.rest)]
	isControl := label[0] == 0xf9 && len(body) == 6
	isLoop := label[0] == 0xff && len(body) == 17 && bytes.HasPrefix(body, []byte("\x0bNETSCAPE2.0\x03\x01"))
	if isControl || isLoop {
		s.out = append(append(s.out, '!', label[0]), body...)
	}
	return true
}

func (s *scanner) picture(screen [2]int) bool {
	head := s.take(9)
	if head == nil {
		return false
	}
	number := func(at int) int { return int(binary.LittleEndian.Uint16(head[at:])) }
	if number(0)+number(4) > screen[0] || number(2)+number(6) > screen[1] || !s.frame(number(4), number(6)) {
		return false
	}
	s.out = append(append(s.out, ','), head...)
	if !s.palette(head[8]) {
		return false
	}
	before := s.rest
	if s.take(1) == nil || !s.blocks() { // the size of a code, then the pixels
		return false
	}
	s.out = append(s.out, before[:len(before)-len(s.rest)]...)
	return true
}

// blocks reads blocks up to the empty one.
func (s *scanner) blocks() bool {
	for {
		size := s.take(1)
		if size == nil || s.take(int(size[0])) == nil {
			return false
		}
		if size[0] == 0 {
			return true
		}
	}
}
