package e2e_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

func start(t *testing.T, o ringwall.Options) *ringwalltest.Server {
	t.Helper()
	return ringwalltest.StartApp(t, o, application)
}

// serve asks a handler without a network, as a program does.
func serve(h http.Handler, method, url string, body ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, strings.NewReader(strings.Join(body, "")))
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// ask is the status that a handler answers with.
func ask(h http.Handler, r *http.Request) int {
	r.RemoteAddr = "192.0.2.1:1234"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// broken is an application that breaks in every way.
var broken = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	switch r.URL.Path {
	case "/before":
		h.Set("Set-Cookie", "half=made")
		h.Set("Content-Length", "4096")
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Type", "text/html")
		h.Set("Content-Disposition", "attachment")
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("Content-Security-Policy", "default-src *")
		h.Set("Access-Control-Allow-Origin", "*")
		panic("half way\nwith a second line")
	case "/error":
		panic(errors.New("an error value"))
	case "/value":
		panic(struct{ password string }{"canary-in-a-panic"})
	case "/runtime":
		var list []int
		_ = list[len(r.URL.Path)]
	case "/hints":
		w.WriteHeader(http.StatusEarlyHints)
		panic("after an informational answer")
	case "/head":
		w.WriteHeader(http.StatusOK)
		panic("after the head")
	case "/body":
		fmt.Fprint(w, `{"half":`)
		panic("in the body")
	case "/flushed":
		fmt.Fprint(w, `{"half":`)
		_ = http.NewResponseController(w).Flush()
		panic("after a flush")
	case "/long":
		h.Set("Content-Length", "4096")
		fmt.Fprint(w, "short")
		panic("in a body of known length")
	case "/copied":
		_, _ = io.Copy(w, strings.NewReader(strings.Repeat("x", 100_000)))
		panic("after a copy")
	case "/hijacked":
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			defer conn.Close()
		}
		panic("after taking the connection")
	case "/abort":
		panic(http.ErrAbortHandler)
	}
	fmt.Fprint(w, "whole")
})

// A panic of the application's is a 500 with nothing of what it had begun, and the process lives.
func TestApplicationPanicsBeforeItsHead(t *testing.T) {
	log := &logBuffer{}
	s := ringwalltest.StartApp(t, ringwall.Options{Log: log.logger()}, broken)
	c := s.SignIn("panic@example.org")
	for _, path := range []string{"/before", "/error", "/value", "/runtime", "/hints"} {
		got := c.Get(path)
		want(t, path, got, 500, "internal")
		for name, value := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"Set-Cookie":              "", "Content-Encoding": "", "Content-Disposition": "", "Access-Control-Allow-Origin": "",
		} {
			if have := strings.Join(got.Header.Values(name), " | "); have != value {
				t.Errorf("%s: %s = %q, want %q", path, name, have, value)
			}
		}
		if strings.Contains(string(got.Body), "panic") || strings.Contains(string(got.Body), ".go:") {
			t.Errorf("%s: the answer tells of the inside: %s", path, got.Body)
		}
	}
	c.Header.Set("Accept", "text/html")
	page := c.Get("/before")
	if page.Status != 500 || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(page.Header.Get("Content-Security-Policy"), "style-src 'self'") {
		t.Errorf("a person sees %d %s %s", page.Status, page.Header.Get("Content-Type"), page.Header.Get("Content-Security-Policy"))
	}
	want(t, "the next request", c.Get("/whole"), 200, "")
	if n := log.count("panic in a handler"); n != 6 {
		t.Errorf("%d panics in the log, want 6", n)
	}
	if log.contains("canary-in-a-panic") {
		t.Error("the log tells the value of a panic that is no error")
	}
}

// A panic after the head is an answer that breaks off, never one that looks whole.
func TestApplicationPanicsAfterItsHead(t *testing.T) {
	log := &logBuffer{}
	s := ringwalltest.StartApp(t, ringwall.Options{Log: log.logger()}, broken)
	c := s.SignIn("panic@example.org")
	for _, path := range []string{"/head", "/body", "/flushed", "/long", "/copied", "/hijacked", "/abort"} {
		got, err := c.Try("GET", path, nil)
		if err == nil {
			t.Errorf("%s was answered whole: %d %q", path, got.Status, got.Body)
		}
		if strings.Contains(string(got.Body), "problems") {
			t.Errorf("%s: a problem document was put behind what had been sent: %s", path, got.Body)
		}
		want(t, "the next request after "+path, c.Get("/whole"), 200, "")
	}
	if n := log.count("panic in a handler"); n < 6 { // net/http's client asks again where nothing came
		t.Errorf("%d panics in the log, want one for each", n)
	}
	if log.contains("ErrAbortHandler") || log.contains("net/http: abort") {
		t.Error("an abort, which is the application's own will, is logged as a panic")
	}
}

// dial opens a connection to the server and writes what it is told.
func dial(t *testing.T, s *ringwalltest.Server, text string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL, "https://"), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test's own server
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

func answer(t *testing.T, conn *tls.Conn) (status int, body string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func TestHalfAndSlowBodies(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		const body = `{"email":"slow@example.org","password":"correct horse battery staple"}`
		head := func(length int) string {
			return fmt.Sprintf("POST /auth/v1/signup HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", strings.TrimPrefix(s.URL, "https://"), length)
		}
		half := dial(t, s, head(len(body))+body[:30])
		if err := half.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if status, text := answer(t, half); status != 400 || !strings.Contains(text, "malformed") {
			t.Errorf("half a body = %d %s, want 400 malformed", status, text)
		}
		_ = dial(t, s, head(len(body))+body[:30]).Close() // gone without a word

		// Many that never finish keep nobody else waiting.
		for range 100 {
			dial(t, s, head(len(body))+body[:10])
		}
		begun := time.Now()
		want(t, "sign-up beside a hundred slow ones", signUp(s.Client(), "quick@example.org", ringwalltest.Password), 202, "")
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("beside a hundred slow bodies a sign-up took %v", took)
		}
		slow := dial(t, s, head(len(body)))
		for i := range body {
			if _, err := io.WriteString(slow, body[i:i+1]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond)
		}
		if status, text := answer(t, slow); status != 202 {
			t.Errorf("a slow whole body = %d %s, want 202", status, text)
		}
		s.Mail("slow@example.org", 1)
		chunked := dial(t, s, strings.Replace(head(0), "Content-Length: 0", "Transfer-Encoding: chunked", 1)+"ffffffff\r\n"+strings.Repeat("x", 70_000))
		if status, _ := answer(t, chunked); status != 413 && status != 400 {
			t.Errorf("an endless chunk = %d, want it refused", status)
		}
	})
}

// Who stalls in the head of a request, or sends too much of it, is let go; nobody else waits for them.
func TestServerLetsStalledClientsGo(t *testing.T) {
	t.Parallel()
	d := run(t, filepath.Join(t.TempDir(), "data"), "")
	address := strings.TrimPrefix(d.url, "http://")
	var stalled []net.Conn
	for i := range 50 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 {
			_, err = io.WriteString(conn, "GET /auth/login HTTP/1.1\r\nHost: "+address+"\r\nX-Slow: ")
		}
		if err != nil {
			t.Fatal(err)
		}
		stalled = append(stalled, conn)
	}
	if status, _, err := d.caller().call("GET", "/auth/openapi.json", "", nil); err != nil || status != 200 {
		t.Errorf("beside fifty stalled clients = %d, %v", status, err)
	}
	long, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer long.Close()
	_, _ = io.WriteString(long, "GET /auth/login HTTP/1.1\r\nHost: "+address+"\r\n"+strings.Repeat("X-Long: 0123456789012345678901234567890123456789\r\n", 2000)+"\r\n")
	_ = long.SetReadDeadline(time.Now().Add(time.Minute))
	if response, err := http.ReadResponse(bufio.NewReader(long), nil); err != nil || response.StatusCode != 431 {
		t.Errorf("100 kB of headers = %v, %v; want 431", response, err)
	}
	for i, conn := range stalled {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Fatalf("client %d was not let go: %v", i, err)
		}
	}
	d.stop()
}

func TestTenThousandHeadersAndCookies(t *testing.T) {
	s := start(t, ringwall.Options{})
	c := s.SignIn("many@example.org")
	token := c.Cookie("__Host-ringwall")
	for name, tt := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"ten thousand headers": {func(r *http.Request) {
			for i := range 10_000 {
				r.Header.Set(fmt.Sprintf("X-H-%d", i), "v")
			}
			r.Header.Set("Cookie", "__Host-ringwall="+token)
		}, 200},
		"a header a thousand times": {func(r *http.Request) {
			for range 1000 {
				r.Header.Add("X-Forwarded-For", "10.0.0.1")
				r.Header.Add("Accept-Language", "de;q=0.1,en;q=0.2,*")
			}
			r.Header.Set("Cookie", "__Host-ringwall="+token)
		}, 200},
		"a thousand Authorization headers": {func(r *http.Request) {
			for range 1000 {
				r.Header.Add("Authorization", "Bearer "+token)
			}
		}, 400},
		"8 kB of other cookies": {func(r *http.Request) {
			r.Header.Set("Cookie", strings.Repeat("other=0123456789; ", 500)+"__Host-ringwall="+token+strings.Repeat("; more=0123456789", 500))
		}, 200},
		"8 kB in the session cookie": {func(r *http.Request) { r.Header.Set("Cookie", "__Host-ringwall="+strings.Repeat(token, 64)) }, 401},
		"8 kB in the device cookie": {func(r *http.Request) {
			r.Header.Set("Cookie", "__Host-ringwall-device="+strings.Repeat("a.", 4096)+"; __Host-ringwall="+token)
		}, 200},
		"the session cookie, twice":   {func(r *http.Request) { r.Header.Set("Cookie", "__Host-ringwall="+token+"; __Host-ringwall="+token) }, 400},
		"a cookie that is no cookie":  {func(r *http.Request) { r.Header.Set("Cookie", "=;;;=;\"__Host-ringwall="+token) }, 401},
		"a bearer token of a megabit": {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+strings.Repeat("a", 128<<10)) }, 401},
	} {
		if got := raw(t, s, "GET", "/auth/v1/session", nil, tt.change); got.Status != tt.status {
			t.Errorf("%s = %d, want %d\n%s", name, got.Status, tt.status, got.Body)
		}
		if got := raw(t, s, "GET", "/auth/login", nil, tt.change); got.Status >= 500 {
			t.Errorf("%s at a page = %d", name, got.Status)
		}
	}
}
