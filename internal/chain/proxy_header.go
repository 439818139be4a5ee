package chain

import (
	"errors"
	"slices"
	"strings"
)

// CheckProxyHeader refuses a header that cannot be the one in which a proxy names the client's address: what is no name, and
// what has another meaning, which clients write themselves. The error completes the sentence "the header …".
func CheckProxyHeader(name string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return errors.New("is not the name of one header: write it as X-Forwarded-For")
	}
	name = strings.ToLower(name)
	if slices.Contains(otherHeaders(), name) || slices.ContainsFunc(otherFamilies(), func(family string) bool { return strings.HasPrefix(name, family) }) {
		return errors.New("is a header with another meaning, which clients write as they like: name the one in which the proxy tells the client's address, such as X-Forwarded-For")
	}
	return nil
}

// otherHeaders are what requests carry for other ends (RFC 9110, the Fetch standard, and what proxies tell besides the address).
func otherHeaders() []string {
	return []string{
		"accept", "authorization", "cache-control", "connection", "cookie", "date", "dnt", "etag", "expect", "from", "host", "idempotency-key", "keep-alive", "last-event-id", "location",
		"max-forwards", "origin", "pragma", "prefer", "priority", "proxy-authenticate", "proxy-authorization", "proxy-connection", "range", "referer", "server", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "upgrade-insecure-requests",
		"user-agent", "vary", "via", "warning", "x-csrf-token", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto", "x-request-id", "x-requested-with",
	}
}

func otherFamilies() []string {
	return []string{"accept-", "access-control-", "content-", "if-", "sec-", "x-ringwall-"}
}
