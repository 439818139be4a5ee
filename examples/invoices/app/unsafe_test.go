package app_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/examples/invoices/app"
	"github.com/ringwall/ringwall/internal/testdb"
)

// upload sends a file to the profile, under the type that the sender claims.
func (p *person) upload(kind string, file []byte) int {
	p.s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if err := form.WriteField("csrf_token", p.form("/profile", "/profile/avatar").Get("csrf_token")); err != nil {
		p.s.t.Fatal(err)
	}
	part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="picture"; filename="me.png"`}, "Content-Type": {kind}})
	if err != nil {
		p.s.t.Fatal(err)
	}
	if _, err := part.Write(file); err != nil {
		p.s.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		p.s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(p.s.t.Context(), "POST", p.s.URL+"/profile/avatar", &body)
	if err != nil {
		p.s.t.Fatal(err)
	}
	r.Header = p.Header.Clone()
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	response, err := p.HTTP.Do(r)
	if err != nil {
		p.s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// id is the person's id, which everybody who sees their picture knows.
func (p *person) id() string {
	p.s.t.Helper()
	var seen struct{ User struct{ ID string } }
	p.Get("/auth/v1/session").Into(p.s.t, &seen)
	return seen.User.ID
}

// stage is the application, an attacker, whom they are after, and a server that only the inside should reach.
type stage struct {
	*site
	ben, ada, eve *person
	invoice       string // of Ada's
	inside        string
	file          string // does not exist
}

// attacks return whether they did harm.
func attacks() map[string]func(*stage) bool {
	return map[string]func(*stage) bool{
		"sql-injection": func(s *stage) bool {
			owner := "X'" + strings.ReplaceAll(s.ben.id(), "-", "") + "'"
			if strings.HasPrefix(s.dsn, "postgres") {
				owner = `'\x` + strings.ReplaceAll(s.ben.id(), "-", "") + `'::bytea`
			}
			q := "nobody')) UNION SELECT email, email, email, 1, '2026-01-01', FALSE, " + owner + " FROM people --"
			return strings.Contains(string(s.ben.Get("/search?q="+url.QueryEscape(q)).Body), "ada@example.org")
		},
		"command-injection": func(s *stage) bool {
			s.ben.submit("/reports", "/reports", map[string]string{"by": "1,1 /dev/null; touch " + s.file + " #"})
			_, err := os.Stat(s.file)
			return err == nil
		},
		"stored-xss": func(s *stage) bool {
			path := s.ben.invoice("B-1", "x", "1")
			s.ben.submit(path, path+"/comments", map[string]string{"text": "<img src=x onerror=alert(1)>"})
			return strings.Contains(string(s.eve.Get("/admin"+path).Body), "<img src=x onerror")
		},
		"reflected-xss": func(s *stage) bool {
			return strings.Contains(string(s.ada.Get("/search?q="+url.QueryEscape("<script>alert(1)</script>")).Body), "<script>alert")
		},
		"idor": func(s *stage) bool {
			return strings.Contains(string(s.ben.Get(s.invoice+"/export").Body), "Secret Customer")
		},
		"function-level": func(s *stage) bool {
			return strings.Contains(string(s.ben.Get("/admin/invoices").Body), "Secret Customer")
		},
		"path-confusion": func(s *stage) bool {
			return strings.Contains(string(s.ben.Get("/Admin/Invoices").Body), "Secret Customer")
		},
		"mass-assignment": func(s *stage) bool {
			s.ben.submit("/profile", "/profile", map[string]string{"display_name": "Ben", "balance_cents": "99999900"})
			return strings.Contains(string(s.ben.Get("/profile").Body), "999,999.00 €")
		},
		"open-redirect": func(s *stage) bool {
			return strings.HasPrefix(s.ada.Get("/go?to="+url.QueryEscape("https://evil.example/")).Header.Get("Location"), "https://evil")
		},
		"ssrf": func(s *stage) bool {
			return strings.Contains(string(s.ben.submit("/webhook-target", "/webhook-target", map[string]string{"url": s.inside}).Body), "inside secret")
		},
		"replayed-write": func(s *stage) bool {
			form := s.ada.form("/transfers", "/transfers")
			form.Set("to", "ben@example.org")
			form.Set("amount", "1")
			s.ada.send("/transfers", form)
			s.ada.send("/transfers", form)
			return strings.Contains(string(s.ada.Get("/transfers").Body), "98.00 €")
		},
		"malicious-upload": func(s *stage) bool {
			s.ben.upload("text/html", []byte("<script>alert(1)</script>"))
			got := s.ada.Get("/avatars/" + s.ben.id())
			return got.Status == 200 && strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") && !strings.Contains(got.Header.Get("Content-Security-Policy"), "sandbox")
		},
	}
}

func newStage(t *testing.T, db testdb.DB, off app.Off) *stage {
	t.Helper()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "inside secret") }))
	t.Cleanup(inside.Close)
	s := &stage{site: start(t, db, func(c *app.Config) { c.Off, c.WebhookHosts = off, []string{"example.com"} }), inside: inside.URL, file: filepath.Join(t.TempDir(), "touched")}
	s.ada, s.ben, s.eve = s.person("ada@example.org"), s.person("ben@example.org"), s.accountant("eve@example.org")
	s.invoice = s.ada.invoice("A-1", "Secret Customer", "10")
	s.ben.Get("/transfers")
	return s
}

// With all layers of the application off each attack does harm, with all on none does. What each layer does alone is shown by
// the wall; here stand both databases, and the one layer that SQLite does not have.
func TestLayersStopWhatTheySay(t *testing.T) {
	all := app.Off{}
	for _, l := range app.Layers() {
		all[l.ID] = true
	}
	for name, tt := range map[string]struct {
		off  app.Off
		harm bool
	}{"all off": {all, true}, "all on": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			testdb.Each(t, func(t *testing.T, db testdb.DB) {
				s := newStage(t, db, tt.off)
				for class, attack := range attacks() {
					if got := attack(s); got != tt.harm {
						t.Errorf("%s did harm: %v, want %v", class, got, tt.harm)
					}
				}
			})
		})
	}
	t.Run("row-security alone", func(t *testing.T) {
		off := maps.Clone(all)
		delete(off, app.RowSecurity)
		if attacks()["idor"](newStage(t, testdb.Postgres(t), off)) {
			t.Error("PostgreSQL showed somebody else's row")
		}
	})
}

// A layer says what it does, where it is, and names files that are there.
func TestLayersAreDescribed(t *testing.T) {
	seen := map[app.ID]bool{}
	classes := attacks()
	for _, l := range app.Layers() {
		if seen[l.ID] || l.Ring < 1 || l.Ring > 6 || l.Summary == "" || len(l.Stops) == 0 {
			t.Errorf("layer %q is there twice or says too little: %+v", l.ID, l)
		}
		seen[l.ID] = true
		for _, file := range append(strings.Split(l.Safe, ", "), l.Unsafe) {
			if _, err := os.Stat(file); err != nil {
				t.Errorf("layer %q: %v", l.ID, err)
			}
		}
		for _, class := range l.Stops {
			if classes[class] == nil {
				t.Errorf("layer %q stops %q, which nobody tries", l.ID, class)
			}
		}
	}
	for class := range classes {
		n := 0
		for _, l := range app.Layers() {
			if slices.Contains(l.Stops, class) && l.ID != app.RowSecurity {
				n++
			}
		}
		if n < 2 {
			t.Errorf("%s is stopped by %d layers, want two", class, n)
		}
	}
}
