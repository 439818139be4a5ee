package password

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// errExited is for a job that ended its goroutine with runtime.Goexit.
var errExited = errors.New("hash job ended its goroutine")

// serve is one slot: it runs jobs until the queue is closed and the line empty.
func (q *Queue) serve() {
	defer q.gone()
	if q.niced {
		// A niced thread cannot become normal again: it stays locked, and ends with this goroutine.
		runtime.LockOSThread()
		niceThread()
	}
	for {
		w := q.take()
		if w == nil {
			return
		}
		q.run(w)
	}
}

// take waits for the next job. It returns nil when the slot should end.
func (q *Queue) take() *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if w := q.line.next(q.slots, q.running[Other]); w != nil {
			q.running[w.class]++
			return w
		}
		if q.closed {
			return nil
		}
		q.work.Wait()
	}
}

// run runs the job, whatever it does.
func (q *Queue) run(w *waiter) {
	began := time.Now()
	err := errExited
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("hash job panicked: %v", v)
		}
		took := time.Since(began)
		q.mu.Lock()
		q.running[w.class]--
		if q.average == 0 {
			q.average = took
		}
		q.average += (took - q.average) / 8
		q.mu.Unlock()
		w.end(err)
	}()
	w.job()
	err = nil
}

// gone ends a slot, or replaces it if its job took the goroutine with it.
func (q *Queue) gone() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.workers--
	if q.line.waiting() > 0 {
		q.workers++
		go q.serve()
		return
	}
	if q.closed && q.workers == 0 {
		close(q.ended)
	}
}
