// Package outbound gives an HTTP client for addresses that somebody else chose: the target of a webhook, the issuer of
// a sign-in, the picture of a profile. Such an address must not lead your server into your own network (SSRF).
//
//	client := outbound.Client(outbound.Options{})
//	answer, err := client.Get(theirs) // errors.Is(err, outbound.ErrDenied): it leads to where nobody outside may point you
//
// # The rules
//
// What is judged is the address of the connection, after names are resolved and immediately before it is made. So a
// name that resolves to one address now and to another a moment later (DNS rebinding) gains nothing, nor does an odd
// spelling (decimal, octal, IPv4 in IPv6), nor a name of your own DNS. Only addresses that the registries of IANA
// call globally reachable pass: no private, loopback, link-local, shared, documentation, multicast or reserved ones,
// no metadata services, and none that a translator (NAT64, 6to4, Teredo) turns into one of those. Each request makes
// a connection of its own, so each is judged.
//
// Besides: https alone, with a verified certificate. Redirects are not followed; the 3xx is the answer. Proxies named
// in the environment are ignored, because they would make the connection in your place. A request takes 10 seconds at
// most, its answer's body is cut off at 64 KiB with [ErrTooLarge], and is never decompressed.
//
// # Tighter, and wider
//
// If you know whom you mean to talk to, say so: with [Options.Hosts] every other host is refused with [ErrUnlisted]
// before its name is even resolved. With [Options.Redirects] some redirects are followed, each of them judged like a
// request of its own, and never from https to http. One that leads to another origin takes along Accept,
// Accept-Language and User-Agent and nothing else that you have sent; if it would take a body along, it is not
// followed, and the 3xx is the answer.
//
// # What it does not do
//
// Without a list it does not ask which hosts you meant to talk to. It does not stop a public address that your network
// routes to the inside, and it does not keep a secret out of the request that you send. Do not show the error to whoever
// chose the address: it tells what lies where. If you give the client a Jar, its cookies follow the Jar's rules.
package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

const (
	defaultTimeout   = 10 * time.Second
	defaultBodyBytes = 64 << 10
	headBytes        = 16 << 10
)

var (
	// ErrDenied says that the request would leave for an address that is not public.
	ErrDenied = errors.New("the address is not a public one")
	// ErrUnlisted says that the request would go to a host that is not among [Options.Hosts].
	ErrUnlisted = errors.New("the host is not a listed one")
	// ErrPlain says that the request would travel in the clear.
	ErrPlain = errors.New("the address does not begin with https")
	// ErrTooLarge says that the answer's body was cut off.
	ErrTooLarge = errors.New("the answer is too large")
)

// Options adjust a client. The zero value is the safe one.
type Options struct {
	// InsecureNetworks are networks that may be reached though they are not public, such as that of a receiver of
	// your own. Whoever chooses the address of a request can then reach everything in them. Addresses of link-local
	// networks and of metadata services stay denied. Write IPv4 networks as IPv4.
	InsecureNetworks []netip.Prefix

	// Hosts are all that may be talked to, as they stand in an address: in lower case, international names in their
	// ASCII form, with the port unless it is that of the scheme. "example.org" is neither "www.example.org" nor
	// "example.org:8443". Default, nil: any. A list without entries: none.
	Hosts []string

	// Redirects is how many redirects of one request are followed; one more is the answer. Default: none.
	Redirects int

	// InsecureHTTP lets requests travel in the clear: for tests and one's own machine.
	InsecureHTTP bool

	// Timeout is for a whole request, its redirects and its answer's body included. Default: 10 seconds.
	Timeout time.Duration

	// BodyBytes is how much of an answer's body can be read. Default: 64 KiB.
	BodyBytes int64

	// RootCAs are who may vouch for a server. Default: those of the system.
	RootCAs *x509.CertPool

	// Resolver finds the addresses of a name. Default: that of the system.
	Resolver *net.Resolver
}

// Client makes a client. It is safe for concurrent use and keeps no connection.
func Client(o Options) *http.Client {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.BodyBytes <= 0 {
		o.BodyBytes = defaultBodyBytes
	}
	g := &guard{networks: slices.Clone(o.InsecureNetworks), hosts: slices.Clone(o.Hosts), plain: o.InsecureHTTP, bodyBytes: o.BodyBytes}
	dialer := &net.Dialer{Timeout: o.Timeout, Resolver: o.Resolver, Control: g.control}
	g.transport = &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		TLSHandshakeTimeout:    o.Timeout,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: headBytes,
		DisableKeepAlives:      true,
		DisableCompression:     true,
	}
	return &http.Client{
		Transport:     g,
		Timeout:       o.Timeout,
		CheckRedirect: follow(o.Redirects),
	}
}

// guard stands before every request and every connection.
type guard struct {
	transport *http.Transport
	networks  []netip.Prefix
	hosts     []string // nil: any
	plain     bool
	bodyBytes int64
}

// RoundTrip sends one request.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.judge(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the contract of a RoundTripper
		}
		return nil, err
	}
	answer, err := g.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &bounded{body: answer.Body, left: g.bodyBytes}
	return answer, nil
}

// judge looks at an address as it is written.
func (g *guard) judge(to *url.URL) error {
	if to.Scheme != "https" && !(g.plain && to.Scheme == "http") {
		return ErrPlain
	}
	if g.hosts != nil && !slices.Contains(g.hosts, hostOf(to)) {
		return ErrUnlisted
	}
	return nil
}

// control judges an address that names have been resolved to, before anything is sent to it.
func (g *guard) control(network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s", ErrDenied, network)
	}
	if !g.allows(target.Addr()) {
		return fmt.Errorf("%w: %s", ErrDenied, target.Addr().Unmap())
	}
	return nil
}

func (g *guard) allows(address netip.Addr) bool {
	if address.Zone() != "" {
		return false
	}
	address = address.Unmap()
	if Public(address) {
		return true
	}
	return !contains(neverAllowed, address) && contains(g.networks, address)
}

// Public reports whether an address is one that anybody on the internet could mean: globally reachable unicast.
func Public(address netip.Addr) bool {
	if address.Zone() != "" {
		return false
	}
	address = address.Unmap()
	if address.Is4() {
		return !contains(closed4, address)
	}
	return global6.Contains(address) && !contains(closed6, address)
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) })
}

// From the registries of special-purpose addresses (RFC 6890 and its updates). Of IPv6 only what IANA has given out for
// global unicast is open at all, which leaves out loopback, mapped addresses, NAT64, unique local and link-local ones.
var (
	closed4 = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("198.18.0.0/15"),
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("224.0.0.0/3"),
		wireServer,
	}
	global6 = netip.MustParsePrefix("2000::/3")
	closed6 = []netip.Prefix{
		netip.MustParsePrefix("2001::/23"), // Teredo, benchmarking, ORCHID
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("2002::/16"), // 6to4, which carries an IPv4 address
		netip.MustParsePrefix("3fff::/20"),
	}
	neverAllowed = []netip.Prefix{
		netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), // metadata services of most clouds
		wireServer,
		netip.MustParsePrefix("fd00:ec2::/32"),      // AWS: metadata, and the credentials of pods
		netip.MustParsePrefix("fd20:ce::254/128"),   // Google Cloud
		netip.MustParsePrefix("fd00:42::42/128"),    // Scaleway
		netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
		netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud
	}
	// Azure's machines reach their host at this address, which hands out certificates and settings of the machine. To the
	// registries it is as public as any other.
	wireServer = netip.MustParsePrefix("168.63.129.16/32")
)

// bounded is a body that ends with an error where it becomes too long.
type bounded struct {
	body io.ReadCloser
	left int64
}

// Read reads on, up to one byte more than is allowed.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}

// Close closes the connection with whatever is left.
func (b *bounded) Close() error { return b.body.Close() }

var _ http.RoundTripper = (*guard)(nil)
