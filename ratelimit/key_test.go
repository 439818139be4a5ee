package ratelimit_test

import (
	"bytes"
	stdcontext "context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/ratelimit"
)

func context() stdcontext.Context { return stdcontext.Background() }

// heap is what is in use after everything that can go has gone.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) // #nosec G115 -- the heap of a test
}

func TestFormsOfOneAddressHaveOneKey(t *testing.T) {
	for _, forms := range [][]string{
		{"192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1", "::ffff:192.0.2.1%eth0"},
		{"2001:db8::1", "2001:DB8:0:0::1", "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::1%eth0", "2001:db8::192.0.2.1"},
	} {
		for _, form := range forms {
			if got, want := address(form), address(forms[0]); got != want {
				t.Errorf("Address(%s) = %v, want %v", form, got, want)
			}
		}
	}
	for _, pair := range [][2]string{{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8:0:1::1"}, {"::1", "127.0.0.1"}} {
		if address(pair[0]) == address(pair[1]) {
			t.Errorf("%s and %s have one key", pair[0], pair[1])
		}
	}
	if ratelimit.Text("192.0.2.1/32") == address("192.0.2.1") {
		t.Error("a text is the key of an address")
	}
}

func TestKeysOfRequests(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	user := func(r *http.Request) string { return r.Header.Get("User") }
	direct, proxied := ratelimit.ByAddress(nil, ""), ratelimit.ByAddress(trusted, "X-Forwarded-For")
	for _, tt := range []struct {
		name      string
		key       ratelimit.KeyFunc
		peer, xff string
		user      string
		want      ratelimit.Key
	}{
		{"the peer", direct, "192.0.2.1:80", "203.0.113.1", "", address("192.0.2.1")},
		{"a header of a stranger", proxied, "192.0.2.1:80", "203.0.113.1", "", address("192.0.2.1")},
		{"a header of a proxy", proxied, "10.0.0.1:80", "198.51.100.7, 203.0.113.1", "", address("203.0.113.1")},
		{"a peer without an address", direct, "@", "", "", ratelimit.Address(netip.Addr{})},
		{"a user", ratelimit.ByUser(user, direct), "192.0.2.1:80", "", "u1", ratelimit.Text("u1")},
		{"nobody", ratelimit.ByUser(user, direct), "192.0.2.1:80", "", "", address("192.0.2.1")},
		{"a function", ratelimit.By(user), "192.0.2.1:80", "", "u2", ratelimit.Text("u2")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.peer
			r.Header.Set("X-Forwarded-For", tt.xff)
			r.Header.Set("User", tt.user)
			if got := tt.key(r); got != tt.want {
				t.Errorf("key = %v, want %v", got, tt.want)
			}
		})
	}
}

// Whatever stands in the header, a request has one key, that of an address or of none; and an address written otherwise
// has the same.
func FuzzByAddress(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "::ffff:192.0.2.1", "[2001:db8::1]:443", "2001:db8::1%eth0", "1.2.3.4, 5.6.7.8", "unknown", "", ",,,", "[::]:0"} {
		f.Add([]byte(seed))
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, header []byte) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {string(header)}}}
		key := ratelimit.ByAddress(trusted, "X-Forwarded-For")
		once := key(r)
		if again := key(r); again != once {
			t.Errorf("%q has two keys: %v and %v", header, once, again)
		}
		parsed, err := netip.ParseAddr(string(bytes.Trim(header, " \t")))
		if err != nil || trusted[0].Contains(parsed.Unmap()) || strings.Contains(parsed.Zone(), ",") { // a comma begins another address
			return
		}
		if want := ratelimit.Address(parsed); once != want {
			t.Errorf("%q has the key %v, want %v", header, once, want)
		}
		r.Header.Set("X-Forwarded-For", parsed.Unmap().WithZone("").StringExpanded())
		if got := key(r); got != once {
			t.Errorf("%q in full has the key %v, want %v", header, got, once)
		}
	})
}
