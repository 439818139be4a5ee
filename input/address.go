package input

import (
	"iter"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddress is the address of the client behind your proxies. It starts from the peer of the connection. If that
// lies in trusted, it reads the one header that your proxies are known to write (X-Forwarded-For, Forwarded, X-Real-IP,
// CF-Connecting-IP …) from right to left, hop by hop, up to the first address outside of trusted: what stands left of it
// was sent by that client and proves nothing. Other headers are ignored, since proxies pass them through.
//
// If it meets something that is no address, the answer is the peer; if all hops are trusted, the leftmost. IPv4 in IPv6
// becomes IPv4, zones are dropped. A peer without an address (a Unix socket) gives the zero Addr. An empty header trusts
// nobody. Write IPv4 networks in trusted as IPv4.
func ClientAddress(r *http.Request, trusted []netip.Prefix, header string) netip.Addr {
	peer, ok := hop(r.RemoteAddr)
	if !ok {
		return netip.Addr{}
	}
	if header == "" || !isTrusted(peer, trusted) {
		return peer
	}
	return farthest(r, peer, trusted, header)
}

// farthest is the first address outside of trusted. It is apart from [ClientAddress] because what a walk works on goes to
// the heap, which an address without proxies need not.
func farthest(r *http.Request, peer netip.Addr, trusted []netip.Prefix, header string) netip.Addr {
	walk := commaHops
	if strings.EqualFold(header, "Forwarded") {
		walk = forwardedHops
	}
	client := peer
	lines := r.Header[http.CanonicalHeaderKey(header)]
	for i := len(lines) - 1; i >= 0; i-- {
		for text := range walk(lines[i]) {
			address, ok := hop(text)
			if !ok {
				return peer
			}
			if !isTrusted(address, trusted) {
				return address
			}
			client = address
		}
	}
	return client
}

// Network is what a single attacker commonly holds of addresses: the /24 of an IPv4 address, the /64 of an IPv6 one. The
// zero Addr has the zero Prefix.
func Network(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := 64
	if address.Is4() {
		bits = 24
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

func isTrusted(address netip.Addr, trusted []netip.Prefix) bool {
	for _, prefix := range trusted {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// hop reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
func hop(text string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner, ok := strings.CutSuffix(inner, "]"); ok {
			address, err := netip.ParseAddr(inner)
			return address.Unmap().WithZone(""), err == nil && address.Is6()
		}
	}
	if strings.HasPrefix(text, "[") || strings.Count(text, ":") == 1 {
		both, err := netip.ParseAddrPort(text)
		return both.Addr().Unmap().WithZone(""), err == nil
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap().WithZone(""), err == nil
}

// commaHops are the elements of a plain list, from the right.
func commaHops(line string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			comma := strings.LastIndexByte(line, ',')
			if !yield(strings.Trim(line[comma+1:], " \t")) || comma < 0 {
				return
			}
			line = line[:comma]
		}
	}
}

// forwardedHops are the addresses of a Forwarded line, from the right. One that cannot be read is a single hop without
// an address.
func forwardedHops(line string) iter.Seq[string] {
	hops, ok := forwardedFor(line)
	if !ok {
		hops = []string{""}
	}
	slices.Reverse(hops)
	return slices.Values(hops)
}

// forwardedFor reads RFC 7239: elements with commas between, of pairs with semicolons between, values bare or in quotes.
// It is strict, so that a quote opened by the client cannot swallow what a proxy has added after it: that makes the line
// unreadable, never another address. An element without for= gives an empty hop.
func forwardedFor(line string) ([]string, bool) {
	var hops []string
	address, seen := "", false
	for {
		name, rest, ok := strings.Cut(strings.TrimLeft(line, " \t"), "=")
		if !ok || name == "" || strings.ContainsFunc(name, notTokenRune) {
			return nil, false
		}
		value, rest, ok := forwardedValue(rest)
		if !ok {
			return nil, false
		}
		if strings.EqualFold(name, "for") {
			if seen {
				return nil, false
			}
			address, seen = value, true
		}
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			return append(hops, address), true
		}
		switch rest[0] {
		case ';':
		case ',':
			hops = append(hops, address)
			address, seen = "", false
		default:
			return nil, false
		}
		line = rest[1:]
	}
}

func forwardedValue(text string) (value, rest string, ok bool) {
	inner, quoted := strings.CutPrefix(text, `"`)
	if !quoted {
		end := strings.IndexAny(text, ";, \t")
		if end < 0 {
			end = len(text)
		}
		value = text[:end]
		return value, text[end:], value != "" && !strings.Contains(value, `"`)
	}
	end := strings.IndexByte(inner, '"')
	if end <= 0 || strings.IndexByte(inner[:end], '\\') >= 0 { // no address needs an escape
		return "", "", false
	}
	return inner[:end], inner[end+1:], true
}

func notTokenRune(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}
