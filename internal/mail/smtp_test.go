package mail_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/mail/smtpsink"
	"github.com/ringwall/ringwall/internal/secret"
)

const canary = "correct-horse-battery"

func open(t *testing.T, options smtpsink.Options) *smtpsink.Sink {
	t.Helper()
	sink, err := smtpsink.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink
}

// remote leads every address to the sink, so that a host that is not a loopback address can be meant.
func remote(sink *smtpsink.Sink) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, sink.Address())
	}
}

func sender(t *testing.T, setting string, options mail.SMTPOptions) *mail.SMTP {
	t.Helper()
	relay, err := mail.ParseSMTP(secret.NewText(setting))
	if err != nil {
		t.Fatal(err)
	}
	s, err := mail.NewSMTP(relay, "Ringwall Tést <no-reply@example.org>", options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestDelivery(t *testing.T) {
	for name, options := range map[string]smtpsink.Options{
		"STARTTLS": {User: "ringwall", Password: canary}, "STARTTLS without user": {}, "LOGIN": {User: "ringwall", Password: canary, Login: true},
		"TLS and LOGIN": {Encryption: smtpsink.TLS, User: "ringwall", Password: canary, Login: true},
		"TLS":           {Encryption: smtpsink.TLS, User: "ringwall", Password: canary},
	} {
		t.Run(name, func(t *testing.T) {
			sink := open(t, options)
			now := time.Date(2026, 3, 4, 12, 5, 6, 0, time.UTC)
			s := sender(t, sink.URLFor("mail.example.org"), mail.SMTPOptions{RootCAs: sink.Roots(), Dial: remote(sink), Now: func() time.Time { return now }})
			sent := mail.Compose(mail.ConfirmSignup, "de", full())
			if err := s.Send(within(t, time.Minute), sent); err != nil {
				t.Fatalf("Send = %v", err)
			}
			got := sink.Messages()
			if len(got) != 1 {
				t.Fatalf("%d mails arrived, want 1", len(got))
			}
			m := got[0]
			if !m.TLS || m.User != options.User || m.From != "no-reply@example.org" {
				t.Errorf("TLS %v, user %q, from %q", m.TLS, m.User, m.From)
			}
			if diff := cmp.Diff([]string{sent.To}, m.To); diff != "" {
				t.Error(diff)
			}
			if m.Subject != sent.Subject || m.Text != sent.Text || m.HTML != sent.HTML {
				t.Errorf("arrived changed:\n%s", cmp.Diff(sent.Subject+"\n"+sent.Text+sent.HTML, m.Subject+"\n"+m.Text+m.HTML))
			}
			for header, want := range map[string]string{
				"To": "<ada@example.org>", "Message-Id": "<" + sent.ID.String() + "@example.org>", "Date": "Wed, 04 Mar 2026 12:05:06 +0000",
				"Auto-Submitted": "auto-generated", "Mime-Version": "1.0", "User-Agent": "", "X-Mailer": "", "Bcc": "", "Cc": "",
			} {
				if got := m.Header.Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			if kind := m.Header.Get("Content-Type"); !strings.HasPrefix(kind, "multipart/alternative") {
				t.Errorf("Content-Type: %q", kind)
			}
			if plain, html := strings.Index(string(m.Raw), "text/plain"), strings.Index(string(m.Raw), "text/html"); plain < 0 || html < plain {
				t.Error("the text does not come first")
			}
			if raw := m.Header.Get("Subject"); !strings.HasPrefix(raw, "=?UTF-8?") {
				t.Errorf("Subject: %q, want it encoded", raw)
			}
			for _, line := range strings.Split(string(m.Raw), "\r\n") {
				if len(line) > 998 || strings.ContainsAny(line, "\r\n") || !isASCII(line) {
					t.Errorf("line breaks the format: %q", line)
				}
			}
		})
	}
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e }) }

// A man in the middle strips STARTTLS, or answers as somebody else: nothing may be said to him, least of all the password.
func TestNoMailWithoutVerifiedTLS(t *testing.T) {
	credentials := smtpsink.Options{User: "ringwall", Password: canary}
	with := func(change func(*smtpsink.Options)) smtpsink.Options {
		o := credentials
		change(&o)
		return o
	}
	for _, tt := range []struct {
		name    string
		options smtpsink.Options
		roots   bool
		url     func(string) string
		want    string
	}{
		{"refuses a server without STARTTLS", with(func(o *smtpsink.Options) { o.Encryption = smtpsink.None }), true, nil, "STARTTLS"},
		{"refuses an unknown authority", credentials, false, nil, "certificate not accepted"},
		{"refuses an unknown authority with TLS", with(func(o *smtpsink.Options) { o.Encryption = smtpsink.TLS }), false, nil, "certificate not accepted"},
		{"refuses the certificate of another host", with(func(o *smtpsink.Options) { o.Hosts = []string{"other.example.org"} }), true, nil, "certificate not accepted"},
		{"refuses the certificate of another host with TLS", with(func(o *smtpsink.Options) { o.Encryption, o.Hosts = smtpsink.TLS, []string{"127.0.0.1"} }), true, nil, "certificate not accepted"},
		{"refuses cleartext where TLS is set", with(func(o *smtpsink.Options) { o.Encryption = smtpsink.None }), true, func(u string) string { return strings.Replace(u, "smtp://", "smtps://", 1) }, "does not speak TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sink := open(t, tt.options)
			options := mail.SMTPOptions{Dial: remote(sink), RootCAs: x509.NewCertPool()}
			if tt.roots {
				options.RootCAs = sink.Roots()
			}
			setting := sink.URLFor("mail.example.org")
			if tt.url != nil {
				setting = tt.url(setting)
			}
			err := sender(t, setting, options).Send(within(t, time.Minute), mail.Compose(mail.ResetPassword, "en", full()))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Send = %v, want an error with %q", err, tt.want)
			}
			tellsNothing(t, err)
			if errors.Is(err, mail.ErrRefused) || errors.Is(err, mail.ErrAddress) {
				t.Errorf("Send = %v, which would give the mail up", err)
			}
			if n := sink.Tries(); n != 0 {
				t.Errorf("%d mails were offered", n)
			}
		})
	}
}

func TestLoopbackMayDoWithoutTLS(t *testing.T) {
	sink := open(t, smtpsink.Options{Encryption: smtpsink.None, User: "ringwall", Password: canary})
	for _, setting := range []string{sink.URL(), sink.URL() + "?tls=off", sink.URLFor("localhost")} {
		if err := sender(t, setting, mail.SMTPOptions{}).Send(within(t, time.Minute), mail.Compose(mail.ResetPassword, "en", full())); err != nil {
			t.Errorf("Send through %s = %v", strings.Replace(setting, canary, "…", 1), err)
		}
	}
	required := sender(t, sink.URL()+"?tls=required", mail.SMTPOptions{})
	if err := required.Send(within(t, time.Minute), mail.Compose(mail.ResetPassword, "en", full())); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("Send with ?tls=required = %v, want an error with STARTTLS", err)
	}
	if n := len(sink.Messages()); n != 3 {
		t.Errorf("%d mails arrived, want 3", n)
	}
	// where STARTTLS is offered it is used, and its certificate counts, on a loopback address too
	offering := open(t, smtpsink.Options{})
	if err := sender(t, offering.URL(), mail.SMTPOptions{RootCAs: x509.NewCertPool()}).Send(within(t, time.Minute), mail.Compose(mail.ResetPassword, "en", full())); err == nil {
		t.Error("a certificate of nobody was accepted")
	}
	if err := sender(t, offering.URL(), mail.SMTPOptions{RootCAs: offering.Roots()}).Send(within(t, time.Minute), mail.Compose(mail.ResetPassword, "en", full())); err != nil {
		t.Errorf("Send = %v", err)
	}
	if got := offering.Messages(); len(got) != 1 || !got[0].TLS {
		t.Errorf("arrived %+v, want one mail through TLS", got)
	}
}

// Somebody poisons the name localhost: the connection says where it really leads.
func TestCleartextChecksWhereItReallyGoes(t *testing.T) {
	sink := open(t, smtpsink.Options{Encryption: smtpsink.None})
	elsewhere := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := remote(sink)(ctx, network, address)
		return claims{conn, &net.TCPAddr{IP: net.IPv4(198, 51, 100, 9), Port: 25}}, err
	}
	for _, query := range []string{"", "?tls=off"} {
		err := sender(t, sink.URLFor("localhost")+query, mail.SMTPOptions{Dial: elsewhere}).Send(within(t, time.Minute), mail.Compose(mail.ResetPassword, "en", full()))
		if err == nil || !strings.Contains(err.Error(), "in the clear") || sink.Tries() != 0 {
			t.Errorf("Send = %v after %d offers, want a refusal before any", err, sink.Tries())
		}
	}
}

type claims struct {
	net.Conn
	address net.Addr
}

func (c claims) RemoteAddr() net.Addr { return c.address }

func tellsNothing(t *testing.T, err error) {
	t.Helper()
	for _, hidden := range []string{canary, "ada@example.org", "ada", "YWRh", "no mailbox"} {
		if err != nil && strings.Contains(err.Error(), hidden) {
			t.Errorf("the error tells %q: %v", hidden, err)
		}
	}
}

func TestErrorsTellTheCodeAndNothingElse(t *testing.T) {
	sink := open(t, smtpsink.Options{User: "ringwall", Password: canary})
	asking := open(t, smtpsink.Options{User: "ringwall", Password: canary, Login: true})
	options := mail.SMTPOptions{RootCAs: sink.Roots()}
	message := mail.Compose(mail.ResetPassword, "en", full())
	good := sender(t, sink.URL(), options)
	for _, tt := range []struct {
		name    string
		prepare func()
		sender  *mail.SMTP
		want    string
		refused bool
	}{
		{"a wrong password", func() {}, sender(t, strings.Replace(sink.URL(), canary, canary+"x", 1), options), "check user and password", false},
		{"a wrong password with LOGIN", func() {}, sender(t, strings.Replace(asking.URL(), canary, canary+"x", 1), mail.SMTPOptions{RootCAs: asking.Roots()}), "check user and password", false},
		{"a user where there is no sign-in", func() {}, sender(t, strings.Replace(open(t, smtpsink.Options{Encryption: smtpsink.None}).URL(), "smtp://", "smtp://u:"+canary+"@", 1), mail.SMTPOptions{}), "remove user and password", false},
		{"no user where one is needed", func() {}, sender(t, "smtp://"+sink.Address(), options), "sender: reply 502", false},
		{"a mailbox unknown to the server", func() { sink.Refuse(message.To, 550) }, good, "recipient: reply 550", true},
		{"a mailbox that is full for now", func() { sink.Refuse(message.To, 452) }, good, "recipient: reply 452", false},
		{"a mail refused for now", func() { sink.Refuse(message.To, 0); sink.Fail(1, 451) }, good, "mail: reply 451", false},
		{"a mail refused for good", func() { sink.Fail(1, 554) }, good, "mail: reply 554", true},
		{"a connection cut", func() { sink.Cut(1) }, good, "EOF", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.prepare()
			err := tt.sender.Send(within(t, time.Minute), message)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, mail.ErrRefused) != tt.refused {
				t.Errorf("Send = %v, want %q, refused for good %v", err, tt.want, tt.refused)
			}
			tellsNothing(t, err)
		})
	}
	if err := good.Send(within(t, time.Minute), message); err != nil {
		t.Errorf("Send after all = %v", err)
	}
	if err := sink.Stop(); err != nil {
		t.Fatal(err)
	}
	err := good.Send(within(t, time.Minute), message)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Send to nobody = %v, want connection refused", err)
	}
	tellsNothing(t, err)
}

// A server that is none, or is hostile, answers with what would be bad to repeat.
func TestOddAnswersAreNotRepeated(t *testing.T) {
	for _, greeting := range []string{"ada@example.org " + canary + "\r\n", "2x0 ada\r\n", "554 no service for ada@example.org\r\n", "220 hi\r\nada@example.org\r\n", "\r\n", ""} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if conn, err := listener.Accept(); err == nil {
				_, _ = conn.Write([]byte(greeting)) // the client may be gone already
				_ = conn.Close()
			}
		}()
		err = sender(t, "smtp://"+listener.Addr().String(), mail.SMTPOptions{}).Send(within(t, time.Minute), mail.Compose(mail.ResetPassword, "en", full()))
		if err == nil || errors.Is(err, mail.ErrRefused) {
			t.Errorf("Send to a server that says %q = %v, want an error that keeps the mail", greeting, err)
		}
		tellsNothing(t, err)
		_ = listener.Close()
		<-done
	}
}

func TestAddressesOfAllScripts(t *testing.T) {
	sink := open(t, smtpsink.Options{})
	s := sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()})
	for _, to := range []string{"o'neill+tag@example.org", "a.b_c-d=e@sub.example.org", "jörg@example.org", "用户@例子.example", "1@2.example"} {
		m := mail.Compose(mail.ResetPassword, "en", full())
		m.To = to
		sink.Forget()
		if err := s.Send(within(t, time.Minute), m); err != nil {
			t.Errorf("Send to %q = %v", to, err)
			continue
		}
		got := sink.Messages()[0]
		header, err := netmail.ParseAddressList(got.Header.Get("To"))
		if err != nil || len(header) != 1 || header[0].Address != to || len(got.To) != 1 || got.To[0] != to {
			t.Errorf("To: %v, envelope %v, %v; want %s alone", header, got.To, err, to)
		}
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	sink := open(t, smtpsink.Options{})
	s := sender(t, sink.URL(), mail.SMTPOptions{RootCAs: sink.Roots()})
	sink.Hang(1)
	start := time.Now()
	err := s.Send(within(t, 200*time.Millisecond), mail.Compose(mail.ResetPassword, "en", full()))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 20*time.Second {
		t.Errorf("Send = %v after %v, want the deadline after 200ms", err, time.Since(start))
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing, not even hello
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, scheme := range []string{"smtp", "smtps"} {
		s := sender(t, scheme+"://"+silent.Addr().String(), mail.SMTPOptions{})
		if err := s.Send(within(t, 100*time.Millisecond), mail.Compose(mail.ResetPassword, "en", full())); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send by %s to a silent server = %v, want the deadline", scheme, err)
		}
	}
}
