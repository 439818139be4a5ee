// Package smtpsink is a real SMTP server on a loopback address that keeps what it receives, for tests.
//
//	sink, err := smtpsink.Open(smtpsink.Options{User: "ringwall", Password: "correct horse"})
//	defer sink.Close()
//	… // send through sink.URL(), trusting sink.Roots()
//	messages, err := sink.Wait(ctx, 1)
//
// It offers STARTTLS by default, with a certificate of an authority of its own. It can refuse, hang, cut the connection
// after it has taken a mail, and be stopped and started again on the same port: see [Sink.Fail], [Sink.Hang], [Sink.Cut],
// [Sink.Stop] and [Sink.Start].
//
// It delivers nothing, and nothing outside a test may import it.
package smtpsink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Encryption is how a sink speaks.
type Encryption uint8

// The ways to speak. The zero Encryption is [StartTLS].
const (
	StartTLS Encryption = iota // offered, and needed for signing in
	TLS                        // from the first byte
	None                       // cleartext only; signing in too
)

// Options adjust a [Sink].
type Options struct {
	Encryption     Encryption
	User, Password string   // if set, nobody else may send
	Login          bool     // sign in with LOGIN instead of PLAIN
	Hosts          []string // in the certificate; default: localhost, 127.0.0.1, ::1, mail.example.org
	Address        string   // to listen on; default: a free port of 127.0.0.1
}

// Sink is a running server. Its methods may be called from several goroutines at once.
type Sink struct {
	options Options
	tls     *tls.Config
	ca      authority

	mu       sync.Mutex
	address  string
	running  *running // nil: stopped
	messages []Message
	arrived  chan struct{} // closed and replaced with each message
	faults   []fault
	refused  map[string]int // recipient to reply code
	hanging  int
	tries    int
}

type running struct {
	server *smtp.Server
	listen net.Listener
	served chan error
	gone   chan struct{} // closed: whoever hangs lets go
}

type fault struct {
	code int  // reply, or
	hang bool // no reply until the sink stops, or
	cut  bool // the mail is kept, and the connection ends without a reply
}

// Open starts a sink.
func Open(options Options) (*Sink, error) {
	if len(options.Hosts) == 0 {
		options.Hosts = []string{"localhost", "127.0.0.1", "::1", "mail.example.org"}
	}
	if options.Address == "" {
		options.Address = "127.0.0.1:0"
	}
	ca, certificate, err := newAuthority(options.Hosts)
	if err != nil {
		return nil, fmt.Errorf("smtp sink: %w", err)
	}
	s := &Sink{options: options, ca: ca, arrived: make(chan struct{}), refused: make(map[string]int), address: options.Address,
		tls: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}
	return s, s.Start()
}

// Start listens again, on the same port, after [Sink.Stop].
func (s *Sink) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return nil
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("smtp sink: %w", err)
	}
	s.address = listener.Addr().String()
	r := &running{served: make(chan error, 1), gone: make(chan struct{})}
	r.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{sink: s, conn: c, gone: r.gone}, nil
	}))
	r.server.ErrorLog = log.New(discard{}, "", 0)
	r.server.Domain = "localhost"
	r.server.MaxMessageBytes = 1 << 20
	r.server.EnableSMTPUTF8 = true
	switch s.options.Encryption {
	case StartTLS:
		r.server.TLSConfig = s.tls
	case TLS:
		listener = tls.NewListener(listener, s.tls)
	case None:
		r.server.AllowInsecureAuth = true
	}
	r.listen = listener
	s.running = r
	go func() { r.served <- r.server.Serve(listener) }()
	return nil
}

// Stop ends the server as a crash would: connections break. What it received stays.
func (s *Sink) Stop() error {
	s.mu.Lock()
	r := s.running
	s.running = nil
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	close(r.gone)
	err := r.server.Close()
	_ = r.listen.Close() // again: the server knows its listener only once it accepts
	if served := <-r.served; err == nil {
		err = served
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Close ends the sink for good.
func (s *Sink) Close() error { return s.Stop() }

// Address is host and port.
func (s *Sink) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// URL is the setting SMTP for this sink, user and password included.
func (s *Sink) URL() string { return s.URLFor("") }

// URLFor is [Sink.URL] with another host, which the caller must lead to [Sink.Address].
func (s *Sink) URLFor(host string) string {
	u := url.URL{Scheme: "smtp", Host: s.Address()}
	if s.options.Encryption == TLS {
		u.Scheme = "smtps"
	}
	if host != "" {
		u.Host = net.JoinHostPort(host, u.Port())
	}
	if s.options.User != "" {
		u.User = url.UserPassword(s.options.User, s.options.Password)
	}
	return u.String()
}

// Roots holds the authority of the sink's certificate.
func (s *Sink) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.ca.pem)
	return pool
}

// RootsPEM is the authority's certificate, for a file that SSL_CERT_FILE names to another process.
func (s *Sink) RootsPEM() []byte { return slices.Clone(s.ca.pem) }

// Messages is what arrived, oldest first.
func (s *Sink) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Wait returns the messages as soon as there are n, or what there is with the error of ctx.
func (s *Sink) Wait(ctx context.Context, n int) ([]Message, error) {
	for {
		s.mu.Lock()
		messages, arrived := slices.Clone(s.messages), s.arrived
		s.mu.Unlock()
		if len(messages) >= n {
			return messages, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return messages, fmt.Errorf("smtp sink: %d of %d mails arrived: %w", len(messages), n, context.Cause(ctx))
		}
	}
}

// Forget drops what arrived.
func (s *Sink) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = nil
}

// Tries is how many mails were offered up to their content, kept or not.
func (s *Sink) Tries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

// Hanging is how many mails hang now.
func (s *Sink) Hanging() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hanging
}

// Fail answers the content of the next n mails with the reply code, such as 451.
func (s *Sink) Fail(n, code int) { s.plan(n, fault{code: code}) }

// Hang leaves the next n mails without an answer until the sink stops.
func (s *Sink) Hang(n int) { s.plan(n, fault{hang: true}) }

// Cut keeps the next n mails and ends their connections without an answer.
func (s *Sink) Cut(n int) { s.plan(n, fault{cut: true}) }

// Refuse answers a recipient with the reply code, from now on; zero takes that back.
func (s *Sink) Refuse(recipient string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[strings.ToLower(recipient)] = code
}

func (s *Sink) plan(n int, f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults = append(s.faults, f)
	}
}

func (s *Sink) refusal(recipient string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused[strings.ToLower(recipient)]
}

// nextFault counts a try and takes the fault planned for it.
func (s *Sink) nextFault() fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if len(s.faults) == 0 {
		return fault{}
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	return f
}

func (s *Sink) keep(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Received = time.Now()
	s.messages = append(s.messages, m)
	close(s.arrived)
	s.arrived = make(chan struct{})
}

func (s *Sink) hang(gone <-chan struct{}) {
	s.mu.Lock()
	s.hanging++
	s.mu.Unlock()
	<-gone
	s.mu.Lock()
	s.hanging--
	s.mu.Unlock()
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
