package headers_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall/headers"
)

func cookie(t testing.TB, name string, o headers.CookieOptions) *headers.Cookie {
	t.Helper()
	c, err := headers.NewCookie(name, o)
	if err != nil {
		t.Fatalf("NewCookie(%q) = %v", name, err)
	}
	return c
}

func TestCookiesAreSetAndDeletedWithTheSameAttributes(t *testing.T) {
	for _, tt := range []struct {
		name        string
		cookie      *headers.Cookie
		life        time.Duration
		set, delete string
	}{
		{"session", cookie(t, "__Host-id", headers.CookieOptions{}), 0,
			"__Host-id=v; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-id=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"remembered", cookie(t, "__Host-id", headers.CookieOptions{SameSite: http.SameSiteStrictMode}), time.Hour + time.Second/2,
			"__Host-id=v; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Strict",
			"__Host-id=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure; SameSite=Strict"},
		{"narrow path", cookie(t, "__Secure-r", headers.CookieOptions{Path: "/auth/v1/token/refresh"}), headers.MaxCookieLife,
			"__Secure-r=v; Max-Age=34560000; Path=/auth/v1/token/refresh; HttpOnly; Secure; SameSite=Lax",
			"__Secure-r=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/auth/v1/token/refresh; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Set-Cookie": {"other=1"}}
			if err := tt.cookie.Set(h, "v", tt.life); err != nil {
				t.Fatalf("Set = %v", err)
			}
			if diff := cmp.Diff([]string{"other=1", tt.set}, h["Set-Cookie"]); diff != "" {
				t.Errorf("Set (-want +got):\n%s", diff)
			}
			if _, err := http.ParseSetCookie(h["Set-Cookie"][1]); err != nil {
				t.Errorf("ParseSetCookie = %v", err)
			}
			tt.cookie.Delete(h)
			if diff := cmp.Diff([]string{"other=1", tt.delete}, h["Set-Cookie"]); diff != "" {
				t.Errorf("Delete leaves one line of the name (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnsafeCookiesCannotBeMade(t *testing.T) {
	for name, tt := range map[string]struct {
		name    string
		options headers.CookieOptions
	}{
		"without a prefix":                 {"id", headers.CookieOptions{}},
		"with a prefix in other case":      {"__host-id", headers.CookieOptions{}},
		"with a prefix alone":              {"__Host-", headers.CookieOptions{}},
		"with a separator in the name":     {"__Host-id=1; Domain=evil.test", headers.CookieOptions{}},
		"host cookie with a path":          {"__Host-id", headers.CookieOptions{Path: "/auth"}},
		"path that ends the attribute":     {"__Secure-id", headers.CookieOptions{Path: "/; Domain=evil.test"}},
		"path that is not absolute":        {"__Secure-id", headers.CookieOptions{Path: "auth"}},
		"SameSite None":                    {"__Host-id", headers.CookieOptions{SameSite: http.SameSiteNoneMode}},
		"SameSite left to the browser":     {"__Host-id", headers.CookieOptions{SameSite: http.SameSiteDefaultMode}},
		"path longer than browsers accept": {"__Secure-id", headers.CookieOptions{Path: "/" + strings.Repeat("a", 1024)}},
	} {
		if _, err := headers.NewCookie(tt.name, tt.options); err == nil {
			t.Errorf("%s: NewCookie = nil error", name)
		}
	}
}

func TestCookiesThatABrowserWouldDropAreErrors(t *testing.T) {
	c := cookie(t, "__Host-id", headers.CookieOptions{})
	for name, tt := range map[string]struct {
		value string
		life  time.Duration
		want  error
	}{
		"over 4096 octets":      {strings.Repeat("a", 4097-len("__Host-id")), 0, headers.ErrCookieValue},
		"another attribute":     {"v; Domain=evil.test", 0, headers.ErrCookieValue},
		"another header":        {"v\r\nX: y", 0, headers.ErrCookieValue},
		"a letter beyond ASCII": {"é", 0, headers.ErrCookieValue},
		"over 400 days":         {"v", headers.MaxCookieLife + time.Second, headers.ErrCookieLife},
		"negative life":         {"v", -time.Second, headers.ErrCookieLife},
		"would be a deletion":   {"v", time.Millisecond, headers.ErrCookieLife},
	} {
		h := http.Header{}
		if err := c.Set(h, tt.value, tt.life); !errors.Is(err, tt.want) || len(h) != 0 {
			t.Errorf("%s: Set = %v and %v, want %v and nothing set", name, err, h, tt.want)
		}
	}
	if err := c.Set(http.Header{}, strings.Repeat("a", 4096-len("__Host-id")), 0); err != nil {
		t.Errorf("4096 octets: Set = %v", err)
	}
}

func TestReadingTakesTheExactNameOnce(t *testing.T) {
	c := cookie(t, "__Host-id", headers.CookieOptions{})
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
		err   error
	}{
		{"one cookie", []string{"__Host-id=abc"}, "abc", nil},
		{"among others", []string{"a=1;\t__Host-id=abc ; b=2"}, "abc", nil},
		{"value with an equals sign", []string{"__Host-id=abc="}, "abc=", nil},
		{"none", nil, "", http.ErrNoCookie},
		{"other case of the prefix, which an attacker's host can set", []string{"__host-id=evil; __HOST-id=evil; __Host-ID=evil"}, "", http.ErrNoCookie},
		{"other case beside the real one", []string{"__host-id=evil; __Host-id=abc"}, "abc", nil},
		{"twice", []string{"__Host-id=evil; __Host-id=abc"}, "", headers.ErrCookieTwice},
		{"twice with one value", []string{"__Host-id=abc; __Host-id=abc"}, "", headers.ErrCookieTwice},
		{"twice in two lines", []string{"__Host-id=evil", "__Host-id=abc"}, "", headers.ErrCookieTwice},
		{"hidden behind a space that only some servers drop", []string{"\u2000__Host-id=evil; \u0085__Host-id=evil; \xa0__Host-id=evil"}, "", http.ErrNoCookie},
		{"space before the equals sign", []string{"__Host-id =evil"}, "", http.ErrNoCookie},
		{"nameless cookie that spells one", []string{"=__Host-id=evil"}, "", http.ErrNoCookie},
		{"inside quotes", []string{`$Version=1; a="; __Host-id=evil; b="`}, "evil", nil}, // as RFC 6265 reads it, and every browser
		{"a value in quotes, which Set never wrote", []string{`__Host-id="abc"`}, "", headers.ErrCookieValue},
		{"a value with a control character", []string{"__Host-id=abc\r"}, "", headers.ErrCookieValue},
		{"name alone", []string{"__Host-id"}, "", http.ErrNoCookie},
		{"separated by a comma", []string{"a=1, __Host-id=evil"}, "", http.ErrNoCookie},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["Cookie"] = tt.lines
			got, err := c.Read(r)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("Read(%q) = %q, %v, want %q, %v", tt.lines, got, err, tt.want, tt.err)
			}
		})
	}
}

// FuzzCookieRead: what we read, the standard library reads too, and it stands in the header byte for byte. (The
// reverse does not hold: the library also takes a name with a space after it, and the first of several.)
func FuzzCookieRead(f *testing.F) {
	for _, seed := range []string{"__Host-id=abc", "__Host-id=a; __Host-id=b", "__host-id=x", "a=1;;__Host-id=", "\u2000__Host-id=x", `__Host-id="q"`, "=__Host-id=x", "__Host-id =x"} {
		f.Add(seed)
	}
	c := cookie(f, "__Host-id", headers.CookieOptions{})
	f.Fuzz(func(t *testing.T, line string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{line}
		got, err := c.Read(r)
		if err != nil && got != "" {
			t.Fatalf("Read(%q) = %q with error %v", line, got, err)
		}
		if err != nil {
			return
		}
		if !strings.Contains(line, "__Host-id="+got) || strings.Contains(got, ";") {
			t.Errorf("Read(%q) = %q, which was not sent", line, got)
		}
		for _, other := range r.CookiesNamed("__Host-id") {
			if other.Value != got && !other.Quoted && strings.Count(line, "__Host-id") == 1 {
				t.Errorf("Read(%q) = %q, net/http reads %q", line, got, other.Value)
			}
		}
	})
}

func BenchmarkCookieRead(b *testing.B) {
	c := cookie(b, "__Host-id", headers.CookieOptions{})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Cookie"] = []string{"theme=dark; __Host-device=0123; __Host-id=" + strings.Repeat("a", 128)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Read(r); err != nil {
			b.Fatal(err)
		}
	}
}

// RFC 6265, 4.1.1, byte for byte: what a cookie's value may be made of.
func TestCookieValuesAreOctets(t *testing.T) {
	c, err := headers.NewCookie("__Host-id", headers.CookieOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for b := range 256 {
		want := b == 0x21 || b >= 0x23 && b <= 0x2b || b >= 0x2d && b <= 0x3a || b >= 0x3c && b <= 0x5b || b >= 0x5d && b <= 0x7e
		if err := c.Set(http.Header{}, "a"+string([]byte{byte(b)})+"z", 0); (err == nil) != want {
			t.Errorf("Set with the byte %#x = %v, want it taken: %t", b, err, want)
		}
	}
}
