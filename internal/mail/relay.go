package mail

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/internal/secret"
)

type encryption uint8

const (
	startTLS    encryption = iota // the server must offer it
	implicitTLS                   // from the first byte
	ifOffered                     // loopback only: STARTTLS where offered, verified as ever
	cleartext                     // loopback only
)

// Relay is the server that takes our mails. Make one with [ParseSMTP]. It prints without user and password.
type Relay struct {
	host       string
	port       string
	encryption encryption
	user       string
	password   secret.Text
}

// ParseSMTP reads the setting SMTP: smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465 (TLS).
// User and password are optional and percent-encoded. The ports are the defaults. A loopback host may do without TLS;
// ?tls=required and ?tls=off decide that explicitly. Errors say what to change and never repeat the setting.
func ParseSMTP(setting secret.Text) (Relay, error) {
	const form = "write it as smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465 (TLS)" // #nosec G101 -- an example
	if setting.IsZero() {
		return Relay{}, errors.New("SMTP is empty; " + form)
	}
	u, err := url.Parse(setting.Reveal())
	if err != nil || u.Opaque != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return Relay{}, errors.New("SMTP is not a URL of host and port; " + form + ", with special characters in user and password percent-encoded, such as %40 for @, %2F for /, %23 for #, %3F for ? and %25 for %")
	}
	r := Relay{host: strings.ToLower(u.Hostname()), port: u.Port()}
	if r.host == "" || strings.ContainsFunc(r.host, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return Relay{}, errors.New("SMTP names no host; " + form)
	}
	if r.port != "" {
		if n, err := strconv.Atoi(r.port); err != nil || n < 1 || n > 65535 {
			return Relay{}, errors.New("SMTP names a port outside 1 to 65535; " + form)
		}
	}
	if err := r.setUser(u.User); err != nil {
		return Relay{}, err
	}
	if err := r.setEncryption(u.Scheme, u.RawQuery); err != nil {
		return Relay{}, err
	}
	return r, nil
}

func (r *Relay) setUser(info *url.Userinfo) error {
	password, ok := info.Password()
	r.user, r.password = info.Username(), secret.NewText(password)
	if (r.user == "") != (password == "") || (info != nil && !ok) {
		return errors.New("SMTP has a user without a password, or a password without a user; give both as user:password@, or neither")
	}
	if strings.ContainsAny(r.user+password, "\x00\r\n") {
		return errors.New("SMTP has a line break or NUL in user or password; remove %0A, %0D and %00")
	}
	return nil
}

func (r *Relay) setEncryption(scheme, query string) error {
	switch scheme {
	case "smtp":
		if r.port == "465" {
			return errors.New("SMTP says smtp:// with port 465, which speaks TLS from the first byte; write smtps://, or port 587")
		}
		r.encryption = startTLS
		if r.loopback() {
			r.encryption = ifOffered
		}
	case "smtps":
		if r.port == "587" || r.port == "25" {
			return fmt.Errorf("SMTP says smtps:// with port %s, which speaks STARTTLS; write smtp://, or port 465", r.port)
		}
		r.encryption = implicitTLS
	default:
		return errors.New("SMTP begins with neither smtp:// (STARTTLS) nor smtps:// (TLS); begin it with one of them")
	}
	if r.port == "" {
		r.port = map[string]string{"smtp": "587", "smtps": "465"}[scheme]
	}
	switch {
	case query == "":
	case query == "tls=required" && scheme == "smtp":
		r.encryption = startTLS
	case query == "tls=off" && scheme == "smtp" && r.loopback():
		r.encryption = cleartext
	case query == "tls=off" && scheme == "smtp":
		return errors.New("SMTP says ?tls=off for a host that is not a loopback address; mails hold links that must not be read on the way: remove ?tls=off, or send through a relay on 127.0.0.1")
	default:
		return errors.New("SMTP has something behind ? that is not known; only smtp://…?tls=required and, for a loopback host, ?tls=off are")
	}
	return nil
}

// loopback reports whether the host is written as a loopback address or as localhost. Other names count as remote
// whatever they resolve to, because the answer of a name server is no ground for sending in the clear.
func (r *Relay) loopback() bool {
	address, err := netip.ParseAddr(r.host)
	return r.host == "localhost" || (err == nil && address.Unmap().IsLoopback())
}

func (r Relay) address() string { return net.JoinHostPort(r.host, r.port) }

// String is the relay's URL without user and password.
func (r Relay) String() string {
	scheme, query := "smtp", ""
	switch r.encryption {
	case implicitTLS:
		scheme = "smtps"
	case cleartext:
		query = "?tls=off"
	}
	return scheme + "://" + r.address() + query
}

// GoString hides user and password.
func (r Relay) GoString() string { return r.String() }

// LogValue hides user and password.
func (r Relay) LogValue() slog.Value { return slog.StringValue(r.String()) }
