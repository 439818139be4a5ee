package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"unicode"
)

// signInError marks what came up while signing in to the relay.
type signInError struct{ error }

func (e signInError) Unwrap() error { return e.error }

// refusal marks a reply of 5xx as final for this mail.
func refusal(err error) error {
	if reply, ok := errors.AsType[*textproto.Error](err); ok && reply.Code >= 500 && reply.Code <= 599 {
		return refusedError{reply}
	}
	return err
}

type refusedError struct{ reply *textproto.Error }

func (e refusedError) Error() string { return e.reply.Error() }
func (e refusedError) Unwrap() error { return e.reply }

// because says where the conversation ended and why, in words of ours: a server's reply may hold the recipient, the
// user or what we sent, so only its code is kept.
func (s *SMTP) because(ctx context.Context, step string, err error) error {
	where := fmt.Sprintf("smtp %s: %s", s.relay.address(), step)
	if _, ok := errors.AsType[signInError](err); ok {
		where += ": sign-in (check user and password of SMTP)"
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", where, cause)
	}
	if reply, ok := errors.AsType[*textproto.Error](err); ok {
		if _, final := errors.AsType[refusedError](err); final {
			return fmt.Errorf("%s: reply %d: %w", where, reply.Code, ErrRefused)
		}
		return fmt.Errorf("%s: reply %d", where, reply.Code)
	}
	if safe := safeCause(err); safe != nil {
		return fmt.Errorf("%s: %w", where, safe)
	}
	return fmt.Errorf("%s: the server's answer makes no sense (%T)", where, err)
}

// safeCause is the part of err that comes from our side of the wire: network, TLS, certificates, and our own rules.
func safeCause(err error) error {
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("certificate not accepted: %w", e.Err)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("certificate not accepted: %w", err)
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New("the server does not speak TLS on this port: " + e.Msg)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	for _, known := range []error{errNoStartTLS, errNotLocal, errNoAuth, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}

func isControl(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// plainAddress reports whether address is one bare address, local@domain, that needs no quoting and cannot end a
// command or a header: at most 254 bytes, dot-atoms (RFC 5322, with the letters of RFC 6531) on both sides.
func plainAddress(address string) bool {
	at := -1
	for i, r := range address {
		switch {
		case r == '@':
			if at >= 0 {
				return false
			}
			at = i
		case r == unicode.ReplacementChar, r >= 0x80 && !unicode.IsGraphic(r), unicode.IsSpace(r):
			return false
		case r >= 0x80, r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.':
		case at < 0 && isAtext(r):
		default:
			return false
		}
	}
	return at > 0 && at <= 64 && len(address) <= 254 && dotAtom(address[:at]) && dotAtom(address[at+1:])
}

func isAtext(r rune) bool {
	for _, allowed := range "!#$%&'*+/=?^_`{|}~" {
		if r == allowed {
			return true
		}
	}
	return false
}

// dotAtom reports whether text is one or more parts of at least one character, joined by single dots.
func dotAtom(text string) bool {
	dot := true
	for _, r := range text {
		if r == '.' && dot {
			return false
		}
		dot = r == '.'
	}
	return !dot
}
