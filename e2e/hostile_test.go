package e2e_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

// guarded is an application behind Protect, on the server that hosts are told to use.
type guarded struct {
	*testing.T
	*ringwalltest.Server
	address string
	cookie  string
	token   string
	reached atomic.Int64
}

func guard(t *testing.T) *guarded {
	g := &guarded{T: t, Server: ringwalltest.Start(t)}
	server := httptest.NewUnstartedServer(nil)
	server.Config = ringwall.Server(g.Ringwall.Protect(http.HandlerFunc(g.application)))
	server.Config.ReadHeaderTimeout, server.Config.ReadTimeout = 4*time.Second, 5*time.Second // the test has less patience
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	g.address = server.Listener.Addr().String()
	c := g.SignIn("hostile@example.org")
	g.cookie, g.token = "__Host-ringwall="+c.Cookie("__Host-ringwall"), c.CSRF
	return g
}

// application reads what it gets, as applications do, and breaks where it is told to.
func (g *guarded) application(w http.ResponseWriter, r *http.Request) {
	g.reached.Add(1)
	if r.URL.Path == "/panic" {
		panic(strings.Repeat("long ", 100_000))
	}
	n, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprint(w, n)
}

// dial opens a connection, writes a text, and leaves it open.
func (g *guarded) dial(text string) *tls.Conn {
	g.Helper()
	conn, err := tls.Dial("tcp", g.address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test's own server
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { _ = conn.Close() })
	_, _ = io.WriteString(conn, text) // the server may have had enough before the end
	return conn
}

// status is what a connection is answered; 0 if it is closed without an answer.
func (g *guarded) status(conn *tls.Conn) int {
	g.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if wait, ok := errors.AsType[net.Error](err); ok && wait.Timeout() {
			g.Errorf("still waiting after a minute: %v", err)
		}
		return 0
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

func (g *guarded) request(method, path string, head ...string) string {
	host := strings.TrimPrefix(g.URL, "https://") // the origin that is listed
	return method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(head, "")
}

// lives fails the test unless the next ordinary request is answered.
func (g *guarded) lives(after string) {
	g.Helper()
	if got := g.status(g.dial(g.request("GET", "/", "Cookie: "+g.cookie+"\r\n\r\n"))); got != 200 {
		g.Fatalf("after %s an ordinary request = %d, want 200", after, got)
	}
}

// Whatever strangers send to a guarded application: nothing passes without its rule, the process lives, and everybody else
// is served.
func TestHostileRequestsToAnApplication(t *testing.T) {
	g := guard(t)
	g.lives("nothing")
	signed := "Cookie: " + g.cookie + "\r\n"
	own := signed + "Origin: " + g.URL + "\r\nX-CSRF-Token: " + g.token + "\r\n"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(make([]byte, 64<<20))
	_ = z.Close()
	many := func(line string, n int) string { return strings.Repeat(line, n) }
	for _, tt := range []struct {
		name, text string
		statuses   []int
		reached    bool
	}{
		{"ten thousand headers", g.request("GET", "/", signed, many("X-H: v\r\n", 10_000), "\r\n"), []int{431}, false},
		{"a header of 100 kB", g.request("GET", "/", signed, "X-Long: ", many("a", 100_000), "\r\n\r\n"), []int{431}, false},
		{"ten thousand headers without a session", g.request("GET", "/", many("X-H: v\r\n", 10_000), "\r\n"), []int{431}, false},
		{"8 kB of other cookies", g.request("GET", "/", "Cookie: ", many("a=0123456789; ", 600), g.cookie, "\r\n\r\n"), []int{200}, true},
		{"8 kB of cookies and no session", g.request("GET", "/", "Cookie: ", many("a=0123456789; ", 600), "b=c\r\n\r\n"), []int{401}, false},
		{"8 kB in the session cookie", g.request("GET", "/", "Cookie: __Host-ringwall=", many("a", 8<<10), "\r\n\r\n"), []int{401}, false},
		{"the session cookie, twice", g.request("GET", "/", "Cookie: ", g.cookie, "; ", g.cookie, "\r\n\r\n"), []int{400}, false},
		{"a name in another case", g.request("GET", "/", "Cookie: ", strings.ToUpper(g.cookie), "\r\n\r\n"), []int{401}, false},
		{"a path of 30 kB", g.request("GET", "/"+many("a/", 15<<10), signed, "\r\n"), []int{200}, true},
		{"a query of 30 kB", g.request("GET", "/?"+many("a=b&", 7<<10), signed, "\r\n"), []int{200}, true},
		{"half a body", g.request("POST", "/", own, "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"), []int{400, 0}, true},
		{"half a form", g.request("POST", "/", signed, "Origin: ", g.URL, "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ncsrf_token="), []int{408, 413, 400, 0}, false},
		{"an endless form", g.request("POST", "/", signed, "Origin: ", g.URL, "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 200000\r\n\r\n", many("a=b&", 50_000)), []int{413}, false},
		{"a bomb", g.request("POST", "/", own, "Content-Encoding: gzip\r\nContent-Length: ", fmt.Sprint(zipped.Len()), "\r\n\r\n", zipped.String()), []int{200}, true}, // as many bytes as came: nobody unpacks it
		{"a chunk without an end", g.request("POST", "/", own, "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", many("x", 70_000)), []int{400, 0}, true},
		{"a length and chunks", g.request("POST", "/", own, "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"), []int{200, 400}, true},
		{"two lengths", g.request("POST", "/", own, "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"), []int{400}, false},
		{"a line that ends a header early", g.request("GET", "/", "X: a\r\n Cookie: ", g.cookie, "\r\n\r\n"), []int{400, 401}, false},
		{"bytes that are no request", "\x00\xff\x16\x03\x01\r\n\r\n", []int{400}, false},
		{"a method of 10 kB", many("A", 10_000) + g.request("", "/", signed, "\r\n"), []int{400, 403}, false},
		{"every host", strings.Replace(g.request("GET", "/", signed, "\r\n"), "Host: ", "Host: *", 1), []int{400, 421}, false},
		{"OPTIONS for everything", g.request("OPTIONS", "*", "\r\n"), []int{400, 401, 404}, false},
		{"a panic", g.request("GET", "/panic", signed, "\r\n"), []int{500}, true},
		{"a panic for nobody", g.request("GET", "/panic", "\r\n"), []int{401}, false},
	} {
		before := g.reached.Load()
		got := g.status(g.dial(tt.text))
		ok := false
		for _, status := range tt.statuses {
			ok = ok || got == status
		}
		if !ok || (g.reached.Load() > before) != tt.reached {
			t.Errorf("%s = %d, want one of %v; the application was reached: %v", tt.name, got, tt.statuses, g.reached.Load() > before)
		}
		g.lives(tt.name)
	}
}

// A proxy in front may have counted a body by its length where the server counts chunks: what one of them takes for the body is
// a request to the other. Nothing is read behind chunks, so nothing can be hidden there.
func TestNothingIsSmuggledBehindChunks(t *testing.T) {
	g := guard(t)
	own := "Cookie: " + g.cookie + "\r\nOrigin: " + g.URL + "\r\nX-CSRF-Token: " + g.token + "\r\nContent-Type: application/json\r\n"
	hidden := g.request("GET", "/smuggled", "Cookie: "+g.cookie+"\r\n\r\n")
	for _, path := range []string{"/", "/auth/v1/me", "/auth/login", "/auth/nowhere", "//"} {
		for _, length := range []string{"", "Content-Length: 5\r\n"} {
			before := g.reached.Load()
			conn := g.dial(g.request("POST", path, own, length, "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", hidden))
			_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
			got, err := io.ReadAll(conn)
			if answers := bytes.Count(got, []byte("HTTP/1.1 ")); err != nil || answers != 1 {
				t.Errorf("POST %s (%q): %d answers, %v, want one and the end of the connection", path, length, answers, err)
			}
			if n := g.reached.Load() - before; n > 1 || n == 1 && path != "/" {
				t.Errorf("POST %s (%q): the application was reached %d times", path, length, n)
			}
		}
	}
	g.lives("all that")
}

// Who stalls or floods holds no memory: hundreds of them at once, in the head, in the body, and with as much as is taken.
func TestHostileClientsHoldNoMemory(t *testing.T) {
	g := guard(t)
	g.lives("nothing")
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	signed := "Cookie: " + g.cookie + "\r\nOrigin: " + g.URL + "\r\n"
	big := strings.Repeat("X-H: 0123456789\r\n", 1700) // 29 kB
	const each = 60
	for range each {
		g.dial(g.request("GET", "/", signed, "X-Slow: "))
		g.dial(g.request("POST", "/", signed, "X-CSRF-Token: ", g.token, "\r\n", big, "Content-Length: 900000\r\n\r\n", strings.Repeat("x", 50_000)))
		g.dial(g.request("POST", "/", signed, big, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n", strings.Repeat("a=b&", 10_000)))
		g.dial(g.request("POST", "/auth/v1/login", big, "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n", strings.Repeat(" ", 30_000)))
	}
	g.lives("hundreds that stall")
	if held := heap() - before; held > 128<<20 { // half of it is the test's own end of the connections
		t.Errorf("%d clients that stall hold %d MiB", 4*each, held>>20)
	}
	within(t, 30*time.Second, "all that stall are let go", func() bool { return runtime.NumGoroutine() < goroutines+20 })
	g.lives("all of them are gone")
}
