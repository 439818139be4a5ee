package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// SMTPOptions adjust an [SMTP]. The zero value is right for production.
type SMTPOptions struct {
	// RootCAs are the authorities whose certificates are accepted. Default: those of the system.
	RootCAs *x509.CertPool
	// Dial opens connections. Default: [net.Dialer.DialContext].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the clock of the Date header. Default: [time.Now].
	Now func() time.Time
}

// SMTP sends mails through a [Relay], one connection a mail. It may be used by several goroutines at once.
type SMTP struct {
	relay   Relay
	from    netmail.Address
	domain  string // of from: in EHLO and Message-ID
	options SMTPOptions
}

var _ Sender = (*SMTP)(nil)

// NewSMTP makes a sender. From is the setting MAIL_FROM, an address with or without a name: Example <no-reply@example.org>.
func NewSMTP(relay Relay, from string, options SMTPOptions) (*SMTP, error) {
	if relay.host == "" {
		return nil, errors.New("no SMTP relay; set SMTP to smtp://user:password@host:587")
	}
	parsed, err := netmail.ParseAddress(from)
	if err != nil || !plainAddress(parsed.Address) || strings.ContainsFunc(parsed.Name, isControl) {
		return nil, errors.New("MAIL_FROM is not one mail address; write it as no-reply@example.org or Example <no-reply@example.org>")
	}
	if options.Dial == nil {
		options.Dial = (&net.Dialer{}).DialContext
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	_, domain, _ := strings.Cut(parsed.Address, "@")
	return &SMTP{relay: relay, from: *parsed, domain: domain, options: options}, nil
}

// Send hands message to the relay and returns nil when the relay has taken it. It ends with ctx, at any point of the
// conversation. A recipient or subject that breaks the format is [ErrAddress], before anything is sent; a recipient
// or mail refused with 5xx is [ErrRefused]. No error repeats what the server wrote: it may hold the recipient.
func (s *SMTP) Send(ctx context.Context, message Message) error {
	raw, err := s.render(message)
	if err != nil {
		return err
	}
	client, hangUp, err := s.connect(ctx)
	if err != nil {
		return s.because(ctx, "connect", err)
	}
	defer hangUp()
	client.SkipSMTPUTF8(isASCII(message.To)) // asked for only where needed: not every next hop knows it
	if err := client.Mail("<" + s.from.Address + ">"); err != nil {
		return s.because(ctx, "sender", err)
	}
	if err := client.Rcpt("<" + message.To + ">"); err != nil {
		return s.because(ctx, "recipient", refusal(err))
	}
	if err := deliver(client, raw); err != nil {
		return s.because(ctx, "mail", refusal(err))
	}
	_ = client.Quit() // the mail is taken; what happens to the connection no longer matters
	return nil
}

// deliver returns nil when the server has taken the mail. It closes the data only after all of raw was written: half a
// mail with an end looks whole.
func deliver(client *smtp.Client, raw []byte) error {
	data, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := data.Write(raw); err != nil {
		return err
	}
	return data.Close()
}

// render makes the wire format, or says [ErrAddress].
func (s *SMTP) render(message Message) ([]byte, error) {
	if !plainAddress(message.To) || message.Subject == "" || strings.ContainsFunc(message.Subject, isControl) || message.ID.IsZero() {
		return nil, ErrAddress
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(&s.from)
	m.ToMailAddress(&netmail.Address{Address: message.To})
	m.Subject(message.Subject)
	m.SetMessageIDWithValue(message.ID.String() + "@" + s.domain)
	m.SetDateWithValue(s.options.Now())
	m.SetGenHeader("Auto-Submitted", "auto-generated")        // RFC 3834: no out-of-office answers
	m.SetGenHeader("X-Auto-Response-Suppress", "All")         // the same for Exchange
	m.SetBodyString(gomail.TypeTextPlain, message.Text)       // first the plain part:
	m.AddAlternativeString(gomail.TypeTextHTML, message.HTML) // readers show the last that they can
	var raw bytes.Buffer
	if _, err := m.WriteTo(&raw); err != nil {
		return nil, fmt.Errorf("mail format: %w", err)
	}
	return raw.Bytes(), nil
}

// connect opens an encrypted and authenticated conversation. The returned function ends it; so does ctx.
func (s *SMTP) connect(ctx context.Context) (*smtp.Client, func(), error) {
	conn, err := s.options.Dial(ctx, "tcp", s.relay.address())
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	hangUp := func() { stop(); _ = conn.Close() }
	client, err := s.greet(conn)
	if err != nil {
		hangUp()
		return nil, nil, err
	}
	return client, hangUp, nil
}

func (s *SMTP) greet(conn net.Conn) (*smtp.Client, error) {
	config := &tls.Config{ServerName: s.relay.host, RootCAs: s.options.RootCAs, MinVersion: tls.VersionTLS12}
	wire := conn
	if s.relay.encryption == implicitTLS {
		wire = tls.Client(conn, config)
	}
	client, err := smtp.NewClient(wire, s.relay.host)
	if err != nil {
		return nil, err
	}
	if err := client.Hello(s.domain); err != nil {
		return nil, err
	}
	if err := s.encrypt(client, conn, config); err != nil {
		return nil, err
	}
	return client, s.authenticate(client)
}

var (
	errNoStartTLS = errors.New("the server does not offer STARTTLS; use smtps:// if it speaks TLS, or another server")
	errNotLocal   = errors.New("the host is not this machine, and nothing is sent in the clear over a network; remove ?tls=off, or use a server with TLS")
	errNoAuth     = errors.New("the server offers no sign-in that is known here (PLAIN, LOGIN); remove user and password, or use another server")
)

func (s *SMTP) encrypt(client *smtp.Client, conn net.Conn, config *tls.Config) error {
	if s.relay.encryption == implicitTLS {
		return nil
	}
	offered, _ := client.Extension("STARTTLS")
	switch {
	case s.relay.encryption == startTLS && !offered:
		return errNoStartTLS
	case s.relay.encryption != cleartext && offered:
		return client.StartTLS(config)
	}
	remote, err := netip.ParseAddrPort(conn.RemoteAddr().String()) // localhost may resolve to anything
	if err != nil || !remote.Addr().Unmap().IsLoopback() {
		return errNotLocal
	}
	return nil
}

func (s *SMTP) authenticate(client *smtp.Client) error {
	if s.relay.user == "" {
		return nil
	}
	_, offered := client.Extension("AUTH")
	password := s.relay.password.Reveal()
	local := s.relay.encryption == ifOffered || s.relay.encryption == cleartext // encrypt has seen to it
	for _, mechanism := range strings.Fields(strings.ToUpper(offered)) {
		switch mechanism {
		case "PLAIN":
			return signIn(client, smtp.PlainAuth("", s.relay.user, password, s.relay.host, local))
		case "LOGIN":
			return signIn(client, smtp.LoginAuth(s.relay.user, password, s.relay.host, local))
		}
	}
	return errNoAuth
}

func signIn(client *smtp.Client, auth smtp.Auth) error {
	if err := client.Auth(auth); err != nil {
		return signInError{err}
	}
	return nil
}
