package chain_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/chain"
)

// A panic takes back all headers, and still nothing is read behind chunks: what a proxy in front took for their body would be
// a request of somebody else's.
func TestAPanicReadsNothingBehindChunks(t *testing.T) {
	var reached atomic.Int64
	broken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Begun", "yes")
		panic("half way")
	})
	hidden := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	server := httptest.NewServer(bareChain(t).Serve([]chain.Route{
		{Method: "POST", Path: "/v1/broken", Rule: authz.Public(), Handler: broken},
		{Method: "POST", Path: "/v1/open", Rule: authz.Public(), Handler: broken, Open: true},
		{Method: "GET", Path: "/v1/hidden", Rule: authz.Public(), Handler: hidden},
	}))
	t.Cleanup(server.Close)
	for _, path := range []string{"/auth/v1/broken", "/auth/v1/open"} {
		for body, answers := range map[string]int{
			"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                      1,
			"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 1,
			"Content-Length: 2\r\n\r\n{}":                                      2, // the end is known: the connection goes on
		} {
			before := reached.Load()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			const host = " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
			_, _ = io.WriteString(conn, "POST "+path+host+"Content-Type: application/json\r\n"+body+"GET /auth/v1/hidden"+host+"Connection: close\r\n\r\n")
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			got, err := io.ReadAll(conn)
			_ = conn.Close()
			if n := bytes.Count(got, []byte("HTTP/1.1 ")); err != nil || n != answers || reached.Load()-before != int64(answers-1) {
				t.Errorf("%s with %q: %d answers, %v, want %d and the end of the connection\n%s", path, body, n, err, answers, got)
			}
			if !bytes.HasPrefix(got, []byte("HTTP/1.1 500 ")) || bytes.Contains(got, []byte("X-Begun")) {
				t.Errorf("%s with %q: %s", path, body, got)
			}
		}
	}
}
