package ratelimit_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ringwall/ringwall/ratelimit"
)

// A whole application: a search that each address may use three times in a row, and an export that counts users.
func Example() {
	searches, err := ratelimit.New("search", []ratelimit.Window{{Quota: 3, Per: time.Minute}, {Quota: 100, Per: time.Hour}}, ratelimit.Options{})
	if err != nil {
		log.Fatal(err)
	}
	exports, err := ratelimit.New("export", []ratelimit.Window{{Quota: 10, Per: 24 * time.Hour}}, ratelimit.Options{
		Cost: func(r *http.Request) int {
			if r.URL.Query().Get("size") == "large" {
				return 5
			}
			return 1
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	user := func(*http.Request) string { return "the id of who is signed in" }
	byAddress := ratelimit.ByAddress(nil, "")

	mux := http.NewServeMux()
	mux.Handle("GET /search", searches.Handler(byAddress, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "found")
	})))
	mux.Handle("GET /export", exports.Handler(ratelimit.ByUser(user, byAddress), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "exported")
	})))

	for range 4 {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest("GET", "/search", nil))
		fmt.Println(answer.Code, answer.Header().Get("RateLimit"))
	}
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/export?size=large", nil))
	fmt.Println(answer.Code, answer.Header().Get("RateLimit-Policy"), answer.Header().Get("RateLimit"))
	// Output:
	// 200 "search-1m";r=2;t=20, "search-1h";r=99;t=36
	// 200 "search-1m";r=1;t=40, "search-1h";r=98;t=72
	// 200 "search-1m";r=0;t=60, "search-1h";r=97;t=108
	// 429 "search-1m";r=0;t=20
	// 200 "export-24h";q=10;w=86400 "export-24h";r=5;t=43200
}
