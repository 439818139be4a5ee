package input

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/ringwall/ringwall/internal/problem"
)

// Origins are the places at which a service is reached, such as https://id.example.org. It is safe for concurrent use.
type Origins struct {
	list    []string
	listed  map[string]bool
	ofHosts map[string]string // every way to spell the Host of an origin, in lower case
}

// ParseOrigins reads origins: scheme https or http, a host, perhaps a port, nothing else. It returns an error, which
// names the place in the list and the mend, for an empty list, for what is no origin, and for two of the same host.
func ParseOrigins(list ...string) (*Origins, error) {
	if len(list) == 0 {
		return nil, errors.New("no origin: name at least one, such as https://id.example.org")
	}
	o := &Origins{listed: make(map[string]bool), ofHosts: make(map[string]string)}
	for i, text := range list {
		origin, hosts, err := parseOrigin(text)
		if err != nil {
			return nil, fmt.Errorf("origin %d: %w", i+1, err)
		}
		for _, host := range hosts {
			if _, twice := o.ofHosts[host]; twice {
				return nil, fmt.Errorf("origin %d: its host stands in the list already", i+1)
			}
			o.ofHosts[host] = origin
		}
		o.list = append(o.list, origin)
		o.listed[origin] = true
	}
	return o, nil
}

// First is the canonical origin.
func (o *Origins) First() string { return o.list[0] }

// Has reports whether origin is listed, spelled as browsers spell it: lower case, no default port.
func (o *Origins) Has(origin string) bool { return o.listed[origin] }

// Of is the listed origin to which a request was sent, by its Host alone: what proxies and clients say in other headers
// (X-Forwarded-Host, Forwarded) does not count, so a link made from Of never leads to somebody else's host. Any other
// Host, another port and a trailing dot (to a browser that is another origin, with cookies of its own) are a 421.
func (o *Origins) Of(r *http.Request) (string, error) {
	host := r.Host
	if r.URL.Host != "" && r.URL.Host != host {
		host = "" // an absolute-form target that disagrees
	}
	if origin, ok := o.ofHosts[host]; ok {
		return origin, nil
	}
	if origin, ok := o.ofHosts[lowerASCII(host)]; ok {
		return origin, nil
	}
	return "", problem.New(problem.Misdirected, "misdirected", "This host is not served here. If it should be, add it to the origins.")
}

// lowerASCII leaves other letters alone: to Unicode the Kelvin sign is a k.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, text)
}

func parseOrigin(text string) (origin string, hosts []string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", nil, errors.New("not readable: write it such as https://id.example.org")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return "", nil, errors.New("begin with https://")
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#") {
		return "", nil, errors.New("write scheme, host and port alone, without a slash at the end")
	}
	host, err := originHost(u.Hostname())
	if err != nil {
		return "", nil, err
	}
	defaultPort := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return "", nil, errors.New("write a port after the colon")
		}
		port = defaultPort
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
		return "", nil, errors.New("write a port between 1 and 65535")
	}
	if port == defaultPort {
		return u.Scheme + "://" + host, []string{host, host + ":" + port}, nil
	}
	return u.Scheme + "://" + host + ":" + port, []string{host + ":" + port}, nil
}

func originHost(name string) (string, error) {
	if address, err := netip.ParseAddr(name); err == nil {
		if address.Zone() != "" {
			return "", errors.New("an address cannot have a zone here")
		}
		if address.Is6() {
			return "[" + address.String() + "]", nil
		}
		return address.String(), nil
	}
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))
	host, err := profile.ToASCII(name)
	if err != nil || strings.HasSuffix(host, ".") {
		return "", errors.New("its host is no host name: write letters, digits, dots and hyphens, without wildcards")
	}
	return host, nil
}
