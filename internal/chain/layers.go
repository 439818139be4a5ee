package chain

import "net/http"

// Layer is one defence of the chain.
type Layer struct {
	ID      string // what [Without] and rings.json call it
	Ring    int    // 1 browser, 2 volume, 3 input, 4 identity, 5 permission, 6 data, 7 watch
	Summary string // one line, for a learner
}

// layer is a place in the order of the chain.
type layer uint8

const (
	layerPath layer = iota
	layerNosniff
	layerFrameOptions
	layerFrameAncestors
	layerScriptPolicy
	layerIsolation
	layerHSTS
	layerNoStore
	layerBlocks
	layerHost
	layerSession
	layerSource
	layerToken
	layerRule
	layerPrefix
	layerSameSite
	layerHTTPOnly
	layerCount
)

// Layers are the defences of the chain in the order in which a request meets them, and last those of its cookies, which
// act in the browser and so on the next request. What only keeps the process whole (a request id, a bound on bodies, a
// panic that becomes a 500) is no layer: it stands in [Chain.Protect] and cannot be left out.
func Layers() []Layer {
	list := [layerCount]Layer{
		// Two programs that read a path differently check one thing and serve another.
		layerPath: {"path", 3, "A path has one meaning: //, dots, encoded slashes and NUL are 404 before anything looks at it."},
		// The headers go on before anything can refuse, so that they stand on every answer.
		layerNosniff: {"nosniff", 1, "X-Content-Type-Options: a browser does not guess that an upload is a page."},
		// The older of the two ways to forbid frames; the only one for browsers of before 2015.
		layerFrameOptions:   {"frame-options", 1, "X-Frame-Options: DENY: no page is shown in somebody's frame."},
		layerFrameAncestors: {"frame-ancestors", 1, "Content-Security-Policy, frame-ancestors 'none': the same, in the newer header."},
		// The last line against script that got into a page: not the hole, but what comes through it.
		layerScriptPolicy: {"script-policy", 1, "Content-Security-Policy: no inline script, none from elsewhere, no foreign form target."},
		// Other sites may neither read an answer as a resource nor keep a handle on the window.
		layerIsolation: {"isolation", 1, "Cross-Origin-Opener, -Embedder and -Resource-Policy: no other site embeds or holds our pages."},
		layerHSTS:      {"hsts", 1, "Strict-Transport-Security: the browser itself refuses http from the second visit on."},
		layerNoStore:   {"no-store", 1, "Cache-Control: no-store: neither proxy nor browser keeps what was meant for one person."},
		// Before everything that costs something.
		layerBlocks: {"blocks", 2, "Addresses that an operator or an alert has blocked get one short answer."},
		// Another host is not ours: its links, cookies and origins would not be either.
		layerHost: {"host", 1, "A Host that ORIGINS does not list is answered 421."},
		// Who asks is proved before anything is decided about them.
		layerSession: {"session", 4, "The session is looked up by the hash of its token; a token that nobody issued is no session."},
		// What another site makes a browser send must not count as its owner's wish.
		layerSource: {"source", 1, "Fetch Metadata and Origin: a change must come from a page of a listed origin."},
		// The second witness, for browsers and proxies that lie about the first.
		layerToken: {"token", 1, "A change carries a token that is bound to the session and that only our own pages can read."},
		// Last, because it needs to know all of the above; it denies what nobody has allowed.
		layerRule: {"rule", 5, "The rule of the route admits who asks; a route without one denies."},
		// A sibling host can set a cookie for the whole domain, but not one with this prefix.
		layerPrefix:   {"cookie-prefix", 1, "The session's cookie is called __Host-…, which browsers let only this host set."},
		layerSameSite: {"same-site", 1, "SameSite=Lax: a form or script of another site does not bring the session's cookie along."},
		layerHTTPOnly: {"http-only", 1, "HttpOnly: script in the page cannot read the session's cookie."},
	}
	return list[:]
}

// meet leads a request through the layers from first to last and answers for the one that refuses. It reports whether
// all let it pass. (A switch, and not a table of functions, so that the proof stays on the stack.)
func (c *Chain) meet(w http.ResponseWriter, r *http.Request, p *proof, first, last layer) bool {
	for at := first; at <= last; at++ {
		if c.off.has(at) {
			continue
		}
		var err error
		switch at {
		case layerBlocks:
			err = c.checkBlocks(r, p)
		case layerHost:
			if !p.anyHost {
				_, err = c.origins.Of(r)
			}
		case layerSession:
			err = c.recognise(w, r, p)
		case layerSource:
			err = c.checkSource(r, p)
		case layerToken:
			err = c.checkToken(r, p)
		case layerRule:
			err = c.checkRule(r, p)
		}
		if err != nil {
			c.setHeaders(w, p.page)
			c.fail(w, r, c.describe(r, p), err)
			return false
		}
	}
	return true
}

// layerSet is a set of layers.
type layerSet uint32

func (s layerSet) has(l layer) bool { return s&(1<<l) != 0 }
