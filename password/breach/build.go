package breach

import (
	"bufio"
	"container/heap"
	"context"
	"crypto/sha1" // #nosec G505 -- the key of the lists, no protection
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Kind is what stands in the lines of a list.
type Kind string

// The kinds.
const (
	Auto Kind = "auto" // SHA1 if the first line is one, else Text
	SHA1 Kind = "sha1" // forty hexadecimal digits, and perhaps a colon and a count
	Text Kind = "text" // a password
)

const (
	maxLine  = 4096    // bytes: no longer password is ever accepted
	runKeys  = 8 << 20 // that are sorted in memory at a time: 64 MiB
	mergeBuf = 64 << 10
)

// Built says what [Build] did. Skipped are lines without anything in them, too long, or not of the kind.
type Built struct{ Lines, Skipped, Keys int64 }

// Build makes the file out from a list, of any length, in any order, with 64 MiB of memory and twice the room of the file in its folder. Out appears when it
// is whole, in the place of one that was there. Tell is called now and then with the number of lines; nil is allowed.
func Build(ctx context.Context, in io.Reader, kind Kind, out string, tell func(lines int64)) (Built, error) {
	return build(ctx, in, kind, out, builder{most: runKeys, tell: tell})
}

func build(ctx context.Context, in io.Reader, kind Kind, out string, b builder) (built Built, err error) {
	if b.folder, err = os.MkdirTemp(filepath.Dir(out), ".breach-"); err != nil {
		return built, err
	}
	defer func() { _ = os.RemoveAll(b.folder) }()
	if err := b.read(ctx, bufio.NewReaderSize(in, maxLine), kind); err != nil {
		return b.built, err
	}
	whole := filepath.Join(b.folder, "whole")
	if err := b.merge(ctx, whole); err != nil {
		return b.built, err
	}
	return b.built, os.Rename(whole, out)
}

// builder sorts keys in runs, which lie in files until they are merged.
type builder struct {
	most   int
	tell   func(int64)
	folder string
	keys   []uint64
	runs   []string
	built  Built
}

func (b *builder) read(ctx context.Context, in *bufio.Reader, kind Kind) error {
	for {
		line, err := in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		end := err != nil
		if text := strings.TrimRight(string(line), "\r\n"); text != "" || !end {
			b.built.Lines++
			if kind == Auto {
				kind = guess(text)
			}
			key, ok := keyOf(text, kind)
			if long || text == "" || !ok {
				b.built.Skipped++
			} else {
				b.keys = append(b.keys, key)
			}
		}
		if len(b.keys) >= b.most || end {
			if err := b.spill(); err != nil {
				return err
			}
		}
		if b.built.Lines%(1<<16) == 0 || end {
			if b.tell != nil {
				b.tell(b.built.Lines)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

func guess(line string) Kind {
	if _, ok := keyOf(line, SHA1); ok {
		return SHA1
	}
	return Text
}

func keyOf(line string, kind Kind) (uint64, bool) {
	if kind != SHA1 {
		digest := sum(line)
		return binary.BigEndian.Uint64(digest[:]), true
	}
	digits, _, _ := strings.Cut(line, ":")
	digest, err := hex.DecodeString(digits)
	if err != nil || len(digest) != sha1.Size {
		return 0, false
	}
	return binary.BigEndian.Uint64(digest), true
}

// spill writes what was read as a run.
func (b *builder) spill() error {
	if len(b.keys) == 0 {
		return nil
	}
	slices.Sort(b.keys)
	b.keys = slices.Compact(b.keys)
	path := filepath.Join(b.folder, fmt.Sprintf("run%d", len(b.runs)))
	b.runs = append(b.runs, path)
	err := writeFile(path, func(out io.Writer) error {
		for _, key := range b.keys {
			if _, err := out.Write(binary.BigEndian.AppendUint64(nil, key)); err != nil {
				return err
			}
		}
		return nil
	})
	b.keys = b.keys[:0]
	return err
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- in the folder of our own
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, mergeBuf)
	if err = write(buffered); err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// run is one sorted run and the key at its front.
type run struct {
	in    *bufio.Reader
	front uint64
}

func (r *run) next() (bool, error) {
	var key [keyBytes]byte
	_, err := io.ReadFull(r.in, key[:])
	r.front = binary.BigEndian.Uint64(key[:])
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

// runs is a heap with the least front on top.
type runs []*run

func (r runs) Len() int           { return len(r) }
func (r runs) Less(i, j int) bool { return r[i].front < r[j].front }
func (r runs) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

// Push and Pop are for container/heap.
func (r *runs) Push(x any) { *r = append(*r, x.(*run)) }

// Pop takes the last.
func (r *runs) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}

// merge writes all runs as one, each key once, and then the number of them into the head.
func (b *builder) merge(ctx context.Context, path string) error {
	var open runs
	for _, name := range b.runs {
		file, err := os.Open(name) // #nosec G304 -- in the folder of our own
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		r := &run{in: bufio.NewReaderSize(file, mergeBuf)}
		if more, err := r.next(); err != nil || !more {
			return errors.Join(err, ErrFile)
		}
		open = append(open, r)
	}
	heap.Init(&open)
	err := writeFile(path, func(out io.Writer) error {
		if _, err := out.Write(append([]byte(fileHead), make([]byte, 8)...)); err != nil {
			return err
		}
		return b.drain(ctx, &open, out)
	})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0) // #nosec G304 -- in the folder of our own
	if err != nil {
		return err
	}
	_, err = file.WriteAt(binary.BigEndian.AppendUint64(nil, uint64(b.built.Keys)), int64(len(fileHead))) // #nosec G115 -- a count
	return errors.Join(err, file.Sync(), file.Close())
}

func (b *builder) drain(ctx context.Context, open *runs, out io.Writer) error {
	last, first := uint64(0), true
	for open.Len() > 0 {
		least := (*open)[0]
		if first || least.front != last {
			last, first = least.front, false
			if b.built.Keys++; b.built.Keys%(1<<20) == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if _, err := out.Write(binary.BigEndian.AppendUint64(nil, last)); err != nil {
				return err
			}
		}
		more, err := least.next()
		if err != nil {
			return err
		}
		if more {
			heap.Fix(open, 0)
		} else {
			heap.Pop(open)
		}
	}
	return nil
}
