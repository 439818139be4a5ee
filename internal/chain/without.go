package chain

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Without is the handler of [Chain.Protect] with layers left out. It is for showing what each layer is there for: the
// wall and the lab of the example are its only callers, and a test of the house holds that. It panics if the handler is
// no [Protected], or if there is no such layer.
func Without(h http.Handler, ids ...string) http.Handler {
	p, ok := h.(*Protected)
	if !ok {
		panic("chain: Without takes what Protect has returned")
	}
	weak := *p.chain
	for _, id := range ids {
		at := slices.IndexFunc(Layers(), func(l Layer) bool { return l.ID == id })
		if at < 0 {
			panic(fmt.Sprintf("chain: there is no layer %q", id))
		}
		weak.off |= 1 << at
	}
	return bare{weak.Protect(weak.Serve(p.ours.routes), p.app, p.public), weak.off, weak.contentPolicies()}
}

// contentPolicies are those that the chain itself sets. An application's own is no layer of the chain's.
func (c *Chain) contentPolicies() (list []string) {
	for _, set := range []func(http.Header){c.policy.Page, c.policy.API, func(h http.Header) {
		c.policy.App(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(headless{h}, new(http.Request))
	}} {
		h := http.Header{}
		set(h)
		list = append(list, h["Content-Security-Policy"]...)
	}
	return list
}

// headless is a writer that nobody reads.
type headless struct{ h http.Header }

func (w headless) Header() http.Header         { return w.h }
func (w headless) Write(b []byte) (int, error) { return len(b), nil }
func (w headless) WriteHeader(int)             {}

// bare takes the headers and attributes of layers that are off from the answers of a handler.
type bare struct {
	next     http.Handler
	off      layerSet
	policies []string
}

// ServeHTTP answers as the handler does, without what its layers would have added.
func (b bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.off.has(layerPrefix) {
		r = r.Clone(r.Context())
		for i, line := range r.Header["Cookie"] {
			r.Header["Cookie"][i] = renameCookies(line, "", prefix)
		}
	}
	bw := &bareWriter{ResponseWriter: w, bare: b}
	defer bw.strip() // an answer without a body is sent after this
	b.next.ServeHTTP(bw, r)
}

const prefix = "__Host-"

// renameCookies replaces the beginning of the session cookie's name in a Cookie header.
func renameCookies(line, from, to string) string {
	parts := strings.Split(line, ";")
	for i, part := range parts {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(part), from+"ringwall="); ok {
			parts[i] = to + "ringwall=" + rest
		}
	}
	return strings.Join(parts, "; ")
}

type bareWriter struct {
	http.ResponseWriter
	bare bare
	done bool
}

func (w *bareWriter) strip() {
	if w.done {
		return
	}
	w.done = true
	h := w.Header()
	for at, names := range map[layer][]string{
		layerNosniff: {"X-Content-Type-Options"}, layerFrameOptions: {"X-Frame-Options"}, layerHSTS: {"Strict-Transport-Security"}, layerNoStore: {"Cache-Control"},
		layerIsolation: {"Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy", "Cross-Origin-Resource-Policy"},
	} {
		for _, name := range names {
			if w.bare.off.has(at) {
				h.Del(name)
			}
		}
	}
	if policies := w.weaken(h["Content-Security-Policy"]); len(policies) > 0 {
		h["Content-Security-Policy"] = policies
	} else {
		h.Del("Content-Security-Policy")
	}
	if lines := h["Set-Cookie"]; len(lines) > 0 {
		h["Set-Cookie"] = w.cookies(lines)
	}
}

// weaken takes frames from a policy of ours for one layer, and everything else for the other.
func (w *bareWriter) weaken(lines []string) (kept []string) {
	for _, line := range lines {
		if !slices.Contains(w.bare.policies, line) {
			kept = append(kept, line)
			continue
		}
		var directives []string
		for directive := range strings.SplitSeq(line, ";") {
			directive = strings.TrimSpace(directive)
			off := layerScriptPolicy
			if strings.HasPrefix(directive, "frame-ancestors") {
				off = layerFrameAncestors
			}
			if !w.bare.off.has(off) {
				directives = append(directives, directive)
			}
		}
		if len(directives) > 0 {
			kept = append(kept, strings.Join(directives, "; "))
		}
	}
	return kept
}

func (w *bareWriter) cookies(lines []string) []string {
	lines = slices.Clone(lines)
	for i, line := range lines {
		if !strings.HasPrefix(line, prefix+"ringwall=") {
			continue
		}
		if w.bare.off.has(layerPrefix) {
			line = strings.TrimPrefix(line, prefix)
		}
		if w.bare.off.has(layerSameSite) {
			line = strings.Replace(line, "SameSite=Lax", "SameSite=None", 1)
		}
		if w.bare.off.has(layerHTTPOnly) {
			line = strings.Replace(line, "; HttpOnly", "", 1)
		}
		lines[i] = line
	}
	return lines
}

// WriteHeader sends the head.
func (w *bareWriter) WriteHeader(status int) {
	w.strip()
	w.ResponseWriter.WriteHeader(status)
}

// Write sends the head, if it is not out, and a part of the body.
func (w *bareWriter) Write(body []byte) (int, error) {
	w.strip()
	return w.ResponseWriter.Write(body)
}

// FlushError sends the head, if it is not out, and what is buffered.
func (w *bareWriter) FlushError() error {
	w.strip()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is what [http.ResponseController] needs for the rest.
func (w *bareWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
