package chain_test

import (
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/chain"
)

// A header that every client writes, or that cannot hold an address, would make limits and blocks count what clients say, or nobody.
func TestHeadersThatNameNoClient(t *testing.T) {
	for _, name := range []string{
		"X-Forwarded-For", "x-forwarded-for", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "Fly-Client-IP", "X-Client-IP", "Proxy-Client-IP", "X-Envoy-External-Address", "Fastly-Client-IP", "X-Azure-ClientIP",
	} {
		if err := chain.CheckProxyHeader(name); err != nil {
			t.Errorf("%s %v", name, err)
		}
	}
	for _, name := range []string{
		"Cookie", "cookie", "COOKIE", "Host", "Authorization", "Set-Cookie", "Content-Type", "Content-Length", "Connection", "Transfer-Encoding", "User-Agent", "Origin", "Referer", "Accept", "Accept-Language",
		"Sec-Fetch-Site", "If-Match", "Proxy-Authorization", "X-Forwarded-Proto", "X-Forwarded-Host", "X-CSRF-Token", "Via", "Range", "Upgrade",
		"", " ", "X-Forwarded-For, X-Real-IP", "X-Forwarded-For:", "X Real IP", "X_Real_IP", "Xé",
	} {
		err := chain.CheckProxyHeader(name)
		if err == nil || !strings.Contains(err.Error(), "X-Forwarded-For") {
			t.Errorf("CheckProxyHeader(%q) = %v, want a refusal with the mend", name, err)
		}
		if name == "" {
			continue // it is not set
		}
		options := ringwall.Options{TrustedProxyHeader: name, Development: true}
		if err := options.Check(); err == nil || !strings.Contains(err.Error(), "TrustedProxyHeader "+chain.CheckProxyHeader(name).Error()) {
			t.Errorf("Options with %q: %v, want that it is refused", name, err)
		}
	}
}
