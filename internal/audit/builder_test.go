package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/secret"
)

func fixed() time.Time { return time.UnixMicro(1_700_000_000_123_456) }

func TestBuilderTellsWhoDidWhatFromWhere(t *testing.T) {
	m, _ := newMemory(t, fixed)
	session := identity.NewRandomID()
	by := identity.NewPerson(identity.SubjectOf(alice), session, time.Time{}, identity.Granted{}, request())
	row, err := m.build.Row(t.Context(), m, by, audit.Event{
		Name: audit.AuthzChange, User: bob, Reason: "granted", Private: map[string]string{"role": "admin"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := audit.Row{
		ID: row.ID, TimeMicros: 1_700_000_000_123_456, Name: "authz_change", ActorKind: "person", ActorUser: alice, User: bob,
		Session: session, RequestID: row.RequestID, Route: "POST /auth/v1/login", Reason: "granted", Count: 1, Personal: row.Personal, Mark: row.Mark,
	}
	if diff := gocmp.Diff(want, row); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if len(row.Mark) != 16 || row.ID.IsZero() {
		t.Errorf("mark %x, id %s", row.Mark, row.ID)
	}
	details, err := m.build.Open(t.Context(), m, row)
	if diff := gocmp.Diff(audit.Details{Address: "192.0.2.77", UserAgent: "Canary/1.0", Private: map[string]string{"role": "admin"}}, details); diff != "" || err != nil {
		t.Errorf("details (-want +got):\n%s%v", diff, err)
	}
}

func TestBuilderOfActorsWithoutARequest(t *testing.T) {
	m, _ := newMemory(t, fixed)
	for _, by := range []identity.Actor{identity.NewOperator("root"), identity.NewSystem("sweeper")} {
		row, err := m.build.Row(t.Context(), m, by, audit.Event{Name: audit.SysStartup})
		if err != nil || row.Personal != nil || row.ActorName != by.Name() || row.ActorKind != by.Kind().String() {
			t.Errorf("Row = %+v, %v", row, err)
		}
	}
}

func TestBuilderRefusesUnknownEvents(t *testing.T) {
	m, _ := newMemory(t, fixed)
	for _, name := range []audit.Name{"", "no_such_event"} {
		if _, err := m.build.Row(t.Context(), m, identity.NewSystem("x"), audit.Event{Name: name}); !errors.Is(err, audit.ErrName) {
			t.Errorf("Row of %q = %v, want %v", name, err, audit.ErrName)
		}
	}
}

// C213: nothing that a stranger sends can begin a line of its own, or hide one.
func TestRowsHaveNoControlCharacters(t *testing.T) {
	m, _ := newMemory(t, fixed)
	evil := "a\r\nlevel=INFO\x00\x1b[2J\u2028\u202e\xff" + strings.Repeat("é", 400)
	by := identity.NewAnonymous(identity.Request{UserAgent: evil, Route: evil})
	row, err := m.build.Row(t.Context(), m, by, audit.Event{Name: audit.LoginFail, Reason: evil})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("audit", "event", row)
	for name, text := range map[string]string{"route": row.Route, "reason": row.Reason, "log": out.String()[:out.Len()-1]} {
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00\x1b\u2028\u202e") || !strings.Contains(text, "level=INFO") || len(text) > 1500 {
			t.Errorf("%s is %d bytes: %q", name, len(text), text)
		}
	}
	details, err := m.build.Open(t.Context(), m, row)
	if err != nil || len(details.UserAgent) > 512 {
		t.Errorf("user agent of %d bytes, %v", len(details.UserAgent), err)
	}
}

func contains(row audit.Row, text string) bool {
	return strings.Contains(fmt.Sprintf("%+v %s", row, row.Personal), text)
}

func TestPersonalFieldsAreSealed(t *testing.T) {
	m, _ := newMemory(t, fixed)
	row := event(t, m)
	stranger, err := m.build.Row(t.Context(), m, identity.NewAnonymous(request()), audit.Event{Name: audit.LoginFail, Private: map[string]string{"x": "canary"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []audit.Row{row, stranger} {
		for _, canary := range []string{"192.0.2.77", "Canary", "canary"} {
			var out bytes.Buffer
			slog.New(slog.NewJSONHandler(&out, nil)).LogAttrs(t.Context(), slog.LevelInfo, "x", audit.LogAttrs(row)...)
			if contains(row, canary) || strings.Contains(out.String(), canary) {
				t.Errorf("%q stands in the row or its log line: %s", canary, out.String())
			}
		}
	}
	if d, err := m.build.Open(t.Context(), m, stranger); err != nil || d.Private["x"] != "canary" || d.Address != "192.0.2.77" {
		t.Errorf("Open of a stranger's row = %+v, %v", d, err)
	}
}

func TestPersonalFieldsOpenInTheirRowOnly(t *testing.T) {
	m, _ := newMemory(t, fixed)
	first, second := event(t, m), event(t, m)
	attacks := map[string]audit.Row{}
	moved := second
	moved.Personal = first.Personal
	attacks["moved to another row"] = moved
	whose := first
	whose.User, whose.ActorUser = bob, bob
	m.people[bob] = m.people[alice]
	attacks["given to another person"] = whose
	for i := range first.Personal {
		changed := first
		changed.Personal = bytes.Clone(first.Personal)
		changed.Personal[i] ^= 1
		attacks[fmt.Sprint("changed at ", i)] = changed
	}
	swapped := first // exchange the two parts
	size := 4 + int(first.Personal[3])
	swapped.Personal = append(bytes.Clone(first.Personal[size:]), first.Personal[:size]...)
	attacks["with exchanged parts"] = swapped
	for name, row := range attacks {
		if d, err := m.build.Open(t.Context(), m, row); !errors.Is(err, secret.ErrUnopenable) || d.Address != "" {
			t.Errorf("Open of a row %s = %+v, %v", name, d, err)
		}
	}
}

func TestErasingAPersonLeavesTheChainWhole(t *testing.T) {
	m, keys := newMemory(t, time.Now)
	by := identity.NewPerson(identity.SubjectOf(alice), identity.NewRandomID(), time.Time{}, identity.Granted{}, request())
	about, err := m.build.Row(t.Context(), m, by, audit.Event{Name: audit.AuthzChange, User: bob, Private: map[string]string{"old": "bob's"}})
	if err != nil {
		t.Fatal(err)
	}
	m.insert(about, 0)
	seal(m, keys, time.Now)
	open := func() audit.Details {
		t.Helper()
		d, err := m.build.Open(t.Context(), m, about)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	m.people[bob] = nil
	if d := open(); !d.Erased || d.Private != nil || d.Address != "192.0.2.77" {
		t.Errorf("with bob erased: %+v; want alice's address and nothing of bob's", d)
	}
	m.people[alice] = []byte{}
	if d := open(); !d.Erased || d.Address != "" || d.UserAgent != "" {
		t.Errorf("with alice erased too: %+v", d)
	}
	later, err := m.build.Row(t.Context(), m, by, audit.Event{Name: audit.SessionLogout, User: bob, Private: map[string]string{"new": "bob's"}})
	if err != nil || later.Personal != nil {
		t.Errorf("a later row of erased people = %x, %v; want nothing personal", later.Personal, err)
	}
	m.insert(later, 0)
	seal(m, keys, time.Now)
	if report := verify(t, m, keys, audit.VerifyOptions{}); !report.OK() {
		t.Errorf("Verify = %v", report.Findings)
	}
}

// Two transactions make the first row of a person at once: the loser uses the winner's key.
type racing struct {
	*memory
	winner []byte
}

func (r *racing) InsertPersonKey(ctx context.Context, user identity.ID, wrapped []byte) error {
	if r.winner != nil {
		if err := r.memory.InsertPersonKey(ctx, user, r.winner); err != nil {
			return err
		}
	}
	return r.memory.InsertPersonKey(ctx, user, wrapped)
}

func TestPersonKeysOfTwoTransactions(t *testing.T) {
	m, keys := newMemory(t, fixed)
	by := identity.NewPerson(identity.SubjectOf(alice), identity.ID{}, time.Time{}, identity.Granted{}, request())
	row, err := m.build.Row(t.Context(), &racing{m, keys.NewPersonKey(alice)}, by, audit.Event{Name: audit.SessionLogout})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := m.build.Open(t.Context(), m, row); err != nil || d.Address == "" {
		t.Errorf("Open = %+v, %v", d, err)
	}
	if _, err := m.build.Row(t.Context(), forgetful{m}, identity.NewAnonymous(request()), audit.Event{Name: audit.LoginSuccess, User: bob}); err == nil {
		t.Error("a store that keeps no keys goes unnoticed: the row could never be opened")
	}
}

type forgetful struct{ *memory }

func (forgetful) InsertPersonKey(context.Context, identity.ID, []byte) error { return nil }

func TestCountedRefusalsNameNobody(t *testing.T) {
	m, _ := newMemory(t, fixed)
	row, err := m.build.Refusal(t.Context(), m, audit.Refusal{
		Event: audit.Event{Name: audit.LoginFail, User: alice, Session: bob, Private: map[string]string{"a": "b"}},
		Route: "POST /login", Network: netip.MustParsePrefix("192.0.2.0/24"), Count: 9,
	})
	if err != nil || !row.User.IsZero() || !row.Session.IsZero() || row.ActorKind != "system" || row.Count != 9 || row.Route != "POST /login" {
		t.Errorf("Refusal = %+v, %v", row, err)
	}
	d, err := m.build.Open(t.Context(), m, row)
	if diff := gocmp.Diff(audit.Details{Private: map[string]string{"network": "192.0.2.0/24"}}, d); diff != "" || err != nil {
		t.Errorf("details (-want +got):\n%s%v", diff, err)
	}
}

func TestLogAttrsSpeakTheVocabulary(t *testing.T) {
	m, _ := newMemory(t, fixed)
	row, err := m.build.Row(t.Context(), m, identity.NewOperator("root"), audit.Event{Name: audit.LoginLock, User: alice, Reason: "maxretries"})
	if err != nil {
		t.Fatal(err)
	}
	row.Count = 3
	got := map[string]string{}
	for _, a := range audit.LogAttrs(row) {
		got[a.Key] = a.Value.String()
	}
	want := map[string]string{
		"datetime": "2023-11-14T22:13:20.123456+00:00", "appid": "ringwall", "event": "authn_login_lock:" + alice.String() + ",maxretries",
		"level": "WARN", "description": "An account was locked.", "event_id": row.ID.String(), "actor": "operator:root",
		"reason": "maxretries", "count": "3",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

// Every name that event.go declares stands in the vocabulary, with the level of the OWASP table.
func TestVocabularyIsComplete(t *testing.T) {
	levels := map[string]audit.Level{}
	for level, names := range map[audit.Level]string{
		audit.Info: "authn_login_success authn_login_successafterfail authn_password_change session_created session_renewed session_expired session_logout",
		audit.Warn: "authn_login_fail authn_login_fail_max authn_login_lock authz_change authz_admin crypt_decrypt_fail excess_rate_limit_exceeded " +
			"excess_sessions_exceeded input_validation_fail malicious_csrf malicious_csp_violation sensitive_create sensitive_read sys_startup sys_shutdown user_created user_updated " +
			"privilege_permissions_changed user_archived user_restored user_deleted user_exported alert_closed",
		audit.Critical: "authn_password_change_fail authz_fail malicious_extraneous sequence_fail alert_opened",
	} {
		for _, name := range strings.Fields(names) {
			levels[name] = level
		}
	}
	declared := declaredNames(t)
	if len(declared) != len(audit.Vocabulary()) {
		t.Errorf("event.go declares %d names, the vocabulary has %d", len(declared), len(audit.Vocabulary()))
	}
	form := regexp.MustCompile(`^[a-z]+(_[a-z0-9]+)+$`)
	sentences := map[string]bool{}
	for _, name := range declared {
		sentence := audit.Describe(audit.Name(name))
		if !audit.Known(audit.Name(name)) || !form.MatchString(name) {
			t.Errorf("%q is not in the vocabulary", name)
		}
		if got := audit.LevelOf(audit.Name(name)); got != levels[name] {
			t.Errorf("LevelOf(%s) = %s, want %s", name, got, levels[name])
		}
		if sentences[sentence] || !strings.HasSuffix(sentence, ".") {
			t.Errorf("Describe(%s) = %q: not a sentence of its own", name, sentence)
		}
		sentences[sentence] = true
	}
	if audit.LevelOf("unknown") != audit.Warn || audit.Critical.Slog() != slog.LevelWarn || audit.Info.Slog() != slog.LevelInfo {
		t.Error("levels of unknown events or for slog are wrong")
	}
}

func declaredNames(t *testing.T) (names []string) {
	t.Helper()
	source, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			names = append(names, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	return names
}
