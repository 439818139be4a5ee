package headers_test

import (
	"context"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ringwall/ringwall/headers"
)

// gallery is a service with a page, a cookie, data that another origin may read, and a place for reports.
type gallery struct {
	policy *headers.Policy
	theme  *headers.Cookie
}

// view is a page with a script of its own: the template puts the nonce into the tag.
var view = template.Must(template.New("view").Parse(`<!doctype html><title>{{.Title}}</title><script nonce="{{.Nonce}}">document.title += "!"</script>`))

func (g *gallery) page(w http.ResponseWriter, r *http.Request) {
	nonce := g.policy.PageNonce(w.Header())
	if err := view.Execute(w, struct{ Title, Nonce string }{r.FormValue("title"), nonce}); err != nil {
		log.Print(err)
	}
}

func (g *gallery) setTheme(w http.ResponseWriter, r *http.Request) {
	if err := g.theme.Set(w.Header(), "dark", 24*time.Hour); err != nil {
		log.Print(err)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// pictures is data: it says so before anything else can happen.
func (g *gallery) pictures(w http.ResponseWriter, _ *http.Request) {
	g.policy.API(w.Header())
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprint(w, `{"pictures":[]}`)
}

// newGallery puts all of it behind one policy.
func newGallery() (http.Handler, error) {
	policy, err := headers.New(headers.Options{ReportTo: "/reports"})
	if err != nil {
		return nil, err
	}
	theme, err := headers.NewCookie("__Host-theme", headers.CookieOptions{})
	if err != nil {
		return nil, err
	}
	cors, err := headers.NewCORS(headers.CORSOptions{Origins: []string{"https://app.example.org"}})
	if err != nil {
		return nil, err
	}
	g := &gallery{policy: policy, theme: theme}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", g.page)
	mux.HandleFunc("POST /theme", g.setTheme)
	mux.Handle("/pictures", cors.Handler(http.HandlerFunc(g.pictures)))
	mux.Handle("/reports", headers.Reports(func(_ context.Context, r headers.Report) {
		fmt.Println("stopped:", r.Directive, r.Blocked, "on", r.Page)
	}))
	return policy.App(mux), nil
}

// ask sends a request; pairs are headers.
func ask(server http.Handler, method, target, body string, pairs ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Header.Set(pairs[i], pairs[i+1])
	}
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, r)
	return answer
}

// A whole service behind one policy.
func Example() {
	server, err := newGallery() // http.ListenAndServeTLS(":443", cert, key, server)
	if err != nil {
		log.Fatal(err)
	}
	page := ask(server, "GET", "/?title=<script>", "")
	policy := page.Header().Get("Content-Security-Policy")
	_, rest, _ := strings.Cut(policy, "'nonce-")
	nonce, _, _ := strings.Cut(rest, "'")
	fmt.Println(strings.ReplaceAll(policy, nonce, "…"))
	fmt.Println(strings.ReplaceAll(page.Body.String(), nonce, "…"))

	answer := ask(server, "POST", "/theme", "")
	fmt.Println(answer.Code, answer.Header().Get("X-Frame-Options"), answer.Header().Get("Set-Cookie"))

	for _, origin := range []string{"https://app.example.org", "https://app.example.org.evil.test"} {
		fmt.Printf("%s may read: %q\n", origin, ask(server, "GET", "/pictures", "", "Origin", origin).Header().Get("Access-Control-Allow-Origin"))
	}

	ask(server, "POST", "/reports", `{"csp-report":{"document-uri":"https://gallery.example.org/?title=x","effective-directive":"script-src-elem","blocked-uri":"inline"}}`,
		"Content-Type", "application/csp-report")
	// Output:
	// default-src 'none'; script-src 'nonce-…' 'strict-dynamic'; object-src 'none'; style-src 'self' 'nonce-…'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /reports; report-to csp
	// <!doctype html><title>&lt;script&gt;</title><script nonce="…">document.title += "!"</script>
	// 303 DENY __Host-theme=dark; Max-Age=86400; Path=/; HttpOnly; Secure; SameSite=Lax
	// https://app.example.org may read: "https://app.example.org"
	// https://app.example.org.evil.test may read: ""
	// stopped: script-src-elem inline on https://gallery.example.org/
}
