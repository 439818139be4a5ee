package headers

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/problem"
)

const maxPreflightLife = 24 * time.Hour // browsers keep none longer

// CORSOptions say which other origins may call, and how (Fetch Standard, 3.2).
type CORSOptions struct {
	// Origins are the exact origins of pages that may call, as browsers spell them: https, host, and a port if it is not
	// the usual one. http is for loopback. Required; there is no wildcard, and null is never one.
	Origins []string

	// Methods are those that may be used beside GET, HEAD and POST, in capitals.
	Methods []string

	// Headers are those that requests may carry beside Accept, Accept-Language and the content types of forms:
	// "Authorization" for a bearer token, "Content-Type" for JSON.
	Headers []string

	// Credentials lets browsers send cookies along. Whoever can change one of the listed pages then reads whatever the
	// user could read here, so leave it off where a bearer token will do.
	Credentials bool

	// MaxAge is how long a browser may remember what it was told. Default: as browsers like, which is five seconds.
	MaxAge time.Duration

	// Refuse answers a request that is refused. Default: a problem document (403).
	Refuse func(http.ResponseWriter, *http.Request, error)
}

// CORS lets pages of listed origins read the answers of a handler. It is safe for concurrent use.
type CORS struct {
	origins  *input.Origins
	answer   []field // to a preflight of a listed origin
	credence bool
	refuse   func(http.ResponseWriter, *http.Request, error)
}

// NewCORS makes a CORS. It returns an error for no origin, for one that is not spelled as browsers do, is neither https
// nor of loopback, or is listed twice, for a method or header that is none or "*", and for a MaxAge below zero or above
// 24 hours.
func NewCORS(o CORSOptions) (*CORS, error) {
	origins, err := input.ParseOrigins(o.Origins...)
	if err != nil {
		return nil, fmt.Errorf("CORS: %w", err)
	}
	for i, origin := range o.Origins {
		switch {
		case !origins.Has(origin):
			return nil, fmt.Errorf("CORS: origin %d is not spelled as browsers do: write it in lower case and without the usual port", i+1)
		case strings.HasPrefix(origin, "http://") && !isLoopback(origin):
			return nil, fmt.Errorf("CORS: origin %d is http: whoever is on the way could call in its name; use https", i+1)
		}
	}
	for i, method := range o.Methods {
		if method == "" || strings.ToUpper(method) != method || strings.ContainsFunc(method, notToken) || slices.Contains([]string{"CONNECT", "TRACE", "TRACK"}, method) {
			return nil, fmt.Errorf("CORS: method %d cannot be used from pages: write it in capitals, such as PUT", i+1)
		}
	}
	for i, name := range o.Headers {
		if name == "" || strings.ContainsFunc(name, notToken) {
			return nil, fmt.Errorf("CORS: header %d is no name of one: list each, such as Content-Type", i+1)
		}
	}
	if o.MaxAge < 0 || o.MaxAge > maxPreflightLife {
		return nil, errors.New("CORS: MaxAge must be zero to 24 hours")
	}
	c := &CORS{origins: origins, credence: o.Credentials, refuse: o.Refuse}
	if c.refuse == nil {
		c.refuse = input.Refuse
	}
	c.answer = []field{one("Access-Control-Allow-Methods", strings.Join(append([]string{"GET", "HEAD", "POST"}, o.Methods...), ", "))}
	if len(o.Headers) > 0 {
		c.answer = append(c.answer, one("Access-Control-Allow-Headers", strings.Join(o.Headers, ", ")))
	}
	if o.MaxAge > 0 {
		c.answer = append(c.answer, one("Access-Control-Max-Age", strconv.FormatInt(int64(o.MaxAge/time.Second), 10)))
	}
	return c, nil
}

// Allows reports whether a request comes from a page of a listed origin. Its Origin must be that in every letter, and there
// must be one.
func (c *CORS) Allows(r *http.Request) bool {
	sent := r.Header["Origin"]
	return len(sent) == 1 && c.origins.Has(sent[0])
}

// Handler stands in front of a handler, outside of whatever asks who is there: browsers send no cookies with a preflight.
//
//   - A preflight is answered here, 204 for a listed origin and 403 for any other; the handler does not see it.
//   - What changes something (any method but GET, HEAD and OPTIONS, and a GET that opens a WebSocket) and names another
//     origin than a listed one or the host itself is a 403; the handler does not see it.
//   - Every other request goes through, and the answer names the origin if it is listed. All answers vary on Origin.
//
// Access-Control headers of the handler's own are taken off: there is one list. A refusal is a 403 and the error that
// Refuse gets.
func (c *CORS) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		complete := c.withhold
		if c.Allows(r) {
			origin := r.Header["Origin"]
			complete = func(h http.Header) { c.allow(h, origin) }
		}
		guarded := &headWriter{ResponseWriter: w, complete: complete}
		defer guarded.finish()
		switch {
		case r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "":
			if !c.Allows(r) {
				c.refuse(guarded, r, errForeignOrigin)
				return
			}
			guarded.complete = func(h http.Header) {
				complete(h)
				set(h, c.answer)
			}
			guarded.WriteHeader(http.StatusNoContent)
		case c.isForeign(r) && changes(r):
			c.refuse(guarded, r, errForeignOrigin)
		default:
			next.ServeHTTP(guarded, r)
		}
	})
}

var errForeignOrigin = problem.New(problem.Forbidden, "csrf", "The header Origin names no origin that may call here. Call from a listed one, or add it to the list.")

// isForeign reports whether a request names an origin that is neither listed nor its own host's.
func (c *CORS) isForeign(r *http.Request) bool {
	sent := r.Header["Origin"]
	if len(sent) == 0 || c.Allows(r) {
		return false
	}
	if len(sent) > 1 || sent[0] == "null" {
		return true
	}
	if sites := r.Header["Sec-Fetch-Site"]; len(sites) > 0 {
		return len(sites) > 1 || sites[0] != "same-origin"
	}
	return sent[0] != "https://"+r.Host && (r.TLS != nil || sent[0] != "http://"+r.Host)
}

func changes(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return len(r.Header["Upgrade"]) > 0
	}
	return true
}

func (c *CORS) allow(h http.Header, origin []string) {
	c.withhold(h)
	h["Access-Control-Allow-Origin"] = origin
	if c.credence {
		h["Access-Control-Allow-Credentials"] = []string{"true"}
	}
}

// withhold takes off what lets other origins read, and says that answers differ by origin.
func (c *CORS) withhold(h http.Header) {
	for _, name := range []string{"Origin", "Credentials", "Methods", "Headers", "Private-Network"} {
		delete(h, "Access-Control-Allow-"+name)
	}
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Origin") {
				return
			}
		}
	}
	h["Vary"] = append(slices.Clip(h["Vary"]), "Origin")
}

func isLoopback(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && address.IsLoopback()
}
