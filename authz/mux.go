package authz

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/session"
)

// Route is a pattern with its rule.
type Route struct {
	Pattern string // of net/http: "GET /invoices/{id}"
	Rule    Rule
}

// Mux finds the handler of a request by the patterns of [http.ServeMux], and calls it only for whom its rule admits. Make
// one with [NewMux]. It is safe for concurrent use.
//
// Whoever may not pass is answered with a problem document: 401 with WWW-Authenticate if nobody is signed in, 403
// otherwise. A path without a route is 404, and a route with other methods 405 with Allow; to somebody who is not
// signed in both are 401, but for the methods that are open to everybody.
//
// Unlike [http.ServeMux] it redirects nowhere. A path that two programs could read differently ("//", "/./", %2f; see
// [input.PathGuard]) has no route, nor has "/files" if the pattern is "/files/", and no pattern takes CONNECT.
type Mux struct {
	mu      sync.RWMutex
	routes  []Route
	methods []string // that patterns name, sorted
	inner   *http.ServeMux
	guarded http.Handler // inner, for plain paths alone
	probes  sync.Pool
}

// NewMux makes a Mux without routes.
func NewMux() *Mux {
	m := &Mux{inner: http.NewServeMux()}
	m.guarded = input.PathGuard(m.inner, func(http.ResponseWriter, *http.Request, error) {})
	return m
}

// Handle registers a handler for the requests that match the pattern and that the rule admits. It panics if the pattern
// is not one or conflicts with another, as net/http does, and if there is no handler.
//
// A Mux may be the handler of a route of another, for a group such as "/admin/": then both rules hold, and a path that the
// group does not know is closed too. [Mux.Routes] lists the route of the group alone.
func (m *Mux) Handle(pattern string, rule Rule, h http.Handler) {
	if h == nil {
		panic("authz: no handler for " + pattern)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inner.Handle(pattern, &entry{Route{pattern, rule}, h})
	m.routes = append(m.routes, Route{pattern, rule})
	m.methods = append(m.methods, methodsOf(pattern)...)
	slices.Sort(m.methods)
	m.methods = slices.Compact(m.methods)
}

// HandleFunc is [Mux.Handle] for a function.
func (m *Mux) HandleFunc(pattern string, rule Rule, h func(http.ResponseWriter, *http.Request)) {
	if h == nil {
		panic("authz: no handler for " + pattern)
	}
	m.Handle(pattern, rule, http.HandlerFunc(h))
}

// methodsOf are the methods that a pattern names: none if it takes all of them.
func methodsOf(pattern string) []string {
	switch at := strings.IndexAny(pattern, " \t"); {
	case at < 0:
		return nil
	case pattern[:at] == http.MethodGet:
		return []string{http.MethodGet, http.MethodHead}
	default:
		return []string{pattern[:at]}
	}
}

// Routes are the routes, in the order of their registration.
func (m *Mux) Routes() []Route {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.routes)
}

// Route is the route that a request reaches, and sets the request's path values. Where there is none its pattern is
// empty, and its rule is the one that whoever may learn so has to pass.
func (m *Mux) Route(r *http.Request) Route {
	switch e := m.find(r); {
	case e != nil:
		return e.Route
	case len(m.allowed(r, true)) > 0:
		return Route{Rule: Public()}
	default:
		return Route{Rule: SignedIn()}
	}
}

// ServeHTTP checks the rule of the request's route, with what the chain has proved about who asks, and calls its handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	proof := session.ProofOf(r.Context())
	refuse := proof.Refuse
	if refuse == nil {
		refuse = input.Refuse
	}
	e := m.find(r)
	if e == nil {
		refuse(w, r, m.missing(r, SignedIn().Check(proof.Actor, proof.At, nil) == Allowed))
		return
	}
	if v := e.Rule.Check(proof.Actor, proof.At, r); v != Allowed {
		refuse(w, r, v.Err())
		return
	}
	e.handler.ServeHTTP(w, r)
}

var errMissing = problem.New(problem.Missing, "not-found", "There is nothing here that you may see.")

// missing is the answer to a request without a route.
func (m *Mux) missing(r *http.Request, signedIn bool) error {
	allow := m.allowed(r, !signedIn)
	switch {
	case len(allow) > 0:
		e := problem.New(problem.MethodNotAllowed, "method-not-allowed", "Use one of the methods in the Allow header.")
		e.Header = http.Header{"Allow": {strings.Join(allow, ", ")}}
		return e
	case signedIn:
		return errMissing
	default:
		return errSignIn
	}
}

// allowed are the methods with which the path of a request has a route; with open, one that is open to everybody.
func (m *Mux) allowed(r *http.Request, open bool) (methods []string) {
	m.mu.RLock()
	named := m.methods
	m.mu.RUnlock()
	for _, method := range named {
		other := *r
		other.Method = method
		if e := m.find(&other); e != nil && (!open || !e.Rule.Needs()) {
			methods = append(methods, method)
		}
	}
	return methods
}

// find is what is registered for a request, or nil, and sets the request's path values. The one lookup of net/http
// that sets them calls what it finds, so it is called with a probe in the place of a writer.
func (m *Mux) find(r *http.Request) *entry {
	if r.Method == http.MethodConnect {
		return nil // net/http would match its path and its host in another way
	}
	p, _ := m.probes.Get().(*probe)
	if p == nil {
		p = &probe{}
	}
	p.found = nil
	m.guarded.ServeHTTP(p, r)
	e := p.found
	m.probes.Put(p)
	return e
}

// entry is a route with its handler.
type entry struct {
	Route
	handler http.Handler
}

// ServeHTTP tells the probe what was found. Nothing else ever calls it.
func (e *entry) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.(*probe).found = e }

// probe asks a mux what it would call. What the mux itself answers (redirects, 404, 405) is nothing.
type probe struct{ found *entry }

func (*probe) Header() http.Header            { return http.Header{} }
func (*probe) Write(text []byte) (int, error) { return len(text), nil }
func (*probe) WriteHeader(int)                {}
