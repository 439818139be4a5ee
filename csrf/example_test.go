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
	"github.com/ringwall/ringwall/input"
)

// A whole application: a form with its token, and both layers in front of what it changes.
func Example() {
	key := make([]byte, 32) // keep it across restarts
	_, _ = rand.Read(key)
	guard, err := csrf.New(csrf.HMAC(key), "https://app.example.org")
	if err != nil {
		log.Fatal(err)
	}
	page := template.Must(template.New("page").Parse(`<form method="post"><input type="hidden" name="csrf_token" value="{{.}}"><button>Delete</button></form>`))
	session := func(*http.Request) csrf.Binding { return csrf.Session("the id of the session") }

	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", func(w http.ResponseWriter, r *http.Request) {
		if err := page.Execute(w, guard.Token(session(r))); err != nil {
			log.Print(err)
		}
	})
	mux.HandleFunc("POST /account", func(w http.ResponseWriter, r *http.Request) {
		if err := guard.CheckToken(r, session(r)); err != nil {
			input.Refuse(w, r, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := guard.Check(r); err != nil {
			input.Refuse(w, r, err)
			return
		}
		mux.ServeHTTP(w, r)
	})

	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, httptest.NewRequest("GET", "/account", nil))
	_, rest, _ := strings.Cut(answer.Body.String(), `value="`)
	token, _, _ := strings.Cut(rest, `"`)

	for _, from := range []string{"https://app.example.org", "https://evil.test"} {
		r := httptest.NewRequest("POST", "/account", strings.NewReader("csrf_token="+token))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", from)
		answer := httptest.NewRecorder()
		server.ServeHTTP(answer, r)
		fmt.Println(from, answer.Code)
	}
	// Output:
	// https://app.example.org 303
	// https://evil.test 403
}
