package ratelimit_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// shop is an application on plain net/http.
type shop struct{ searches, exports *ratelimit.Limiter }

func newShop() (*shop, error) {
	searches, err := ratelimit.New("search", []ratelimit.Window{{Quota: 3, Per: time.Minute}, {Quota: 100, Per: time.Hour}}, ratelimit.Options{})
	if err != nil {
		return nil, err
	}
	exports, err := ratelimit.New("export", []ratelimit.Window{{Quota: 10, Per: 24 * time.Hour}}, ratelimit.Options{Cost: size})
	return &shop{searches, exports}, err
}

// size is what an export costs.
func size(r *http.Request) int {
	if r.URL.Query().Get("size") == "large" {
		return 5
	}
	return 1
}

// user is whoever the application knows to be signed in; nobody is empty.
func user(r *http.Request) string {
	name, _, _ := r.BasicAuth() // an example: nobody has checked a password here
	return name
}

// routes limits searches by address, and exports by user.
func (s *shop) routes() http.Handler {
	byAddress := ratelimit.ByAddress(nil, "")
	mux := http.NewServeMux()
	mux.Handle("GET /search", s.searches.Handler(byAddress, says("found")))
	mux.Handle("GET /export", s.exports.Handler(ratelimit.ByUser(user, byAddress), says("exported")))
	return mux
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, text) })
}

// A whole application: a search that each address may use three times in a row, and an export that counts users.
func Example() {
	app, err := newShop()
	if err != nil {
		log.Fatal(err)
	}
	get := func(target, name, address string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", target, nil)
		r.RemoteAddr = address + ":40000"
		if name != "" {
			r.SetBasicAuth(name, "")
		}
		w := httptest.NewRecorder()
		app.routes().ServeHTTP(w, r)
		return w
	}
	for range 4 {
		w := get("/search", "", "192.0.2.1")
		fmt.Println(w.Code, w.Header().Get("RateLimit"))
	}
	fmt.Println(get("/search", "", "192.0.2.2").Code, "from elsewhere")
	for _, name := range []string{"ada", "ada", "ada", "bob"} {
		w := get("/export?size=large", name, "192.0.2.1")
		fmt.Println(w.Code, name, w.Header().Get("RateLimit"))
	}
	// Output:
	// 200 "search-1m";r=2;t=20, "search-1h";r=99;t=36
	// 200 "search-1m";r=1;t=40, "search-1h";r=98;t=72
	// 200 "search-1m";r=0;t=60, "search-1h";r=97;t=108
	// 429 "search-1m";r=0;t=20
	// 200 from elsewhere
	// 200 ada "export-24h";r=5;t=43200
	// 200 ada "export-24h";r=0;t=86400
	// 429 ada "export-24h";r=0;t=43200
	// 200 bob "export-24h";r=5;t=43200
}
