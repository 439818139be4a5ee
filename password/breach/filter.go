package breach

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The file: a head, the number of keys, and the keys in rising order, each the first eight bytes of a SHA-1. All numbers are big-endian.
const (
	fileHead   = "ringwall breach1"
	headBytes  = int64(len(fileHead)) + 8
	keyBytes   = 8
	guessSteps = 8 // before the search stops guessing and halves
)

// ErrFile says that a file is not one of [Build]'s, or not whole.
var ErrFile = errors.New("not a whole file of breached passwords: make it with ringwall password breach-filter")

// Filter looks into a file of [Build]. It is safe for concurrent use.
type Filter struct {
	file  *os.File
	count int64
}

// Open opens a file of [Build], which must stay as it is while it is open: to renew it, put another in its place.
func Open(path string) (*Filter, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	f := &Filter{file: file}
	if err := f.readHead(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func (f *Filter) readHead() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, headBytes)
	if _, err := f.file.ReadAt(head, 0); err != nil {
		return ErrFile
	}
	count := binary.BigEndian.Uint64(head[len(fileHead):])
	if string(head[:len(fileHead)]) != fileHead || !info.Mode().IsRegular() || info.Size()%keyBytes != 0 || count != uint64((info.Size()-headBytes)/keyBytes) { // #nosec G115 -- the head was read
		return ErrFile
	}
	f.count = int64(count) // #nosec G115 -- as many as the file is long
	return nil
}

// Len is how many passwords the file knows.
func (f *Filter) Len() int64 { return f.count }

// Close closes the file.
func (f *Filter) Close() error { return f.file.Close() }

// Breached looks for the password. Keys are hashes, so their place can be guessed: a look-up reads about five of a billion.
func (f *Filter) Breached(ctx context.Context, password string) (bool, error) {
	digest := sum(password)
	want := binary.BigEndian.Uint64(digest[:])
	low, high := int64(0), f.count // where it may be
	least, most := uint64(0), ^uint64(0)
	for step := 0; low < high; step++ {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		middle := low + (high-low)/2
		if step < guessSteps && most > least {
			share := float64(want-least) / float64(most-least)
			middle = min(low+int64(share*float64(high-low)), high-1)
		}
		found, err := f.key(middle)
		switch {
		case err != nil:
			return false, err
		case found == want:
			return true, nil
		case found < least || found > most:
			return false, ErrFile // not in rising order
		case found < want:
			low, least = middle+1, found
		default:
			high, most = middle, found
		}
	}
	return false, nil
}

func (f *Filter) key(i int64) (uint64, error) {
	var key [keyBytes]byte
	if _, err := f.file.ReadAt(key[:], headBytes+i*keyBytes); err != nil {
		if errors.Is(err, io.EOF) {
			return 0, ErrFile
		}
		return 0, err
	}
	return binary.BigEndian.Uint64(key[:]), nil
}
