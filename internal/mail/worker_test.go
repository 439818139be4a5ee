package mail_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/mail/smtpsink"
)

func TestWorkerDelivers(t *testing.T) {
	sink := open(t, smtpsink.Options{})
	box := &outbox{}
	w := mail.NewWorker(box, sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()}), mail.WorkerOptions{})
	before := box.put(letter("before@example.org"), time.Now())
	start(t, w)
	if _, err := sink.Wait(within(t, time.Minute), 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first is acknowledged", func() bool { return box.state(before) == "sent" })
	decoy := letter("decoy@example.org")
	decoy.Decoy = true
	rows := []*row{box.put(decoy, time.Now())}
	for i := range 20 {
		rows = append(rows, box.put(letter(fmt.Sprintf("user%d@example.org", i)), time.Now()))
	}
	w.Wake()
	if _, err := sink.Wait(within(t, time.Minute), 21); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		eventually(t, "all are acknowledged", func() bool { return box.state(r) == "sent" })
	}
	got := make(map[string]int)
	for _, m := range sink.Messages() {
		got[m.To[0]]++
	}
	if got["decoy@example.org"] != 0 || len(got) != 21 {
		t.Errorf("delivered to %v, want 21 people once each and no decoy", got)
	}
	if body := rows[1].entry.Message; body.To+body.Text+body.HTML != "" {
		t.Error("a sent mail's row is not empty")
	}
}

func TestWorkerSleepsUntilAMailIsDue(t *testing.T) {
	sink := open(t, smtpsink.Options{})
	box := &outbox{}
	w := mail.NewWorker(box, sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()}), mail.WorkerOptions{})
	due := time.Now().Add(400 * time.Millisecond)
	box.put(letter("later@example.org"), due)
	start(t, w)
	got, err := sink.Wait(within(t, time.Minute), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Received.Before(due) {
		t.Errorf("arrived at %v, before it was due at %v", got[0].Received, due)
	}
	box.set(func() {
		if box.calls > 6 {
			t.Errorf("%d calls to the store for one mail, want no polling", box.calls)
		}
	})
}

func TestRetryKeepsTheMessageID(t *testing.T) {
	for name, plan := range map[string]func(*smtpsink.Sink){
		"refused for now":                          func(s *smtpsink.Sink) { s.Fail(3, 451) },
		"taken, and the connection cut before 250": func(s *smtpsink.Sink) { s.Cut(3) },
	} {
		t.Run(name, func(t *testing.T) {
			sink := open(t, smtpsink.Options{})
			plan(sink)
			box, c := &outbox{}, &clock{}
			w := mail.NewWorker(box, sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()}), mail.WorkerOptions{Now: c.now})
			m := letter("ada@example.org")
			r := box.put(m, c.now())
			start(t, w)
			for try := 1; try <= 3; try++ {
				eventually(t, "a try fails and is postponed", func() bool {
					box.mu.Lock()
					defer box.mu.Unlock()
					return r.entry.Attempts == try && r.next < c.now().Add(50*time.Second).UnixMicro()
				})
				c.forward(time.Minute)
				w.Wake()
			}
			eventually(t, "the fourth try delivers", func() bool { return box.state(r) == "sent" })
			for _, got := range sink.Messages() {
				if got.ID() != "<"+m.ID.String()+"@example.org>" {
					t.Errorf("Message-ID %s, want that of the first try, %s", got.ID(), m.ID)
				}
			}
			if sink.Tries() != 4 {
				t.Errorf("%d tries, want 4", sink.Tries())
			}
		})
	}
}

// The process dies after the server's yes and before ours is written: another takes over when the claim has run out.
func TestCrashBetweenSendingAndAcknowledging(t *testing.T) {
	sink := open(t, smtpsink.Options{})
	box, c, j := &outbox{deafFor: 1 << 30}, &clock{}, &journal{}
	s := sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()})
	m := letter("ada@example.org")
	r := box.put(m, c.now())
	stop := start(t, mail.NewWorker(box, s, mail.WorkerOptions{Now: c.now, Log: j.log()}))
	if _, err := sink.Wait(within(t, time.Minute), 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server's yes has come", func() bool {
		box.mu.Lock()
		defer box.mu.Unlock()
		return box.deafFor < 1<<30
	})
	stop()
	if !strings.Contains(j.String(), "may be sent twice") {
		t.Errorf("the log does not tell:\n%s", j)
	}
	box.set(func() { box.deafFor = 0 })
	second := mail.NewWorker(box, s, mail.WorkerOptions{Now: c.now})
	start(t, second)
	time.Sleep(100 * time.Millisecond)
	if n := len(sink.Messages()); n != 1 {
		t.Fatalf("%d mails while the first claim holds, want 1", n)
	}
	c.forward(time.Duration(mail.ClaimMicros) * time.Microsecond)
	second.Wake()
	got, err := sink.Wait(within(t, time.Minute), 2)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].ID() != got[1].ID() || got[0].ID() == "" {
		t.Errorf("Message-IDs %s and %s, want the same", got[0].ID(), got[1].ID())
	}
	eventually(t, "it is acknowledged", func() bool { return box.state(r) == "sent" })
	if r.entry.Attempts != 2 {
		t.Errorf("%d attempts counted, want 2: the crashed one counts", r.entry.Attempts)
	}
}

func TestServerDiesAndComesBack(t *testing.T) {
	sink := open(t, smtpsink.Options{User: "ringwall", Password: canary})
	box, c, j := &outbox{}, &clock{}, &journal{}
	w := mail.NewWorker(box, sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()}), mail.WorkerOptions{Now: c.now, Log: j.log()})
	start(t, w)
	if err := sink.Stop(); err != nil {
		t.Fatal(err)
	}
	var rows []*row
	for i := range 10 {
		rows = append(rows, box.put(letter(fmt.Sprintf("user%d@example.org", i)), c.now()))
	}
	w.Wake()
	eventually(t, "all were tried", func() bool {
		box.mu.Lock()
		defer box.mu.Unlock()
		for _, r := range rows {
			if r.entry.Attempts == 0 || r.next > c.now().Add(30*time.Second).UnixMicro() {
				return false
			}
		}
		return true
	})
	if err := sink.Start(); err != nil {
		t.Fatal(err)
	}
	c.forward(5 * time.Second)
	w.Wake()
	if _, err := sink.Wait(within(t, time.Minute), 10); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		eventually(t, "all are acknowledged", func() bool { return box.state(r) == "sent" })
	}
	for _, line := range []string{"mails cannot be sent", "mails are sent again"} {
		if n := strings.Count(j.String(), line); n != 1 {
			t.Errorf("%q stands %d times in the log, want once for the change:\n%s", line, n, j)
		}
	}
	for _, hidden := range []string{canary, "user0", "ringwall"} {
		if strings.Contains(strings.ReplaceAll(j.String(), "github.com/ringwall", ""), hidden) {
			t.Errorf("the log tells %q:\n%s", hidden, j)
		}
	}
}

func TestHangingServerDoesNotHoldUpOthers(t *testing.T) {
	for _, parallel := range []int{1, 4} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			sink := open(t, smtpsink.Options{})
			sink.Hang(1)
			box := &outbox{}
			w := mail.NewWorker(box, sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()}), mail.WorkerOptions{SendTimeout: map[int]time.Duration{1: 4 * time.Second, 4: 30 * time.Second}[parallel], Parallel: parallel})
			first := box.put(letter("first@example.org"), time.Now().Add(-time.Second))
			start(t, w)
			eventually(t, "the first hangs", func() bool { return sink.Hanging() == 1 })
			var rows []*row
			for i := range 5 {
				rows = append(rows, box.put(letter(fmt.Sprintf("user%d@example.org", i)), time.Now()))
			}
			w.Wake()
			if _, err := sink.Wait(within(t, time.Minute), 5); err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				eventually(t, "others are acknowledged", func() bool { return box.state(r) == "sent" })
			}
			postponed := func() bool {
				box.mu.Lock()
				defer box.mu.Unlock()
				return first.state == "waiting" && first.next < time.Now().Add(10*time.Second).UnixMicro()
			}
			if parallel == 1 {
				eventually(t, "the first is postponed", postponed)
			} else if postponed() {
				t.Error("others waited until the first that hangs was given up")
			}
		})
	}
}

func TestRunEndsPromptlyWhileAServerHangs(t *testing.T) {
	sink := open(t, smtpsink.Options{})
	sink.Hang(4)
	box := &outbox{}
	w := mail.NewWorker(box, sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()}), mail.WorkerOptions{})
	for i := range 6 {
		box.put(letter(fmt.Sprintf("user%d@example.org", i)), time.Now())
	}
	stop := start(t, w)
	eventually(t, "four hang", func() bool { return sink.Hanging() == 4 })
	began := time.Now()
	stop()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("Run took %v to end", took)
	}
}

// A mail that nobody can ever take is no reason to try for three days, nor to keep the others waiting.
func TestBadAddressIsGivenUpAtOnceAndTheRestGoesOn(t *testing.T) {
	sink := open(t, smtpsink.Options{})
	box, j := &outbox{}, &journal{}
	bad := box.put(letter("a@b.c\r\nBcc: victim@example.net"), time.Now().Add(-time.Minute))
	rotten := box.put(letter("rotten@example.org"), time.Now().Add(-time.Second))
	rotten.rotten = true
	good := box.put(letter("good@example.org"), time.Now())
	start(t, mail.NewWorker(box, sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()}), mail.WorkerOptions{Log: j.log()}))
	eventually(t, "bad and unreadable mails are given up", func() bool { return box.state(bad) == "given up" && box.state(rotten) == "given up" })
	eventually(t, "the good one is sent", func() bool { return box.state(good) == "sent" })
	if got := sink.Messages(); len(got) != 1 || !cmp.Equal(got[0].To, []string{"good@example.org"}) {
		t.Errorf("delivered %v", got)
	}
	if s := j.String(); strings.Contains(s, "victim") || strings.Contains(s, "rotten@") || strings.Count(s, "mail given up") != 2 || !strings.Contains(s, bad.entry.Message.ID.String()) {
		t.Errorf("the log must name two mails by id and nobody:\n%s", s)
	}
}

// Several workers share an outbox: nothing is sent twice.
func TestWorkersShareAnOutbox(t *testing.T) {
	sink := open(t, smtpsink.Options{})
	box := &outbox{}
	for i := range 40 {
		box.put(letter(fmt.Sprintf("user%d@example.org", i)), time.Now())
	}
	for range 3 {
		start(t, mail.NewWorker(box, sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()}), mail.WorkerOptions{}))
	}
	for _, r := range box.rows {
		eventually(t, "all are sent", func() bool { return box.state(r) == "sent" })
	}
	seen := make(map[string]bool)
	for _, m := range sink.Messages() {
		if seen[m.ID()] {
			t.Errorf("%s came twice", m.ID())
		}
		seen[m.ID()] = true
	}
	if len(seen) != 40 {
		t.Errorf("%d mails, want 40", len(seen))
	}
}
