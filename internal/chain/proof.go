package chain

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/csrf"
	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
)

// proof is what the chain finds out about a request on its way in. It lives on the stack: the request's id, the
// address and whatever else only handlers and logs want to know is made by [Chain.describe], when somebody does.
type proof struct {
	facts

	app     bool // of somebody else's application
	open    bool // nobody is asked who they are
	anyHost bool // a host that is not listed is no reason to refuse
	rule    authz.Rule

	judged identity.Actor // who asks, as the rule saw them
	at     time.Time      // when

	described *Request
}

// facts are what a [Request] is made of, beside the request itself.
type facts struct {
	route    string
	page     bool
	signedIn bool
	bearer   bool // the session came in an Authorization header
	bound    bool // it is known what tokens are bound to
	session  sessions.Session
	person   *sessions.Person // shared by everybody; nil unless signedIn
	pre      string           // what tokens are bound to before sign-in
}

// actor is who asks, as rules see it; origin is where from.
func (c *Chain) actor(p *facts, origin identity.Request) identity.Actor {
	if !p.signedIn {
		return identity.NewAnonymous(origin)
	}
	granted := identity.Granted{Roles: p.person.Roles, Permissions: p.person.Permissions, ByRole: c.Roles}
	return identity.NewPerson(identity.SubjectOf(p.person.ID), p.session.ID, c.Sessions.Proved(p.session), granted, origin)
}

// binding is what the request's tokens belong to: its session or, before sign-in, a cookie that pages set.
func (p *proof) binding() csrf.Binding { return bindingOf(p.signedIn, p.session.ID, p.pre) }

func bindingOf(signedIn bool, session identity.ID, pre string) csrf.Binding {
	if signedIn {
		return csrf.Session(session.String())
	}
	return csrf.PreSession(pre)
}

// owner is the person, and nobody if there is no session.
func (p *facts) owner() sessions.Person {
	if p.person == nil {
		return sessions.Person{}
	}
	return *p.person
}

// describe makes the Request, once: its id must be the same in the log, in the audit log and in the answer.
func (c *Chain) describe(r *http.Request, p *proof) *Request {
	if p.described == nil {
		req := c.newRequest(&p.facts, c.actor(&p.facts, identity.Request{}), identity.Request{Address: c.address(r), UserAgent: userAgent(r), Route: p.route})
		req.Device, req.Flow, req.asked = read(c.Cookies.device, r), read(c.Cookies.flow, r), first(r.Header["Accept-Language"])
		req.Browser = r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Sec-Fetch-Mode") != ""
		p.described = req
	}
	return p.described
}

// address is where a request comes from, as far as our proxies tell.
func (c *Chain) address(r *http.Request) netip.Addr {
	return input.ClientAddress(r, c.TrustedProxies, c.ProxyHeader)
}

func userAgent(r *http.Request) string { return clip(first(r.Header["User-Agent"]), 512) }

// newRequest makes a Request with a new id, but for what is read from headers. From is where it comes from, but for that id.
func (c *Chain) newRequest(p *facts, actor identity.Actor, from identity.Request) *Request {
	from.ID = identity.NewID().String()
	req := &Request{
		ID:       from.ID,
		Actor:    actor.On(from),
		SignedIn: p.signedIn, Session: p.session, Person: p.owner(), Bearer: p.bearer,
		page: p.page, route: p.route,
	}
	if p.bound {
		signedIn, id, pre := p.signedIn, p.session.ID, p.pre
		req.csrf = func() string { return c.guard.Token(bindingOf(signedIn, id, pre)) }
	}
	return req
}

// first is the first value of a header whose name is spelled as net/http does; what spells it anew costs more.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
