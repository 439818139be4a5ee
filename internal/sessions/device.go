package sessions

import (
	"strings"

	"github.com/mileusna/useragent"
)

// DeviceLabel says in words which device a User-Agent header belongs to: "Chrome on Android". It is built from a closed
// list of names, so that a header cannot put words into a page; whoever prints it escapes it all the same.
func DeviceLabel(userAgent string) string {
	if userAgent == "" {
		return "Unknown device"
	}
	ua := useragent.Parse(userAgent)
	browser, system := known(ua.Name, browsers), known(ua.OS, systems)
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "":
		return browser
	case system != "":
		return "A program on " + system
	default:
		return "Unknown device"
	}
}

func known(name string, names []string) string {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	return ""
}

var browsers = []string{"Chrome", "Firefox", "Safari", "Edge", "Opera", "Opera Mini", "Samsung Browser", "Vivaldi", "Brave", "Internet Explorer", "Headless Chrome", "curl", "Wget", "Go-http-client", "okhttp", "HTTPie"}

var systems = []string{"Windows", "macOS", "Linux", "Android", "iOS", "ChromeOS", "FreeBSD"}
