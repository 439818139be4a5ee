package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// fence keeps every page but those of the lab away from the application. With its layers off it does what it is told, running
// programs included, and the browser that looks at it is open to the whole web: a page from there must neither send it
// anything nor lead to it, and no name of a stranger's may stand for this machine (DNS rebinding). It is no layer of the wall:
// Mallory's site, which the lab itself serves, passes, and so does what is no browser.
func fence(next http.Handler, origins ...string) http.Handler {
	var hosts []string
	for _, origin := range origins {
		_, host, _ := strings.Cut(origin, "://")
		hosts = append(hosts, host)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !slices.Contains(hosts, r.Host):
			http.Error(w, "The lab answers at its own addresses alone.", http.StatusMisdirectedRequest)
		case !slices.Contains(origins, sender(r)):
			http.Error(w, "The lab is unsafe on purpose: no page but its own may send anything here, or lead here.", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// sender is the origin of the page that made a browser send a request, or the request's own if no other page did.
func sender(r *http.Request) string {
	if sent := r.Header["Origin"]; len(sent) > 0 {
		return strings.Join(sent, " ")
	}
	own := "http://" + r.Host
	if r.Header.Get("Sec-Fetch-Site") != "cross-site" { // same-site are other ports of this machine, and the lab among them
		return own
	}
	from, err := url.Parse(r.Referer())
	if err != nil {
		return ""
	}
	return from.Scheme + "://" + from.Host
}
