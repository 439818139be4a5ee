package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/secret"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a log that tests can read.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) with(message string) (out []map[string]any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && strings.Contains(fields["msg"].(string), message) {
			out = append(out, fields)
		}
	}
	return out
}

type running struct {
	*audit.Sealer
	log *lines
	end func() // and wait
}

func start(m *memory, keys *secret.Keyring) running {
	log := &lines{}
	ctx, cancel := context.WithCancel(context.Background())
	s := audit.NewSealer(m, keys, audit.SealerOptions{Log: slog.New(slog.NewJSONHandler(log, nil))})
	m.set(func() { m.wake = s.Wake })
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	return running{s, log, func() { cancel(); <-done }}
}

func members(m *memory) (sizes []int) {
	m.set(func() {
		for _, s := range m.seals {
			sizes = append(sizes, len(s.Members)/24)
		}
	})
	return sizes
}

func TestSealerSealsABatchAfterAQuarterOfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		s := start(m, keys)
		defer s.end()
		synctest.Wait()
		for range 3 {
			m.insert(event(t, m), 0)
			time.Sleep(50 * time.Millisecond)
		}
		if _, seals, _ := m.count(); seals != 0 {
			t.Error("sealed before the batch was complete")
		}
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		if got := members(m); len(got) != 1 || got[0] != 3 {
			t.Errorf("batches = %v, want one of 3", got)
		}
		if report := verify(t, m, keys, audit.VerifyOptions{}); !report.OK() || report.Fresh != 0 {
			t.Errorf("Verify = %+v", report)
		}
	})
}

func TestSealerSealsAThousandRowsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		s := start(m, keys)
		defer s.end()
		synctest.Wait()
		began, one := time.Now(), event(t, m)
		for range 2500 {
			m.insert(one, 0)
		}
		synctest.Wait() // no time passes
		if got := members(m); len(got) == 0 || got[0] != 1000 || time.Since(began) != 0 {
			t.Errorf("after %v: batches = %v", time.Since(began), got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if report := verify(t, m, keys, audit.VerifyOptions{}); !report.OK() || report.Fresh != 0 {
			t.Errorf("Verify = %+v", report)
		}
	})
}

func TestSealerDoesNothingWhileNothingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		s := start(m, keys)
		defer s.end()
		m.insert(event(t, m), 0)
		time.Sleep(time.Second)
		synctest.Wait()
		_, _, before := m.count()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if _, _, after := m.count(); after != before {
			t.Errorf("the store was asked %d times in an idle day", after-before)
		}
	})
}

func TestSealerSealsWhatAnEarlierProcessLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		for range 5 {
			m.insert(event(t, m), 0)
		}
		s := start(m, keys)
		synctest.Wait()
		if got := members(m); len(got) != 1 || got[0] != 5 {
			t.Errorf("batches = %v", got)
		}
		s.end()
	})
}

func TestSealerSealsTheLastRowsWhenItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		s := start(m, keys)
		synctest.Wait()
		m.insert(event(t, m), 0)
		began := time.Now()
		s.end()
		if got := members(m); len(got) != 1 || time.Since(began) != 0 {
			t.Errorf("after %v: batches = %v", time.Since(began), got)
		}
		if heads := s.log.with("audit head"); len(heads) != 1 {
			t.Errorf("the head was logged %d times at the end", len(heads))
		}
	})
}

// A row that a running transaction holds back wakes nobody when that ends; the sealer must look again, and stop looking then.
func TestSealerWaitsForOlderTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		s := start(m, keys)
		defer s.end()
		m.set(func() { m.running = 2 })
		for range 3 {
			m.insert(event(t, m), 0)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := members(m); len(got) != 1 || got[0] != 1 {
			t.Errorf("while it runs: batches = %v, want one row", got)
		}
		m.set(func() { m.running = 0 })
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		if got := members(m); len(got) != 2 || got[1] != 2 {
			t.Errorf("when it has ended: batches = %v", got)
		}
		_, _, before := m.count()
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, _, after := m.count(); after != before {
			t.Error("it goes on looking")
		}
	})
}

func TestSealerOutlivesTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		s := start(m, keys)
		defer s.end()
		m.set(func() { m.down = true })
		m.insert(event(t, m), 0)
		_, _, before := m.count()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		_, _, after := m.count()
		if tries := after - before; tries < 10 || tries > 60 {
			t.Errorf("%d tries in ten minutes", tries)
		}
		m.set(func() { m.down = false })
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got := members(m); len(got) != 1 {
			t.Errorf("batches = %v after the store came back", got)
		}
		if down, up := s.log.with("cannot be sealed"), s.log.with("sealed again"); len(down) != 1 || len(up) != 1 {
			t.Errorf("%d and %d log lines about one fault", len(down), len(up))
		}
	})
}

func TestSealerEndsWhileTheStoreIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		s := start(m, keys)
		m.set(func() { m.down = true })
		m.insert(event(t, m), 0)
		time.Sleep(time.Minute)
		began := time.Now()
		s.end()
		if time.Since(began) > 6*time.Second {
			t.Errorf("Run took %v to end", time.Since(began))
		}
		if len(s.log.with("were not sealed")) != 1 {
			t.Error("nothing says that rows were left unsealed")
		}
	})
}

func TestSeveralSealersMakeOneChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		nodes := []running{start(m, keys), start(m, keys), start(m, keys)}
		m.set(func() {
			m.wake = func() {
				for _, n := range nodes {
					n.Wake()
				}
			}
		})
		one := event(t, m)
		for range 300 {
			m.insert(one, 0)
			time.Sleep(7 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		for _, n := range nodes {
			n.end()
			for _, alarm := range []string{"cut", "changed", "cannot"} {
				if got := n.log.with(alarm); len(got) > 0 {
					t.Errorf("a node complains: %v", got)
				}
			}
		}
		if report := verify(t, m, keys, audit.VerifyOptions{}); !report.OK() || report.Rows != 300 || report.Fresh != 0 {
			t.Errorf("Verify = %+v", report)
		}
	})
}

// Another node seals between our reading and our writing: we look again, and neither seal twice nor raise an alarm.
func TestSealerLosesARace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		for range 3 {
			m.insert(event(t, m), 0)
		}
		races := 0
		m.before = func(call string) {
			if call == "InsertSeal" && races == 0 {
				races++
				m.insert(event(t, m), 0)
				seal(m, keys, time.Now)
			}
		}
		s := start(m, keys)
		synctest.Wait()
		s.end()
		if got := members(m); len(got) != 1 || got[0] != 4 {
			t.Errorf("batches = %v", got)
		}
		if alarms := s.log.with("audit log"); len(alarms) > 0 {
			t.Errorf("the log says %v", alarms)
		}
	})
}

func TestSealerTellsTheHeadOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, keys := newMemory(t, time.Now)
		s := start(m, keys)
		one := event(t, m)
		for range 600 { // ten minutes
			m.insert(one, 0)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute) // the last head is told though nothing happens any more
		synctest.Wait()
		heads := s.log.with("audit head")
		if len(heads) < 10 || len(heads) > 12 {
			t.Errorf("%d heads in ten minutes", len(heads))
		}
		head, err := audit.ParseHead(heads[len(heads)-1]["head"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if got := verify(t, m, keys, audit.VerifyOptions{Known: &head}); !got.OK() || got.Head.String() != head.String() {
			t.Errorf("the head in the log is %s, Verify says %+v", head, got)
		}
		s.end()
		if len(s.log.with("audit head")) != len(heads) {
			t.Error("a head was told twice")
		}
	})
}
