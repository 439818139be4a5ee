package chain

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/csrf"
	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/ratelimit"
)

// Table is the handler of all routes of ours.
type Table struct {
	exact   map[string]http.Handler // by path, where the pattern is the path
	mux     *http.ServeMux
	missing http.Handler
	all     http.Handler
	base    string
	routes  []Route // what it was made of, for [Without]
}

// found is a handler that a path itself was registered for: a mux answers with handlers of its own too, which redirect.
type found struct{ http.Handler }

func isFound(mux *http.ServeMux, r *http.Request) bool {
	h, _ := mux.Handler(r)
	_, ok := h.(found)
	return ok
}

// Serve makes one handler of the table. What no route matches is a 404, and a known path with another method a 405,
// both as problem documents with all headers. A route of administrators that does not have their rule is closed.
func (c *Chain) Serve(routes []Route) *Table {
	byPath := map[string][]Route{}
	for _, r := range routes {
		if ForAdministrators(r.Path) && !r.Rule.IsAdmin() {
			r.Rule = authz.Rule{}
		}
		pattern := r.Pattern(c.Prefix)
		byPath[pattern] = append(byPath[pattern], r)
	}
	t := &Table{exact: map[string]http.Handler{}, mux: http.NewServeMux(), missing: c.missing(), base: c.Prefix + "/", routes: routes}
	for pattern, routes := range byPath {
		h := c.methods(pattern, routes)
		t.mux.Handle(pattern, found{h})
		if !strings.Contains(pattern, "{") && !strings.HasSuffix(pattern, "/") {
			t.exact[pattern] = h // the mux would find the same: nothing is more specific
		}
	}
	t.all = c.guardPath(http.HandlerFunc(t.find))
	return t
}

// ForAdministrators reports whether a path below the prefix belongs to the routes of administrators.
func ForAdministrators(path string) bool {
	for _, group := range []string{"/v1/admin", "/admin"} {
		if path == group || strings.HasPrefix(path, group+"/") {
			return true
		}
	}
	return false
}

// ServeHTTP answers for a route of ours, and with 404 for any other path.
func (t *Table) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.all.ServeHTTP(w, r) }

func (t *Table) find(w http.ResponseWriter, r *http.Request) {
	if h, ok := t.exact[r.URL.Path]; ok {
		h.ServeHTTP(w, r)
		return
	}
	if !isFound(t.mux, r) {
		t.missing.ServeHTTP(w, r)
		return
	}
	t.mux.ServeHTTP(w, r)
}

// owns reports whether a path is ours: everything under the prefix, and the well-known paths that have a route.
func (t *Table) owns(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, t.base) {
		return true
	}
	return strings.HasPrefix(r.URL.Path, "/.well-known/") && isFound(t.mux, r)
}

// refusePath answers for a path that two parsers could read differently: it reaches neither mux nor rule.
func (c *Chain) refusePath(w http.ResponseWriter, r *http.Request, err error) {
	c.refuseWith(w, r, &proof{}, err)
}

// refuseWith answers with an error before anybody asked who is there.
func (c *Chain) refuseWith(w http.ResponseWriter, r *http.Request, p *proof, err error) {
	if c.enter(w, r, p) {
		c.fail(w, r, c.describe(r, p), err)
	}
}

// serve runs a handler of ours behind the whole chain.
func (c *Chain) serve(pattern string, route Route) http.Handler {
	check, isCheck := route.Handler.(Check)
	counted := c.API != nil && route.Ordinary()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := proof{facts: facts{route: pattern, page: route.Page}, open: route.Open, anyHost: route.AnyHost != nil && route.AnyHost(r)}
		if !c.enter(w, r, &p) {
			return
		}
		defer c.recoverPanic(w, r, &p)
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(w, r.Body, input.MaxBodyBytes)
		}
		if !c.admit(w, r, &p, route.Rule) {
			return
		}
		if counted && !c.count(w, r, &p) {
			return
		}
		if isCheck {
			check(w, Proved{Session: p.session, Person: p.owner(), guard: c.guard, binding: p.binding()})
			return
		}
		route.Handler.ServeHTTP(w, r.WithContext(withRequest(r.Context(), c.describe(r, &p))))
	})
}

// count takes one request from what the person may ask of the API, in all of their sessions together, and says so in the
// answer. What does not fit is refused.
func (c *Chain) count(w http.ResponseWriter, r *http.Request, p *proof) bool {
	err := c.API.Admit(r.Context(), w.Header(), ratelimit.Text(p.owner().ID.String()), 1)
	if err != nil {
		c.refuse(r, c.describe(r, p), audit.RateLimitExceeded, "api")
		c.fail(w, r, c.describe(r, p), err)
	}
	return err == nil
}

func (c *Chain) methods(pattern string, routes []Route) http.Handler {
	handlers := map[string]http.Handler{}
	var allow []string
	page := false
	for _, r := range routes {
		h := c.serve(pattern, r)
		handlers[r.Method] = h
		allow = append(allow, r.Method)
		if r.Method == http.MethodGet {
			handlers[http.MethodHead] = h
			allow = append(allow, http.MethodHead)
		}
		page = page || r.Page
	}
	slices.Sort(allow)
	refuse := problem.New(problem.MethodNotAllowed, "method-not-allowed", "Use one of the methods in the Allow header.")
	refuse.Header = http.Header{"Allow": {strings.Join(allow, ", ")}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := handlers[r.Method]; ok {
			h.ServeHTTP(w, r)
			return
		}
		c.refuseWith(w, r, &proof{facts: facts{route: pattern, page: page}}, refuse)
	})
}

func (c *Chain) missing() http.Handler {
	refuse := problem.New(problem.Missing, "not-found", "There is nothing here that you may see.")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := strings.Contains(r.Header.Get("Accept"), "text/html") && !strings.HasPrefix(r.URL.Path, c.Prefix+"/v1/")
		c.refuseWith(w, r, &proof{facts: facts{page: page}}, refuse)
	})
}

// Protect guards an application: an [authz.Mux] by its rules, any other signed in everywhere but for the public patterns
// ("GET /{$}"), which the mux of net/http reads. Paths of ours go to the table. The application finds the session with
// [session.From]; headers that claim an identity mean nothing.
func (c *Chain) Protect(ours *Table, app http.Handler, public []string) *Protected {
	routeOf := routesOf(app, public)
	guarded := c.policy.App(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer c.recoverPanic(w, r, nil) // inside of App, whose writer knows whether the head is out
		app.ServeHTTP(w, r)
	}))
	theirs := c.open(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := routeOf(r)
		p := proof{facts: facts{route: cmp.Or(route.Pattern, "application"), page: strings.Contains(first(r.Header["Accept"]), "text/html")}, app: true}
		if !c.enter(w, r, &p) {
			return
		}
		defer c.recoverPanic(w, r, &p)
		if !c.admit(w, r, &p, route.Rule) {
			return
		}
		release(w.Header())
		guarded.ServeHTTP(w, c.withSession(r, &p, w.Header()))
	}))
	all := c.guardPath(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ours.owns(r) {
			ours.ServeHTTP(w, r)
			return
		}
		theirs.ServeHTTP(w, r)
	}))
	return &Protected{all: all, chain: c, ours: ours, app: app, public: public}
}

// Protected is an application behind the chain.
type Protected struct {
	all http.Handler

	chain  *Chain // what it was made of, for [Without]
	ours   *Table
	app    http.Handler
	public []string
}

// ServeHTTP answers for the application, and for the routes of ours beside it.
func (p *Protected) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.all.ServeHTTP(w, r) }

// guardPath is the first layer: it stands outside of all that compares paths.
func (c *Chain) guardPath(next http.Handler) http.Handler {
	if c.off.has(layerPath) {
		return next
	}
	return input.PathGuard(next, c.refusePath)
}

// routesOf is how the rule of a request to an application is found.
func routesOf(app http.Handler, public []string) func(*http.Request) authz.Route {
	if mux, ok := app.(*authz.Mux); ok {
		if len(public) > 0 {
			panic("ringwall: Protect got an authz.Mux, and public patterns beside it: register these pages in the mux, with authz.Public()")
		}
		return mux.Route
	}
	open, anybody, signedIn := http.NewServeMux(), authz.Route{Rule: authz.Public()}, authz.Route{Rule: authz.SignedIn()}
	for _, pattern := range public {
		open.Handle(pattern, found{app})
	}
	return func(r *http.Request) authz.Route {
		if len(public) > 0 && isFound(open, r) {
			return anybody
		}
		return signedIn
	}
}

// release takes back what the chain set for an answer of its own: from here on the application chooses, and
// [headers.Policy.App] fills in what it leaves open.
func release(h http.Header) {
	if len(h) == 0 {
		return
	}
	kept := h["Set-Cookie"]
	clear(h)
	if kept != nil {
		h["Set-Cookie"] = kept
	}
}

// refuseAgain answers where a rule was checked at the point of access and did not admit what the chain has let pass: the
// application wraps its [authz.Mux], so that the chain does not know its rules.
func (c *Chain) refuseAgain(w http.ResponseWriter, r *http.Request, err error) {
	req := From(r.Context())
	if e := problem.From(err); e.Code == "forbidden" {
		c.refuse(r, req, audit.AuthzFail, "rule")
	}
	c.setHeaders(w, req.page)
	c.fail(w, r, req, err)
}

// bufferForm reads a urlencoded form, so that its token can be looked at, and leaves the body as it was. The other two that a
// form can send (Fetch, "CORS-safelisted request-header") are read by whoever looks for the token.
func bufferForm(r *http.Request) (form bool, err error) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";") // "…; =" is an error, and a form: so net/http reads it
	switch kind = strings.ToLower(strings.TrimSpace(kind)); {
	case kind == "multipart/form-data" || kind == "text/plain" || kind == "" && r.ContentLength != 0: // a script can leave it out
		return true, nil
	case kind != "application/x-www-form-urlencoded" || r.Body == nil:
		return false, nil // whatever it is, decoding refuses it or the handler reads it
	case r.Header.Get(csrf.Header) != "":
		return true, nil // the token is there: the form is its handler's
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, input.MaxBodyBytes+1))
	if err != nil || len(raw) > input.MaxBodyBytes {
		return true, problem.New(problem.TooLarge, "too-large", "The form is too large: send at most 64 KiB.")
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(raw), r.Body}
	values, err := url.ParseQuery(string(raw))
	if err != nil {
		return true, problem.New(problem.Malformed, "malformed", "The form cannot be read.")
	}
	r.PostForm = values
	return true, nil
}
