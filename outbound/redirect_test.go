package outbound_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/outbound"
)

// outside makes 127.0.0.1 the only address that counts as public, and trusts the servers of these tests.
func outside(t *testing.T, o outbound.Options) outbound.Options {
	t.Helper()
	known, _ := counted(t, true, ok)
	o.RootCAs = x509.NewCertPool()
	o.RootCAs.AddCert(known.Certificate())
	o.InsecureNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	return o
}

// Advisory 21: each hop of a redirect is judged like a request of its own, at the moment of its connection.
func TestRedirectsLeadNowhereInside(t *testing.T) {
	inside, connections := countedOn(t, "0.0.0.0:0", true, ok)
	port := inside.Listener.Addr().(*net.TCPAddr).Port
	named := outbound.Client(outside(t, outbound.Options{Redirects: 5, Timeout: 3 * time.Second})) // a resolver may not answer
	literal := outbound.Client(outside(t, outbound.Options{Redirects: 5, Timeout: time.Minute}))
	for _, host := range []string{
		"127.0.0.2", "[::1]", "[::]", "[::ffff:127.0.0.2]", "169.254.169.254", "[::ffff:169.254.169.254]", "10.0.0.1", "192.168.0.1", "172.16.0.1", "[fd00:ec2::254]", "[fe80::1]", "0.0.0.0",
		"2130706434", "0x7f000002", "0x7f.0.0.2", "0177.0.0.2", "017700000002", "127.2", "127.0.0.2.",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			target := fmt.Sprintf("https://%s:%d/latest/meta-data", host, port)
			first, _ := counted(t, true, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", target)
				w.WriteHeader(status)
			})
			client, isLiteral := named, host[0] == '[' || net.ParseIP(host) != nil
			if isLiteral {
				client = literal
			}
			if _, _, err := get(client, first.URL); err == nil || isLiteral && !errors.Is(err, outbound.ErrDenied) {
				t.Errorf("%d to %s = %v, want it denied", status, host, err)
			}
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections to where the redirects led", n)
	}
}

// A name that was public when the first request went out is not when the redirect comes back to it.
func TestRedirectAndRebinding(t *testing.T) {
	asked := &atomic.Int64{}
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go answerDNS(theirs, asked, [4]byte{127, 0, 0, 2})
		return ours, nil
	}}
	inside, connections := countedOn(t, "0.0.0.0:0", false, ok)
	port := inside.Listener.Addr().(*net.TCPAddr).Port
	first, _ := counted(t, false, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, fmt.Sprintf("http://rebind.example.org:%d/", port), http.StatusFound)
	})
	client := outbound.Client(outbound.Options{InsecureHTTP: true, Redirects: 5, Resolver: resolver, Timeout: time.Minute, InsecureNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	if _, _, err := get(client, first.URL); !errors.Is(err, outbound.ErrDenied) || asked.Load() == 0 || connections.Load() != 0 {
		t.Errorf("a redirect to a name of 127.0.0.2 = %v with %d questions and %d connections, want ErrDenied", err, asked.Load(), connections.Load())
	}
}

// As many are followed as were asked for, within one origin with everything that was sent; an endless chain ends.
func TestRedirectsAreCounted(t *testing.T) {
	hops := &atomic.Int64{}
	server, _ := counted(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer ours" || r.Header.Get("Referer") != "" {
			t.Errorf("hop %d within one origin has %v", hops.Load(), r.Header)
		}
		hops.Add(1)
		w.Header().Set("Location", fmt.Sprint("/", hops.Load()))
		w.WriteHeader(http.StatusFound)
	})
	for _, most := range []int{-1, 0, 1, 3, 20} {
		hops.Store(0)
		r, err := http.NewRequest("GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer ours")
		answer, err := outbound.Client(outside(t, outbound.Options{Redirects: most})).Do(r)
		if err != nil {
			t.Fatalf("%d redirects: %v", most, err)
		}
		_ = answer.Body.Close()
		if want := int64(max(most, 0) + 1); answer.StatusCode != 302 || hops.Load() != want {
			t.Errorf("%d redirects of an endless chain = %d after %d requests, want the 302 after %d", most, answer.StatusCode, hops.Load(), want)
		}
	}
}

// What was meant for one origin does not go to another, neither by way of a third nor back.
func TestNothingIsCarriedToAnotherOrigin(t *testing.T) {
	var last http.Header
	var url, host string
	home, _ := counted(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			last = r.Header.Clone()
			return
		}
		if r.URL.Path == "/relative" {
			w.Header().Set("Location", strings.TrimPrefix(url, "https:"))
			w.WriteHeader(http.StatusFound)
			return
		}
		http.Redirect(w, r, strings.Replace(url, "https://", "https://user:password@", 1)+r.URL.Path, http.StatusTemporaryRedirect)
	})
	foreign, _ := counted(t, true, func(w http.ResponseWriter, r *http.Request) {
		last, host = r.Header.Clone(), r.Host
		if r.ContentLength != 0 {
			t.Errorf("a body of %d bytes went to another origin", r.ContentLength)
		}
		if r.URL.Path == "/round" {
			http.Redirect(w, r, home.URL+"/back", http.StatusFound)
		}
	})
	url = foreign.URL
	client := outbound.Client(outside(t, outbound.Options{Redirects: 5}))
	ask := func(method, path, body string) int {
		r, err := http.NewRequest(method, home.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "Webhook-Signature", "Referer", "Proxy-Authorization", "Accept", "User-Agent"} {
			r.Header.Set(name, "ours")
		}
		r.Host, last, host = "inside.example.org", nil, ""
		answer, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	for _, path := range []string{"/", "/round", "/relative"} {
		if status := ask("GET", path, ""); status != 200 || last.Get("Accept") != "ours" || last.Get("User-Agent") != "ours" {
			t.Errorf("%s = %d with %v", path, status, last)
		}
		if "https://"+host != url {
			t.Errorf("%s: the other origin was called %s", path, host)
		}
		for name, values := range last {
			if name != "Accept" && name != "User-Agent" && name != "Connection" { // closed by the transport
				t.Errorf("%s: %s went along: %q", path, name, values)
			}
		}
	}
	if status := ask("POST", "/", "a secret"); status != 307 || last != nil {
		t.Errorf("a redirect that takes the body to another origin = %d, want the 307 itself", status)
	}
}

// From https to http nobody is led, whatever else is allowed.
func TestRedirectsStayEncrypted(t *testing.T) {
	plain, connections := counted(t, false, ok)
	secure, _ := counted(t, true, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) })
	for _, insecure := range []bool{false, true} {
		client := outbound.Client(outside(t, outbound.Options{Redirects: 5, InsecureHTTP: insecure}))
		if _, _, err := get(client, secure.URL); !errors.Is(err, outbound.ErrPlain) || connections.Load() != 0 {
			t.Errorf("from https to http = %v with %d connections, want ErrPlain", err, connections.Load())
		}
	}
	odd, _ := counted(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(http.StatusFound)
	})
	if _, _, err := get(outbound.Client(outside(t, outbound.Options{Redirects: 5})), odd.URL); !errors.Is(err, outbound.ErrPlain) {
		t.Errorf("to a file = %v, want ErrPlain", err)
	}
}

// A list of hosts is exact, holds for redirects, and opens nothing that is inside.
func TestHostsAreListed(t *testing.T) {
	server, connections := counted(t, true, func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
		}
	})
	other, others := counted(t, true, ok)
	host := strings.TrimPrefix(server.URL, "https://")
	o := outside(t, outbound.Options{Redirects: 5, Timeout: 20 * time.Second, Hosts: []string{host, "known.example.org", "10.0.0.1"}})
	client := outbound.Client(o)
	if status, _, err := get(client, server.URL); err != nil || status != 200 {
		t.Errorf("a listed host = %d, %v", status, err)
	}
	made := connections.Load()
	for _, to := range []string{
		other.URL, "https://www.known.example.org/", "https://known.example.org.evil.example/", "https://known.example.org:8443/", "https://known.example.org./", "https://known.example.org@" + other.URL[8:], "https://evil.example/known.example.org",
		"https://127.0.0.1/", "https://localhost:" + host[strings.LastIndex(host, ":")+1:] + "/", "https://[::ffff:127.0.0.1]:" + host[strings.LastIndex(host, ":")+1:] + "/",
	} {
		if _, _, err := get(client, to); !errors.Is(err, outbound.ErrUnlisted) {
			t.Errorf("%s = %v, want ErrUnlisted", to, err)
		}
		if _, _, err := get(client, server.URL+"?to="+to); !errors.Is(err, outbound.ErrUnlisted) {
			t.Errorf("a redirect to %s = %v, want ErrUnlisted", to, err)
		}
	}
	if _, _, err := get(client, "https://10.0.0.1/"); !errors.Is(err, outbound.ErrDenied) {
		t.Errorf("an address inside that is listed = %v, want ErrDenied", err)
	}
	if _, _, err := get(client, "https://KNOWN.example.org:443/"); errors.Is(err, outbound.ErrUnlisted) {
		t.Error("capitals and the port of the scheme make another host")
	}
	o.Hosts = []string{}
	if _, _, err := get(outbound.Client(o), server.URL); !errors.Is(err, outbound.ErrUnlisted) {
		t.Errorf("with a list without entries = %v, want ErrUnlisted", err)
	}
	if others.Load() != 0 || connections.Load() == made {
		t.Errorf("%d connections to the other server, want none", others.Load())
	}
}

// A drop at a time is bounded by the same time as everything else, also when it is spread over redirects.
func TestASlowDripEnds(t *testing.T) {
	stop := make(chan struct{})
	server, _ := counted(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hop" {
			time.Sleep(30 * time.Millisecond)
			http.Redirect(w, r, "/hop", http.StatusFound)
			return
		}
		for {
			select {
			case <-stop:
				return
			case <-r.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
			}
		}
	})
	defer close(stop)
	client := outbound.Client(outbound.Options{InsecureHTTP: true, InsecureNetworks: loopback, Timeout: 200 * time.Millisecond, Redirects: 1 << 30})
	for _, path := range []string{"/drip", "/hop"} {
		begun := time.Now()
		var late net.Error
		if _, _, err := get(client, server.URL+path); !errors.As(err, &late) || !late.Timeout() {
			t.Errorf("%s: %v, want a timeout", path, err)
		}
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("%s took %v, want 200 ms", path, took)
		}
	}
}

// A body whose length is not told counts as one: ContentLength is 0 then, as it is without a body.
func TestABodyWithoutALengthStays(t *testing.T) {
	foreign, reached := counted(t, true, func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		t.Errorf("%q went to another origin", text)
	})
	home, _ := counted(t, true, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, foreign.URL, http.StatusTemporaryRedirect)
	})
	r, err := http.NewRequest("POST", home.URL, io.MultiReader(strings.NewReader("ours")))
	if err != nil {
		t.Fatal(err)
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("ours")), nil }
	answer, err := outbound.Client(outside(t, outbound.Options{Redirects: 5})).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != 307 || reached.Load() != 0 {
		t.Errorf("POST = %d, and %d requests elsewhere, want the 307", answer.StatusCode, reached.Load())
	}
}
