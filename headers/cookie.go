package headers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxCookieLife is the longest life of a cookie that browsers grant (RFC 6265bis).
const MaxCookieLife = 400 * 24 * time.Hour

const (
	maxCookieBytes    = 4096 // name and value; browsers drop what is longer
	maxAttributeBytes = 1024
)

// ErrCookieTwice says that a request carries several cookies of one name. Which of them the browser was given by this
// host cannot be told, so none of them counts.
var ErrCookieTwice = errors.New("cookie sent more than once")

// ErrCookieValue says that a value cannot stand in a cookie.
var ErrCookieValue = errors.New("cookie value too long, or with characters outside of RFC 6265's cookie-octet")

// ErrCookieLife says that a cookie's life is below a second or above [MaxCookieLife].
var ErrCookieLife = errors.New("cookie life must be zero, or between a second and 400 days")

// CookieOptions are what may differ between cookies. The zero value is Path=/ and SameSite=Lax.
type CookieOptions struct {
	// Path is the part of the host that gets the cookie back. Default: "/". Any other needs a name with __Secure-.
	Path string
	// SameSite is Lax, the default, or Strict. None is an error.
	SameSite http.SameSite
}

// Cookie is one cookie by name, with its attributes. It is safe for concurrent use.
type Cookie struct {
	name       string
	attributes string
}

// NewCookie declares a cookie. The name is spelled in full, and must begin with __Host- (Path "/") or __Secure- (any
// path). The cookie is always Secure and HttpOnly and never has a Domain; development without TLS works because browsers
// count localhost as secure.
func NewCookie(name string, o CookieOptions) (*Cookie, error) {
	if o.Path == "" {
		o.Path = "/"
	}
	host, secure := strings.HasPrefix(name, "__Host-"), strings.HasPrefix(name, "__Secure-")
	switch {
	case !host && !secure:
		return nil, errors.New("a cookie's name must begin with __Host- or __Secure-, spelled so")
	case name == "__Host-" || name == "__Secure-" || strings.ContainsFunc(name, notToken) || len(name) > 128:
		return nil, errors.New("a cookie's name needs letters, digits, - or _ after its prefix, 128 at most in all")
	case host && o.Path != "/":
		return nil, errors.New("a __Host- cookie has Path=/: name it __Secure- to give it another path")
	case o.Path[0] != '/' || len(o.Path) > maxAttributeBytes || strings.ContainsFunc(o.Path, notPath):
		return nil, errors.New("a cookie's path begins with / and has neither spaces nor semicolons")
	}
	var site string
	switch o.SameSite {
	case 0, http.SameSiteLaxMode:
		site = "Lax"
	case http.SameSiteStrictMode:
		site = "Strict"
	default:
		return nil, errors.New("SameSite must be Lax or Strict: None sends the cookie along with every attack")
	}
	return &Cookie{name: name, attributes: fmt.Sprintf("; Path=%s; HttpOnly; Secure; SameSite=%s", o.Path, site)}, nil
}

// Name is the full name.
func (c *Cookie) Name() string { return c.name }

// Set puts the cookie into a response, in place of an earlier one of the name. Life is how long the browser keeps it;
// zero means until the browser closes. It returns [ErrCookieValue] or [ErrCookieLife] and sets nothing then.
func (c *Cookie) Set(h http.Header, value string, life time.Duration) error {
	if len(c.name)+len(value) > maxCookieBytes || !isCookieValue(value) {
		return ErrCookieValue
	}
	if life != 0 && (life < time.Second || life > MaxCookieLife) {
		return ErrCookieLife
	}
	line := c.name + "=" + value
	if life > 0 {
		line += "; Max-Age=" + strconv.FormatInt(int64(life/time.Second), 10)
	}
	c.replace(h, line+c.attributes)
	return nil
}

// Delete tells the browser to forget the cookie, with the attributes that it was set with.
func (c *Cookie) Delete(h http.Header) {
	c.replace(h, c.name+"=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"+c.attributes)
}

// replace keeps to one line a name: with two, browsers take the last, proxies whichever they like.
func (c *Cookie) replace(h http.Header, line string) {
	lines := slices.DeleteFunc(slices.Clone(h["Set-Cookie"]), func(other string) bool {
		name, _, _ := strings.Cut(other, "=")
		return name == c.name
	})
	h["Set-Cookie"] = append(lines, line)
}

// Read is the value that the browser sent. It returns [http.ErrNoCookie] if there is none, [ErrCookieTwice] for several,
// and [ErrCookieValue] for a value that [Cookie.Set] never wrote. The name must match in every letter: browsers guard
// the prefixes in any case, so another spelling is another cookie, and may come from an attacker's host. Only space and
// tab around a cookie are dropped, as RFC 6265 says: a server that drops more (U+2000, U+0085) takes a cookie that
// escaped the browser's guard for one with the prefix.
func (c *Cookie) Read(r *http.Request) (string, error) {
	value, found := "", false
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var part string
			part, line, _ = strings.Cut(line, ";")
			name, text, ok := strings.Cut(strings.Trim(part, " \t"), "=")
			if !ok || name != c.name {
				continue
			}
			if found {
				return "", ErrCookieTwice
			}
			value, found = text, true
		}
	}
	switch {
	case !found:
		return "", http.ErrNoCookie
	case !isCookieValue(value):
		return "", ErrCookieValue
	}
	return value, nil
}

func notToken(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

func notPath(r rune) bool { return r <= ' ' || r >= 0x7f || r == ';' }

// cookieOctets are the characters of RFC 6265, 4.1.1: a table, because every request is read through it.
var cookieOctets = [256]bool{
	'!': true, '#': true, '$': true, '%': true, '&': true, '\'': true, '(': true, ')': true, '*': true, '+': true, '-': true,
	'.': true, '/': true, '0': true, '1': true, '2': true, '3': true, '4': true, '5': true, '6': true, '7': true, '8': true,
	'9': true, ':': true, '<': true, '=': true, '>': true, '?': true, '@': true, 'A': true, 'B': true, 'C': true, 'D': true,
	'E': true, 'F': true, 'G': true, 'H': true, 'I': true, 'J': true, 'K': true, 'L': true, 'M': true, 'N': true, 'O': true,
	'P': true, 'Q': true, 'R': true, 'S': true, 'T': true, 'U': true, 'V': true, 'W': true, 'X': true, 'Y': true, 'Z': true,
	'[': true, ']': true, '^': true, '_': true, '`': true, 'a': true, 'b': true, 'c': true, 'd': true, 'e': true, 'f': true,
	'g': true, 'h': true, 'i': true, 'j': true, 'k': true, 'l': true, 'm': true, 'n': true, 'o': true, 'p': true, 'q': true,
	'r': true, 's': true, 't': true, 'u': true, 'v': true, 'w': true, 'x': true, 'y': true, 'z': true, '{': true, '|': true,
	'}': true, '~': true,
}

// isCookieValue reports whether a text is made of cookie-octets alone.
func isCookieValue(text string) bool {
	for i := range len(text) {
		if !cookieOctets[text[i]] {
			return false
		}
	}
	return true
}
