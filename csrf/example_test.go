package csrf_test

import (
	"crypto/rand"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ringwall/ringwall/csrf"
)

// notebook is a service with a form and a session, the id of which lies in a cookie.
type notebook struct {
	guard *csrf.Guard
	notes []string
}

// page holds the token in the form, where only a page of the same origin can read it.
var page = template.Must(template.New("page").Parse(`<form method="post"><input type="hidden" name="csrf_token" value="{{.}}"><input name="note"><button>Keep</button></form>`))

// session says what tokens belong to: whoever has no session has none, and changes nothing.
func session(r *http.Request) csrf.Binding {
	cookie, err := r.Cookie("__Host-session")
	if err != nil {
		return csrf.Binding{}
	}
	return csrf.Session(cookie.Value)
}

func (n *notebook) show(w http.ResponseWriter, r *http.Request) {
	if err := page.Execute(w, n.guard.Token(session(r))); err != nil {
		log.Print(err)
	}
}

func (n *notebook) keep(w http.ResponseWriter, r *http.Request) {
	n.notes = append(n.notes, r.PostFormValue("note"))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// server is all of it behind both layers.
func (n *notebook) server() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", n.show)
	mux.HandleFunc("POST /{$}", n.keep)
	return n.guard.Handler(mux, session)
}

// browse sends a request as the browser of somebody who is signed in, from a page of an origin.
func browse(server http.Handler, method, from, form string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://app.example.org/", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", from)
	r.Header.Set("Cookie", "__Host-session=ann")
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, r)
	return answer
}

// A whole service: a form with its token, and both layers in front of what it changes.
func Example() {
	key := make([]byte, 32) // keep it across restarts, or forms that are open then fail
	_, _ = rand.Read(key)
	guard, err := csrf.New(csrf.HMAC(key), "https://app.example.org")
	if err != nil {
		log.Fatal(err)
	}
	book := &notebook{guard: guard}
	server := book.server() // http.ListenAndServeTLS(":443", cert, key, server)

	_, rest, _ := strings.Cut(browse(server, "GET", "https://app.example.org", "").Body.String(), `value="`)
	token, _, _ := strings.Cut(rest, `"`)

	fmt.Println("own page:", browse(server, "POST", "https://app.example.org", "note=milk&csrf_token="+token).Code)
	fmt.Println("own page, no token:", browse(server, "POST", "https://app.example.org", "note=gold").Code)
	fmt.Println("other site, stolen token:", browse(server, "POST", "https://evil.test", "note=gold&csrf_token="+token).Code)
	fmt.Println(book.notes)
	// Output:
	// own page: 303
	// own page, no token: 403
	// other site, stolen token: 403
	// [milk]
}
