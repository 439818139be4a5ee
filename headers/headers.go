// Package headers sets the response headers that make a browser defend your pages, and the cookies that it keeps.
//
// Make one [Policy] at the start and choose a profile for each kind of response:
//
//	policy, err := headers.New(headers.Options{})
//	…
//	policy.Page(w.Header())            // HTML of your own: nothing inline, nothing foreign, never in a frame
//	policy.API(w.Header())             // JSON: may not be rendered, framed, stored or referred from
//	handler = policy.App(application)  // somebody else's handler: fills in what it has left open
//
// [Policy.Page] and [Policy.API] write into a header map before the handler runs; call API in the outermost middleware
// and Page where a page begins, and every status has its headers, those of the mux included. Both set the same names, so
// that the later call wins. [Policy.App] looks at the answer at the moment when its head is sent. All three hand out
// slices that are made once and shared by all responses: replace a header (Set, Add, Del), never write into its slice.
//
// A [Cookie] is made once too, with the attributes that cannot be forgotten: Secure, HttpOnly, SameSite and a Path,
// under a name that begins with __Host- or __Secure-. Setting and deleting use the same attributes, or browsers would
// ignore the deletion; reading takes the exact name only and refuses it twice.
//
// # What is not caught
//
// Content-Security-Policy is the last line: it stops script that got into a page, not the hole through which it came.
// Escape with html/template, and sanitise first. A handler under App that sets a policy of its own gets just that; one
// with a frame-ancestors directive overrules X-Frame-Options in today's browsers. A handler that hijacks the connection
// writes its own head. Strict-Transport-Security protects from the second visit on: a browser that never was here can
// still be met in the clear, and `preload`, the cure for that, is a promise for the whole domain, so you must ask for
// it. A __Host- prefix keeps other hosts from planting a cookie; it does not keep this host's own script from using one,
// and no attribute helps on a stolen machine.
package headers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultHSTS = 63072000 * time.Second // two years
	yearHSTS    = 31536000 * time.Second // the least that preloading accepts
)

// Options are the settings of a [Policy]. The zero value is the strictest.
type Options struct {
	// HSTS is how long a browser must insist on HTTPS for this host and all its subdomains, counted from its last visit.
	// Default: two years. Use 24 hours for a roll-out: the promise cannot be taken back sooner.
	HSTS time.Duration

	// Preload agrees to being built into browsers as an HTTPS-only domain, which takes months to undo.
	Preload bool

	// InsecureTransport is for development without TLS: Strict-Transport-Security is not sent.
	InsecureTransport bool

	// FormTargets are the other origins on which a form of a page may end, by redirect too: an identity provider,
	// another host of yours. Default: none but the page's own.
	FormTargets []string
}

// Policy is a set of headers made once. It is safe for concurrent use.
type Policy struct {
	page, api         []field
	always, unlessSet []field
	vary              field
}

type field struct {
	name  string
	value []string
}

// Sensors and payment; not among them are features that are confined to the page's own origin anyway (passkeys,
// clipboard), and those that a host application may well use (fullscreen, autoplay).
const permissions = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), " +
	"magnetometer=(), microphone=(), midi=(), payment=(), usb=(), xr-spatial-tracking=()"

const (
	apiContent = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	appContent = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	varyOn     = "Cookie, Authorization, Origin, Sec-Fetch-Site"
)

func pageContent(formTargets []string) string {
	form := strings.Join(append([]string{"'self'"}, formTargets...), " ")
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action " + form + "; base-uri 'none'; frame-ancestors 'none'"
}

// New makes a Policy. It returns an error for an HSTS below zero, for preloading with less than a year, and for a form
// target that is not an origin (scheme, host and port, nothing else).
func New(o Options) (*Policy, error) {
	hsts, err := strictTransport(o)
	if err != nil {
		return nil, err
	}
	for i, target := range o.FormTargets {
		if !isOrigin(target) {
			return nil, fmt.Errorf("form target %d is not an origin: write only scheme, host and port, such as https://id.example.org", i+1)
		}
	}
	always := []field{
		one("X-Content-Type-Options", "nosniff"),
		one("X-Frame-Options", "DENY"),
	}
	if hsts != "" {
		always = append(always, one("Strict-Transport-Security", hsts))
	}
	profile := func(content, referrer string) []field {
		return []field{
			one("Content-Security-Policy", content),
			one("Referrer-Policy", referrer),
			one("Cache-Control", "no-store"),
			one("Cross-Origin-Opener-Policy", "same-origin"),
			one("Cross-Origin-Embedder-Policy", "require-corp"),
			one("Cross-Origin-Resource-Policy", "same-origin"),
			one("Permissions-Policy", permissions),
		}
	}
	p := &Policy{always: always, vary: one("Vary", varyOn)}
	// A form on a page with no-referrer sends Origin: null, which no check of origins can tell from an attack.
	p.page = slices.Concat(always, profile(pageContent(o.FormTargets), "same-origin"), []field{p.vary})
	p.api = slices.Concat(always, profile(apiContent, "no-referrer"), []field{p.vary})
	p.unlessSet = profile(appContent, "strict-origin-when-cross-origin")
	return p, nil
}

// Page sets the headers of an HTML page of your own: script, style, images and connections from its own origin alone,
// nothing inline, never in a frame, never stored. A static file may loosen Cache-Control and drop Vary afterwards.
func (p *Policy) Page(h http.Header) { set(h, p.page) }

// API sets the headers of an answer that is data: nothing in it may be rendered, framed, stored or referred from.
func (p *Policy) API(h http.Header) { set(h, p.api) }

func set(h http.Header, fields []field) {
	for i := range fields {
		h[fields[i].name] = fields[i].value
	}
}

// one clips the slice, so that an Add by a handler copies it instead of growing into it.
func one(name, value string) field { return field{name, slices.Clip([]string{value})} }

func strictTransport(o Options) (string, error) {
	age := o.HSTS
	switch {
	case age < 0:
		return "", errors.New("HSTS is negative: leave it 0 for two years, or set InsecureTransport in development")
	case o.InsecureTransport && o.Preload:
		return "", errors.New("Preload needs HTTPS: drop InsecureTransport")
	case o.InsecureTransport:
		return "", nil
	case age == 0:
		age = defaultHSTS
	case age < time.Second:
		return "", errors.New("HSTS is below one second: use 24h for a roll-out")
	}
	value := "max-age=" + strconv.FormatInt(int64(age/time.Second), 10) + "; includeSubDomains"
	if o.Preload {
		if age < yearHSTS {
			return "", errors.New("Preload needs an HSTS of a year or more")
		}
		value += "; preload"
	}
	return value, nil
}

func isOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return false
	}
	// What would end the directive or the list, or mean more than one host, is no part of an origin.
	return text == u.Scheme+"://"+u.Host && !strings.ContainsAny(text, " ,;'\"*@\t\r\n")
}
