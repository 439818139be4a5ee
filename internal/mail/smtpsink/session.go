package smtpsink

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// session is one client's conversation.
type session struct {
	sink *Sink
	conn *smtp.Conn
	gone <-chan struct{}
	user string
	from string
	to   []string
}

var _ smtp.AuthSession = (*session)(nil)

// AuthMechanisms is what a client may sign in with.
func (s *session) AuthMechanisms() []string {
	if s.sink.options.User == "" {
		return nil
	}
	if s.sink.options.Login {
		return []string{"LOGIN"}
	}
	return []string{sasl.Plain}
}

// Auth signs a client in.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	if !slices.Contains(s.AuthMechanisms(), mechanism) {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	check := func(user, password string) error {
		want := s.sink.options.User + "\x00" + s.sink.options.Password
		if subtle.ConstantTimeCompare([]byte(user+"\x00"+password), []byte(want)) != 1 {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}
	if s.sink.options.Login {
		return &login{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// login is the server's side of LOGIN, which asks for user and password in turn.
type login struct {
	check func(user, password string) error
	asked int
	user  string
}

// Next takes an answer and gives the next question.
func (l *login) Next(answer []byte) (question []byte, done bool, err error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(answer)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(answer))
}

// Mail begins a mail.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.sink.options.User != "" && s.user == "" {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if code := s.sink.refusal(to); code != 0 {
		return reply(code, "no mailbox "+to+" here") // real servers repeat the recipient too
	}
	s.to = append(s.to, to)
	return nil
}

// Data takes the content.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := parse(raw)
	if err != nil {
		return reply(554, "unreadable: "+err.Error())
	}
	m.From, m.To, m.User = s.from, s.to, s.user
	_, m.TLS = s.conn.TLSConnectionState()
	f := s.sink.nextFault()
	switch {
	case f.hang:
		s.sink.hang(s.gone)
		return errors.New("gone")
	case f.cut:
		s.sink.keep(m)
		return s.conn.Conn().Close()
	case f.code != 0:
		return reply(f.code, fmt.Sprintf("not now, %v", s.to))
	}
	s.sink.keep(m)
	return nil
}

// Reset forgets the mail begun.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout ends the conversation.
func (s *session) Logout() error { return nil }

func reply(code int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: text}
}
