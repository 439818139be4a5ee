package sanitize_test

import (
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/ringwall/ringwall/sanitize"
)

// guestbook keeps what visitors write, as HTML.
type guestbook struct {
	mu      sync.Mutex
	entries []string
}

// sign takes markdown from a form. What is stored is harmless already.
func (g *guestbook) sign(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entries = append(g.entries, string(sanitize.Markdown(r.PostFormValue("entry"))))
	w.WriteHeader(http.StatusNoContent)
}

// show sanitises again: the page is safe whoever wrote into the store.
func (g *guestbook) show(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	page := template.Must(template.New("page").Parse(`{{range .}}<article>{{.}}</article>{{end}}`))
	var safe []template.HTML
	for _, entry := range g.entries {
		safe = append(safe, sanitize.HTML(entry))
	}
	if err := page.Execute(w, safe); err != nil {
		log.Print(err)
	}
}

// A whole service: a guestbook in markdown.
func Example() {
	book := &guestbook{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /entries", book.sign)
	mux.HandleFunc("GET /{$}", book.show) // http.ListenAndServe("127.0.0.1:8080", mux)

	for _, entry := range []string{"*Nice* to [be here](https://ann.example)!", "<script>steal()</script> [win](javascript:steal())"} {
		r := httptest.NewRequest("POST", "/entries", strings.NewReader(url.Values{"entry": {entry}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		mux.ServeHTTP(httptest.NewRecorder(), r)
	}
	book.entries = append(book.entries, `<img src=x onerror="steal()"><b>past the form`)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(strings.TrimSpace(w.Body.String()))
	fmt.Println(sanitize.Text("<h1>Tom &amp; Jerry</h1>"))
	// Output:
	// <article><p><em>Nice</em> to <a href="https://ann.example" rel="nofollow noopener noreferrer">be here</a>!</p>
	// </article><article><p>&lt;script&gt;steal()&lt;/script&gt; win</p>
	// </article><article><b>past the form</b></article>
	// Tom & Jerry
}
