package ratelimit

import (
	"net/http"
	"net/netip"

	"github.com/ringwall/ringwall/input"
)

// Key is whom a try counts against. Make one with [Address] or [Text]; the zero Key is that of an address that is not known.
type Key struct {
	network netip.Prefix
	text    string
	named   bool
}

// KeyFunc tells whom a request counts against.
type KeyFunc func(*http.Request) Key

const (
	nearBits, wideBits       = 64, 48 // of IPv6
	common4Bits, common6Bits = 16, 32
)

// Address is the key of an address: IPv4 itself, IPv6 its /64. Forms of one address have one key: IPv4 in IPv6 is IPv4,
// zones are dropped. All that have no address share one key.
func Address(address netip.Addr) Key {
	address = address.Unmap().WithZone("")
	bits := nearBits
	if address.Is4() {
		bits = 32
	}
	return Key{network: within(address, bits)}
}

// Text is a key of your own: a user's id, a tenant, a token's hash. It is kept as a hash alone.
func Text(text string) Key { return Key{text: text, named: true} }

// ByAddress counts the client's address, which is read as [input.ClientAddress] does. Without proxies of yours in front
// leave both empty.
func ByAddress(trusted []netip.Prefix, header string) KeyFunc {
	return func(r *http.Request) Key { return Address(input.ClientAddress(r, trusted, header)) }
}

// ByUser counts the user that a function names, and whoever has none ("") by otherwise.
func ByUser(user func(*http.Request) string, otherwise KeyFunc) KeyFunc {
	return func(r *http.Request) Key {
		if id := user(r); id != "" {
			return Text(id)
		}
		return otherwise(r)
	}
}

// By counts what a function says. All for whom it says the same count together.
func By(name func(*http.Request) string) KeyFunc {
	return func(r *http.Request) Key { return Text(name(r)) }
}

// wider is the network in which a key counts besides, with more room.
func (k Key) wider() (Key, bool) {
	if k.named || !k.network.IsValid() || k.network.Addr().Is4() {
		return Key{}, false
	}
	return Key{network: within(k.network.Addr(), wideBits)}, true
}

// common is with whom a key shares where there is no room for its own.
func (k Key) common() Key {
	switch {
	case k.named || !k.network.IsValid():
		return k
	case k.network.Addr().Is4():
		return Key{network: within(k.network.Addr(), common4Bits)}
	}
	return Key{network: within(k.network.Addr(), common6Bits)}
}

// spell is the key as a text, in which an address and a text of yours are never the same.
func (k Key) spell() string {
	if k.named {
		return "text " + k.text
	}
	return "network " + k.network.String()
}

func within(address netip.Addr, bits int) netip.Prefix {
	network, err := address.Prefix(bits)
	if err != nil { // no address
		return netip.Prefix{}
	}
	return network
}
