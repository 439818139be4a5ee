// Package headers sets the response headers that make a browser defend your pages, and the cookies that it keeps.
//
// One line is enough for a service that knows nothing of this package:
//
//	http.ListenAndServeTLS(":443", cert, key, headers.Secure(mux))
//
// For more, make one [Policy] at the start and choose a profile for each kind of response:
//
//	policy, err := headers.New(headers.Options{ReportTo: "/reports"})
//	…
//	handler = policy.App(application)       // somebody else's handler: fills in what it has left open
//	policy.Page(w.Header())                 // HTML of your own: nothing inline, nothing foreign, never in a frame
//	nonce := policy.PageNonce(w.Header())   // the same, for a page that cannot do without <script nonce="{{.Nonce}}">
//	policy.API(w.Header())                  // JSON: may not be rendered, framed, stored or referred from
//
// [Secure], [Policy.App] and [CORS.Handler] take an [http.Handler] and give one, so they stand around a [http.ServeMux],
// in the Use of a router such as chi, or around anything else.
//
// [Policy.Page], [Policy.PageNonce] and [Policy.API] write into a header map before the handler runs; call API in the
// outermost middleware and Page where a page begins, and every status has its headers, those of the mux included. All set
// the same names, so that the later call wins. [Policy.App] looks at the answer at the moment when its head is sent. All
// hand out slices that are made once and shared by all responses: replace a header (Set, Add, Del), never write into its
// slice.
//
// # Nonces
//
// Hand the nonce to the template as data and write it into the tags that are yours: <script nonce="{{.Nonce}}">. Never
// put it in by rewriting the tags of a finished page: that would sign the attacker's too. It is new for each answer, and
// the answer is never stored, since a nonce that is used twice can be known in advance. Scripts that such a script loads
// run too ('strict-dynamic'), so a page needs no list of hosts.
//
// # Reports
//
// With [Options.ReportTo] browsers tell what a policy has stopped, in both ways that there are (Reporting-Endpoints with
// report-to, and report-uri), and [Reports] takes what they send. To roll a policy out, begin with [Options.ReportOnly].
//
// # Other origins
//
// A [CORS] names the origins whose pages may call and read, letter for letter. There is no wildcard. Such a page best sends
// a bearer token and no cookies; behind package csrf its origin must be listed there too.
//
// # Cookies
//
// A [Cookie] is made once too, with the attributes that cannot be forgotten: Secure, HttpOnly, SameSite and a Path,
// under a name that begins with __Host- or __Secure-. Setting and deleting use the same attributes, or browsers would
// ignore the deletion; reading takes the exact name only and refuses it twice.
//
// # What is not caught
//
// Content-Security-Policy is the last line: it stops script that got into a page, not the hole through which it came.
// Escape with html/template, and sanitise first. A handler under App that sets a policy of its own gets just that; one
// with a frame-ancestors directive overrules X-Frame-Options in today's browsers. A nonce is worth what the page keeps
// secret: markup that is injected into an open tag, or in front of the nonce, can take it along. A handler that hijacks
// the connection writes its own head. Strict-Transport-Security protects from the second visit on: a browser that never
// was here can still be met in the clear, and `preload`, the cure for that, is a promise for the whole domain, so you
// must ask for it. Reports come from strangers and may be invented. CORS opens, it does not close: a request without an
// Origin passes it, and forms of other sites are the matter of package csrf. A __Host- prefix keeps other hosts from
// planting a cookie; it does not keep this host's own script from using one, and no attribute helps on a stolen machine.
package headers

import (
	"crypto/rand"
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

	// Permissions are the features of devices that pages of this origin itself may use, such as "camera". Default: none.
	Permissions []string

	// ReportTo is where browsers report what Content-Security-Policy stops: a path such as "/reports", or an https
	// address of another host. [Reports] is a handler for it. Default: nowhere.
	ReportTo string

	// ReportOnly is for the roll-out of a policy: browsers report what it would stop, to ReportTo, which it needs, and
	// stop nothing but frames around the page, plug-ins and <base>. Every script that gets into a page runs.
	ReportOnly bool
}

// Policy is a set of headers made once. It is safe for concurrent use.
type Policy struct {
	page, api         []field
	always, unlessSet []field
	vary              field
	html              []string

	nonced     string // the policy of [Policy.PageNonce], with noncePlace where the nonce goes
	contentsIn string // the header that it stands in
}

type field struct {
	name  string
	value []string
}

// Devices, sensors and payment; not among them are features that are confined to the page's own origin anyway (passkeys,
// clipboard), and those that a host application may well use (fullscreen, autoplay).
const features = "accelerometer camera display-capture geolocation gyroscope hid magnetometer microphone midi payment serial usb xr-spatial-tracking"

// permissions is the value of Permissions-Policy: no page may use a feature, but for those that are allowed to its own.
func permissions(allowed []string) (string, error) {
	all := strings.Fields(features)
	for i, name := range allowed {
		if !slices.Contains(all, name) {
			return "", fmt.Errorf("permission %d is no feature that is closed by default: leave it out, or write one of %s", i+1, features)
		}
	}
	for i, name := range all {
		all[i] += "=()"
		if slices.Contains(allowed, name) {
			all[i] = name + "=(self)"
		}
	}
	return strings.Join(all, ", "), nil
}

const (
	apiContent  = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	appContent  = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	leastEnough = "object-src 'none'; base-uri 'none'; frame-ancestors 'none'" // beside a policy that only reports
	varyOn      = "Cookie, Authorization, Origin, Sec-Fetch-Site"

	cacheControl    = "Cache-Control"
	contentPolicy   = "Content-Security-Policy"
	contentReports  = "Content-Security-Policy-Report-Only"
	reportEndpoints = "Reporting-Endpoints"
	noncePlace      = "{nonce}"
)

func pageContent(scripts string, formTargets []string) string {
	form := strings.Join(append([]string{"'self'"}, formTargets...), " ")
	return "default-src 'none'; " + scripts + "; img-src 'self'; connect-src 'self'; " +
		"form-action " + form + "; base-uri 'none'; frame-ancestors 'none'"
}

const (
	ownScripts    = "script-src 'self'; style-src 'self'"
	noncedScripts = "script-src 'nonce-" + noncePlace + "' 'strict-dynamic'; object-src 'none'; style-src 'self' 'nonce-" + noncePlace + "'"
)

// New makes a Policy. It returns an error for an HSTS below zero, for preloading with less than a year, for a form target
// that is not an origin (scheme, host and port in ASCII, nothing else), for a permission that is none, for a ReportTo that is
// neither a path nor an https address, and for ReportOnly without it.
func New(o Options) (*Policy, error) {
	hsts, err := strictTransport(o)
	if err != nil {
		return nil, err
	}
	permitted, err := permissions(o.Permissions)
	if err != nil {
		return nil, err
	}
	for i, target := range o.FormTargets {
		if !isOrigin(target) {
			return nil, fmt.Errorf("form target %d is not an origin: write only scheme, host and port, such as https://id.example.org", i+1)
		}
	}
	switch {
	case o.ReportTo != "" && !isEndpoint(o.ReportTo):
		return nil, errors.New("ReportTo is neither a path nor an https address: write it such as /reports, without a query")
	case o.ReportOnly && o.ReportTo == "":
		return nil, errors.New("ReportOnly needs ReportTo: a policy that neither stops nor reports does nothing")
	}
	always := []field{
		one("X-Content-Type-Options", "nosniff"),
		one("X-Frame-Options", "DENY"),
	}
	if hsts != "" {
		always = append(always, one("Strict-Transport-Security", hsts))
	}
	profile := func(referrer string) []field {
		return []field{
			one("Referrer-Policy", referrer),
			one(cacheControl, "no-store"),
			one("Cross-Origin-Opener-Policy", "same-origin"),
			one("Cross-Origin-Embedder-Policy", "require-corp"),
			one("Cross-Origin-Resource-Policy", "same-origin"),
			one("Permissions-Policy", permitted),
		}
	}
	p := &Policy{always: always, vary: one("Vary", varyOn), html: []string{"text/html; charset=utf-8"}, contentsIn: contentPolicy}
	if o.ReportOnly {
		p.contentsIn = contentReports
	}
	p.nonced = pageContent(noncedScripts, o.FormTargets) + reporting(o.ReportTo)
	// A form on a page with no-referrer sends Origin: null, which no check of origins can tell from an attack.
	p.page = slices.Concat(always, contents(o, pageContent(ownScripts, o.FormTargets)), profile("same-origin"), []field{p.vary})
	p.api = slices.Concat(always, []field{one(contentPolicy, apiContent)}, profile("no-referrer"), []field{p.vary})
	p.unlessSet = slices.Concat(contents(o, appContent), profile("strict-origin-when-cross-origin"))
	return p, nil
}

// contents are the headers of a policy, with where to report, if anywhere.
func contents(o Options, policy string) []field {
	report := reporting(o.ReportTo)
	fields := []field{one(contentPolicy, policy+report)}
	if o.ReportOnly {
		fields = []field{one(contentPolicy, leastEnough+report), one(contentReports, policy+report)}
	}
	if o.ReportTo != "" {
		fields = append(fields, one(reportEndpoints, `csp="`+o.ReportTo+`"`))
	}
	return fields
}

// reporting are the directives for browsers of today and for those that know but the older one (CSP 3, 6.5).
func reporting(to string) string {
	if to == "" {
		return ""
	}
	return "; report-uri " + to + "; report-to csp"
}

// Page sets the headers of an HTML page of your own: script, style, images and connections from its own origin alone,
// nothing inline, never in a frame, never stored. A static file may loosen Cache-Control and drop Vary afterwards.
func (p *Policy) Page(h http.Header) { set(h, p.page) }

// PageNonce is [Policy.Page] for a page with scripts or styles in its text: those with the nonce run, and the scripts
// that such scripts load; script files of your own origin need it too. It returns the nonce, 130 random bits, new on each
// call; put it into the tags by the template, never into those of a finished page. Call it once an answer.
func (p *Policy) PageNonce(h http.Header) (nonce string) {
	p.Page(h)
	nonce = rand.Text()
	h[p.contentsIn] = []string{strings.ReplaceAll(p.nonced, noncePlace, nonce)}
	return nonce
}

// API sets the headers of an answer that is data: nothing in it may be rendered, framed, stored or referred from.
func (p *Policy) API(h http.Header) {
	delete(h, contentReports) // of a page: here everything holds, and nothing needs to be reported
	delete(h, reportEndpoints)
	set(h, p.api)
}

// Secure is [Policy.App] with the strictest [Options]: every header in one call.
func Secure(next http.Handler) http.Handler {
	p, err := New(Options{})
	if err != nil {
		panic(err) // cannot happen: a test makes this policy
	}
	return p.App(next)
}

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
	// What would end the directive or the list, or mean more than one host, is no part of an origin. Nor is what is not ASCII:
	// browsers do not read it there (CSP 3, 2.3.1), so an international host stands there as in the DNS.
	return text == u.Scheme+"://"+u.Host && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(",;'\"*@", r)
	})
}

// isEndpoint reports whether a text is a path, or the https address of one, that cannot end a directive or a quoted string.
func isEndpoint(text string) bool {
	if rest, ok := strings.CutPrefix(text, "https://"); ok {
		host, path, _ := strings.Cut(rest, "/")
		return isOrigin("https://"+host) && isEndpoint("/"+path)
	}
	return strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && !strings.ContainsFunc(text, func(r rune) bool {
		return notToken(r) && !strings.ContainsRune("/._~", r)
	})
}
