package e2e_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// relay stands between a server and its PostgreSQL and writes down which statements are executed.
type relay struct {
	mu   sync.Mutex
	seen []string
	tell bool
}

// startRelay returns the relay and the address of the database through it.
func startRelay(t *testing.T, dsn string) (*relay, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	behind := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(conn, behind)
		}
	}()
	u.Host = listener.Addr().String()
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return r, u.String()
}

func (r *relay) serve(client net.Conn, behind string) {
	defer client.Close()
	server, err := net.Dial("tcp", behind)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	statements, bound := map[string]string{}, ""
	if _, err := message(client, server, false); err != nil { // the start has no type
		return
	}
	for {
		m, err := message(client, server, true)
		if err != nil {
			return
		}
		switch body := m[5:]; m[0] {
		case 'P':
			name, rest, _ := strings.Cut(string(body), "\x00")
			text, _, _ := strings.Cut(rest, "\x00")
			statements[name] = text
		case 'B':
			_, rest, _ := strings.Cut(string(body), "\x00")
			name, _, _ := strings.Cut(rest, "\x00")
			bound = statements[name]
		case 'E':
			r.note(bound)
		case 'Q':
			r.note(strings.TrimSuffix(string(body), "\x00"))
		}
	}
}

// message passes one message on and returns it.
func message(from io.Reader, to io.Writer, typed bool) ([]byte, error) {
	head := make([]byte, 4, 5)
	if typed {
		head = head[:5]
	}
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	m := append(head, make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)...)
	if _, err := io.ReadFull(from, m[len(head):]); err != nil {
		return nil, err
	}
	_, err := to.Write(m)
	return m, err
}

// workers are the statements of what runs beside requests: it follows a request whenever it likes.
var workers = []string{"ringwall_dev_mail", "UPDATE ringwall_outbox", "DELETE FROM ringwall_outbox", "FROM ringwall_outbox", "ringwall_audit_seals", "ringwall_alerts", "ringwall_webhooks", "FROM ringwall_audit", "ringwall_oldest_tx", "pg_try_advisory", "last_seen_micros = ", "ringwall_ceiling", "-- ping", "password_shape > ", "FROM ringwall_blocks"}

func (r *relay) note(statement string) {
	statement = strings.Join(strings.Fields(statement), " ")
	if statement == "begin" || statement == "commit" || statement == "rollback" { // of workers too
		return
	}
	for _, w := range workers {
		if strings.Contains(statement, w) {
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tell {
		r.seen = append(r.seen, statement)
	}
}

// during is which statements act caused.
func (r *relay) during(act func()) []string {
	r.mu.Lock()
	r.seen, r.tell = nil, true
	r.mu.Unlock()
	act()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell = false
	return slices.Clone(r.seen)
}
