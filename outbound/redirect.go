package outbound

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// follow decides over a redirect, of which http.Client has already made the next request. Whether that may be sent is
// judged when it is.
func follow(most int) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, before []*http.Request) error {
		if len(before) > most {
			return http.ErrUseLastResponse
		}
		if before[len(before)-1].URL.Scheme == "https" && next.URL.Scheme != "https" {
			return ErrPlain
		}
		next.URL.User = nil // the client would make it an Authorization
		next.Header.Del("Referer")
		if !strays(next, before) {
			return nil
		}
		if next.ContentLength != 0 || next.Body != nil && next.Body != http.NoBody { // of a body without a length it says 0
			return http.ErrUseLastResponse
		}
		next.Host = ""
		maps.DeleteFunc(next.Header, func(name string, _ []string) bool { return !slices.Contains(carried(), name) })
		return nil
	}
}

// carried are the headers that go along to another origin.
func carried() []string { return []string{"Accept", "Accept-Language", "User-Agent"} }

// strays reports whether a chain of redirects has ever left the origin of its first request.
func strays(next *http.Request, before []*http.Request) bool {
	first := originOf(before[0].URL)
	for _, r := range before[1:] {
		if originOf(r.URL) != first {
			return true
		}
	}
	return originOf(next.URL) != first
}

func originOf(u *url.URL) string { return u.Scheme + "://" + hostOf(u) }

// hostOf is the host with the port, unless that is the one of the scheme.
func hostOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}
