// Package csrf refuses requests that another site makes a browser send in your user's name.
//
// There are two layers, and either of them alone stops a cross-site form. [Guard.Handler] puts both in front of a handler:
//
//	guard, err := csrf.New(csrf.HMAC(key), "https://app.example.org")
//	…
//	server := guard.Handler(mux, func(r *http.Request) csrf.Binding {
//		return csrf.Session(sessionOf(r)) // the id, never empty for whoever is signed in
//	})
//
// The first layer asks where the request comes from, and needs no state ([Guard.Check]). The second asks for a secret
// that only a page of yours can have read ([Guard.CheckToken]): put [Guard.Token] into a hidden field named csrf_token,
// or hand it to your script for the header X-CSRF-Token. It is bound to the session, or before there is one, to a cookie
// with a random value that the form's page has set ([PreSession]): bind sign-in and sign-out too, or somebody can be
// signed in to an attacker's account without noticing. Call the layers yourself where you want to count refusals, or
// have forms that are not urlencoded.
//
// # The rule
//
// GET, HEAD, OPTIONS and TRACE pass: they must not change anything. Any other request, and one that asks for another
// protocol (a WebSocket is opened by a GET and changes what it likes), passes
//
//   - if Sec-Fetch-Site, which script cannot forge, is same-origin or none (typed, reloaded, from a bookmark);
//   - otherwise if Origin is one of the listed origins, letter for letter;
//   - otherwise, with neither header, only if it carries no cookies or a bearer token: it is no browser, or cannot
//     harm anybody through one.
//
// Origin: null is always refused, as are several lines of either header. Since a form on a page with Referrer-Policy:
// no-referrer sends null, pages with forms need same-origin (package headers does that).
//
// # What is not caught
//
// Script of an attacker's that runs in your own origin passes both layers: that is cross-site scripting, and
// Content-Security-Policy is its matter. A listed origin is trusted wholly. A request that carries a bearer token and
// cookies must be judged by the token alone, or the third rule lends the cookies its pass. Tokens do not expire by
// themselves: a new session has new ones, and the old ones end with theirs. A change made on a GET is not seen at all.
package csrf

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"net/http"
	"strings"
	"sync"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/problem"
)

// ErrCrossOrigin and ErrToken tell, with [errors.Is], which layer refused: for the log, and for the alarm.
var (
	ErrCrossOrigin = errors.New("not from a listed origin")
	ErrToken       = errors.New("token missing or not of this session")
)

// MAC is a keyed HMAC-SHA256 or better of one message, which it must not keep: the memory is used again.
type MAC func(message []byte) []byte

const leastKeyBytes = 32

// HMAC is the MAC for a key of your own: 32 random bytes, used for nothing else. For a shorter one, such as a setting that is
// not there, it is nil, which [New] refuses: whoever can guess the key makes tokens.
func HMAC(key []byte) MAC {
	if len(key) < leastKeyBytes {
		return nil
	}
	key = append([]byte(nil), key...)
	keyed := sync.Pool{New: func() any { return hmac.New(sha256.New, key) }} // a hash that has taken in its key
	return func(message []byte) []byte {
		h := keyed.Get().(hash.Hash)
		defer keyed.Put(h)
		h.Reset()
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(message)))
		h.Write(length[:])
		h.Write(message)
		return h.Sum(nil)
	}
}

// Guard holds the origins and the key. It is safe for concurrent use.
type Guard struct {
	mac     MAC
	origins *input.Origins
	scratch sync.Pool

	isNull, isTwice, isForeign, isCrossSite, isSilent, noToken, badToken *problem.Error
}

// New makes a Guard. Origins are the places from which your own pages call, as [input.ParseOrigins] reads them. The first
// stands as an example in refusals. The error is that of ParseOrigins, or that there is no MAC.
func New(mac MAC, origins ...string) (*Guard, error) {
	if mac == nil {
		return nil, errors.New("csrf: no MAC: use csrf.HMAC with a key of 32 random bytes or more; for a shorter one it is nil")
	}
	parsed, err := input.ParseOrigins(origins...)
	if err != nil {
		return nil, err
	}
	refusal := func(cause error, detail string) *problem.Error {
		return problem.New(problem.Forbidden, "csrf", detail).Because(cause)
	}
	example := parsed.First()
	mend := " Call from " + example + ", or add the origin of the page to the list."
	return &Guard{
		mac: mac, origins: parsed, scratch: sync.Pool{New: func() any { return &scratch{message: make([]byte, 0, 256)} }},
		isNull: refusal(ErrCrossOrigin, "The header Origin is null. "+
			"Send the form from a page with Referrer-Policy: same-origin, outside of a sandbox and of a file."),
		isTwice:     refusal(ErrCrossOrigin, "The header Origin or Sec-Fetch-Site stands twice. A proxy on the way must not add its own."),
		isForeign:   refusal(ErrCrossOrigin, "The header Origin names no listed origin."+mend),
		isCrossSite: refusal(ErrCrossOrigin, "The header Sec-Fetch-Site says that the page is of another origin, and Origin names no listed one."+mend),
		isSilent: refusal(ErrCrossOrigin, "The request carries cookies, but neither Sec-Fetch-Site nor Origin. "+
			"Send Origin: "+example+", or send a bearer token and no cookies."),
		noToken:  refusal(ErrToken, "The token is missing. Send it in the header X-CSRF-Token or in the form field csrf_token, which stands first in a form with files."),
		badToken: refusal(ErrToken, "The token is not of this session. Load the page again, or read the token again: a new session has a new one."),
	}, nil
}

// Handler is [Guard.Check] and, for what changes something, [Guard.CheckToken] in front of a handler. Binding says what the
// tokens of a request belong to; a zero Binding has none, so that it is refused. Requests with a bearer token and without
// cookies need no token. The handler finds a form that was read for its token in r.PostForm. Refusals are problem documents
// (403, and 400 or 413 for a form that cannot be read), and answers vary on Origin and Sec-Fetch-Site.
func (g *Guard) Handler(next http.Handler, binding func(*http.Request) Binding) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin, Sec-Fetch-Site")
		err := g.Check(r)
		if err == nil && !isSafe(r.Method) && (len(r.Header["Cookie"]) > 0 || !hasBearer(r)) {
			err = g.CheckToken(r, binding(r))
		}
		if err != nil {
			input.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// Check returns an error unless the request is safe or comes from a listed origin, or from no browser. The error is a
// 403, says which header was wrong and how to mend it, and is [ErrCrossOrigin].
func (g *Guard) Check(r *http.Request) error {
	if isSafe(r.Method) && len(r.Header["Upgrade"]) == 0 {
		return nil
	}
	origins, sites := r.Header["Origin"], r.Header["Sec-Fetch-Site"]
	if len(origins) > 1 || len(sites) > 1 {
		return g.isTwice
	}
	var origin, site string
	if len(origins) == 1 {
		origin = origins[0]
	}
	if len(sites) == 1 {
		site = sites[0]
	}
	switch {
	case origin == "null":
		return g.isNull
	case site == "same-origin" || site == "none":
		return nil
	case len(origins) == 1 && g.origins.Has(origin):
		return nil
	case len(sites) == 1:
		return g.isCrossSite
	case len(origins) == 1:
		return g.isForeign
	case len(r.Header["Cookie"]) == 0 || hasBearer(r):
		return nil
	default:
		return g.isSilent
	}
}

// hasBearer looks for a token that no form and no link can send. Other schemes (Basic) are sent by browsers on their
// own.
func hasBearer(r *http.Request) bool {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	return strings.EqualFold(scheme, "Bearer") && strings.Trim(token, " ") != ""
}
