package lifecycle_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/webhook"
)

// Whoever adds an event to the vocabulary decides here whether others are told.
func TestEveryEventIsDecided(t *testing.T) {
	decided := map[audit.Name]bool{}
	for _, r := range lifecycle.Rules() {
		if decided[r.Name] {
			t.Errorf("a rule for %s (%q) stands behind the one for any reason", r.Name, r.Reason)
		}
		if r.Reason == lifecycle.AnyReason {
			decided[r.Name] = true
		}
		if !audit.Known(r.Name) {
			t.Errorf("a rule for %s, which the vocabulary does not have", r.Name)
		}
	}
	for _, e := range audit.Vocabulary() {
		if !decided[e.Name] {
			t.Errorf("nobody has decided whether others are told of %s: add a rule to internal/lifecycle/events.go", e.Name)
		}
	}
}

// A reason that is renamed where the event is made is renamed in the rules.
func TestReasonsOfRulesExist(t *testing.T) {
	files, err := filepath.Glob("../account/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var source strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, r := range lifecycle.Rules() {
		if r.Reason != lifecycle.AnyReason && r.Reason != "" && !strings.Contains(source.String(), strconv.Quote(r.Reason)) {
			t.Errorf("no event of internal/account has the reason %q of the rule for %s", r.Reason, r.Name)
		}
	}
}

// docs/webhooks.md tells of each type, and of no other.
func TestTypesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"session.ended", "session.renewed"}
	var reasons []string
	for _, r := range lifecycle.Rules() {
		if r.Kind != "" && !slices.Contains(want, r.Kind) {
			want = append(want, r.Kind)
		}
		if r.Ends != "" {
			reasons = append(reasons, r.Ends)
		}
	}
	var have []string
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			kind, _, _ := strings.Cut(rest, "`")
			have = append(have, kind)
		}
		if strings.HasPrefix(line, "| `session.ended`") {
			for _, reason := range reasons {
				if !strings.Contains(line, "`"+reason+"`") {
					t.Errorf("docs/webhooks.md does not tell the reason %s of session.ended", reason)
				}
			}
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("docs/webhooks.md has the types\n%v, want\n%v", have, want)
	}
}

// desk is a transaction that notes what is queued.
type desk struct{ bodies []string }

func (d *desk) Person(_ context.Context, id identity.ID) (lifecycle.Person, bool, error) {
	return lifecycle.Person{User: lifecycle.User{ID: id, Email: "ada@example.org", DisplayName: "canary", Roles: []string{"support"}}, DeleteMicros: 1}, true, nil
}

func (d *desk) EnqueueWebhook(_ context.Context, m webhook.Message) error {
	var body struct {
		Type string
		Data json.RawMessage
	}
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return err
	}
	d.bodies = append(d.bodies, body.Type+" "+string(body.Data))
	return nil
}

func (d *desk) Host(context.Context, string, func(context.Context, lifecycle.HostTx) error) error {
	return errors.New("no hook is set")
}

func TestWhatIsTold(t *testing.T) {
	ada, one, two := identity.NewRandomID(), identity.NewRandomID(), identity.NewRandomID()
	self := identity.NewPerson(identity.SubjectOf(ada), one, time.Time{}, identity.Granted{}, identity.Request{})
	admin := identity.NewPerson(identity.SubjectOf(two), two, time.Time{}, identity.Granted{}, identity.Request{})
	user := fmt.Sprintf(`{"user_id":"%s","by":"person"`, ada)
	byAdmin := strings.Replace(user, `"person"`, `"administrator"`, 1)
	for _, tt := range []struct {
		name string
		what lifecycle.Happened
		want []string
	}{
		{"an account, with a role of its invitation", lifecycle.Happened{By: identity.NewAnonymous(identity.Request{}), Events: []audit.Event{
			{Name: audit.AuthzChange, User: ada, Reason: "granted", Private: map[string]string{"role": "support"}}, {Name: audit.UserCreated, User: ada, Reason: "invited"},
		}}, []string{
			"user.created " + user + `,"email":"ada@example.org","via":"invitation","roles":["support"]}`,
			"user.roles_changed " + user + `,"role":"support","change":"granted"}`,
		}},
		{"fields of a profile, without what they were", lifecycle.Happened{By: self, Events: []audit.Event{
			{Name: audit.UserUpdated, User: ada, Reason: "profile", Private: map[string]string{"old_language": "canary", "old_display_name": "canary"}},
		}}, []string{"user.updated " + user + `,"changed":["display_name","language"]}`}},
		{"a lock, without the words of the administrator", lifecycle.Happened{By: admin, Events: []audit.Event{
			{Name: audit.LoginLock, User: ada, Reason: "other", Private: map[string]string{"reason": "canary", "until": "2027-01-01T00:00:00Z"}},
		}, Ended: []lifecycle.Session{{User: ada, ID: one}, {User: ada, ID: two}}}, []string{
			"user.locked " + byAdmin + `,"until":"2027-01-01T00:00:00Z"}`,
			"session.ended " + byAdmin + `,"reason":"locked","session_ids":["` + one.String() + `","` + two.String() + `"]}`,
		}},
		{"a sign-in that replaces one session and ends another", lifecycle.Happened{By: self, Events: []audit.Event{
			{Name: audit.SessionLogout, User: ada, Session: one, Reason: "replaced"}, {Name: audit.SessionCreated, User: ada, Session: two},
			{Name: audit.SessionsExceeded, User: ada, Session: ada}, {Name: audit.LoginSuccess, User: ada, Session: two},
		}, Ended: []lifecycle.Session{{User: ada, ID: one}, {User: ada, ID: ada}}}, []string{
			"session.created " + user + `,"session_id":"` + two.String() + `"}`,
			"session.ended " + user + `,"reason":"replaced","session_ids":["` + one.String() + `"]}`,
			"session.ended " + user + `,"reason":"exceeded","session_ids":["` + ada.String() + `"]}`,
		}},
		{"the others, and not the one that asks", lifecycle.Happened{By: self, Events: []audit.Event{
			{Name: audit.SessionLogout, User: ada, Session: one, Reason: "others revoked"},
		}, Ended: []lifecycle.Session{{User: ada, ID: two}}}, []string{"session.ended " + user + `,"reason":"revoked","session_ids":["` + two.String() + `"]}`}},
		{"the end of all sessions, once, without the words of the administrator", lifecycle.Happened{By: admin, Events: []audit.Event{
			{Name: audit.AuthzAdmin, Reason: "everybody signed out", Private: map[string]string{"reason": "canary", "ended": "1000000"}},
		}}, []string{`session.all_ended {"by":"administrator"}`}},
		{"nothing of what strangers cause, nor of permissions of a role", lifecycle.Happened{By: self, Events: []audit.Event{
			{Name: audit.LoginFail, User: ada}, {Name: audit.SignupRequested}, {Name: audit.ResetRequested, User: ada}, {Name: audit.AuthzChange}, {Name: "made_up", User: ada},
			{Name: audit.UserUpdated, User: ada, Reason: "address change requested", Private: map[string]string{"new": "canary"}},
		}}, nil},
	} {
		d := &desk{}
		if err := lifecycle.New(lifecycle.Options{Target: "events", Now: time.Now}).Follow(t.Context(), d, tt.what); err != nil || !slices.Equal(d.bodies, tt.want) {
			t.Errorf("%s: %v\n got %q\nwant %q", tt.name, err, d.bodies, tt.want)
		}
		if strings.Contains(strings.Join(d.bodies, ""), "canary") {
			t.Errorf("%s tells too much: %q", tt.name, d.bodies)
		}
		silent := &desk{}
		if err := lifecycle.New(lifecycle.Options{Now: time.Now}).Follow(t.Context(), silent, tt.what); err != nil || len(silent.bodies) != 0 {
			t.Errorf("%s: told though nobody is to be told: %q, %v", tt.name, silent.bodies, err)
		}
	}
}

// asker asks a host that answers so.
func asker(answer func() error) *lifecycle.Lifecycle {
	return lifecycle.New(lifecycle.Options{Log: slog.New(slog.DiscardHandler), Hooks: lifecycle.Hooks{
		BeforeSignUp: func(context.Context, lifecycle.SignUp) error { return answer() },
	}})
}

// A question that is not answered in time refuses, and its caller does not wait longer. A host that never answers is not
// asked without end, and is asked again once it is back.
func TestAQuestionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		var asked atomic.Int64
		l := asker(func() error { asked.Add(1); <-released; return nil })
		ask := func() (code string, took time.Duration) {
			began := time.Now()
			if err := l.Ask(t.Context(), lifecycle.SignUp{}); err != nil {
				code = problem.From(err).Code
			}
			return code, time.Since(began)
		}
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				if code, took := ask(); code != "unavailable" || took != lifecycle.AskingTime {
					t.Errorf("after %v: %q, want unavailable after %v", took, code, lifecycle.AskingTime)
				}
			})
		}
		all.Wait()
		if code, took := ask(); code != "unavailable" || took != 0 || asked.Load() != 64 {
			t.Errorf("with 64 that have not come back: %q after %v, asked %d times; want unavailable at once", code, took, asked.Load())
		}
		close(released)
		synctest.Wait()
		if code, _ := ask(); code != "" {
			t.Errorf("once the host is back: %q", code)
		}
	})
}

func TestAnswersOfTheHost(t *testing.T) {
	ours := problem.New(problem.Conflict, "conflict", "canary")
	for name, tt := range map[string]struct {
		answer  func() error
		refused bool
		code    string
	}{
		"yes":               {func() error { return nil }, false, ""},
		"no":                {func() error { return lifecycle.ErrRefused }, true, "internal"},
		"an error":          {func() error { return errors.New("canary") }, false, "internal"},
		"a problem of ours": {func() error { return ours }, false, "internal"},
		"a panic":           {func() error { panic("canary") }, false, "internal"},
		"its own end":       {func() error { runtime.Goexit(); return nil }, false, "internal"},
	} {
		l := asker(tt.answer)
		for range 100 { // a call that came back, however, has left its place
			err := l.Ask(t.Context(), lifecycle.SignUp{})
			code := ""
			if err != nil {
				code = problem.From(err).Code
			}
			if errors.Is(err, lifecycle.ErrRefused) != tt.refused || code != tt.code {
				t.Fatalf("%s = %v (%s), want refused %v, code %q", name, err, code, tt.refused, tt.code)
			}
		}
	}
}
