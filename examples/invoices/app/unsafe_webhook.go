package app

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/ringwall/ringwall/outbound"
)

// unsafeHookClient goes where it is told: with anyAddress into private networks, with anyHost to hosts that nobody listed.
func (a *App) unsafeHookClient(anyAddress, anyHost bool) *http.Client {
	o := a.config.Outbound
	if !anyHost {
		o.Hosts = append([]string{}, a.config.WebhookHosts...)
	}
	if anyAddress {
		o.InsecureHTTP = true
		o.InsecureNetworks = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	}
	if anyAddress && anyHost {
		return &http.Client{Timeout: 10 * time.Second}
	}
	return outbound.Client(o)
}
