package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// aMinute is how long a step may take on a busy machine.
const aMinute = time.Minute

// running is `ringwall serve` in this process.
type running struct {
	address, ops string
	log          *lockedBuffer
	stop         context.CancelFunc
	ended        chan int
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// startServe starts with good settings; more overrides them.
func startServe(t *testing.T, more ...string) *running {
	t.Helper()
	data := privateFolder(t)
	pair, err := makeCertificate()
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 32)
	rand.Read(key)
	cert := filepath.Join(data, "cert.pem")
	if err := os.WriteFile(cert, pair, 0o600); err != nil {
		t.Fatal(err)
	}
	r := &running{address: freePort(t), ops: freePort(t), log: &lockedBuffer{}, ended: make(chan int, 1)}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	a := &app{args: []string{"serve"}, in: strings.NewReader(""), out: r.log, err: r.log, environ: append([]string{
		"RINGWALL_DATA=" + data, "RINGWALL_ADDR=" + r.address, "RINGWALL_OPS_ADDR=" + r.ops, "RINGWALL_ORIGINS=https://" + r.address,
		"RINGWALL_MASTER_KEY=" + hex.EncodeToString(key), "RINGWALL_SMTP=smtps://u:p@127.0.0.1:1", "RINGWALL_MAIL_FROM=a@b.example",
		"RINGWALL_TLS_CERT=" + cert, "RINGWALL_TLS_KEY=" + cert,
	}, more...)}
	go func() { r.ended <- a.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if status := <-r.ended; status != 0 {
			t.Errorf("serve ended with status %d: %s", status, r.log)
		}
	})
	for deadline := time.Now().Add(aMinute); time.Now().Before(deadline); {
		if strings.Contains(r.log.String(), `"description":"ready"`) {
			return r
		}
		select {
		case status := <-r.ended:
			r.ended <- 0
			t.Fatalf("serve ended with status %d: %s", status, r.log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("serve is not ready: %s", r.log)
	return nil
}

func trusting() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       aMinute,
	}
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := trusting().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestServeAnswersPeopleAndThoseWhoWatch(t *testing.T) {
	r := startServe(t)
	for _, tt := range []struct {
		name, url string
		status    int
		want      string
	}{
		{"the root leads to us", "https://" + r.address + "/", 303, ""},
		{"the prefix without its slash too", "https://" + r.address + "/auth", 303, ""},
		{"the prefix in another spelling does not", "https://" + r.address + "/%61uth", 404, ""},
		{"a page", "https://" + r.address + "/auth/login", 200, "<form"},
		{"an API call", "https://" + r.address + "/auth/v1/session", 401, "unauthenticated"},
		{"another path", "https://" + r.address + "/app", 404, "not-found"},
		{"a path with two readings", "https://" + r.address + "/x/../auth/login", 404, ""},
		{"a doubled slash", "https://" + r.address + "//auth/login", 404, ""},
		{"mails are for dev", "https://" + r.address + "/auth/dev/mail", 404, ""},
		{"operations are not for people", "https://" + r.address + "/healthz", 404, ""},
		{"health", "http://" + r.ops + "/healthz", 200, "ok"},
		{"readiness", "http://" + r.ops + "/readyz", 200, "ok"},
		{"people are not for operations", "http://" + r.ops + "/auth/login", 404, "not-found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			response, body := get(t, tt.url)
			if response.StatusCode != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("GET %s = %d %.300q, want %d with %q", tt.url, response.StatusCode, body, tt.status, tt.want)
			}
			if response.Header.Get("X-Content-Type-Options") != "nosniff" && tt.status < 400 {
				t.Errorf("GET %s lacks nosniff: %v", tt.url, response.Header)
			}
		})
	}
	for line := range strings.Lines(r.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["appid"] != "ringwall" {
			t.Errorf("%v in the line %s", err, line)
		}
	}
}

func TestServeSpeaksModernTLSAlone(t *testing.T) {
	r := startServe(t)
	dial := func(config *tls.Config) (tls.ConnectionState, error) {
		config.InsecureSkipVerify = true
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", r.address)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState(), nil
	}
	if _, err := dial(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if _, err := dial(&tls.Config{MaxVersion: tls.VersionTLS12}); err != nil {
		t.Errorf("TLS 1.2 is not spoken: %v", err)
	}
	if _, err := dial(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}}); err == nil {
		t.Error("a suite without forward secrecy is spoken")
	}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !strings.HasSuffix(suite.Name, "_CBC_SHA") && !strings.HasSuffix(suite.Name, "_CBC_SHA256") {
			continue
		}
		if _, err := dial(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}); err == nil {
			t.Errorf("%s is spoken", suite.Name)
		}
	}
	state, err := dial(&tls.Config{NextProtos: []string{"h2"}})
	if err != nil || state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 || state.NegotiatedProtocol != "h2" {
		t.Errorf("spoken are version %x, curve %v, protocol %q, %v, want TLS 1.3, X25519MLKEM768, h2", state.Version, state.CurveID, state.NegotiatedProtocol, err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST /auth/v1/login HTTP/1.1\r\nHost: "+r.address+"\r\nContent-Length: 0\r\n\r\n")
	if line, _ := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, " 400 ") {
		t.Errorf("plain HTTP on the port of TLS is answered %q, want 400", line)
	}
}

// Behind a proxy the port speaks plain HTTP, and to the proxy alone.
func TestPlainHTTPIsForTheProxyAlone(t *testing.T) {
	behind := func(proxy string) []string {
		return []string{"RINGWALL_TLS_CERT=", "RINGWALL_TLS_KEY=", "RINGWALL_TRUSTED_PROXIES=" + proxy, "RINGWALL_TRUSTED_PROXY_HEADER=X-Forwarded-For"}
	}
	t.Run("from the proxy", func(t *testing.T) {
		r := startServe(t, behind("127.0.0.1")...)
		if response, body := get(t, "http://"+r.address+"/auth/login"); response.StatusCode != 200 {
			t.Errorf("status %d: %s", response.StatusCode, body)
		}
	})
	t.Run("from somebody else", func(t *testing.T) {
		r := startServe(t, behind("192.0.2.1")...)
		for _, path := range []string{"/auth/login", "/", "/auth/v1/session", "/x"} {
			response, body := get(t, "http://"+r.address+path)
			if response.StatusCode != 403 || response.Header.Get("Location") != "" || !strings.Contains(body, "https") {
				t.Errorf("GET %s = %d %s, want 403 without a redirect", path, response.StatusCode, body)
			}
		}
	})
}

func TestServeFinishesRequestsThatAreUnderWay(t *testing.T) {
	r := startServe(t)
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	body := `{"email":"nobody@example.org","password":"a long and unusual sentence 4711"}`
	_, err = fmt.Fprintf(conn, "POST /auth/v1/login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", r.address, len(body), body[:10])
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // the handler reads the body by now
	r.stop()
	refusedSoon(t, r.address)
	if response, _ := get(t, "http://"+r.ops+"/readyz"); response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
		t.Errorf("readiness while stopping is %d, want 503 with Retry-After", response.StatusCode)
	}
	if response, _ := get(t, "http://"+r.ops+"/healthz"); response.StatusCode != 200 {
		t.Errorf("health while stopping is %d, want 200", response.StatusCode)
	}
	if _, err := io.WriteString(conn, body[10:]); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(aMinute))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("a request under way was cut off: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, _ := io.ReadAll(response.Body)
	if response.StatusCode != 401 || !strings.Contains(string(answer), "login-failed") {
		t.Errorf("a request under way got %d %s, want 401 login-failed", response.StatusCode, answer)
	}
	select {
	case status := <-r.ended:
		r.ended <- status
		if !strings.Contains(r.log.String(), `"description":"stopped"`) {
			t.Errorf("the end was not logged: %s", r.log)
		}
	case <-time.After(aMinute):
		t.Error("serve does not end")
	}
}

func refusedSoon(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(aMinute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	t.Fatal("connections are still accepted")
}

// The reader of the log may go away: to write on is an error or a signal that ends a process which does not expect it.
func TestServeOutlivesTheReaderOfItsLog(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "ringwall")
	self, err := os.Executable()
	if err = errors.Join(err, os.Symlink(self, link)); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), link, "dev", "--addr", "127.0.0.1:0", "--data", data)
	command.Stdout, command.Stderr = write, write
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	if err := errors.Join(command.Start(), write.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(read).ReadString('R'); err != nil { // "Ringwall is ready"
		t.Fatal(err)
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // each writes a line to the log
		d, err := openSocketDoor(t.Context(), data, patience{})
		if err != nil {
			t.Fatalf("the server is gone: %v", err)
		}
		var out any
		if err := errors.Join(ask(t.Context(), d, "user.list", map[string]any{}, &out), d.close()); err != nil {
			t.Fatalf("the server is gone: %v", err)
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}
