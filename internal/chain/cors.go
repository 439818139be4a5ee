package chain

import (
	"net/http"
	"time"

	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/internal/audit"
)

// newCORS makes what lets frontends of other origins call the application; nil if there are none. They get no cookies.
func (c *Chain) newCORS(origins []string) (*headers.CORS, error) {
	if len(origins) == 0 {
		return nil, nil
	}
	return headers.NewCORS(headers.CORSOptions{
		Origins: origins, Methods: []string{"PUT", "PATCH", "DELETE"}, Headers: []string{"Authorization", "Content-Type", "Idempotency-Key"}, MaxAge: 10 * time.Minute,
		Refuse: func(w http.ResponseWriter, r *http.Request, err error) {
			req := c.describe(r, &proof{facts: facts{route: "application"}, app: true})
			c.refuse(r, req, audit.MaliciousCSRF, "origin")
			c.fail(w, r, req, err)
		},
	})
}

// open lets frontends of other origins call the application. Preflights end here, behind the layers that do not need to know
// who asks; our own origins are none of its business.
func (c *Chain) open(app http.Handler) http.Handler {
	if c.cors == nil {
		return app
	}
	opened := c.cors.Handler(app)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.origins.Has(r.Header.Get("Origin")) {
			app.ServeHTTP(w, r)
			return
		}
		if c.enter(w, r, &proof{facts: facts{route: "application"}, app: true}) {
			c.setHeaders(w, false)
			opened.ServeHTTP(w, r)
		}
	})
}

// isFrontend reports whether a request comes from a listed frontend with its own proof and nothing that a browser adds by
// itself. Only such a request may change something from another origin.
func (c *Chain) isFrontend(r *http.Request, p *proof) bool {
	return c.cors != nil && p.app && p.signedIn && p.bearer && len(r.Header["Cookie"]) == 0 && c.cors.Allows(r)
}
