package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// How often long work tells how far it is: on a terminal, and elsewhere.
const (
	progressTerminal = time.Second
	progressLog      = 10 * time.Second
)

// progress tells on standard error how far long work is. Short work stays quiet.
type progress struct {
	out      io.Writer
	what     string
	measure  func() (done, size int64) // bytes of the file; a zero size is unknown
	now      func() time.Time
	terminal bool
	begun    time.Time
	told     time.Time
	shown    bool
}

func newProgress(out io.Writer, what string, measure func() (done, size int64)) *progress {
	p := &progress{out: out, what: what, measure: measure, now: time.Now, begun: time.Now(), terminal: isTerminal(out)}
	p.told = p.begun
	return p
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// tell writes a line if it is time for one.
func (p *progress) tell(count int64) {
	every := progressLog
	if p.terminal {
		every = progressTerminal
	}
	now := p.now()
	if now.Sub(p.told) < every {
		return
	}
	p.told, p.shown = now, true
	line := p.line(count, now.Sub(p.begun))
	if p.terminal {
		line = "\r\x1b[K" + line
	} else {
		line += "\n"
	}
	_, _ = io.WriteString(p.out, line) // whoever watched is gone
}

// line is the count, the rate, and what remains if the size is known.
func (p *progress) line(count int64, passed time.Duration) string {
	text := fmt.Sprintf("%d %s, %.0f a second", count, p.what, float64(count)/passed.Seconds())
	if done, size := p.measure(); size > 0 && done > 0 {
		left := time.Duration(float64(passed) * float64(max(size-done, 0)) / float64(done))
		text += fmt.Sprintf(", %d%%, about %s left", 100*done/size, left.Round(time.Second))
	}
	return text
}

// end leaves the line of a terminal.
func (p *progress) end() {
	if p.terminal && p.shown {
		_, _ = io.WriteString(p.out, "\n")
	}
}
