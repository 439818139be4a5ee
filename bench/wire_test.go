package bench_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
)

// wire stands between a server and PostgreSQL and counts what the server says: what it asks, and how often it waits.
type wire struct {
	statements atomic.Int64 // Execute and Query
	parses     atomic.Int64 // Parse: of what was not prepared yet
	trips      atomic.Int64 // Sync and Query: after each the server waits for an answer
}

// tap returns the URL of a database with the wire in between.
func (w *wire) tap(tb testing.TB, database string) string {
	tb.Helper()
	u, err := url.Parse(database)
	if err != nil {
		tb.Fatal(err)
	}
	behind := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			front, err := listener.Accept()
			if err != nil {
				return // closed
			}
			back, err := net.Dial("tcp", behind)
			if err != nil {
				_ = front.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(front, back)
				_ = front.Close()
			}()
			go func() {
				_ = w.pass(front, back) // ends with either side
				_ = back.Close()
			}()
		}
	}()
	u.Host = listener.Addr().String()
	query := u.Query()
	query.Set("sslmode", "disable") // what is encrypted cannot be counted
	u.RawQuery = query.Encode()
	return u.String()
}

// pass reads the messages of the front and hands them on.
func (w *wire) pass(front io.Reader, back io.Writer) error {
	buf := make([]byte, 5, 64<<10)
	started := false
	for {
		head := buf[:5]
		if !started { // the first message has no type
			head = buf[:4]
		}
		if _, err := io.ReadFull(front, head); err != nil {
			return err
		}
		length := int(binary.BigEndian.Uint32(head[len(head)-4:])) - 4
		if length < 0 || length > 1<<20 {
			return errors.New("not the protocol of PostgreSQL")
		}
		message := append(head, make([]byte, length)...)
		if _, err := io.ReadFull(front, message[len(head):]); err != nil {
			return err
		}
		if started {
			w.count(message[0])
		}
		started = true
		if _, err := back.Write(message); err != nil {
			return err
		}
	}
}

func (w *wire) count(kind byte) {
	switch kind {
	case 'Q':
		w.statements.Add(1)
		w.trips.Add(1)
	case 'E':
		w.statements.Add(1)
	case 'P':
		w.parses.Add(1)
	case 'S':
		w.trips.Add(1)
	}
}
