package authz_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ringwall/ringwall/authz"
)

// manyRoutes is a mux with as many routes, of every kind of rule and of every shape of pattern, and the middle one's path.
func manyRoutes(n int) (mux *authz.Mux, path string) {
	rules := []authz.Rule{authz.SignedIn(), authz.Permission("ledger.read"), authz.All(authz.Role("auditor"), authz.Fresh(5*time.Minute)), authz.Any(authz.Role("admin"), authz.Role("auditor"))}
	mux = authz.NewMux()
	for i := range n {
		mux.HandleFunc(fmt.Sprintf("GET /area-%d/things-%d/{id}", i%17, i), rules[i%len(rules)], func(http.ResponseWriter, *http.Request) {})
	}
	return mux, fmt.Sprintf("/area-%d/things-%d/4711", n/2%17, n/2)
}

// nothing is a writer of nothing.
type nothing struct{ header http.Header }

func (n nothing) Header() http.Header          { return n.header }
func (nothing) Write(text []byte) (int, error) { return len(text), nil }
func (nothing) WriteHeader(int)                {}

// BenchmarkMux is the whole decision: the route is found, its rule is checked, the handler called.
func BenchmarkMux(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			mux, path := manyRoutes(n)
			r := httptest.NewRequest("GET", path, nil).WithContext(as(time.Minute, "10.0.0.1", "auditor"))
			w := httptest.NewRecorder()
			if mux.ServeHTTP(w, r); w.Code != http.StatusOK {
				b.Fatalf("GET %s = %d", path, w.Code)
			}
			out := nothing{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				mux.ServeHTTP(out, r)
			}
		})
	}
}

// BenchmarkServeMux is net/http's own mux with the same routes, which asks nobody.
func BenchmarkServeMux(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			routes, path := manyRoutes(n)
			mux := http.NewServeMux()
			for _, r := range routes.Routes() {
				mux.HandleFunc(r.Pattern, func(http.ResponseWriter, *http.Request) {})
			}
			r, out := httptest.NewRequest("GET", path, nil), nothing{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				mux.ServeHTTP(out, r)
			}
		})
	}
}
