package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// telling makes options under which a receiver is told what becomes of accounts and sessions.
func telling(to string) func(*ringwall.Options) {
	return func(o *ringwall.Options) {
		o.EventsWebhook, o.EventsWebhookSecret = ringwall.NewSecret(to+"/events?key=canary"), ringwall.NewSecret(hookSecret)
		o.InsecureWebhookNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
}

// kinds are the types that a receiver was told about somebody, in alphabetical order: the order of arrival is not promised.
func (o *operators) kinds(user string) (list []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, body := range o.bodies {
		var m struct {
			Type string
			Data struct {
				User string `json:"user_id"`
			}
		}
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			o.t.Error(err)
		}
		if m.Data.User == user {
			list = append(list, m.Type)
		}
	}
	slices.Sort(list)
	return list
}

func (o *operators) all() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.bodies, "\n")
}

// eachTold runs a test against servers on both databases that tell a receiver.
func eachTold(t *testing.T, change func(*ringwall.Options), test func(t *testing.T, s *ringwalltest.Server, told *operators)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		told := newOperators(t)
		told.now = time.Now
		o := ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey)}
		telling(told.server.URL)(&o)
		if change != nil {
			change(&o)
		}
		test(t, ringwalltest.StartApp(t, o, application), told)
	})
}

// Each step of an account's life is told once, signed, and without anything that opens it.
func TestALifeIsTold(t *testing.T) {
	eachTold(t, nil, func(t *testing.T, s *ringwalltest.Server, told *operators) {
		const canary = "canary in a display name"
		c := s.Client()
		want(t, "sign up", c.Post("/auth/v1/signup", object{"email": "ada@example.org", "password": ringwalltest.Password, "display_name": canary}), 202, "")
		link := s.Mail("ada@example.org", 1).Token()
		want(t, "confirm", c.Post("/auth/v1/email/verify", object{"token": link}), 204, "")
		for range 3 {
			want(t, "a wrong password", c.Post("/auth/v1/login", object{"email": "ada@example.org", "password": "canary: a wrong password"}), 401, "login-failed")
		}
		c.SignIn("ada@example.org", ringwalltest.Password)
		secrets := []string{ringwalltest.Password, "canary", link, c.Cookie("__Host-ringwall"), c.Cookie("__Host-ringwall-device"), "example.com"}
		id := idOf(t, s, "ada@example.org")
		want(t, "change the name", c.Do("PATCH", "/auth/v1/me", object{"display_name": "canary: another"}), 200, "")
		want(t, "sign out", c.Post("/auth/v1/logout", nil), 204, "")
		ada := object{"user": "ada@example.org", "role": "support", "reason": "canary: a reason"}
		for _, step := range []string{"user.grant", "user.revoke", "user.lock", "user.unlock", "user.demand-reset"} {
			operate(t, s, step, ada)
		}
		operate(t, s, "user.email", object{"user": "ada@example.org", "email": "countess@example.net", "reason": "canary"})
		operate(t, s, "user.delete", object{"user": "countess@example.net", "now": true})
		expect := []string{
			"session.created", "session.ended", "user.created", "user.deleted", "user.email_changed", "user.locked", "user.reset_demanded",
			"user.roles_changed", "user.roles_changed", "user.unlocked", "user.updated",
		}
		within(t, 15*time.Second, "all is told", func() bool { return len(told.kinds(id)) >= len(expect) })
		if got := told.kinds(id); !slices.Equal(got, expect) {
			t.Errorf("told %q, want %q", got, expect)
		}
		all := told.all()
		for _, secret := range secrets {
			if secret != "" && strings.Contains(all, secret) {
				t.Errorf("a webhook holds %q:\n%s", secret, all)
			}
		}
		if n := strings.Count(all, "ada@example.org"); n != 1 {
			t.Errorf("the address stands %d times in webhooks, want once, where it is new:\n%s", n, all)
		}
	})
}

func TestFiftyConfirmationsAreToldOnce(t *testing.T) {
	eachTold(t, nil, func(t *testing.T, s *ringwalltest.Server, told *operators) {
		c := s.Client()
		want(t, "sign up", signUp(c, "many@example.org", ringwalltest.Password), 202, "")
		token := s.Mail("many@example.org", 1).Token()
		fifty(func(int) bool {
			got, err := c.Try("POST", "/auth/v1/email/verify", object{"token": token})
			return err == nil && got.Status == 204
		})
		id := idOf(t, s, "many@example.org")
		c.SignIn("many@example.org", ringwalltest.Password)
		within(t, 15*time.Second, "the sign-in is told", func() bool { return slices.Contains(told.kinds(id), "session.created") })
		within(t, 15*time.Second, "the account is told", func() bool { return slices.Contains(told.kinds(id), "user.created") })
		if got := told.kinds(id); len(got) != 2 {
			t.Errorf("told %q, want one account and one session", got)
		}
	})
}

// What strangers cause costs the same for accounts that exist, also where others are told and hooks are set.
func TestTellingCostsTheSameStatements(t *testing.T) {
	told := newOperators(t)
	told.now = time.Now
	o := ringwall.Options{Hooks: ringwall.Hooks{
		BeforeSignUp:  func(context.Context, ringwall.SignUp) error { return nil },
		OnUserCreated: func(context.Context, ringwall.HookTx, ringwall.User) error { return nil },
	}}
	telling(told.server.URL)(&o)
	costTheSame(t, o)
}

// A receiver that is bad to us delays what is told to it, and nothing else: no sign-in, and no other receiver.
func TestReceiversThatAreBadToUs(t *testing.T) {
	inside := newOperators(t)
	inside.now = time.Now
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
			http.Redirect(w, r, inside.server.URL, http.StatusTemporaryRedirect)
		},
		"sends ten megabytes": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			for range 160 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			asked := 0
			bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // or nobody notices that the client has gone
				mu.Lock()
				asked++
				mu.Unlock()
				answer(w, r)
			}))
			defer bad.Close()
			defer bad.CloseClientConnections()
			o := ringwall.Options{}
			telling(bad.URL)(&o)
			s := ringwalltest.StartApp(t, o, application)
			for _, address := range []string{"a@example.org", "b@example.org", "c@example.org", "d@example.org", "e@example.org"} {
				began := time.Now()
				s.SignIn(address)
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("a sign-up took %v", took)
				}
			}
			within(t, 15*time.Second, "the receiver is asked", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return asked > 0
			})
		})
	}
	if got := inside.all(); got != "" {
		t.Errorf("a redirect was followed: %s", got)
	}
}

// Without leave no address inside is connected to, by whatever name.
func TestEventsNeverReachTheInside(t *testing.T) {
	inside := newOperators(t)
	inside.now = time.Now
	o := ringwall.Options{}
	telling(inside.server.URL)(&o)
	o.InsecureWebhookNetworks = nil
	log := &logBuffer{}
	o.Log = log.logger()
	s := ringwalltest.StartApp(t, o, application)
	s.SignUp("ada@example.org")
	within(t, 15*time.Second, "it is refused", func() bool { return strings.Contains(log.String(), "webhook refused") })
	if got := inside.all(); got != "" || strings.Contains(log.String(), "canary") {
		t.Errorf("the inside was told %q; the log says\n%s", got, log)
	}
}

// What is given up can be sent again, with the same id.
func TestEventsAreReplayed(t *testing.T) {
	eachTold(t, nil, func(t *testing.T, s *ringwalltest.Server, told *operators) {
		told.answerWith(http.StatusGone)
		id := someone(t, s, "ada@example.org")
		var dead []any
		within(t, 15*time.Second, "it is given up", func() bool {
			dead = operate(t, s, "webhook.list", object{})["webhooks"].([]any)
			return len(dead) == 1
		})
		if target := dead[0].(object)["target"]; target != "events" {
			t.Errorf("its target is %v", target)
		}
		told.answerWith(0)
		operate(t, s, "webhook.replay", object{"webhook": "msg_" + dead[0].(object)["id"].(string)}) // as the log and the receiver have it
		within(t, 15*time.Second, "it is told", func() bool { return slices.Equal(told.kinds(id), []string{"user.created"}) })
	})
}

// A process that is killed while nobody takes its events tells them when it is back.
func TestEventsSurviveAKill(t *testing.T) {
	told := newOperators(t)
	told.now = time.Now
	t.Setenv("RINGWALL_EVENTS_WEBHOOK", told.server.URL+"/events")
	t.Setenv("RINGWALL_EVENTS_WEBHOOK_SECRET", hookSecret)
	t.Setenv("RINGWALL_INSECURE_WEBHOOK_NETWORKS", "127.0.0.0/8")
	data := filepath.Join(t.TempDir(), "data")
	told.answerWith(http.StatusServiceUnavailable)
	d := run(t, data, "")
	out, err := command(t, data, "user", "create", "--email", "ada@example.org", "--json")
	if err != nil {
		t.Fatalf("user create: %v\n%s", err, out)
	}
	within(t, 15*time.Second, "the attempt is made", func() bool { return told.tried() > 0 })
	d.kill()
	told.answerWith(0)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run(t, data, "")
	within(t, 90*time.Second, "it is told", func() bool { return slices.Contains(told.kinds(made.ID), "user.created") })
}

// idOf is the id of somebody.
func idOf(t *testing.T, s *ringwalltest.Server, address string) string {
	t.Helper()
	return operate(t, s, "user.show", object{"user": address})["user"].(object)["id"].(string)
}
