// Package chain is what stands before every handler: the layers, in one order, in one place.
//
// [Chain.Serve] guards the routes of Ringwall, [Chain.Protect] an application of somebody else's. Both lead a request
// through the same layers in the same order; see [Layers]. A handler that is reached may rely on all of them:
// the request has an id, a host that we serve and a path with one meaning; its headers are set; who asks is proved;
// an unsafe request comes from where it says; the route's rule has admitted it.
//
// The chain does not decode bodies and knows no rows: what belongs to whom is the matter of the query.
package chain

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/csrf"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/watch"
	"github.com/ringwall/ringwall/ratelimit"
)

// Config is what a Chain needs; every field but Watch, API, CORS, the proxies, the networks, Roles and Log is required.
type Config struct {
	Sessions       *sessions.Manager
	Keys           *secret.Keyring
	Refusals       *audit.Refusals
	Watch          *watch.Watch // learns of tokens that no session has; may be nil
	Blocks         *limits.Blocks
	API            *ratelimit.Limiter // what one person may ask of ordinary routes; nil: anything
	Origins        []string
	CORS           []string // origins of frontends that may call the application with a bearer token; may be empty
	Prefix         string
	TrustedProxies []netip.Prefix
	ProxyHeader    string
	AdminNetworks  []netip.Prefix      // from which administrators may act; none: from nowhere
	Roles          map[string][]string // permissions by role, besides those in the database; may be nil
	Development    bool
	Now            func() time.Time
	Log            *slog.Logger
}

// Chain guards handlers. It is safe for concurrent use.
type Chain struct {
	Config
	Cookies   *Cookies
	Admin     authz.Rule // of every route of administrators
	policy    *headers.Policy
	origins   *input.Origins
	guard     *csrf.Guard
	cors      *headers.CORS // nil: no other origin may call
	reports   *ratelimit.Limiter
	off       layerSet // layers that [Without] left out; none in a server
	errorPage func(http.ResponseWriter, *http.Request, error)
	again     func(http.ResponseWriter, *http.Request, error) // refuseAgain, made once
}

// New makes a Chain. ErrorPage shows an error to a person; it is set with [Chain.ShowErrors], because pages need the chain first.
func New(c Config) (*Chain, error) {
	cookies, err := newCookies(c.Now)
	if err != nil {
		return nil, err
	}
	policy, err := headers.New(headers.Options{InsecureTransport: c.Development, ReportTo: c.Prefix + ReportsPath})
	if err != nil {
		return nil, err
	}
	reports, err := newReportLimit(c.Now)
	if err != nil {
		return nil, err
	}
	origins, err := input.ParseOrigins(c.Origins...)
	if err != nil {
		return nil, err
	}
	guard, err := csrf.New(csrf.HMAC(c.Keys.MAC(secret.CSRF, []byte("key of the tokens"))), c.Origins...)
	if err != nil {
		return nil, err
	}
	made := &Chain{Config: c, Cookies: cookies, Admin: authz.Admin(c.AdminNetworks...), policy: policy, origins: origins, guard: guard, reports: reports}
	made.again = made.refuseAgain
	made.cors, err = made.newCORS(c.CORS)
	return made, err
}

// ShowErrors sets how people are shown errors. Call it before serving.
func (c *Chain) ShowErrors(page func(http.ResponseWriter, *http.Request, error)) { c.errorPage = page }

// TokenFor is a new CSRF token for a session that has just begun.
func (c *Chain) TokenFor(session identity.ID) string {
	return c.guard.Token(csrf.Session(session.String()))
}

// last ends the connection after a request in chunks, as [headers.Policy.App] does: what follows them may be a request that a
// proxy in front took for their body.
func last(w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) > 0 {
		w.Header().Set("Connection", "close")
	}
}

// enter leads a request through the layers that do not need to know who asks. It reports whether to go on; if not, the
// answer has been written.
func (c *Chain) enter(w http.ResponseWriter, r *http.Request, p *proof) bool {
	last(w, r)
	if !p.app { // whose answers have the headers of [headers.Policy.App]; meet sets them on refusals
		c.setHeaders(w, p.page) // first, so that they stand on every answer
	}
	return c.meet(w, r, p, layerBlocks, layerHost)
}

// checkBlocks turns away whoever is blocked: they are told nothing else, and cost nothing more.
func (c *Chain) checkBlocks(r *http.Request, p *proof) error {
	if !c.Blocks.Any(r.Context()) {
		return nil
	}
	if _, blocked := c.Blocks.Find(c.address(r)); blocked {
		c.refuse(r, c.describe(r, p), audit.RateLimitExceeded, "blocked")
		return errBlocked
	}
	return nil
}

func (c *Chain) setHeaders(w http.ResponseWriter, page bool) {
	if page {
		c.policy.Page(w.Header())
	} else {
		c.policy.API(w.Header())
	}
}

// admit proves who asks and decides whether they may: identity, then the source of the request, then the rule.
func (c *Chain) admit(w http.ResponseWriter, r *http.Request, p *proof, rule authz.Rule) bool {
	p.rule = rule
	return c.meet(w, r, p, layerSession, layerRule)
}

var (
	errTwoProofs = problem.New(problem.Malformed, "malformed", "Send either the session cookie or an Authorization header, each once.")
	errBlocked   = problem.New(problem.Forbidden, "blocked", "Requests from your network are not accepted at the moment.")
)

// recognise finds out who asks, as rules will see them, and what their tokens belong to.
func (c *Chain) recognise(w http.ResponseWriter, r *http.Request, p *proof) error {
	p.at = c.Now()
	if !p.open {
		if err := c.identify(r, p); err != nil {
			return err
		}
		if err := c.bind(w, r, p); err != nil {
			return err
		}
	}
	from := identity.Request{}
	if p.rule.NeedsOrigin() {
		from.Address = c.origin(r)
	}
	p.judged = c.actor(&p.facts, from)
	return nil
}

// identify finds the session of a request. A cookie session comes in the cookie only and a bearer session in the
// header only, so that neither can be used in the other's place.
func (c *Chain) identify(r *http.Request, p *proof) error {
	token, err := c.Cookies.session.Read(r)
	if errors.Is(err, headers.ErrCookieTwice) {
		return errTwoProofs
	}
	if bearer, sent, err := bearerToken(r); err != nil || sent && token != "" {
		return errTwoProofs
	} else if sent {
		token, p.bearer = bearer, true
	}
	if token == "" {
		return nil
	}
	session, person, err := c.Sessions.FindAt(r.Context(), token, p.at)
	if errors.Is(err, sessions.ErrExpired) {
		c.Refusals.Count(r.Context(), c.describe(r, &proof{facts: facts{route: p.route, page: p.page}}).Actor,
			audit.Event{Name: audit.SessionExpired, User: person.ID, Session: session.ID, Reason: "timeout"})
	} else if errors.Is(err, sessions.ErrMissing) {
		c.Watch.UnknownSession(r.Context(), c.address(r), token)
	}
	if errors.Is(err, sessions.ErrMissing) || err == nil && session.Bearer != p.bearer {
		return nil // never adopted: as if there were none
	}
	if err != nil {
		return err
	}
	p.signedIn, p.session, p.person = true, session, person
	return nil
}

// bearerToken reads Authorization: Bearer (RFC 6750). Other schemes are not ours.
func bearerToken(r *http.Request) (token string, sent bool, err error) {
	values := r.Header["Authorization"]
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", true, errTwoProofs
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false, nil
	}
	return strings.TrimLeft(token, " "), true, nil
}

// checkSource is D06: an unsafe request must come from our own pages, or from no browser at all.
func (c *Chain) checkSource(r *http.Request, p *proof) error {
	if p.open || c.isFrontend(r, p) {
		return nil
	}
	err := c.guard.Check(r)
	if err != nil {
		c.refuse(r, c.describe(r, p), audit.MaliciousCSRF, "origin")
	}
	return err
}

// checkToken is the second layer of D06: a token that only a page of ours can have read.
func (c *Chain) checkToken(r *http.Request, p *proof) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return nil
	}
	if p.open || p.bearer && p.signedIn {
		return nil // a browser never adds the header of a bearer by itself
	}
	form, err := bufferForm(r)
	if err != nil {
		return err
	}
	if !p.signedIn && (!form || !p.page && !p.app) {
		return nil // JSON: the content type alone keeps forms out, and decoding insists on it
	}
	if err := c.guard.CheckToken(r, p.binding()); err != nil {
		c.refuse(r, c.describe(r, p), audit.MaliciousCSRF, "token")
		return err
	}
	return nil
}

// bind finds out what the request's tokens belong to. Before sign-in that is a cookie which pages set.
func (c *Chain) bind(w http.ResponseWriter, r *http.Request, p *proof) error {
	if !p.signedIn {
		p.pre = read(c.Cookies.pre, r)
		if p.pre == "" && p.page && !p.app && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			p.pre = rand.Text() + rand.Text()
			if err := c.Cookies.pre.Set(w.Header(), p.pre, 0); err != nil {
				return err
			}
		}
	}
	p.bound = true
	return nil
}

// refuse puts a refusal into the audit log.
func (c *Chain) refuse(r *http.Request, req *Request, event audit.Name, reason string) {
	c.Refusals.Count(r.Context(), req.Actor, audit.Event{Name: event, User: req.Person.ID, Session: req.Session.ID, Reason: reason})
}

func (c *Chain) checkRule(r *http.Request, p *proof) error {
	rule := p.rule
	if rule.NeedsRequest() {
		r = c.withSession(r, p, nil)
	}
	verdict := rule.Check(p.judged, p.at, r)
	switch verdict {
	case authz.Allowed:
	case authz.NeedsSignIn:
		if rule.IsAdmin() { // elsewhere it is no news that somebody is not signed in
			c.refuse(r, c.describe(r, p), audit.AuthzFail, "no session")
		}
	case authz.NeedsRefresh:
		if rule.IsAdmin() {
			c.refuse(r, c.describe(r, p), audit.AuthzFail, "not fresh")
		}
	case authz.Elsewhere:
		c.refuse(r, c.describe(r, p), audit.AuthzFail, "network")
	default:
		c.refuse(r, c.describe(r, p), audit.AuthzFail, "rule")
	}
	return verdict.Err()
}

// origin is the address that a request is known to come from. If a proxy spoke whom we do not know or cannot read, that is
// none: its own address, mostly a private one, must not pass for the client's.
func (c *Chain) origin(r *http.Request) netip.Addr {
	address := c.address(r)
	if address != input.ClientAddress(r, nil, "") {
		return address
	}
	for _, name := range []string{c.ProxyHeader, "X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
		if len(r.Header.Values(name)) > 0 {
			return netip.Addr{}
		}
	}
	return address
}

func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// withRequest puts what the chain proved where handlers find it.
func withRequest(ctx context.Context, req *Request) context.Context {
	return context.WithValue(ctx, key{}, req)
}
