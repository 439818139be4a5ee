package csrf_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/csrf"
	"github.com/ringwall/ringwall/internal/problem"
)

var key = []byte("0123456789abcdef0123456789abcdef")

func guard(t testing.TB) *csrf.Guard {
	t.Helper()
	g, err := csrf.New(csrf.HMAC(key), "https://id.example.org", "https://app.example.org:8443")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func request(method string, head ...string) *http.Request {
	r := httptest.NewRequest(method, "https://id.example.org/x", nil)
	for i := 0; i < len(head); i += 2 {
		r.Header.Add(head[i], head[i+1])
	}
	return r
}

const (
	site   = "Sec-Fetch-Site"
	origin = "Origin"
)

func TestWhereARequestMayComeFrom(t *testing.T) {
	g := guard(t)
	cookie := []string{"Cookie", "__Host-ringwall=x"}
	for _, tt := range []struct {
		name  string
		head  []string
		wrong string // empty: passes; otherwise the header that the refusal names
	}{
		{"same origin", []string{site, "same-origin", origin, "https://id.example.org"}, ""},
		{"typed or reloaded", []string{site, "none"}, ""},
		{"a listed origin from another host of ours", []string{site, "cross-site", origin, "https://app.example.org:8443"}, ""},
		{"an old browser at a listed origin", []string{origin, "https://id.example.org"}, ""},
		{"a client without cookies", nil, ""},
		{"a client with bearer", []string{"Authorization", "Bearer abc", "Cookie", "a=b"}, ""},

		{"another site", []string{site, "cross-site", origin, "https://evil.test"}, site},
		{"another site without Origin", []string{site, "cross-site"}, site},
		{"a sibling host", []string{site, "same-site", origin, "https://evil.example.org"}, site},
		{"another site with bearer", []string{site, "cross-site", "Authorization", "Bearer abc"}, site},
		{"a word that is none", []string{site, "Same-Origin"}, site},
		{"an empty word", []string{site, ""}, site},
		{"an old browser at another site", []string{origin, "https://evil.test"}, origin},
		{"another scheme", []string{origin, "http://id.example.org"}, origin},
		{"another port", []string{origin, "https://id.example.org:444"}, origin},
		{"the default port spelled out", []string{origin, "https://id.example.org:443"}, origin},
		{"an ending alike", []string{origin, "https://evil-id.example.org"}, origin},
		{"a beginning alike", []string{origin, "https://id.example.org.evil.test"}, origin},
		{"a user in the origin", []string{origin, "https://id.example.org@evil.test"}, origin},
		{"a dot at the end", []string{origin, "https://id.example.org."}, origin},
		{"other case", []string{origin, "https://ID.example.org"}, origin},
		{"an empty origin", []string{origin, ""}, origin},
		{"no origin but cookies", cookie, "Sec-Fetch-Site nor Origin"},
		{"Basic, which browsers send by themselves", append([]string{"Authorization", "Basic abc"}, cookie...), "Sec-Fetch-Site nor Origin"},
		{"an empty bearer", append([]string{"Authorization", "Bearer  "}, cookie...), "Sec-Fetch-Site nor Origin"},
		{"two authorizations", append([]string{"Authorization", "Basic abc", "Authorization", "Bearer abc"}, cookie...), "Sec-Fetch-Site nor Origin"},
		{"the origin null", []string{origin, "null"}, "Origin is null"},
		{"the origin null from our own page", []string{site, "same-origin", origin, "null"}, "Origin is null"},
		{"the origin null without cookies, with bearer", []string{origin, "null", "Authorization", "Bearer abc"}, "Origin is null"},
		{"two origins", []string{origin, "https://id.example.org", origin, "https://evil.test"}, "twice"},
		{"two words", []string{site, "same-origin", site, "cross-site"}, "twice"},
		{"a referrer, which proves nothing", append([]string{"Referer", "https://id.example.org/x"}, cookie...), "Sec-Fetch-Site nor Origin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "CONNECT", "get", "QUERY", ""} {
				r := request("POST", tt.head...)
				r.Method = method
				err := g.Check(r)
				if (err == nil) != (tt.wrong == "") {
					t.Fatalf("Check(%s) = %v, want refusal %q", method, err, tt.wrong)
				}
				if err == nil {
					continue
				}
				e := problem.From(err)
				if !strings.Contains(e.Detail, tt.wrong) || e.Code != "csrf" || e.Kind != problem.Forbidden || !errors.Is(err, csrf.ErrCrossOrigin) || errors.Is(err, csrf.ErrToken) {
					t.Errorf("Check(%s) = %v %q, want %q named", method, err, e.Detail, tt.wrong)
				}
				if strings.Contains(e.Detail, "evil") {
					t.Errorf("Check(%s) repeats input: %q", method, e.Detail)
				}
			}
		})
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE"} {
		if err := g.Check(request(method, site, "cross-site", origin, "https://evil.test")); err != nil {
			t.Errorf("Check(%s) = %v, want safe methods to pass", method, err)
		}
	}
}

func TestATokenOpensItsOwnSessionAlone(t *testing.T) {
	g := guard(t)
	mine := csrf.Session("0190d5a0-0000-7000-8000-000000000001")
	token := g.Token(mine)
	if err := g.CheckToken(request("POST", csrf.Header, token), mine); err != nil {
		t.Fatalf("CheckToken = %v", err)
	}
	if err := g.CheckToken(request("POST", "x-csrf-token", g.Token(mine)), mine); err != nil {
		t.Errorf("a second token: CheckToken = %v", err)
	}
	stranger, err := csrf.New(csrf.HMAC([]byte("another key of thirty-two bytes.")), "https://id.example.org")
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) string {
		b := []byte(token)
		if b[at]++; b[at] == token[at] {
			b[at]--
		}
		return string(b)
	}
	for name, attack := range map[string]struct {
		token   string
		binding csrf.Binding
	}{
		"another session's":              {g.Token(csrf.Session("0190d5a0-0000-7000-8000-000000000002")), mine},
		"the one before sign-in":         {g.Token(csrf.PreSession("0190d5a0-0000-7000-8000-000000000001")), mine},
		"a session's before sign-in":     {token, csrf.PreSession("0190d5a0-0000-7000-8000-000000000001")},
		"of another key":                 {stranger.Token(mine), mine},
		"none":                           {"", mine},
		"shortened":                      {token[:len(token)-1], mine},
		"extended":                       {token + "A", mine},
		"first letter changed":           {flip(0), mine},
		"last letter of the MAC changed": {flip(42), mine}, // base64 hides two bits there
		"random changed":                 {flip(50), mine},
		"last letter changed":            {flip(len(token) - 1), mine},
		"halves swapped":                 {token[44:] + "." + token[:43], mine},
		"dot moved":                      {strings.Replace(token, ".", "", 1) + ".", mine},
		"MAC of nothing":                 {"." + token[1:], mine},
		"padded":                         {token[:43] + "=" + token[44:], mine},
		"other case":                     {strings.ToUpper(token), mine},
		"with a space":                   {" " + token[1:], mine},
		"for nobody":                     {token, csrf.Binding{}},
		"for an empty session":           {g.Token(csrf.Session("")), csrf.Session("")},
		"the session id itself":          {"0190d5a0-0000-7000-8000-000000000001", mine},
	} {
		err := g.CheckToken(request("POST", csrf.Header, attack.token), attack.binding)
		if !errors.Is(err, csrf.ErrToken) || problem.From(err).Kind != problem.Forbidden {
			t.Errorf("%s: CheckToken(%q) = %v, want ErrToken", name, attack.token, err)
		}
	}
	if err := g.CheckToken(request("POST", csrf.Header, token, csrf.Header, token), mine); !errors.Is(err, csrf.ErrToken) {
		t.Errorf("two headers: CheckToken = %v, want ErrToken", err)
	}
	if err := g.CheckToken(request("POST", "Cookie", "csrf_token="+token), mine); !errors.Is(err, csrf.ErrToken) {
		t.Errorf("in a cookie, where a browser would send it along: CheckToken = %v, want ErrToken", err)
	}
}

// Even a good MAC opens nothing where there is no session: an empty id is somebody's mistake, not a person.
func TestNobodyHasATokenEvenWithTheKey(t *testing.T) {
	random := strings.Repeat("A", 43)
	for name, binding := range map[string]csrf.Binding{"7!session": csrf.Session(""), "3!pre": csrf.PreSession(""), "0!": {}} {
		mac := csrf.HMAC(key)([]byte(name + "0!43!" + random))
		token := base64.RawURLEncoding.EncodeToString(mac) + "." + random
		if err := guard(t).CheckToken(request("POST", csrf.Header, token), binding); !errors.Is(err, csrf.ErrToken) {
			t.Errorf("%s: CheckToken = %v, want ErrToken", name, err)
		}
	}
}

// The parts are MACed behind their lengths: what moves from one to the other changes the message.
func TestNothingMovesBetweenBindingAndRandom(t *testing.T) {
	var messages []string
	g, err := csrf.New(func(m []byte) []byte { messages = append(messages, string(m)); return csrf.HMAC(key)(m) }, "https://id.example.org")
	if err != nil {
		t.Fatal(err)
	}
	token := g.Token(csrf.Session("s1"))
	if want := "7!session2!s143!" + token[44:]; messages[0] != want {
		t.Errorf("MAC of %q, want %q", messages[0], want)
	}
}

// A published vector: this token must be good in every later version, or an update signs forms out.
func TestVector(t *testing.T) {
	const token = "ZAvv9SO6T7yYXDaa9jA6xaQsoB9KNCueWcL2nLgoHBs.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	if err := guard(t).CheckToken(request("POST", csrf.Header, token), csrf.Session("0190d5a0-0000-7000-8000-000000000001")); err != nil {
		t.Errorf("CheckToken(vector) = %v", err)
	}
}

func TestATokenMayStandInTheForm(t *testing.T) {
	g := guard(t)
	before := csrf.PreSession(strings.Repeat("ab", 32))
	form := func(contentType, body, query string) *http.Request {
		r := httptest.NewRequest("POST", "/login?"+query, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		return r
	}
	const urlencoded = "application/x-www-form-urlencoded"
	good := "email=a%40b.example&csrf_token=" + g.Token(before)
	r := form(urlencoded+"; charset=utf-8", good, "")
	if err := g.CheckToken(r, before); err != nil || r.PostFormValue("email") != "a@b.example" {
		t.Errorf("CheckToken = %v, and the form reads %v", err, r.PostForm)
	}
	for _, tt := range []struct {
		name, contentType, body, query string
		status                         int
	}{
		{"no token", urlencoded, "email=a", "", 403},
		{"a token in the query", urlencoded, "email=a", good, 403},
		{"a token in a body of text", "text/plain", good, "", 403},
		{"a token in a kind of multipart that no form is", "multipart/mixed; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n" + g.Token(before) + "\r\n--x--", "", 403},
		{"two tokens", urlencoded, good + "&csrf_token=x", "", 400},
		{"a body without end", urlencoded, good + "&x=" + strings.Repeat("a", 1<<20), "", 413},
	} {
		if err := g.CheckToken(form(tt.contentType, tt.body, tt.query), before); err == nil || problem.From(err).Kind.Status() != tt.status {
			t.Errorf("%s: CheckToken = %v, want status %d", tt.name, err, tt.status)
		}
	}
	// A wrong header is not mended by a right field.
	r = form(urlencoded, good, "")
	r.Header.Set(csrf.Header, "x")
	if err := g.CheckToken(r, before); !errors.Is(err, csrf.ErrToken) {
		t.Errorf("wrong header beside a right field: CheckToken = %v", err)
	}
}

// BREACH guesses a secret that stands in many compressed answers: of ours no two have a letter's place in common by more than chance.
func TestTokensOfOneSessionHaveNothingInCommon(t *testing.T) {
	g := guard(t)
	seen := map[string]bool{}
	var together bytes.Buffer
	zip := gzip.NewWriter(&together)
	const n = 200
	for range n {
		token := g.Token(csrf.Session("s"))
		if seen[token[:8]] || seen[token[44:52]] {
			t.Fatalf("token %q shares a beginning with another", token)
		}
		seen[token[:8]], seen[token[44:52]] = true, true
		_, _ = zip.Write([]byte(token))
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	if got := together.Len(); got < n*64 { // 64 random bytes each
		t.Errorf("%d tokens compress to %d bytes, want no less than their %d bytes of chance", n, got, n*64)
	}
}

func TestAGuardNeedsAKeyAndOrigins(t *testing.T) {
	for name, call := range map[string]func() (*csrf.Guard, error){
		"no MAC":      func() (*csrf.Guard, error) { return csrf.New(nil, "https://a.example") },
		"no key":      func() (*csrf.Guard, error) { return csrf.New(csrf.HMAC(nil), "https://a.example") }, // with which anybody made tokens
		"half a key":  func() (*csrf.Guard, error) { return csrf.New(csrf.HMAC(key[:31]), "https://a.example") },
		"no origin":   func() (*csrf.Guard, error) { return csrf.New(csrf.HMAC(key)) },
		"any origin":  func() (*csrf.Guard, error) { return csrf.New(csrf.HMAC(key), "*") },
		"null origin": func() (*csrf.Guard, error) { return csrf.New(csrf.HMAC(key), "null") },
		"with a path": func() (*csrf.Guard, error) { return csrf.New(csrf.HMAC(key), "https://a.example/") },
	} {
		if _, err := call(); err == nil {
			t.Errorf("%s: New = nil error", name)
		}
	}
	own := bytes.Clone(key)
	mac := csrf.HMAC(own)
	want := mac([]byte("m"))
	_, _ = rand.Read(own)
	if !bytes.Equal(mac([]byte("m")), want) {
		t.Error("HMAC keeps the caller's slice")
	}
}

// FuzzToken: no text but a token of the session passes, whatever the session is called.
func FuzzToken(f *testing.F) {
	for _, seed := range [][2]string{{"s", "."}, {"", strings.Repeat("A", 43) + "." + strings.Repeat("A", 43)}, {"s1", strings.Repeat("=", 87)}, {"1!s", "\r\n"}} {
		f.Add(seed[0], seed[1])
	}
	g := guard(f)
	f.Fuzz(func(t *testing.T, session, text string) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header[http.CanonicalHeaderKey(csrf.Header)] = []string{text}
		if err := g.CheckToken(r, csrf.Session(session)); err == nil {
			t.Errorf("CheckToken(%q, %q) passes", text, session)
		}
		token := g.Token(csrf.Session(session))
		r.Header[http.CanonicalHeaderKey(csrf.Header)] = []string{token}
		if err := g.CheckToken(r, csrf.Session(session)); (err == nil) != (session != "") {
			t.Errorf("own token of %q: %v", session, err)
		}
		if err := g.CheckToken(r, csrf.Session(session+"x")); err == nil {
			t.Errorf("token of %q opens %qx", session, session)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	g := guard(b)
	for name, r := range map[string]*http.Request{
		"GET":              request("GET", site, "same-origin"),
		"POST_same_origin": request("POST", site, "same-origin", origin, "https://id.example.org"),
		"POST_old_browser": request("POST", origin, "https://id.example.org"),
		"POST_bearer":      request("POST", "Authorization", "Bearer abc"),
		"POST_refused":     request("POST", site, "cross-site", origin, "https://evil.test"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = g.Check(r)
			}
		})
	}
}

func BenchmarkToken(b *testing.B) {
	g := guard(b)
	s := csrf.Session(strings.Repeat("a", 36))
	r := request("POST", csrf.Header, g.Token(s))
	b.Run("make", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.Token(s)
		}
	})
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := g.CheckToken(r, s); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestCheckCostsNoAllocation(t *testing.T) {
	g := guard(t)
	r := request("POST", site, "cross-site", origin, "https://evil.test", "Cookie", "a=b")
	if got := testing.AllocsPerRun(100, func() { _ = g.Check(r) }); got != 0 {
		t.Errorf("a refusal allocates %v times, want 0", got)
	}
}
