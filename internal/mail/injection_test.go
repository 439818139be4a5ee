package mail_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/mail/smtpsink"
	"github.com/ringwall/ringwall/internal/secret"
)

// ASVS V1.3.11: "Register a@b.c%0d%0aBcc:x@y; request rejected, and the captured mail has a single recipient."
func TestHeaderInjection(t *testing.T) {
	sink := open(t, smtpsink.Options{})
	s := sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()})
	for _, to := range []string{
		"a@b.c\r\nBcc:x@y.z", "a@b.c\nBcc:x@y.z", "a@b.c\rBcc:x@y.z", "a@b.c>\r\nRCPT TO:<x@y.z", "a@b.c, x@y.z", "a@b.c;x@y.z", "<a@b.c> <x@y.z>", "x@y.z <a@b.c>",
		"a@b.c> NOTIFY=NEVER", "a@b.c\x00x@y.z", "a@b.c\u2028Bcc:x@y.z", `"a b"@b.c`, `"x@y.z"@b.c`, "a@b.c x@y.z", "a@x@b.c", "a@", "@b.c", "", "a", "a@b..c", ".a@b.c", "a.@b.c",
		"a@b.c\r\n", " a@b.c", "a@b.c\xff", "a@[127.0.0.1]", "(x)a@b.c", strings.Repeat("a", 65) + "@b.c", "a@" + strings.Repeat("b.", 150) + "c", "a@b.c\u0085", "a\u200bb@b.c",
	} {
		m := mail.Compose(mail.ConfirmSignup, "en", full())
		m.To = to
		if err := s.Send(within(t, time.Minute), m); !errors.Is(err, mail.ErrAddress) {
			t.Errorf("Send to %q = %v, want ErrAddress", to, err)
		}
	}
	for _, subject := range []string{"Hello\r\nBcc: x@y.z", "Hello\nBcc: x@y.z", "Hello\r", "a\x00", "a\u0085b", "a\u2028b", ""} {
		m := mail.Compose(mail.ConfirmSignup, "en", full())
		m.Subject = subject
		if err := s.Send(within(t, time.Minute), m); !errors.Is(err, mail.ErrAddress) {
			t.Errorf("Send with subject %q = %v, want ErrAddress", subject, err)
		}
	}
	if n := sink.Tries(); n != 0 {
		t.Fatalf("%d forged mails were offered", n)
	}
	d := full()
	d.DisplayName = "Eve\r\nBcc: x@y.z\r\n\r\nX"
	d.Device, d.Service = d.DisplayName, "Shop\r\nBcc: x@y.z"
	m := mail.Compose(mail.PasswordChanged, "en", d)
	m.Text += "\r\n.\r\nMAIL FROM:<x@y.z>\r\nRCPT TO:<x@y.z>\r\n" // and a body that plays server
	if err := s.Send(within(t, time.Minute), m); err != nil {
		t.Fatal(err)
	}
	got := sink.Messages()
	if len(got) != 1 || len(got[0].To) != 1 || got[0].To[0] != d.To || got[0].Header.Get("Bcc") != "" || len(got[0].Header["To"]) != 1 {
		t.Errorf("arrived %+v, want one mail to %s alone", got, d.To)
	}
	if !strings.Contains(got[0].Text, "\n.\nMAIL FROM") {
		t.Error("the lone dot did not survive as text")
	}
}

// FuzzSend: whatever address and subject come, the sink gets nothing or one mail to exactly that address.
func FuzzSend(f *testing.F) {
	sink, err := smtpsink.Open(smtpsink.Options{Encryption: smtpsink.None})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = sink.Close() })
	relay, err := mail.ParseSMTP(secret.NewText(sink.URL()))
	if err != nil {
		f.Fatal(err)
	}
	s, err := mail.NewSMTP(relay, "no-reply@example.org", mail.SMTPOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("ada@example.org", "Hello")
	f.Add("a@b.c\r\nBcc:x@y.z", "Hello\r\nBcc: x@y.z")
	f.Add("jörg@example.org", "Grüße =?utf-8?q?=0d=0a?=")
	f.Fuzz(func(t *testing.T, to, subject string) {
		sink.Forget()
		err := s.Send(t.Context(), mail.Message{ID: identity.NewID(), To: to, Subject: subject, Text: "text", HTML: "<p>text</p>"})
		got := sink.Messages()
		if (err == nil) != (len(got) == 1) {
			t.Fatalf("Send(%q, %q) = %v, and %d mails arrived", to, subject, err, len(got))
		}
		if err != nil {
			return
		}
		m := got[0]
		if len(m.To) != 1 || m.To[0] != to || len(m.Header["To"]) != 1 || m.Header.Get("Bcc")+m.Header.Get("Cc") != "" || len(m.Header) != 9 {
			t.Errorf("Send(%q, %q) reached %q with headers %q", to, subject, m.To, m.Header)
		}
	})
}
