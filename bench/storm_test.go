package bench_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	stormClients = 64
	stormTime    = 12 * time.Second
	stormChecks  = 200 // a second
	stormPeople  = 6000
)

// storm is what clients saw that all signed in at the same time.
type storm struct {
	admitted []time.Duration // of sign-ins with a session at their end
	inTime   int             // of these, before the time was over
	refused  []time.Duration // at the door
	waited   int             // 503 after some time in the queue
	bare     int             // 503 without Retry-After
	other    int
	fault    string // the first of the others
}

// rage signs people in, each of whom has the right password, with as many clients for as long as that. A client that is
// refused comes back when it was told to.
func rage(address string, during time.Duration) storm {
	var (
		mu     sync.Mutex
		total  storm
		person atomic.Int64
		all    sync.WaitGroup
	)
	began := time.Now()
	for range stormClients {
		all.Go(func() {
			var own storm
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				total.add(own)
			}()
			c, err := dial(address)
			if err != nil {
				own.other, own.fault = 1, err.Error()
				return
			}
			defer c.conn.Close()
			for time.Since(began) < during {
				pause, ok := own.signIn(c, int(person.Add(1))%stormPeople, began.Add(during))
				if !ok {
					return
				}
				time.Sleep(min(pause, time.Until(began.Add(during))))
			}
		})
	}
	all.Wait()
	slices.Sort(total.admitted)
	slices.Sort(total.refused)
	return total
}

func (s *storm) add(own storm) {
	s.admitted = append(s.admitted, own.admitted...)
	s.refused = append(s.refused, own.refused...)
	s.inTime += own.inTime
	s.waited += own.waited
	s.bare += own.bare
	s.other += own.other
	if s.fault == "" {
		s.fault = own.fault
	}
}

// signIn tries once, and says how long to wait before the next time. It is not ok if the connection has broken.
func (s *storm) signIn(c *client, person int, end time.Time) (pause time.Duration, ok bool) {
	body := fmt.Sprintf(`{"email":%q,"password":%q}`, addressOf(person), passphrase)
	request := fmt.Sprintf("POST /auth/v1/login HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		c.conn.RemoteAddr(), browser, len(body), body)
	began := time.Now()
	status, head, answer, err := c.do([]byte(request))
	took := time.Since(began)
	switch {
	case err == nil && status == http.StatusOK:
		s.admitted = append(s.admitted, took)
		if time.Now().Before(end) {
			s.inTime++
		}
		return 0, true
	case err == nil && status == http.StatusServiceUnavailable:
		if took > time.Second {
			s.waited++
		} else {
			s.refused = append(s.refused, took)
		}
		seconds := retryAfter(head)
		if seconds == 0 {
			s.bare++
			seconds = 1
		}
		return time.Duration(seconds) * time.Second, true
	}
	s.other++
	if s.fault == "" {
		s.fault = fmt.Sprintf("status %d, %v: %.200s", status, err, answer)
	}
	return time.Second, err == nil
}

func retryAfter(head []byte) int {
	_, rest, _ := bytes.Cut(head, []byte("\r\nRetry-After: "))
	text, _, _ := bytes.Cut(rest, []byte("\r\n"))
	seconds, err := strconv.Atoi(string(text))
	if err != nil {
		return 0
	}
	return seconds
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return outcome{latencies: sorted}.quantile(q)
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000)
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
