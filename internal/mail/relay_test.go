package mail_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/secret"
)

func TestParseSMTP(t *testing.T) {
	for setting, want := range map[string]string{
		"smtp://u:p@mail.example.org":             "smtp://mail.example.org:587",
		"smtp://u:p%40%2F%23@mail.example.org:25": "smtp://mail.example.org:25",
		"smtps://u:p@MAIL.example.org":            "smtps://mail.example.org:465",
		"smtps://mail.example.org:4650/":          "smtps://mail.example.org:4650",
		"smtp://127.0.0.1:1025?tls=off":           "smtp://127.0.0.1:1025?tls=off",
		"smtp://[::1]:1025?tls=off":               "smtp://[::1]:1025?tls=off",
		"smtp://localhost":                        "smtp://localhost:587",
		"smtp://mail.example.org?tls=required":    "smtp://mail.example.org:587",
	} {
		relay, err := mail.ParseSMTP(secret.NewText(setting))
		if err != nil || relay.String() != want {
			t.Errorf("ParseSMTP(%q) = %s, %v, want %s", setting, relay, err, want)
		}
	}
}

func TestParseSMTPSaysTheMend(t *testing.T) {
	const password = "hunter2hunter2"
	for _, tt := range []struct{ setting, mend string }{
		{"", "smtp://user:password@host:587"},
		{"mail.example.org:587", "smtp://"},
		{"http://u:" + password + "@mail.example.org", "begin it with one of them"},
		{"smtp://u:" + password + "#x@mail.example.org", "percent-encoded"},
		{"smtp://u:" + password + "/x@mail.example.org", "percent-encoded"},
		{"smtp://u:" + password + "%zz@mail.example.org", "percent-encoded"},
		{"smtp://u:" + password + "\n@mail.example.org", "percent-encoded"},
		{"smtp://u:" + password + "%0d%0aX@mail.example.org", "remove %0A"},
		{"smtp://u:" + password + "@", "names no host"},
		{"smtp://u:" + password + "@mail.example.org/path", "host and port"},
		{"smtp://u:" + password + "@mail.example.org:0", "1 to 65535"},
		{"smtp://u:" + password + "@mail.example.org:99999", "1 to 65535"},
		{"smtp://u@mail.example.org", "give both"},
		{"smtp://u:@mail.example.org", "give both"},
		{"smtp://:" + password + "@mail.example.org", "give both"},
		{"smtp://u:" + password + "@mail.example.org:465", "smtps://"},
		{"smtps://u:" + password + "@mail.example.org:587", "port 465"},
		{"smtp://u:" + password + "@mail.example.org?tls=off", "relay on 127.0.0.1"},
		{"smtps://u:" + password + "@127.0.0.1?tls=off", "is not known"},
		{"smtp://u:" + password + "@mail.example.org?verify=no", "is not known"},
	} {
		_, err := mail.ParseSMTP(secret.NewText(tt.setting))
		if err == nil || !strings.Contains(err.Error(), tt.mend) {
			t.Errorf("ParseSMTP(%q) = %v, want an error with %q", tt.setting, err, tt.mend)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("ParseSMTP(%q) repeats the password: %v", tt.setting, err)
		}
	}
}

func TestRelayNeverPrintsItsPassword(t *testing.T) {
	relay, err := mail.ParseSMTP(secret.NewText("smtp://someuser:hunter2@mail.example.org"))
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(map[string]any{"relay": relay})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "relay", relay)
	fmt.Fprintf(&out, "%v %+v %#v %s %q %s", relay, relay, relay, relay, relay, encoded)
	if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), "someuser") {
		t.Errorf("printed: %s", out.String())
	}
}

func TestNewSMTPRefusesABadSender(t *testing.T) {
	relay, err := mail.ParseSMTP(secret.NewText("smtp://mail.example.org"))
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"", "nobody", "a@b@c", "a@example.org, b@example.org", "A <a@example.org>\r\nBcc: v@example.net", "\"a b\"@example.org", "=?utf-8?q?a=0d=0aBcc:_v@example.net?= <a@example.org>"} {
		if _, err := mail.NewSMTP(relay, from, mail.SMTPOptions{}); err == nil || !strings.Contains(err.Error(), "MAIL_FROM") {
			t.Errorf("NewSMTP(from %q) = %v, want an error that names MAIL_FROM", from, err)
		}
	}
	if _, err := mail.NewSMTP(mail.Relay{}, "a@example.org", mail.SMTPOptions{}); err == nil {
		t.Error("NewSMTP without a relay is no error")
	}
}
