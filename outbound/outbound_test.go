package outbound_test

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/outbound"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// counted is a server on loopback that counts the connections it gets, whatever becomes of them.
func counted(t *testing.T, secure bool, handler http.HandlerFunc) (server *httptest.Server, connections *atomic.Int64) {
	t.Helper()
	return countedOn(t, "127.0.0.1:0", secure, handler)
}

// countedOn is counted at an address.
func countedOn(t *testing.T, address string, secure bool, handler http.HandlerFunc) (server *httptest.Server, connections *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	connections = &atomic.Int64{}
	server = httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Config.ErrorLog = nil
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server, connections
}

func get(client *http.Client, address string) (int, []byte, error) {
	answer, err := client.Get(address)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("yes")) }

// Advisory 21: what is inside is never connected to, however it is written.
func TestInsideIsOutOfReach(t *testing.T) {
	server, connections := counted(t, false, ok)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := outbound.Client(outbound.Options{InsecureHTTP: true, Timeout: 3 * time.Second})
	for _, host := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "017700000001", "0", "0.0.0.0", "localhost", "127.0.0.1.", "127.000.000.001",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[::127.0.0.1]",
	} {
		if status, _, err := get(client, "http://"+host+":"+port+"/"); err == nil {
			t.Errorf("%s was reached: %d", host, status)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	named := outbound.Client(outbound.Options{InsecureHTTP: true, InsecureNetworks: loopback})
	if status, body, err := get(named, server.URL); err != nil || status != 200 || string(body) != "yes" {
		t.Errorf("a network that was named = %d %q, %v; want it reached", status, body, err)
	}
}

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"9.9.9.9": true, "93.184.216.34": true, "2606:4700::1111": true, "2a00:1450:4001::1": true, "::ffff:9.9.9.9": true, "100.63.255.255": true, "172.32.0.1": true, "168.63.129.15": true, "168.63.129.17": true,
		"0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "127.0.0.2": false, "169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.0.0.8": false, "192.0.2.1": false, "192.88.99.1": false, "192.168.1.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false,
		"203.0.113.1": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "::": false, "::1": false, "::ffff:10.0.0.1": false,
		"::10.0.0.1": false, "64:ff9b::a00:1": false, "64:ff9b:1::1": false, "100::1": false, "2001::1": false, "2001:db8::1": false, "2002:a00:1::1": false,
		"3fff::1": false, "fc00::1": false, "fd00:ec2::254": false, "fe80::1": false, "fec0::1": false, "ff02::1": false, "5f00::1": false, "2606:4700::1%eth0": false,
		"168.63.129.16": false, "::ffff:168.63.129.16": false, // Azure's WireServer, which no registry calls special
	} {
		if got := outbound.Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("Public(%s) = %v, want %v", text, got, want)
		}
	}
	if outbound.Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// Naming a network opens that one, and never what gives credentials of the machine away.
func TestMetadataStaysOutOfReach(t *testing.T) {
	all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	client := outbound.Client(outbound.Options{InsecureHTTP: true, InsecureNetworks: all, Timeout: 2 * time.Second})
	for _, host := range []string{"169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]", "[fd00:ec2::254]", "[fd00:ec2::23]", "[fd20:ce::254]", "[fd00:42::42]", "100.100.100.200", "192.0.0.192", "168.63.129.16"} {
		if _, _, err := get(client, "http://"+host+"/latest/meta-data"); !errors.Is(err, outbound.ErrDenied) {
			t.Errorf("%s: %v, want ErrDenied", host, err)
		}
	}
}

// A name is judged by what it resolves to at the moment of the connection: public when it was checked, private when
// it is used.
func TestRebindingGainsNothing(t *testing.T) {
	server, connections := counted(t, false, ok)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	asked := &atomic.Int64{}
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerDNS(theirs, asked, [4]byte{127, 0, 0, 1})
		return ours, nil
	}}
	client := outbound.Client(outbound.Options{InsecureHTTP: true, Resolver: resolver, Timeout: time.Minute})
	if _, _, err := get(client, "http://rebind.example.org:"+port+"/"); !errors.Is(err, outbound.ErrDenied) {
		t.Errorf("a name of 127.0.0.1 = %v, want ErrDenied", err)
	}
	if asked.Load() == 0 || connections.Load() != 0 {
		t.Errorf("the name was asked for %d times and %d connections were made, want some and none", asked.Load(), connections.Load())
	}
}

// answerDNS answers every question for an IPv4 address with that one, and any other with nothing.
func answerDNS(conn net.Conn, asked *atomic.Int64, address [4]byte) {
	defer func() { _ = conn.Close() }()
	for {
		head := make([]byte, 2) // a net.Pipe is no packet connection, so the resolver speaks as over TCP
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(head))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		asked.Add(1)
		end := 12
		for question[end] != 0 {
			end += 1 + int(question[end])
		}
		end += 5
		answer := append([]byte{}, question[:end]...)
		copy(answer[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
		if binary.BigEndian.Uint16(question[end-4:]) == 1 {
			answer[7] = 1
			answer = append(append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), address[:]...)
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// Advisory 21: a redirect to the inside makes no second connection.
func TestRedirectsAreNotFollowed(t *testing.T) {
	inside, connections := counted(t, false, ok)
	for _, status := range []int{301, 302, 303, 307, 308} {
		outside, _ := counted(t, false, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, status) })
		client := outbound.Client(outbound.Options{InsecureHTTP: true, InsecureNetworks: loopback})
		if got, _, err := get(client, outside.URL); err != nil || got != status {
			t.Errorf("a redirect = %d, %v; want %d as it came", got, err, status)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections to where the redirects led", n)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	sent := &atomic.Int64{}
	server, _ := counted(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/head" {
			w.Header().Set("X-Long", strings.Repeat("x", 32<<10))
			return // the head alone
		}
		piece := make([]byte, 64<<10)
		for range 160 { // 10 MB
			n, err := w.Write(piece)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	client := outbound.Client(outbound.Options{InsecureHTTP: true, InsecureNetworks: loopback})
	if _, body, err := get(client, server.URL); !errors.Is(err, outbound.ErrTooLarge) || len(body) != 64<<10 {
		t.Errorf("10 MB = %d bytes, %v; want 64 KiB and ErrTooLarge", len(body), err)
	}
	if _, _, err := get(client, server.URL+"/head"); err == nil {
		t.Error("a head of 32 KiB was read")
	}
	exact, _ := counted(t, false, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 64<<10)) })
	if _, body, err := get(client, exact.URL); err != nil || len(body) != 64<<10 {
		t.Errorf("exactly 64 KiB = %d bytes, %v; want them all", len(body), err)
	}
	zipped, _ := counted(t, false, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Header.Get("Accept-Encoding"))) })
	if _, body, err := get(client, zipped.URL); err != nil || len(body) != 0 {
		t.Errorf("the client accepts the encoding %q, %v; want none, which could grow", body, err)
	}
}

func TestAServerThatHangs(t *testing.T) {
	stop := make(chan struct{})
	server, _ := counted(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	defer close(stop)
	client := outbound.Client(outbound.Options{InsecureHTTP: true, InsecureNetworks: loopback, Timeout: 150 * time.Millisecond})
	for _, path := range []string{"/head", "/body"} {
		var late net.Error
		if _, _, err := get(client, server.URL+path); !errors.As(err, &late) || !late.Timeout() {
			t.Errorf("%s: %v, want a timeout", path, err)
		}
	}
}

func TestTransportIsVerifiedTLS(t *testing.T) {
	secure, _ := counted(t, true, ok)
	plain, connections := counted(t, false, ok)
	strict := outbound.Client(outbound.Options{InsecureNetworks: loopback})
	if _, _, err := get(strict, plain.URL); !errors.Is(err, outbound.ErrPlain) || connections.Load() != 0 {
		t.Errorf("http = %v with %d connections, want ErrPlain and none", err, connections.Load())
	}
	if _, _, err := get(strict, secure.URL); err == nil {
		t.Error("a certificate that nobody vouches for was taken")
	}
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	known := outbound.Client(outbound.Options{InsecureNetworks: loopback, RootCAs: roots})
	if status, _, err := get(known, secure.URL); err != nil || status != 200 {
		t.Errorf("https with its authority = %d, %v; want it reached", status, err)
	}
	if _, _, err := get(known, strings.Replace(secure.URL, "127.0.0.1", "127.0.0.2", 1)); err == nil {
		t.Error("a certificate for another name was taken")
	}
	if _, _, err := get(known, "file:///etc/passwd"); !errors.Is(err, outbound.ErrPlain) {
		t.Errorf("file: = %v, want ErrPlain", err)
	}
}

func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	proxy, connections := counted(t, false, ok)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	client := outbound.Client(outbound.Options{InsecureHTTP: true, Timeout: 2 * time.Second})
	if _, _, err := get(client, "http://10.0.0.1/"); !errors.Is(err, outbound.ErrDenied) || connections.Load() != 0 {
		t.Errorf("through a proxy = %v with %d connections, want ErrDenied and none", err, connections.Load())
	}
}
