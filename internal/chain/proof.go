package chain

import (
	"net/http"
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
	route string
	page  bool
	app   bool // of somebody else's application
	open  bool // nobody is asked who they are
	rule  authz.Rule

	signedIn bool
	bearer   bool // the session came in an Authorization header
	session  sessions.Session
	person   sessions.Person
	pre      string // what tokens are bound to before sign-in
	bound    bool   // it is known what tokens are bound to

	judged identity.Actor // who asks, as the rule saw them
	at     time.Time      // when

	described *Request
}

// actor is who asks, as rules see it; origin is where from.
func (c *Chain) actor(p *proof, origin identity.Request) identity.Actor {
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

// describe makes the Request, once: its id must be the same in the log, in the audit log and in the answer.
func (c *Chain) describe(r *http.Request, p *proof) *Request {
	if p.described != nil {
		return p.described
	}
	req := &Request{
		ID:       identity.NewID().String(),
		SignedIn: p.signedIn, Session: p.session, Person: p.person, Bearer: p.bearer,
		Device: read(c.Cookies.device, r), Flow: read(c.Cookies.flow, r),
		Browser: r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Sec-Fetch-Mode") != "",
		page:    p.page, asked: r.Header.Get("Accept-Language"), route: p.route,
	}
	req.Actor = c.actor(p, identity.Request{
		ID:        req.ID,
		Address:   input.ClientAddress(r, c.TrustedProxies, c.ProxyHeader),
		UserAgent: clip(r.UserAgent(), 512),
		Route:     p.route,
	})
	if p.bound {
		signedIn, id, pre := p.signedIn, p.session.ID, p.pre
		req.csrf = func() string { return c.guard.Token(bindingOf(signedIn, id, pre)) }
	}
	p.described = req
	return req
}
