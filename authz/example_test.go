package authz_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/session"
)

// books is an application: a ledger that auditors read, and an owner closes.
type books struct{ closed bool }

func (b *books) mux() *authz.Mux {
	mux := authz.NewMux()
	mux.HandleFunc("GET /{$}", authz.Public(), b.home)
	mux.HandleFunc("GET /me", authz.SignedIn(), b.me)
	mux.HandleFunc("GET /ledger/{year}", authz.All(authz.Permission("ledger.read"), authz.When("not the future", past)), b.read)
	mux.HandleFunc("POST /ledger/close", authz.All(authz.Permission("ledger.close"), authz.Fresh(5*time.Minute)), b.close)
	return mux
}

func past(r *http.Request) bool { return r.PathValue("year") <= "2026" }

func (b *books) home(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "welcome") }

func (b *books) me(w http.ResponseWriter, r *http.Request) {
	s, _ := session.From(r.Context()) // always there where the rule asks for somebody
	fmt.Fprintf(w, "%s, who may read the ledger: %v", s.Email, s.HasPermission("ledger.read"))
}

func (b *books) read(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, "the ledger of "+r.PathValue("year"))
}

func (b *books) close(w http.ResponseWriter, _ *http.Request) { b.closed = true }

// A whole program: it starts, makes two people, and shows what each of them may do.
func Example() {
	folder, err := os.MkdirTemp("", "books")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	server := httptest.NewUnstartedServer(nil)
	origin := "http://" + server.Listener.Addr().String()
	rw, err := ringwall.New(context.Background(), ringwall.Options{
		Database: "sqlite:" + filepath.Join(folder, "books.db"), Origins: []string{origin}, Development: true, Log: slog.New(slog.DiscardHandler),
		Roles: map[string][]string{"auditor": {"ledger.read"}, "owner": {"ledger.read", "ledger.close"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer rw.Close(context.Background())
	server.Config.Handler = rw.Protect(new(books).mux())
	server.Start()
	defer server.Close()

	for _, person := range []string{"", "clerk", "auditor"} {
		c := visitor(rw, origin, person)
		fmt.Printf("%q comes:\n", person)
		fmt.Println(" ", get(c, origin+"/"))
		fmt.Println(" ", get(c, origin+"/me"))
		fmt.Println(" ", get(c, origin+"/ledger/2026"))
		fmt.Println(" ", get(c, origin+"/ledger/2031"))
		fmt.Println(" ", get(c, origin+"/ledger//2026"))
	}
	for _, r := range rw.Routes() {
		if r.Application {
			fmt.Printf("%-4s %-14s %s\n", r.Method, r.Path, r.Rule)
		}
	}
	// Output:
	// "" comes:
	//   200 welcome
	//   401 unauthenticated
	//   401 unauthenticated
	//   401 unauthenticated
	//   404 not-found
	// "clerk" comes:
	//   200 welcome
	//   200 clerk@example.org, who may read the ledger: false
	//   403 forbidden
	//   403 forbidden
	//   404 not-found
	// "auditor" comes:
	//   200 welcome
	//   200 auditor@example.org, who may read the ledger: true
	//   200 the ledger of 2026
	//   403 forbidden
	//   404 not-found
	// GET  /{$}           public
	// GET  /me            signed in
	// GET  /ledger/{year} permission ledger.read, when not the future
	// POST /ledger/close  permission ledger.close, signed in, fresh within 5m
}

// visitor is a browser of somebody with the role of that name, or of nobody.
func visitor(rw *ringwall.Ringwall, origin, role string) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	if role == "" {
		return c
	}
	const password = "correct horse battery staple"
	if _, err := rw.Operate(context.Background(), "example", "user.create", []byte(`{"email":"`+role+`@example.org","password":"`+password+`","roles":["`+role+`"]}`)); err != nil {
		log.Fatal(err)
	}
	r, err := http.NewRequest("POST", origin+"/auth/v1/login", strings.NewReader(`{"email":"`+role+`@example.org","password":"`+password+`"}`))
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", origin)
	answer, err := c.Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		log.Fatal("sign in: ", answer, err)
	}
	return c
}

// get is the status and the body, or the code of a problem.
func get(c *http.Client, url string) string {
	answer, err := c.Get(url)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error()
	}
	text := string(body)
	if _, problem, ok := strings.Cut(text, "/problems/"); ok {
		text, _, _ = strings.Cut(problem, `"`)
	}
	return fmt.Sprint(answer.StatusCode, " ", text)
}
