package app_test

import (
	"bytes"
	"crypto/x509"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ringwall/ringwall/examples/invoices/app"
	"github.com/ringwall/ringwall/internal/testdb"
)

// What was stored past the first layer, by an older program or another one, is made safe where it is shown.
func TestStoredMarkupIsShownSafe(t *testing.T) {
	s := start(t, testdb.SQLite(t), nil)
	ada := s.person("ada@example.org")
	path := ada.invoice("A-1", "x", "1")
	expect(t, "a comment", ada.submit(path, path+"/comments", map[string]string{"text": "fine"}), 303)
	db, _, err := app.Open(s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), `UPDATE comments SET html = '<p onclick="alert(1)">fine <script>alert(1)</script><a href="javascript:alert(1)">link</a></p>'`); err != nil {
		t.Fatal(err)
	}
	got := string(ada.Get(path).Body)
	for _, evil := range []string{"onclick", "<script>alert", "javascript:"} {
		if strings.Contains(got, evil) {
			t.Errorf("the page shows %q", evil)
		}
	}
	if !strings.Contains(got, "<p>fine") {
		t.Errorf("the page does not show what is harmless:\n%s", got)
	}
}

func TestCommentIsBounded(t *testing.T) {
	s := start(t, testdb.SQLite(t), nil)
	ada := s.person("ada@example.org")
	path := ada.invoice("A-1", "x", "1")
	expect(t, "an empty comment", ada.submit(path, path+"/comments", nil), 422, "Your comment: This field is required.")
	expect(t, "a comment without end", ada.submit(path, path+"/comments", map[string]string{"text": strings.Repeat("a", 5001)}), 422, "Send at most 5000 characters.")
	expect(t, "a comment that blows up", ada.submit(path, path+"/comments", map[string]string{"text": strings.Repeat("[", 5000)}), 303)
}

// receiver is a webhook's receiver on this machine, which the test lets the application reach.
func receiver(t *testing.T, h http.HandlerFunc) (*httptest.Server, func(*app.Config)) {
	t.Helper()
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, func(c *app.Config) {
		c.WebhookHosts = []string{strings.TrimPrefix(server.URL, "https://")}
		c.Outbound.RootCAs = roots
		c.Outbound.InsecureNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
}

func TestWebhook(t *testing.T) {
	var called atomic.Int64
	server, known := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		called.Add(1)
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "http://127.0.0.1/", http.StatusFound)
		case "/long":
			_, _ = w.Write(bytes.Repeat([]byte("\xff"), 100_000))
		default:
			_, _ = w.Write([]byte("thank you <b>\xff"))
		}
	})
	s := start(t, testdb.SQLite(t), known)
	ada := s.person("ada@example.org")
	try := func(address string) (status int, says string) {
		got := ada.submit("/webhook-target", "/webhook-target", map[string]string{"url": address})
		return got.Status, string(got.Body)
	}
	if status, says := try(server.URL + "/hook"); status != 200 || !strings.Contains(says, "thank you &lt;b&gt;�") {
		t.Errorf("a listed host = %d\n%s", status, says)
	}
	if status, says := try(server.URL + "/away"); status != 200 || !strings.Contains(says, "It answered 302 Found") {
		t.Errorf("a redirect = %d, want its answer and no second request\n%s", status, says)
	}
	if status, says := try(server.URL + "/long"); status != 200 || len(says) > 20_000 {
		t.Errorf("a long answer = %d and %d bytes, want 200 and its beginning", status, len(says))
	}
	before := called.Load()
	for _, address := range []string{
		strings.Replace(server.URL, "https", "http", 1), "https://localhost" + server.URL[strings.LastIndex(server.URL, ":"):], "https://127.0.0.1/", "https://example.org/", "file:///etc/passwd", "//x", "%", "https://",
	} {
		if status, _ := try(address); status != 422 {
			t.Errorf("a webhook to %s = %d, want 422", address, status)
		}
	}
	if n := called.Load(); n != before {
		t.Errorf("%d requests went out that should not", n-before)
	}
}

// The list of hosts is one layer. The other holds when somebody has listed a host whose name leads inside.
func TestWebhookToAListedHostInside(t *testing.T) {
	server, known := receiver(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("inside secret")) })
	s := start(t, testdb.SQLite(t), func(c *app.Config) {
		known(c)
		c.Outbound.InsecureNetworks = nil
	})
	got := s.person("ada@example.org").submit("/webhook-target", "/webhook-target", map[string]string{"url": server.URL})
	expect(t, "a listed host inside", got, 422, "A webhook may not go there.")
	if strings.Contains(string(got.Body), "inside secret") {
		t.Error("the page shows what stands inside")
	}
}

func TestAvatar(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		s := start(t, db, nil)
		ada, ben := s.person("ada@example.org"), s.person("ben@example.org")
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 8, 8))); err != nil {
			t.Fatal(err)
		}
		if got := ada.upload("text/html", picture.Bytes()); got != 303 {
			t.Fatalf("a picture = %d, want 303: what its sender calls it does not count", got)
		}
		got := ben.Get("/avatars/" + ada.id())
		for name, want := range map[string]string{
			"Content-Type": "image/png", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
			"Cross-Origin-Resource-Policy": "same-origin", "Content-Disposition": "inline",
		} {
			if have := got.Header.Get(name); have != want {
				t.Errorf("%s of a picture is %q, want %q", name, have, want)
			}
		}
		if got.Status != 200 || len(got.Body) == 0 {
			t.Errorf("a picture = %d with %d bytes", got.Status, len(got.Body))
		}
		for name, file := range map[string][]byte{
			"a page":                []byte("<html><script>alert(1)</script>"),
			"a drawing":             []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`),
			"a page behind a magic": append([]byte("GIF89a"), "<script>alert(1)</script>"...),
			"nothing":               {},
			"too much":              append(bytes.Clone(picture.Bytes()), make([]byte, 1<<20)...),
		} {
			if got := ada.upload("image/png", file); got != 422 && got != 413 {
				t.Errorf("%s as a picture = %d, want 422 or 413", name, got)
			}
		}
		if again := ben.Get("/avatars/" + ada.id()); !bytes.Equal(again.Body, got.Body) {
			t.Error("what was refused has replaced the picture")
		}
		for _, path := range []string{"/avatars/" + ben.id(), "/avatars/x", "/avatars/..%2f", "/avatars/"} {
			expect(t, path, ada.Get(path), 404)
		}
	})
}

// A picture from before the list of types was tightened is a download.
func TestStoredUploadIsServedSafe(t *testing.T) {
	s := start(t, testdb.SQLite(t), func(c *app.Config) { c.Off = app.Off{app.UploadByContent: true} })
	ada := s.person("ada@example.org")
	if got := ada.upload("text/html", []byte("<script>alert(1)</script>")); got != 303 {
		t.Fatalf("an upload = %d", got)
	}
	got := ada.Get("/avatars/" + ada.id())
	if kind, how := got.Header.Get("Content-Type"), got.Header.Get("Content-Disposition"); kind != "application/octet-stream" || !strings.HasPrefix(how, "attachment") {
		t.Errorf("a stored page is served as %q, %q; want a download", kind, how)
	}
}

func TestGoStaysHere(t *testing.T) {
	s := start(t, testdb.SQLite(t), nil)
	ada := s.person("ada@example.org")
	for to, want := range map[string]string{
		"/invoices": "/invoices", "/search?q=a": "/search", "https://evil.example/invoices": "", "//evil.example/invoices": "", `/\evil.example`: "",
		"": "", "/nothing": "", "javascript:alert(1)": "", "/invoices/../admin": "", "/invoices\r\nX: y": "",
	} {
		got := ada.Get("/go?to=" + url.QueryEscape(to))
		if have := got.Header.Get("Location"); have != want || (want == "") != (got.Status == 404) {
			t.Errorf("/go?to=%q = %d to %q, want %q", to, got.Status, have, want)
		}
	}
}

func TestSearchTakesTerms(t *testing.T) {
	s := start(t, testdb.SQLite(t), nil)
	ada := s.person("ada@example.org")
	ada.invoice("A-1", "100% Wool", "1")
	for _, q := range []string{"%", "_", "'", `"`, "<b>", "a;b", "\x00", strings.Repeat("a", 61)} {
		got := ada.Get("/search?sort=due&q=" + url.QueryEscape(q))
		if q == "'" {
			expect(t, "an apostrophe", got, 200, "Nothing found for “’”")
			continue
		}
		expect(t, "a search for "+q, got, 422, `value=""`)
	}
	expect(t, "an order that is none", ada.Get("/search?q=a&sort=due%3B"), 422)
	expect(t, "a field that is none", ada.Get("/search?q=a&owner=b"), 422)
	expect(t, "all", ada.Get("/search?q=&sort=due"), 200, "1 found")
}

func TestReport(t *testing.T) {
	s := start(t, testdb.SQLite(t), nil)
	ada := s.person("ada@example.org")
	expect(t, "a report without invoices", ada.submit("/reports", "/reports", map[string]string{"by": "due"}), 200, "There is no invoice yet.")
	ada.invoice("-o", "-k  1;id", "9")
	ada.invoice("$(id)", "b", "10")
	for _, by := range []string{"number", "customer", "due", "amount"} {
		expect(t, "a report by "+by, ada.submit("/reports", "/reports", map[string]string{"by": by}), 200, "2 invoices", "$(id)", "19.00 €")
	}
	for _, by := range []string{"4,4n", "-o/tmp/x", "1;id", "amount\n", "Amount"} {
		expect(t, "a report by "+by, ada.submit("/reports", "/reports", map[string]string{"by": by}), 422, "Choose one of the columns.")
	}
}
