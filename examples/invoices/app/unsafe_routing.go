package app

import (
	"net/http"
	"path"
	"strings"
)

// Handler is [App.Mux] or, with strict-routing off, a router that means well: it cleans paths and ignores case, after whoever
// stood in front has looked at the path as it came. Behind rw.Protect it needs [Public].
func (a *App) Handler() http.Handler {
	mux := a.Mux()
	if !a.config.Off[StrictRouting] {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = strings.ToLower(path.Clean("/"+r.URL.Path)), ""
		mux.ServeHTTP(w, r)
	})
}

// Public are the patterns that are open to everybody, for a handler that is no authz.Mux.
func Public() []string { return []string{"GET /{$}", "GET /assets/{name}"} }
