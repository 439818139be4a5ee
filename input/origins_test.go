package input_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/input"
)

func TestTheHostOfARequestMustBeListed(t *testing.T) {
	origins, err := input.ParseOrigins("https://id.example.org", "https://app.example.org:8443", "http://127.0.0.1:8080", "http://[::1]:8080", "https://BÜCHER.example:443")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, target, head, want string }{
		{"listed", "/", "Host: id.example.org", "https://id.example.org"},
		{"with the default port", "/", "Host: id.example.org:443", "https://id.example.org"},
		{"in other case", "/", "Host: ID.Example.ORG", "https://id.example.org"},
		{"with its own port", "/", "Host: app.example.org:8443", "https://app.example.org:8443"},
		{"an address", "/", "Host: 127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"an address in IPv6", "/", "Host: [::1]:8080", "http://[::1]:8080"},
		{"an international name", "/", "Host: xn--bcher-kva.example", "https://xn--bcher-kva.example"},
		{"an absolute target is the host", "http://id.example.org/x", "Host: evil.test", "https://id.example.org"},
		{"another host", "/", "Host: evil.test", ""},
		{"another host in an absolute target", "http://evil.test/", "Host: id.example.org", ""},
		{"another port", "/", "Host: id.example.org:444", ""},
		{"a port that is missing", "/", "Host: app.example.org", ""},
		{"the port of another scheme", "/", "Host: id.example.org:80", ""},
		{"an empty port", "/", "Host: id.example.org:", ""},
		{"a dot at the end", "/", "Host: id.example.org.", ""},
		{"a dot before the port", "/", "Host: id.example.org.:443", ""},
		{"a host that ends alike", "/", "Host: evil-id.example.org", ""},
		{"a host that begins alike", "/", "Host: id.example.org.evil.test", ""},
		{"a host beneath", "/", "Host: x.id.example.org", ""},
		{"with a user", "/", "Host: a@id.example.org", ""},
		{"two hosts in one", "/", "Host: id.example.org,evil.test", ""},
		{"empty", "/", "Host:", ""},
		{"no host at all", "/", "HTTP10", ""},
		{"said elsewhere", "/", "Host: evil.test\r\nX-Forwarded-Host: id.example.org\r\nForwarded: host=id.example.org\r\nX-Host: id.example.org", ""},
		{"contradicted elsewhere", "/", "Host: id.example.org\r\nX-Forwarded-Host: evil.test\r\nForwarded: host=evil.test", "https://id.example.org"},
		{"DNS rebinding", "/", "Host: rebind.evil.test:8080", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := fmt.Sprintf("GET %s HTTP/1.1\r\n%s\r\n\r\n", tt.target, tt.head)
			if tt.head == "HTTP10" {
				text = "GET / HTTP/1.0\r\n\r\n"
			}
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := origins.Of(r)
			if got != tt.want || (err == nil) != (tt.want != "") || err != nil && face(err) != "misdirected" {
				t.Errorf("Of(%q) = %q, %v, want %q", text, got, err, tt.want)
			}
		})
	}
	if _, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\nHost: id.example.org\r\nHost: evil.test\r\n\r\n"))); err == nil {
		t.Error("net/http reads a request with two hosts, on whose refusal Of relies")
	}
	// net/http makes the two agree; a server or middleware that does not must not choose for us.
	torn := &http.Request{Host: "id.example.org", URL: &url.URL{Host: "evil.test"}}
	if got, err := origins.Of(torn); err == nil {
		t.Errorf("Of(a target that disagrees with the host) = %q", got)
	}
	kelvin := &http.Request{Host: "boo\u212A.example", URL: &url.URL{}}
	books, err := input.ParseOrigins("https://book.example")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := books.Of(kelvin); err == nil {
		t.Errorf("Of(Kelvin sign) = %q", got)
	}
}

func TestOrigins(t *testing.T) {
	o, err := input.ParseOrigins("HTTPS://ID.example.org:443", "http://[2001:DB8::1]:80")
	if err != nil || o.First() != "https://id.example.org" || !o.Has("https://id.example.org") || !o.Has("http://[2001:db8::1]") {
		t.Fatalf("ParseOrigins = %+v, %v", o, err)
	}
	for _, other := range []string{"", "null", "https://id.example.org:443", "http://id.example.org", "https://id.example.org.", "https://ID.example.org", "https://id.example.org/", "https://id.example.org@evil.test", "id.example.org"} {
		if o.Has(other) {
			t.Errorf("Has(%q) = true", other)
		}
	}
	for _, bad := range [][]string{
		{}, {""}, {"id.example.org"}, {"https://"}, {"https://id.example.org/"}, {"https://id.example.org/x"}, {"https://id.example.org?x"}, {"https://id.example.org?"}, {"https://id.example.org#x"}, {"https://id.example.org#"}, {"ftp://id.example.org"},
		{"https://a@id.example.org"}, {"https://id.example.org:"}, {"https://id.example.org:0"}, {"https://id.example.org:0443"}, {"https://id.example.org:99999"}, {"https://*.example.org"}, {"*"}, {"null"}, {"https://id.example.org."},
		{"https://a b"}, {"https://a.example", "https://A.example:443"}, {"https://[fe80::1%25eth0]"}, {"https://a_b.example"},
	} {
		if _, err := input.ParseOrigins(bad...); err == nil {
			t.Errorf("ParseOrigins(%q) = nil error", bad)
		}
	}
}
