package bench_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// client is one connection that stays open. It does as little as it can, because it shares the cores with the server.
type client struct {
	conn net.Conn
	in   []byte
}

func dial(address string) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: make([]byte, 16<<10)}, nil
}

var (
	endOfHead = []byte("\r\n\r\n")
	lengthIs  = []byte("\r\nContent-Length: ")
)

// do sends a request and returns the status, the head and the body, which are good until the next one.
func (c *client) do(request []byte) (status int, head, body []byte, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, nil, err
	}
	have, end, whole := 0, -1, 0
	for {
		n, err := c.conn.Read(c.in[have:])
		if err != nil {
			return 0, nil, nil, err
		}
		have += n
		if end < 0 {
			if end = bytes.Index(c.in[:have], endOfHead); end < 0 {
				continue
			}
			length, err := bodyLength(c.in[:end+2])
			if err != nil {
				return 0, nil, nil, err
			}
			whole = end + 4 + length
			if whole > len(c.in) {
				c.in = append(c.in, make([]byte, whole-len(c.in))...)
			}
		}
		if have >= whole {
			break
		}
	}
	status, err = strconv.Atoi(string(c.in[9:12]))
	return status, c.in[:end], c.in[end+4 : whole], err
}

func bodyLength(head []byte) (int, error) {
	at := bytes.Index(head, lengthIs)
	if at < 0 {
		if bytes.HasPrefix(head, []byte("HTTP/1.1 204")) {
			return 0, nil
		}
		return 0, errors.New("an answer without Content-Length")
	}
	rest := head[at+len(lengthIs):]
	return strconv.Atoi(string(rest[:bytes.IndexByte(rest, '\r')]))
}

// requests makes the bytes of the n-th request into buf.
type requests func(n uint64, buf []byte) []byte

// outcome is what a load saw.
type outcome struct {
	done, failed int
	took         time.Duration
	latencies    []time.Duration // in order of size
	firstFault   string
}

func (o outcome) rate() float64 { return float64(o.done) / o.took.Seconds() }

// quantile is in the order of size; zero if nothing was done.
func (o outcome) quantile(q float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	return o.latencies[min(int(q*float64(len(o.latencies))), len(o.latencies)-1)]
}

// asFastAsItCan loads a server over some connections, each with its next request as soon as it has its answer, with one
// processor, as "wrk -t1" does.
func asFastAsItCan(address string, connections int, during time.Duration, make requests) (outcome, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	clients, err := dialAll(address, connections)
	if err != nil {
		return outcome{}, err
	}
	results := newResults(connections)
	var next atomic.Uint64
	var all sync.WaitGroup
	began := time.Now()
	for i, c := range clients {
		all.Go(func() {
			defer c.conn.Close()
			var buf []byte
			for last := began; last.Sub(began) < during; {
				buf = make(next.Add(1)-1, buf[:0])
				status, _, body, err := c.do(buf)
				now := time.Now()
				if !results.note(i, now.Sub(last), status, body, err) {
					return
				}
				last = now
			}
		})
	}
	all.Wait()
	return results.outcome(time.Since(began)), nil
}

// atConstantRate sends requests at even intervals, whatever the server does. Latency counts from when each was due.
func atConstantRate(address string, perSecond int, during time.Duration, make requests) (outcome, error) {
	const connections = 32
	clients, err := dialAll(address, connections)
	if err != nil {
		return outcome{}, err
	}
	results := newResults(connections)
	due := makeDue(perSecond, during)
	var n atomic.Uint64
	var all sync.WaitGroup
	began := time.Now()
	for i, c := range clients {
		all.Go(func() {
			defer c.conn.Close()
			var buf []byte
			for at := range due {
				buf = make(n.Add(1)-1, buf[:0])
				status, _, body, err := c.do(buf)
				if !results.note(i, time.Since(at), status, body, err) {
					return
				}
			}
		})
	}
	all.Wait()
	return results.outcome(time.Since(began)), nil
}

// makeDue tells when requests are due. It sleeps in a thread of its own, because timers of Go are late by up to a millisecond.
func makeDue(perSecond int, during time.Duration) <-chan time.Time {
	due := make(chan time.Time, 64<<10)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(due)
		every := time.Second / time.Duration(perSecond)
		began := time.Now()
		for at := began.Add(every); at.Sub(began) <= during; at = at.Add(every) {
			if wait := time.Until(at); wait > 0 {
				pause := syscall.NsecToTimespec(wait.Nanoseconds())
				_ = syscall.Nanosleep(&pause, nil) // cut short by a signal: the request is early by as much
			}
			due <- at
		}
	}()
	return due
}

func dialAll(address string, connections int) ([]*client, error) {
	clients := make([]*client, connections)
	for i := range clients {
		c, err := dial(address)
		if err != nil {
			return nil, err
		}
		clients[i] = c
	}
	return clients, nil
}

// results are those of connections, each of which writes its own.
type results []outcome

func newResults(connections int) results {
	r := make(results, connections)
	for i := range r {
		r[i].latencies = make([]time.Duration, 0, 16<<10)
	}
	return r
}

// note reports whether the connection can go on.
func (r results) note(i int, took time.Duration, status int, body []byte, err error) bool {
	o := &r[i]
	if err == nil && status == 200 {
		o.done++
		o.latencies = append(o.latencies, took)
		return true
	}
	o.failed++
	if o.firstFault == "" {
		o.firstFault = fmt.Sprintf("status %d, %v: %.300s", status, err, body)
	}
	return err == nil
}

func (r results) outcome(took time.Duration) outcome {
	all := outcome{took: took}
	for _, o := range r {
		all.done += o.done
		all.failed += o.failed
		all.latencies = append(all.latencies, o.latencies...)
		if all.firstFault == "" {
			all.firstFault = o.firstFault
		}
	}
	slices.Sort(all.latencies)
	return all
}

// parseHead are the fields that a handler has set, without those that the server adds.
func parseHead(raw []byte) (http.Header, error) {
	_, fields, _ := bytes.Cut(raw, []byte("\r\n"))
	parsed, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(fields, "\r\n\r\n"...)))).ReadMIMEHeader()
	head := http.Header(parsed)
	head.Del("Date")
	head.Del("Content-Length")
	return head, err
}
