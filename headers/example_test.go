package headers_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ringwall/ringwall/headers"
)

// A whole application behind one policy, with a cookie of its own.
func Example() {
	policy, err := headers.New(headers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	theme, err := headers.NewCookie("__Host-theme", headers.CookieOptions{})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /theme", func(w http.ResponseWriter, r *http.Request) {
		if err := theme.Set(w.Header(), "dark", 24*time.Hour); err != nil {
			log.Print(err)
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	server := policy.App(mux) // http.ListenAndServeTLS(":443", cert, key, server)

	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, httptest.NewRequest("POST", "/theme", nil))
	fmt.Println(answer.Code, answer.Header().Get("X-Frame-Options"), answer.Header().Get("Cache-Control"))
	fmt.Println(answer.Header().Get("Set-Cookie"))
	// Output:
	// 303 DENY no-store
	// __Host-theme=dark; Max-Age=86400; Path=/; HttpOnly; Secure; SameSite=Lax
}
