package e2e_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// told is what a receiver of webhooks was told, after it has checked the signature.
type told struct {
	Type string
	Data struct {
		Kind, Key, What, Help string
		Where                 []string
		Count                 int64
	}
}

// operators receive webhooks.
type operators struct {
	t      *testing.T
	now    func() time.Time
	server *httptest.Server
	mu     sync.Mutex
	got    []told
	bodies []string
	ids    map[string]bool
	tries  int
	answer int // the status; zero: 200
}

func newOperators(t *testing.T) *operators {
	o := &operators{t: t, ids: map[string]bool{}}
	o.server = httptest.NewServer(o)
	t.Cleanup(o.server.Close)
	return o
}

// ServeHTTP is what the specification of Standard Webhooks asks of a receiver.
func (o *operators) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	id, stamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + stamp + "." + string(body)))
	o.mu.Lock()
	defer o.mu.Unlock()
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if signature := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); r.Header.Get("webhook-signature") != signature || err != nil || o.now().Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		o.t.Errorf("a webhook with signature %q and time %q, want %q and now", r.Header.Get("webhook-signature"), stamp, signature)
	}
	var what told
	if err := json.Unmarshal(body, &what); err != nil {
		o.t.Errorf("a webhook that is no JSON: %s", body)
	}
	o.tries++
	if o.answer != 0 {
		w.WriteHeader(o.answer)
		return
	}
	if !o.ids[id] {
		o.ids[id] = true
		o.got = append(o.got, what)
		o.bodies = append(o.bodies, string(body))
	}
}

// answerWith makes the receiver answer with a status, or with zero take what comes.
func (o *operators) answerWith(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = status
}

// tried is how often it was asked.
func (o *operators) tried() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tries
}

// of are the messages of a type about attacks on sign-ins and sessions.
func (o *operators) of(kind string, about ...string) (found []told) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.got {
		if m.Type == kind && slices.Contains(about, m.Data.Kind) {
			found = append(found, m)
		}
	}
	return found
}

// watched is a server behind a proxy whose operators are told.
func watched(t *testing.T, db testdb.DB) (*ringwalltest.Server, *operators) {
	t.Helper()
	staff := newOperators(t)
	o := ringwall.Options{
		Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), AlertMail: "ops@example.org",
		AlertWebhook: ringwall.NewSecret(staff.server.URL + "/hook?key=canary"), AlertWebhookSecret: ringwall.NewSecret(hookSecret),
		InsecureWebhookNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	behindProxy(&o)
	s := ringwalltest.StartApp(t, o, application)
	staff.now = s.Clock.Now
	return s, staff
}

// spray tries one password on a thousand accounts.
func spray(t *testing.T, s *ringwalltest.Server, from func(i int) string) {
	t.Helper()
	var all sync.WaitGroup
	turns := make(chan int)
	for range 6 {
		c := s.Client()
		all.Go(func() {
			for i := range turns {
				for range 100 {
					c.Header.Set("X-Forwarded-For", from(i))
					got, err := c.Try("POST", "/auth/v1/login", object{"email": fmt.Sprintf("person%d@example.org", i), "password": "Winter2026!Winter2026!"})
					if err != nil || got.Status == http.StatusOK {
						t.Errorf("try %d = %d, %v", i, got.Status, err)
					}
					if got.Status != http.StatusServiceUnavailable {
						break
					}
				}
			}
		})
	}
	for i := range 1000 {
		turns <- i
	}
	close(turns)
	all.Wait()
}

// S051, S053, S093: one try each on a thousand accounts, from one address and from many, is one alert: in the log, by
// mail, by a signed webhook, and in the audit log; it closes when it is over.
func TestASprayedThousandIsOneAlert(t *testing.T) {
	signIns := []string{"spraying", "stuffing"}
	for name, tt := range map[string]struct {
		db   func(testing.TB) testdb.DB
		from func(i int) string
		help string
	}{
		"from one address": {testdb.SQLite, func(int) string { return "203.0.113.9" }, "ringwall limits block 203.0.113.0/24 --for 1h --reason spraying"},
		"from many":        {testdb.Postgres, func(i int) string { return fmt.Sprintf("100.%d.%d.7", 70+i%40, i%250) }, "ringwall limits show"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, staff := watched(t, tt.db(t))
			s.SignUp("person7@example.org")
			spray(t, s, tt.from)
			within(t, 15*time.Second, "a webhook", func() bool { return len(staff.of("alert.opened", signIns...)) > 0 })
			opened := staff.of("alert.opened", signIns...)
			if d := opened[0].Data; len(opened) != 1 || d.Kind != "spraying" || d.Help != tt.help || d.Count < 20 || len(d.Where) == 0 || d.What == "" {
				t.Errorf("opened are %+v, want one alert of spraying that helps with %s", opened, tt.help)
			}
			mails := func(words string) (n int) {
				for _, m := range s.Mails("ops@example.org") {
					if strings.Contains(m.Text, "Somebody tries a few passwords") && strings.Contains(m.Text, words) {
						n++
					}
				}
				return n
			}
			within(t, 15*time.Second, "a mail", func() bool { return mails(tt.help) == 1 })
			events := fmt.Sprint(operate(t, s, "audit.tail", object{"limit": 1000})["events"])
			if n := strings.Count(events, "alert_opened"); n == 0 || !strings.Contains(events, "spraying") {
				t.Errorf("the audit log tells of %d alerts, want that of spraying", n)
			}
			if n := len(staff.of("alert.closed", signIns...)); n != 0 {
				t.Errorf("%d alerts closed while they went on", n)
			}
			s.Clock.Advance(20 * time.Minute)
			within(t, 60*time.Second, "its end", func() bool {
				return len(staff.of("alert.closed", signIns...)) == 1 && mails("The alert was closed") == 1
			})
			if n := len(staff.of("alert.opened", signIns...)); n != 1 {
				t.Errorf("%d alerts in all, want one", n)
			}
		})
	}
}

// guessSessions sends session tokens of the right form that no session has.
func guessSessions(t *testing.T, s *ringwalltest.Server, from string) {
	t.Helper()
	for i := range 260 {
		var guess [64]byte
		_, _ = rand.Read(guess[:])
		token := base64.RawURLEncoding.EncodeToString(guess[:])
		got := raw(t, s, "GET", "/auth/v1/session", nil, func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", from)
			if i%2 == 0 {
				r.Header.Set("Authorization", "Bearer "+token)
			} else {
				r.Header.Set("Cookie", "__Host-ringwall="+token)
			}
		})
		if got.Status != http.StatusUnauthorized {
			t.Fatalf("a guess = %d, want 401", got.Status)
		}
	}
}

// C089: many session ids that are none, from one address.
func TestGuessedSessionsAreAlerted(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s, staff := watched(t, db)
		guessSessions(t, s, "203.0.113.9")
		within(t, 15*time.Second, "a webhook", func() bool { return len(staff.of("alert.opened", "session-guessing")) == 1 })
		if d := staff.of("alert.opened", "session-guessing")[0].Data; !slices.Equal(d.Where, []string{"203.0.113.9/32"}) || d.Help != "ringwall limits block 203.0.113.9/32 --for 1h --reason session-guessing" {
			t.Errorf("the alert is %+v", d)
		}
	})
}

// What a receiver did not take is kept, and an operator has it sent again.
func TestWebhooksAreReplayed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s, staff := watched(t, db)
		staff.answerWith(http.StatusGone)
		guessSessions(t, s, "203.0.113.9")
		var given []any
		within(t, 15*time.Second, "a webhook is given up", func() bool {
			given = operate(t, s, "webhook.list", object{})["webhooks"].([]any)
			return len(given) == 1
		})
		if dead := given[0].(object); dead["reason"] != "status 410" || dead["target"] != "alerts" {
			t.Errorf("given up is %v", dead)
		}
		alert := operate(t, s, "alert.list", object{})["alerts"].([]any)[0].(object)
		if alert["kind"] != "session-guessing" || alert["closed_at"] != nil {
			t.Errorf("the alert is %v, want it open", alert)
		}
		staff.answerWith(0)
		operate(t, s, "webhook.replay", object{"webhook": given[0].(object)["id"]})
		within(t, 15*time.Second, "the webhook", func() bool { return len(staff.of("alert.opened", "session-guessing")) == 1 })
		if events := fmt.Sprint(operate(t, s, "audit.tail", object{"limit": 10})["events"]); !strings.Contains(events, "webhook sent again") {
			t.Errorf("the audit log does not tell who had it sent again: %s", events)
		}
	})
}

// A browser that holds one old cookie, and people who mistype and get it right, alarm nobody: the first alert is
// about somebody else.
func TestPeopleAlarmNobody(t *testing.T) {
	s, staff := watched(t, testdb.SQLite(t))
	signed := s.SignIn("person@example.org")
	old := signed.Cookie("__Host-ringwall")
	want(t, "sign out", signed.Post("/auth/v1/logout", object{}), 204, "")
	for range 300 {
		got := raw(t, s, "GET", "/auth/v1/session", nil, func(r *http.Request) { r.Header.Set("Cookie", "__Host-ringwall="+old) })
		want(t, "an old cookie", got, 401, "unauthenticated")
	}
	for range 25 {
		c := s.Client()
		want(t, "a typing error", login(c, "person@example.org", "not the password, surely"), 401, "login-failed")
		c.SignIn("person@example.org", ringwalltest.Password)
	}
	guessSessions(t, s, "203.0.113.9")
	about := []string{"spraying", "stuffing", "session-guessing"}
	within(t, 15*time.Second, "a webhook", func() bool { return len(staff.of("alert.opened", about...)) > 0 })
	if opened := staff.of("alert.opened", about...); len(opened) != 1 || !slices.Equal(opened[0].Data.Where, []string{"203.0.113.9/32"}) {
		t.Errorf("alerts about people: %+v", opened)
	}
}

func TestAlertOptionsAreChecked(t *testing.T) {
	good := ringwall.Options{
		Database: "sqlite:/x", Origins: []string{"https://id.example.org"}, SMTP: ringwall.NewSecret("smtp://u:p@mail.example.org:587"), MailFrom: "login@example.org",
		AlertMail: "ops@example.org", AlertLanguage: "de", AlertWebhook: ringwall.NewSecret("https://alerts.example.org/canary"), AlertWebhookSecret: ringwall.NewSecret(hookSecret),
	}
	if err := good.Check(); err != nil {
		t.Errorf("Check = %v, want nil", err)
	}
	for name, change := range map[string]func(*ringwall.Options){
		"AlertMail":         func(o *ringwall.Options) { o.AlertMail = "ops" },
		"AlertLanguage":     func(o *ringwall.Options) { o.AlertLanguage = "fr" },
		"AlertWebhook must": func(o *ringwall.Options) { o.AlertWebhook = ringwall.NewSecret("http://alerts.example.org/canary") },
		"AlertWebhook must be": func(o *ringwall.Options) {
			o.AlertWebhook = ringwall.NewSecret("https://u:p@alerts.example.org/canary")
		},
		"belong together":                   func(o *ringwall.Options) { o.AlertWebhookSecret = ringwall.Secret{} },
		"AlertWebhookSecret cannot be used": func(o *ringwall.Options) { o.AlertWebhookSecret = ringwall.NewSecret("canary") },
		"EventsWebhook must": func(o *ringwall.Options) {
			o.EventsWebhook, o.EventsWebhookSecret = ringwall.NewSecret("http://app.example.org/canary"), ringwall.NewSecret(hookSecret)
		},
		"EventsWebhook and EventsWebhookSecret belong": func(o *ringwall.Options) { o.EventsWebhook = ringwall.NewSecret("https://app.example.org/canary") },
	} {
		o := good
		change(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "canary") {
			t.Errorf("Check = %v, want a fault of %s without the value", err, name)
		}
	}
}
