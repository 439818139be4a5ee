package chain

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/ringwall/ringwall/csrf"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/session"
)

// visit is the context of a request to an application, with its session. Its [Request] is made when somebody asks, which most
// applications never do. Headers are read before: the application may change them, and then the audit log would tell what it
// has made of them.
type visit struct {
	session.Context
	chain *Chain
	came  *http.Request // the application has a copy
	offer http.Header   // of the answer, where nobody is signed in: a token that somebody asks for needs a cookie

	address             netip.Addr // if it takes a header to know it
	browser, language   string
	route, pre          string // as in facts
	person              *sessions.Person
	page, bearer, bound bool
	described           atomic.Pointer[Request]
}

// Value is the Request under its key, and whatever the context of the request has under others.
func (v *visit) Value(k any) any {
	if k != (key{}) {
		return v.Context.Value(k)
	}
	if v.described.Load() == nil {
		v.described.CompareAndSwap(nil, v.describe()) // who asks at the same time may have been first
	}
	return v.described.Load()
}

func (v *visit) describe() *Request {
	address := v.address
	if !address.IsValid() {
		address = v.chain.address(v.came)
	}
	actor := session.ProofOf(v).Actor // and not the fields of the Session, which are the application's to change
	known := facts{
		route: v.route, page: v.page, signedIn: actor.Kind() == identity.Person, bearer: v.bearer, bound: v.bound,
		session: sessions.Session{ID: actor.Session(), User: actor.Subject().ID(), Bearer: v.bearer}, person: v.person, pre: v.pre,
	}
	req := v.chain.newRequest(&known, actor, identity.Request{Address: address, UserAgent: v.browser, Route: v.route})
	req.asked = v.language
	if v.offer != nil {
		v.chain.offerToken(v.offer, req, v.pre)
	}
	return req
}

// String tells nothing of the person, wherever a context is printed.
func (v *visit) String() string { return "chain.visit" }

// GoString is String.
func (v *visit) GoString() string { return v.String() }

// offerToken lets a public page of the application have a token for its form. The cookie to which that is bound is set when
// somebody asks, and not before: a page that does not ask stays one that a cache may keep.
func (c *Chain) offerToken(h http.Header, req *Request, pre string) {
	req.csrf = func() string {
		if pre == "" {
			fresh := rand.Text() + rand.Text()
			if c.Cookies.pre.Set(h, fresh, 0) != nil {
				return ""
			}
			pre = fresh
		}
		return c.guard.Token(csrf.PreSession(pre))
	}
}

// withSession puts what was proved where the application finds it. H is what the answer's headers will be, or nil.
func (c *Chain) withSession(r *http.Request, p *proof, h http.Header) *http.Request {
	v := &visit{
		chain: c, came: r, browser: userAgent(r), language: first(r.Header["Accept-Language"]),
		route: p.route, pre: p.pre, person: p.person, page: p.page, bearer: p.bearer, bound: p.bound,
	}
	if c.ProxyHeader != "" {
		v.address = c.address(r)
	}
	s := session.Session{}
	if p.signedIn {
		s = session.Session{
			ID: p.session.ID, UserID: p.person.ID, Email: p.person.Email, DisplayName: p.person.DisplayName, Roles: p.person.Roles,
			CreatedAt: identity.Time(p.session.CreatedMicros), ExpiresAt: identity.Time(p.session.ExpiresMicros), FreshUntil: identity.Time(p.session.FreshMicros),
		}
	} else {
		v.offer = h
	}
	v.Hold(r.Context(), s, session.Proof{Actor: p.judged, At: p.at, Refuse: c.again})
	return r.WithContext(v)
}
