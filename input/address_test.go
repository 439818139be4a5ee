package input_test

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/input"
)

var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48"), netip.MustParsePrefix("127.0.0.0/8")}

func TestClientAddress(t *testing.T) {
	for _, tt := range []struct {
		name, peer, header string
		lines              []string
		want               string
	}{
		{"a peer that is no proxy speaks for itself", "192.0.2.9:1", "X-Forwarded-For", []string{"6.6.6.6"}, "192.0.2.9"},
		{"no header named, nobody trusted", "10.0.0.1:1", "", []string{"6.6.6.6"}, "10.0.0.1"},
		{"the hop before the proxy", "10.0.0.1:1", "X-Forwarded-For", []string{"192.0.2.1"}, "192.0.2.1"},
		{"what the client claims is left of it", "10.0.0.1:1", "X-Forwarded-For", []string{"6.6.6.6, 192.0.2.1"}, "192.0.2.1"},
		{"a chain of proxies", "10.0.0.1:1", "X-Forwarded-For", []string{"6.6.6.6,192.0.2.1,\t10.1.1.1 , 10.2.2.2"}, "192.0.2.1"},
		{"several lines are one list", "10.0.0.1:1", "X-Forwarded-For", []string{"6.6.6.6", "192.0.2.1", "10.2.2.2"}, "192.0.2.1"},
		{"the client claims to be a proxy", "10.0.0.1:1", "X-Forwarded-For", []string{"6.6.6.6, 10.9.9.9, 192.0.2.1"}, "192.0.2.1"},
		{"all hops are proxies", "10.0.0.1:1", "X-Forwarded-For", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"no header sent", "10.0.0.1:1", "X-Forwarded-For", nil, "10.0.0.1"},
		{"garbage means the peer", "10.0.0.1:1", "X-Forwarded-For", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		{"an empty hop means the peer", "10.0.0.1:1", "X-Forwarded-For", []string{"192.0.2.1,"}, "10.0.0.1"},
		{"garbage behind a proxy means the peer", "10.0.0.1:1", "X-Forwarded-For", []string{"192.0.2.1, x, 10.2.2.2"}, "10.0.0.1"},
		{"garbage of the client is not read", "10.0.0.1:1", "X-Forwarded-For", []string{"x\x00, 192.0.2.1"}, "192.0.2.1"},
		{"ports are dropped", "10.0.0.1:1", "X-Forwarded-For", []string{"192.0.2.1:8080"}, "192.0.2.1"},
		{"IPv6, bare", "10.0.0.1:1", "X-Forwarded-For", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", "10.0.0.1:1", "X-Forwarded-For", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with a port", "10.0.0.1:1", "X-Forwarded-For", []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		{"IPv4 in brackets is garbage", "10.0.0.1:1", "X-Forwarded-For", []string{"[192.0.2.1]"}, "10.0.0.1"},
		{"IPv4 in IPv6 is IPv4", "[::ffff:10.0.0.1]:1", "X-Forwarded-For", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"IPv4 in IPv6 hides no proxy", "10.0.0.1:1", "X-Forwarded-For", []string{"192.0.2.1, ::ffff:10.2.2.2"}, "192.0.2.1"},
		{"zones are dropped", "10.0.0.1:1", "X-Forwarded-For", []string{"fe80::1%eth0"}, "fe80::1"},
		{"an octal address is garbage", "10.0.0.1:1", "X-Forwarded-For", []string{"0300.0.2.1"}, "10.0.0.1"},
		{"a peer in IPv6", "[2001:db8:ffff::1]:1", "x-forwarded-for", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a single value", "10.0.0.1:1", "X-Real-IP", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a header of a provider", "10.0.0.1:1", "CF-Connecting-IP", []string{"192.0.2.1"}, "192.0.2.1"},
		{"Forwarded", "10.0.0.1:1", "Forwarded", []string{`for=6.6.6.6;proto=http, For="[2001:db8::1]:47"; proto=https;by=10.0.0.1`}, "2001:db8::1"},
		{"Forwarded in several lines", "10.0.0.1:1", "Forwarded", []string{"for=6.6.6.6", "for=192.0.2.1, for=10.2.2.2"}, "192.0.2.1"},
		{"Forwarded with a hidden hop", "10.0.0.1:1", "Forwarded", []string{"for=192.0.2.1, for=_proxy"}, "10.0.0.1"},
		{"Forwarded with an unknown hop", "10.0.0.1:1", "Forwarded", []string{"for=192.0.2.1, for=unknown"}, "10.0.0.1"},
		{"Forwarded without for", "10.0.0.1:1", "Forwarded", []string{"for=192.0.2.1, proto=https"}, "10.0.0.1"},
		{"Forwarded with for twice", "10.0.0.1:1", "Forwarded", []string{"for=6.6.6.6;for=192.0.2.1"}, "10.0.0.1"},
		{"a quote opened by the client swallows the proxy's hop", "10.0.0.1:1", "Forwarded", []string{`for=6.6.6.6;host=", for=192.0.2.1`}, "10.0.0.1"},
		{"a quote opened by the client and closed by the proxy's", "10.0.0.1:1", "Forwarded", []string{`for=6.6.6.6;host=", for="[2001:db8::1]"`}, "10.0.0.1"},
		{"the same with an escape", "10.0.0.1:1", "Forwarded", []string{`for=6.6.6.6;host="\, for="[2001:db8::1]"`}, "10.0.0.1"},
		{"a peer without an address", "@", "X-Forwarded-For", []string{"192.0.2.1"}, "invalid IP"},
		{"a peer without a port", "192.0.2.1", "", nil, "192.0.2.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.peer
			// Proxies pass the others through, so the client can put anything into them.
			for _, other := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Cf-Connecting-Ip", "True-Client-Ip", "X-Client-Ip"} {
				r.Header.Set(other, "for=6.6.6.6")
			}
			if tt.header != "" {
				r.Header.Del(tt.header)
				for _, line := range tt.lines {
					r.Header.Add(tt.header, line)
				}
			}
			if got := input.ClientAddress(r, proxies, tt.header); got.String() != tt.want {
				t.Errorf("ClientAddress(peer %s, %s %q) = %s, want %s", tt.peer, tt.header, tt.lines, got, tt.want)
			}
		})
	}
}

// Better Auth CVE-2026-45364: two hundred sign-ins from one /64, or in two notations of one address, were two hundred buckets.
func TestNetworkIsWhatOneAttackerHolds(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2:ffff::": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := input.Network(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("Network(%s) = %s, want %s", address, got, want)
		}
	}
	if got := input.Network(netip.Addr{}); got.IsValid() {
		t.Errorf("Network of no address = %s", got)
	}
}

// FuzzClientAddress: whatever the client sends, the hop that our proxy adds after it is the answer, or the peer; never an address of the client's choice.
func FuzzClientAddress(f *testing.F) {
	for _, seed := range []string{"6.6.6.6", `for="6.6.6.6`, `for=6.6.6.6;host="`, `for=6.6.6.6;host="\`, "6.6.6.6,", "[::1", "::ffff:6.6.6.6", `for=6.6.6.6;a="b";c="`, ""} {
		f.Add(seed)
	}
	added := map[string][]string{
		"X-Forwarded-For": {", 192.0.2.1", ", 192.0.2.1:80"},
		"Forwarded":       {", for=192.0.2.1", `, for="192.0.2.1:80"`, `, for="192.0.2.1";proto=https;by="10.0.0.1"`, `,for=192.0.2.1;host="a.example"`},
	}
	f.Fuzz(func(t *testing.T, sent string) {
		for header, endings := range added {
			for _, ending := range endings {
				r := httptest.NewRequest("GET", "/", nil)
				r.RemoteAddr = "10.0.0.1:1"
				r.Header[header] = []string{sent + ending}
				if got := input.ClientAddress(r, proxies, header).String(); got != "192.0.2.1" && got != "10.0.0.1" {
					t.Errorf("%s: %q gives %s", header, sent+ending, got)
				}
				r.Header[header] = []string{sent, strings.TrimLeft(ending, ", ")}
				if got := input.ClientAddress(r, proxies, header).String(); got != "192.0.2.1" {
					t.Errorf("%s in two lines: %q gives %s", header, r.Header[header], got)
				}
			}
		}
	})
}

func BenchmarkClientAddress(b *testing.B) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header.Set("X-Forwarded-For", "6.6.6.6, 192.0.2.1, 10.2.2.2")
	b.ReportAllocs()
	for b.Loop() {
		input.ClientAddress(r, proxies, "X-Forwarded-For")
	}
}
