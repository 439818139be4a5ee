package run

import (
	"io"
	"os"
	"time"
)

// pipe takes what a program writes, up to a limit.
type pipe struct {
	from, write *os.File
	done        chan struct{}
	text        []byte
	over        bool
}

func newPipe() (*pipe, error) {
	from, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &pipe{from: from, write: write, done: make(chan struct{})}, nil
}

// collect reads in the background, and calls tooMuch if there is more than limit bytes.
func (p *pipe) collect(limit int64, tooMuch func()) {
	_ = p.write.Close() // the program has its own
	go func() {
		defer close(p.done)
		text, _ := io.ReadAll(io.LimitReader(p.from, limit+1)) // an error is the end
		if p.over = int64(len(text)) > limit; p.over {
			text = text[:limit]
			tooMuch()
		}
		p.text = text
	}()
}

// read is what was written. The program has ended: only somebody outside of its group can still hold the other end.
func (p *pipe) read() []byte {
	late := time.AfterFunc(grace, func() { _ = p.from.Close() })
	defer late.Stop()
	<-p.done
	return p.text
}

func (p *pipe) close() {
	_ = p.from.Close()
	_ = p.write.Close()
}
