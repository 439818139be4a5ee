package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/internal/webhook"
	"github.com/ringwall/ringwall/outbound"
)

const (
	masterText = "8f3a6c1e9b2d47508e1fa4c6d3b5792013c8e6fa7b4d9250617e8c3f2ab4d695"
	signing    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

type house struct {
	store *sqlstore.Store
	ahead atomic.Int64
	still time.Time // if set, before anything is delivered: the clock stands here but for ahead
	log   bytes.Buffer
	mu    sync.Mutex
}

func (h *house) now() time.Time {
	if h.still.IsZero() {
		return time.Now().Add(time.Duration(h.ahead.Load()))
	}
	return h.still.Add(time.Duration(h.ahead.Load()))
}

func (h *house) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.Write(p)
}

func (h *house) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{}
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Database: testdb.SQLite(t).DSN, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	master, err := secret.ParseMasterKey(secret.NewText(masterText))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := secret.OpenKeyring(t.Context(), master, "test", store, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	store.UseKeyring(ring)
	h.store = store
	return h
}

// deliver starts a worker for one target.
func (h *house) deliver(t *testing.T, address string) (stop func()) {
	t.Helper()
	key, err := webhook.ParseSecret(secret.NewText(signing))
	if err != nil {
		t.Fatal(err)
	}
	w := webhook.NewWorker(h.store, map[string]webhook.Target{"alerts": {URL: secret.NewText(address), Secret: key}, "nowhere": {}}, webhook.WorkerOptions{
		Client: outbound.Client(outbound.Options{InsecureHTTP: true, InsecureNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: 5 * time.Second}),
		Now:    h.now, Log: slog.New(slog.NewTextHandler(h, nil)),
	})
	h.store.OnWebhook(w.Wake)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		w.Run(ctx)
		close(done)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func (h *house) queue(t *testing.T, target string) webhook.Message {
	t.Helper()
	m, err := webhook.NewMessage(target, "alert.opened", h.now(), map[string]string{"kind": "spraying"})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.ChangeAlerts(t.Context(), identity.NewSystem("test"), func(ctx context.Context, tx alerts.Tx) error {
		return tx.EnqueueWebhook(ctx, m)
	}); err != nil {
		t.Fatal(err)
	}
	return m
}

func (h *house) waits(t *testing.T) bool {
	t.Helper()
	_, waits, err := h.store.NextWebhookDue(t.Context(), "alerts")
	if err != nil {
		t.Fatal(err)
	}
	return waits
}

// letter is one request as a receiver saw it.
type letter struct {
	header http.Header
	body   []byte
}

// receiver answers with the statuses in turn, and with the last of them from then on.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	seen []letter
}

func newReceiver(t *testing.T, answers ...http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		answer := answers[min(len(r.seen), len(answers)-1)]
		r.seen = append(r.seen, letter{q.Header.Clone(), body})
		r.mu.Unlock()
		answer(w, q)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) letters() []letter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]letter{}, r.seen...)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// verify is a receiver's own check, written from the specification of Standard Webhooks alone.
func verify(t *testing.T, l letter, now time.Time) (id string, at time.Time) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signing, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	id, stamp := l.header.Get("Webhook-Id"), l.header.Get("Webhook-Timestamp")
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "." + string(l.body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); l.header.Get("Webhook-Signature") != want {
		t.Errorf("signature %q, want %q", l.header.Get("Webhook-Signature"), want)
	}
	var seconds json.Number
	if err := json.Unmarshal([]byte(stamp), &seconds); err != nil {
		t.Fatalf("timestamp %q: %v", stamp, err)
	}
	n, err := seconds.Int64()
	at = time.Unix(n, 0)
	if err != nil || now.Sub(at).Abs() > 5*time.Minute {
		t.Errorf("timestamp %q is more than five minutes off", stamp)
	}
	if !strings.HasPrefix(id, "msg_") || strings.Contains(id, ".") || l.header.Get("Content-Type") != "application/json" {
		t.Errorf("id %q, content type %q", id, l.header.Get("Content-Type"))
	}
	return id, at
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// The vector of the specification's reference implementation.
func TestSignatureOfTheSpecification(t *testing.T) {
	key, err := webhook.ParseSecret(secret.NewText(signing))
	if err != nil {
		t.Fatal(err)
	}
	got := webhook.Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signature = %q, want %q", got, want)
	}
}

func TestSecretsAreWhole(t *testing.T) {
	for _, text := range []string{"", "whsec_", "whsec_MfKQ", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64 at all, surely not, no", "whsec_" + strings.Repeat("QUJD", 22)} {
		if _, err := webhook.ParseSecret(secret.NewText(text)); err == nil || text != "" && text != "whsec_" && strings.Contains(err.Error(), text) {
			t.Errorf("ParseSecret(%q) = %v, want an error that does not repeat it", text, err)
		}
	}
}

// 500, then 200: tried again with the same id, stamped and signed anew.
func TestARefusedMessageIsSentAgain(t *testing.T) {
	h, r := newHouse(t), newReceiver(t, status(500), status(503), status(204))
	m := h.queue(t, "alerts")
	h.deliver(t, r.URL)
	var last time.Time
	for try := 1; try <= 3; try++ {
		eventually(t, "the try arrives", func() bool { return len(r.letters()) == try })
		id, at := verify(t, r.letters()[try-1], h.now())
		if id != "msg_"+m.ID.String() || !at.After(last) || !bytes.Equal(r.letters()[try-1].body, m.Body) {
			t.Errorf("try %d has id %s at %v, want %s, later than %v", try, id, at, m.ID, last)
		}
		last = at
		if try < 3 {
			eventually(t, "it is postponed", func() bool {
				due, waits, err := h.store.NextWebhookDue(t.Context(), "alerts")
				return err == nil && waits && due < h.now().Add(30*time.Second).UnixMicro()
			})
			h.ahead.Add(int64(30 * time.Second))
			h.queue(t, "nowhere") // wakes the worker
		}
	}
	eventually(t, "it is done", func() bool { return !strings.Contains(pending(t, h), m.ID.String()) })
	if n := strings.Count(h.said(), "webhook refused"); n != 2 { // that of nowhere, and this one, once each
		t.Errorf("the log tells of %d refusals, want one a target:\n%s", n, h.said())
	}
	if strings.Contains(h.said(), r.URL) {
		t.Errorf("the log holds the address, which may be a secret:\n%s", h.said())
	}
}

// pending are the ids that wait, claimed by the test itself.
func pending(t *testing.T, h *house) string {
	t.Helper()
	dead, err := h.store.DeadWebhooks(t.Context(), math.MaxInt64, identity.ID{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range dead {
		ids = append(ids, d.ID.String())
	}
	return strings.Join(ids, " ")
}

func TestAnswersThatAreNoYes(t *testing.T) {
	inside := newReceiver(t, status(200))
	hang := make(chan struct{})
	defer close(hang)
	for name, answer := range map[string]http.HandlerFunc{
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		},
		"redirects inside": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
		},
		"a bad request": status(400),
	} {
		t.Run(name, func(t *testing.T) {
			h, r := newHouse(t), newReceiver(t, answer)
			h.queue(t, "alerts")
			h.deliver(t, r.URL)
			eventually(t, "it is told and postponed", func() bool {
				due, waits, err := h.store.NextWebhookDue(t.Context(), "alerts")
				return err == nil && waits && due < h.now().Add(30*time.Second).UnixMicro() && strings.Contains(h.said(), "webhook refused")
			})
		})
	}
	if n := len(inside.letters()); n != 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}

// Ten megabytes with a 200 are a yes like any other; they are not read.
func TestALongYes(t *testing.T) {
	h := newHouse(t)
	var sent atomic.Int64
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 160 {
			n, err := w.Write(make([]byte, 64<<10))
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	h.queue(t, "alerts")
	h.deliver(t, r.URL)
	eventually(t, "it is done", func() bool { return !h.waits(t) })
	if len(r.letters()) != 1 {
		t.Errorf("%d tries, want one", len(r.letters()))
	}
}

// Advisory 21: a target inside is never connected to, however it is named.
func TestNoConnectionToTheInside(t *testing.T) {
	inside := newReceiver(t, status(200))
	h := newHouse(t)
	key, err := webhook.ParseSecret(secret.NewText(signing))
	if err != nil {
		t.Fatal(err)
	}
	w := webhook.NewWorker(h.store, map[string]webhook.Target{"alerts": {URL: secret.NewText(strings.Replace(inside.URL, "http:", "https:", 1)), Secret: key}},
		webhook.WorkerOptions{Now: h.now, Log: slog.New(slog.NewTextHandler(h, nil))})
	h.queue(t, "alerts")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go w.Run(ctx)
	eventually(t, "it is refused", func() bool { return strings.Contains(h.said(), "not a public one") })
	if n := len(inside.letters()); n != 0 {
		t.Errorf("%d requests reached the inside", n)
	}
}

func (h *house) revive(t *testing.T, id identity.ID) error {
	t.Helper()
	return h.store.Change(t.Context(), identity.NewSystem("test"), func(ctx context.Context, tx account.Tx) (audit.Event, error) {
		return audit.Event{Name: audit.AuthzAdmin}, tx.ReviveWebhook(ctx, id)
	})
}

// After ten attempts, or one answer 410, a message is dead: kept, and sent again when somebody asks for it.
func TestDeadMessagesAreKept(t *testing.T) {
	h, r := newHouse(t), newReceiver(t, status(410), status(200))
	m := h.queue(t, "alerts")
	h.deliver(t, r.URL)
	eventually(t, "it is dead", func() bool { return strings.Contains(pending(t, h), m.ID.String()) })
	if dead, err := h.store.DeadWebhooks(t.Context(), math.MaxInt64, identity.ID{}, 100); err != nil || dead[0].Reason != "status 410" || dead[0].Attempts != 1 || h.waits(t) {
		t.Errorf("DeadWebhooks = %+v, %v", dead, err)
	}
	if err := h.revive(t, m.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is sent again", func() bool { return len(r.letters()) == 2 && !h.waits(t) })
	if id, _ := verify(t, r.letters()[1], h.now()); id != "msg_"+m.ID.String() {
		t.Errorf("sent again as %s, want the same id", id)
	}
	if err := h.revive(t, m.ID); err == nil {
		t.Error("what is sent was revived")
	}
}

func TestTenAttemptsThenDead(t *testing.T) {
	h, r := newHouse(t), newReceiver(t, status(500))
	h.still = time.Now()
	m := h.queue(t, "alerts")
	stop := h.deliver(t, r.URL)
	for try := 1; try <= 10; try++ {
		eventually(t, "the try arrives", func() bool { return len(r.letters()) == try })
		eventually(t, "it is settled", func() bool {
			due, waits, err := h.store.NextWebhookDue(t.Context(), "alerts")
			wait := time.Duration(due-h.now().UnixMicro()) * time.Microsecond // exact, so that the end of the claim is not taken for it
			grown := []time.Duration{0, 5 * time.Second, 20 * time.Second, 80 * time.Second, 320 * time.Second, 1280 * time.Second, 5120 * time.Second, 20480 * time.Second, 6 * time.Hour, 6 * time.Hour, 0}[try]
			return err == nil && (!waits && try == 10 || waits && wait == grown)
		})
		h.ahead.Add(int64(6*time.Hour + time.Minute))
		stop()
		stop = h.deliver(t, r.URL)
	}
	if !strings.Contains(pending(t, h), m.ID.String()) || !strings.Contains(h.said(), "webhook given up") {
		t.Errorf("after ten attempts it is not dead:\n%s", h.said())
	}
}

// The attempt is counted before it is made: a process that dies while the receiver thinks has tried.
func TestACrashWhileSendingCounts(t *testing.T) {
	h := newHouse(t)
	m := h.queue(t, "alerts")
	now := h.now().UnixMicro()
	first, ok, err := h.store.NextWebhook(t.Context(), "alerts", now)
	if err != nil || !ok || first.Attempts != 1 {
		t.Fatalf("NextWebhook = %+v, %v, %v", first, ok, err)
	}
	if _, ok, err := h.store.NextWebhook(t.Context(), "alerts", now); ok || err != nil {
		t.Errorf("claimed twice: %v, %v", ok, err)
	}
	again, ok, err := h.store.NextWebhook(t.Context(), "alerts", now+webhook.ClaimMicros)
	if err != nil || !ok || again.Attempts != 2 || again.Message.ID != m.ID {
		t.Errorf("after the claim = %+v, %v, %v; want the second attempt of the same", again, ok, err)
	}
}

// A receiver that hangs, with more waiting for it than are sent at once, holds up nobody else.
func TestATargetThatHangsHoldsUpNoOther(t *testing.T) {
	h := newHouse(t)
	hang := make(chan struct{})
	slow := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	defer close(hang)
	quick := newReceiver(t, status(200))
	key, err := webhook.ParseSecret(secret.NewText(signing))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		h.queue(t, "events")
	}
	h.queue(t, "alerts")
	w := webhook.NewWorker(h.store, map[string]webhook.Target{
		"events": {URL: secret.NewText(slow.URL), Secret: key}, "alerts": {URL: secret.NewText(quick.URL), Secret: key},
	}, webhook.WorkerOptions{Client: outbound.Client(outbound.Options{
		InsecureHTTP: true, InsecureNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: time.Minute,
	}), Now: h.now})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		w.Run(ctx)
		close(done)
	}()
	eventually(t, "the other is told while the slow one has all it may", func() bool { return len(slow.letters()) == 4 && len(quick.letters()) == 1 })
	cancel()
	<-done
}
