package e2e_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/password/breach"
	"github.com/ringwall/ringwall/ringwalltest"
)

// leaked passes every rule but that it is known.
const leaked = "violet tractor hums beneath"

// refusedAsBreached wants the answer to a new password that is known from a breach.
func refusedAsBreached(t *testing.T, what string, got ringwalltest.Answer) {
	t.Helper()
	want(t, what, got, 422, "password-weak")
	if !strings.Contains(string(got.Body), `"code":"breached"`) {
		t.Errorf("%s = %s, want the code breached", what, got.Body)
	}
}

// S016, C010: refused wherever a password is chosen, and never at a sign-in; for known and unknown addresses alike.
func TestBreachedPasswordsAreRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "breached")
	if _, err := breach.Build(t.Context(), strings.NewReader(leaked+"\n"), breach.Text, file, nil); err != nil {
		t.Fatal(err)
	}
	eachWith(t, func(o *ringwall.Options) { o.BreachCheck = file }, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("ada@example.org")
		unknown, known := signUp(s.Client(), "new@example.org", leaked), signUp(s.Client(), "ada@example.org", leaked)
		refusedAsBreached(t, "a sign-up", unknown)
		sameAnswer(t, "a sign-up for a known address", unknown, known)
		refusedAsBreached(t, "a change", c.Post("/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": leaked}))
		operate(t, s, "user.create", object{"email": "forgot@example.org"})
		token := s.Mail("forgot@example.org", 1).Token()
		refusedAsBreached(t, "a reset", s.Client().Post("/auth/v1/password/reset", object{"token": token, "password": leaked}))
		want(t, "a reset with another, by the same link", s.Client().Post("/auth/v1/password/reset", object{"token": token, "password": "a wholly different sentence 42"}), 204, "")
		if _, err := s.Ringwall.Operate(t.Context(), "tester", "user.create", []byte(`{"email":"grace@example.org","password":"`+leaked+`"}`)); err == nil {
			t.Error("an operator makes an account with a breached password")
		}
		operate(t, s, "user.import", object{"users": []object{{"email": "old@example.org", "email_verified": true, "password_hash": mustFloorHash(t, leaked)}}})
		want(t, "a sign-in", login(s.Client(), "old@example.org", leaked), 200, "")
	})
}

// Whatever becomes of the server that is asked, people get their accounts, and the log has one line a minute, without a digit of the hash.
func TestBreachCheckFailsOpen(t *testing.T) {
	var broken atomic.Bool
	var asked atomic.Int64
	digest := sha1.Sum([]byte(leaked))
	digits := strings.ToUpper(hex.EncodeToString(digest[:]))
	pwned := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if strings.HasSuffix(r.URL.Path, digits[:5]) {
			fmt.Fprintf(w, "%s:42\r\n", digits[5:])
		}
	}))
	t.Cleanup(pwned.Close)
	var log logBuffer
	s := ringwalltest.StartApp(t, ringwall.Options{BreachCheck: pwned.URL, Development: true, Log: slog.New(slog.NewTextHandler(&log, nil))}, nil)
	got := signUp(s.Client(), "one@example.org", leaked)
	for i := 0; i < 20 && got.Status == 202; i++ { // a second may be short on a busy machine
		got = signUp(s.Client(), fmt.Sprintf("again%d@example.org", i), leaked)
	}
	refusedAsBreached(t, "a sign-up", got)
	broken.Store(true)
	s.Clock.Advance(61e9)
	told := strings.Count(log.String(), "breach check failed")
	for i := range 3 {
		want(t, "a sign-up while nobody answers", signUp(s.Client(), fmt.Sprintf("open%d@example.org", i), leaked), 202, "")
	}
	if n := strings.Count(log.String(), "breach check failed") - told; n != 1 || strings.Contains(log.String(), digits[:5]) {
		t.Errorf("%d lines in the log, want one without the digits:\n%s", n, log.String())
	}
	s.Clock.Advance(61e9)
	want(t, "a minute later", signUp(s.Client(), "later@example.org", leaked), 202, "")
	if n := strings.Count(log.String(), "breach check failed") - told; n != 2 {
		t.Errorf("%d lines in the log after a minute, want two", n)
	}
	before := asked.Load()
	login(s.Client(), "one@example.org", leaked)
	if asked.Load() != before {
		t.Error("somebody was asked at a sign-in")
	}
}

// Nobody is asked unless somebody is named, and never in the clear.
func TestBreachCheckIsNamedSafely(t *testing.T) {
	for where, ok := range map[string]bool{
		"": true, "off": true, "https://api.pwnedpasswords.com": true, "/var/lib/ringwall/breached": true,
		"http://api.pwnedpasswords.com": false, "http://127.0.0.1:8080": false, "ftp://example.org": false, "https://": false, "https://user:secret@example.org": false, "https://example.org/?q=": false,
	} {
		err := ringwall.Options{
			Database: "sqlite:x.db", Origins: []string{"https://id.example.org"}, SMTP: ringwall.NewSecret("smtps://user:password@mail.example.org:465"), MailFrom: "a@example.org", BreachCheck: where,
		}.Check()
		if (err == nil) != ok {
			t.Errorf("BreachCheck %q = %v, want ok: %v", where, err, ok)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
}
