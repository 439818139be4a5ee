package webtest_test

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/ringwalltest"
)

// holed is a page with a hole: what it is asked to say stands in it as markup. Only the policy is left (S073, S074).
func holed(t *testing.T, protected bool) string {
	t.Helper()
	policy, err := headers.New(headers.Options{Permissions: []string{"camera"}})
	if err != nil {
		t.Fatal(err)
	}
	view := template.Must(template.New("page").Parse(`<!doctype html><html lang=en><title>Notes</title><link rel=icon href="/icon.png">` +
		`<style nonce="{{.Nonce}}">h1 { color: rgb(1, 2, 3) }</style><h1>Notes</h1><p>HOLE</p>` +
		`<script nonce="{{.Nonce}}">window.ours = 1; document.body.append(Object.assign(document.createElement("script"), {src: "/more.js"}))</script>`))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /icon.png", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /more.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = fmt.Fprint(w, "window.more = 1")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		nonce := ""
		if protected {
			nonce = policy.PageNonce(w.Header())
		} else {
			w.Header().Set("Content-Security-Policy", "frame-ancestors 'none'")
		}
		var page strings.Builder
		if err := view.Execute(&page, struct{ Nonce string }{nonce}); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, strings.Replace(page.String(), "HOLE", r.FormValue("say"), 1))
	})
	server := httptest.NewTLSServer(policy.App(mux))
	t.Cleanup(server.Close)
	return server.URL
}

// C169, C170: markup that gets into a page runs nothing, and the page's own scripts and styles run. Without the policy all of it runs.
func TestNonceKeepsInjectedScriptsFromRunning(t *testing.T) {
	t.Parallel()
	safe, unsafe := holed(t, true), holed(t, false)
	b := open(t, safe, as{})
	foreign := evil(t, "localhost", func(http.ResponseWriter) string { return "" })
	for name, say := range map[string]string{
		"a script":               `<script>window.pwned = 1</script>`,
		"a script with a nonce":  `<script nonce="AAAAAAAAAAAAAAAAAAAAAAAAAA">window.pwned = 1</script>`,
		"a script with no nonce": `<script nonce="">window.pwned = 1</script>`,
		"a handler":              `<img src="/none" onerror="window.pwned = 1">`,
		"a script of data":       `<script src="data:text/javascript,window.pwned=1"></script>`,
		"a script of a frame":    `<iframe srcdoc="<script>parent.pwned = 1</script>"></iframe>`,
	} {
		say = "/?say=" + escape(say)
		b.visit(unsafe + say)
		b.settle()
		if !eval[bool](b, `"pwned" in window`) {
			t.Fatalf("%s does not run without a policy, so this proves nothing", name)
		}
		_ = b.complained()
		b.visit(safe + say)
		b.settle()
		if eval[bool](b, `"pwned" in window`) {
			t.Errorf("%s runs", name)
		}
		if !eval[bool](b, `window.ours === 1 && window.more === 1 && getComputedStyle(document.querySelector("h1")).color === "rgb(1, 2, 3)"`) {
			t.Errorf("%s: the page's own scripts and styles do not work", name)
		}
		if got := b.complained(); !mentions(got, "Content Security Policy") {
			t.Errorf("%s was not stopped by the policy: %q", name, got)
		}
	}
	for name, say := range map[string]string{
		"a base that moves the page's scripts": `<base href="` + foreign + `/">`,
		"a form that sends things elsewhere":   `<form id=leak method=post action="` + foreign + `/leak"></form>`,
	} {
		b.visit(safe + "/?say=" + escape(say))
		eval[any](b, `document.getElementById("leak")?.submit(), 0`)
		b.settle()
		if at := eval[string](b, `document.baseURI`); !strings.HasPrefix(at, safe) {
			t.Errorf("%s: %s", name, at)
		}
		if got := b.complained(); !mentions(got, "Content Security Policy") {
			t.Errorf("%s was not stopped by the policy: %q", name, got)
		}
	}
	b.visit(safe + "/") // S073, C166: nothing is wrong with the policy itself: the browser knows every word of it
	b.settle()
	b.quiet()
}

// What Chromium stops it reports, and it arrives: as an event of the audit log, without anybody's help.
func TestViolationsArriveAsEvents(t *testing.T) {
	t.Parallel()
	s := start(t)
	b := open(t, s.URL, as{})
	for name, path := range map[string]string{"a page of ours": "/auth/login", "a page of the application": "/"} {
		before := len(violations(t, s))
		b.visit(path)
		eval[any](b, `document.body.append(Object.assign(document.createElement("script"), {text: "window.pwned = 1"})), 0`)
		deadline := time.Now().Add(patience)
		for len(violations(t, s)) == before {
			if time.Now().After(deadline) {
				t.Fatalf("%s: no report has come", name)
			}
			time.Sleep(100 * time.Millisecond)
		}
		_ = b.complained()
		s.Clock.Advance(time.Minute) // a row at once for each minute
	}
	if text := fmt.Sprint(violations(t, s)); !strings.Contains(text, "script") {
		t.Errorf("the events are %s", text)
	}
}

func violations(t *testing.T, s *ringwalltest.Server) (rows []any) {
	t.Helper()
	out, err := s.Ringwall.Operate(t.Context(), "tester", "audit.tail", []byte(`{"limit":100,"event":"malicious_csp_violation"}`))
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Events []any }
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	return read.Events
}

// A page of the application stays out of frames too, whatever policy of its own it sets (S085).
func TestNobodyFramesTheApplication(t *testing.T) {
	t.Parallel()
	page := func(policy string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if policy != "" {
				w.Header().Set("Content-Security-Policy", policy)
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprint(w, "<!doctype html><title>Transfer</title><link rel=icon href=data:,><button>Pay everything</button>")
		})
	}
	harmless := httptest.NewTLSServer(page(""))
	t.Cleanup(harmless.Close)
	guarded := map[string]http.Handler{"no policy of its own": page(""), "one that says nothing of frames": page("default-src 'self'")}
	for name, application := range guarded {
		behind := ringwalltest.StartApp(t, ringwall.Options{}, application, "GET /{$}")
		alone := httptest.NewTLSServer(headers.Secure(application))
		t.Cleanup(alone.Close)
		for _, target := range []string{behind.URL, alone.URL} {
			for _, site := range sites {
				b := open(t, target, as{})
				b.visit(evil(t, site.host, func(http.ResponseWriter) string {
					return fmt.Sprintf(`<iframe src="%s/"></iframe><iframe src="%s/"></iframe>`, target, harmless.URL)
				}) + "/")
				b.settle()
				shown := b.frames()
				if !strings.Contains(shown, harmless.URL) {
					t.Fatalf("%s: the harmless page is not in its frame, so this proves nothing: %s", name, shown)
				}
				if strings.Contains(shown, target) || !strings.Contains(shown, "chrome-error://") {
					t.Errorf("%s: framed by %s: %s", name, site.name, shown)
				}
				_ = b.complained()
			}
		}
	}
}

// S078: with a person's cookies no other origin reads anything, listed or not; a listed one reads with a token of its own.
func TestOtherOriginsReadWithATokenAlone(t *testing.T) {
	t.Parallel()
	frontend := evil(t, "localhost", func(http.ResponseWriter) string { return "<h1>Frontend</h1>" })
	s := ringwalltest.StartApp(t, ringwall.Options{CORS: []string{frontend}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Credentials", "true") // somebody's mistake
		_, _ = fmt.Fprint(w, "the orders")
	}))
	s.SignUp(ann)
	token := bearerOf(t, s)
	b := open(t, s.URL, as{})
	b.signIn(ann, ringwalltest.Password)
	read := func(options string) string {
		return eval[string](b, `fetch("`+s.URL+`/orders", `+options+`).then(async r => r.status + " " + await r.text(), () => "kept out")`)
	}
	b.visit(frontend + "/")
	for options, want := range map[string]string{
		`{credentials: "omit", headers: {Authorization: "Bearer ` + token + `"}}`:                   "200 the orders",
		`{credentials: "omit", method: "DELETE", headers: {Authorization: "Bearer ` + token + `"}}`: "200 the orders",
		`{credentials: "include"}`:                                                   "kept out",
		`{credentials: "include", method: "POST"}`:                                   "kept out",
		`{credentials: "omit", headers: {"X-CSRF-Token": "a"}}`:                      "kept out",
		`{credentials: "omit", method: "REPORT"}`:                                    "kept out",
		`{credentials: "include", headers: {Authorization: "Bearer ` + token + `"}}`: "kept out",
		`{credentials: "omit", headers: {Authorization: "Bearer none"}}`:             "401",
	} {
		if got := read(options); !strings.HasPrefix(got, want) {
			t.Errorf("the listed frontend with %s: %q, want %q", options, got, want)
		}
	}
	for _, site := range sites {
		b.visit(evil(t, site.host, func(http.ResponseWriter) string { return "<h1>Evil</h1>" }) + "/")
		for _, options := range []string{`{credentials: "include"}`, `{credentials: "omit", headers: {Authorization: "Bearer ` + token + `"}}`, `{credentials: "include", method: "POST"}`} {
			if got := read(options); got != "kept out" {
				t.Errorf("%s with %s reads %q", site.name, options, got)
			}
		}
	}
	_ = b.complained() // the browser tells of what it kept out
}

// bearerOf signs Ann in as a program.
func bearerOf(t *testing.T, s *ringwalltest.Server) string {
	t.Helper()
	answer, err := s.Client().HTTP.Post(s.URL+"/auth/v1/login", "application/json", strings.NewReader(`{"email":"`+ann+`","password":"`+ringwalltest.Password+`","bearer":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var read struct{ Token string }
	if err := json.NewDecoder(answer.Body).Decode(&read); err != nil || read.Token == "" {
		t.Fatalf("no token: %d, %v", answer.StatusCode, err)
	}
	return read.Token
}
