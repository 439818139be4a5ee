package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

// An application's page needs no script to get its token: it writes one into its forms, and one with a file has it first.
func TestTokensOfApplicationsForms(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, ringwall.CSRFToken(r.Context()))
			return
		}
		body, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%d bytes, %v", len(body), err)
	})
	s := ringwalltest.StartApp(t, ringwall.Options{}, app, "GET /{$}")
	ann, ben := s.SignIn("ann@example.org"), s.SignIn("ben@example.org")
	token, theirs := string(ann.Get("/").Body), string(ben.Get("/").Body)
	ann.CSRF = ""
	if got := ann.Do("POST", "/notes", url.Values{"csrf_token": {token}}); got.Status != 200 {
		t.Errorf("a form with its token = %d, want 200\n%s", got.Status, got.Body)
	}
	want(t, "a form with another's token", ann.Do("POST", "/notes", url.Values{"csrf_token": {theirs}}), 403, "csrf")

	upload := func(token string) (int, string) {
		t.Helper()
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for _, field := range [][2]string{{"csrf_token", token}, {"picture", strings.Repeat("x", 200_000)}} {
			if err := form.WriteField(field[0], field[1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := form.Close(); err != nil {
			t.Fatal(err)
		}
		size := body.Len()
		ann.Header.Set("Content-Type", form.FormDataContentType())
		defer ann.Header.Del("Content-Type")
		got := ann.Do("POST", "/notes", &body)
		return got.Status, strings.Replace(string(got.Body), fmt.Sprint(size), "all", 1)
	}
	if status, text := upload(token); status != 200 || text != "all bytes, <nil>" {
		t.Errorf("an upload with its token = %d %s, want 200 and the whole body", status, text)
	}
	for _, wrong := range []string{"", theirs} {
		if status, _ := upload(wrong); status != 403 {
			t.Errorf("an upload with the token %q = %d, want 403", wrong, status)
		}
	}
}

// A page where nobody is signed in has no token, and no form of any spelling gets around that: net/http reads one whose content
// type has a parameter that is none.
func TestAFormIsOneHoweverItIsSpelled(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a form came through: note is %q", r.FormValue("note"))
	}), "POST /notes")
	const plain = "application/x-www-form-urlencoded"
	for _, kind := range []string{
		plain, "Application/X-WWW-Form-Urlencoded", plain + "; charset=utf-8", plain + ";", plain + "; =", plain + "; x", plain + `; a="`,
		"multipart/form-data; boundary=x", "Multipart/Form-Data; boundary=x", "multipart/form-data", "multipart/form-data; =", "text/plain", "text/plain; charset=utf-8", "Text/Plain;", "text/plain; a=1; a=2", " text/plain ;a", "",
	} {
		got := raw(t, s, "POST", "/notes", []byte("note=x"), func(r *http.Request) {
			r.Header.Set("Content-Type", kind)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		})
		if got.Status != 403 && got.Status != 400 {
			t.Errorf("Content-Type %s = %d, want a refusal", kind, got.Status)
		}
	}
}

// D06: a form on a public page carries a token too, bound to a cookie of its browser. A page that asks for none sets no cookie.
func TestTokensOfPublicForms(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/contact" {
			_, _ = io.WriteString(w, ringwall.CSRFToken(r.Context()))
			return
		}
		_, _ = io.WriteString(w, "reached")
	})
	s := ringwalltest.StartApp(t, ringwall.Options{}, app, "GET /{$}", "/contact")
	if got := s.Client().Get("/"); got.Header["Set-Cookie"] != nil {
		t.Errorf("a public page without a form sets %v", got.Header["Set-Cookie"])
	}
	visitor, other := s.Client(), s.Client()
	token, theirs := string(visitor.Get("/contact").Body), string(other.Get("/contact").Body)
	if visitor.Cookie("__Host-ringwall-pre") == "" || token == "" {
		t.Fatal("a public form gets no token, or its browser no cookie")
	}
	again := string(visitor.Get("/contact").Body)
	for name, given := range map[string]string{"its token": token, "a later one": again} {
		want(t, "a public form with "+name, visitor.Do("POST", "/contact", url.Values{"csrf_token": {given}}), 200, "")
	}
	for name, given := range map[string]string{"no token": "", "another's token": theirs, "a bent token": token + "x"} {
		want(t, "a public form with "+name, visitor.Do("POST", "/contact", url.Values{"csrf_token": {given}}), 403, "csrf")
	}
	want(t, "a browser without the cookie", s.Client().Do("POST", "/contact", url.Values{"csrf_token": {token}}), 403, "csrf")
	member := s.SignIn("ann@example.org")
	member.CSRF = ""
	want(t, "somebody signed in, with a token from before", member.Do("POST", "/contact", url.Values{"csrf_token": {token}}), 403, "csrf")
	want(t, "JSON, which no form can send", s.Client().Post("/contact", object{}), 200, "")
}
