package ringwalltest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Client is one browser or program: a cookie jar, and the token that its changes carry.
type Client struct {
	Header http.Header // sent with every request
	CSRF   string      // of the session, kept up to date by [Client.Do]
	HTTP   *http.Client

	t      testing.TB
	server *Server
}

// Answer is what a server answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Into reads the answer's JSON, and fails the test if it is not that.
func (a Answer) Into(t testing.TB, out any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, out); err != nil {
		t.Fatalf("answer %d is not the JSON that was expected: %v\n%s", a.Status, err, a.Body)
	}
}

// Code is the code of a problem document, and "" for any other answer.
func (a Answer) Code() string {
	var doc struct{ Type string }
	if a.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(a.Body, &doc) != nil {
		return ""
	}
	return doc.Type[strings.LastIndex(doc.Type, "/")+1:]
}

// Client is a new browser that nobody has used. It does not follow redirects.
func (s *Server) Client() *Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatalf("make a cookie jar: %v", err)
	}
	base := s.http.Client()
	return &Client{
		t: s.t, server: s, Header: http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"}},
		HTTP: &http.Client{Transport: base.Transport, Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// Get asks for a path.
func (c *Client) Get(path string) Answer { c.t.Helper(); return c.Do("GET", path, nil) }

// Post sends JSON.
func (c *Client) Post(path string, body any) Answer { c.t.Helper(); return c.Do("POST", path, body) }

// Delete deletes.
func (c *Client) Delete(path string) Answer { c.t.Helper(); return c.Do("DELETE", path, nil) }

// Do sends a request with a JSON body, if there is one, and the CSRF token, if there is a session. A body that is a
// [url.Values] goes as a form, and a [bytes.Buffer] as it is, such as an upload; Header names its Content-Type.
func (c *Client) Do(method, path string, body any) Answer {
	c.t.Helper()
	answer, err := c.Try(method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// Try is [Client.Do] for goroutines: it does not end the test.
func (c *Client) Try(method, path string, body any) (Answer, error) {
	r, err := c.request(method, path, body)
	if err != nil {
		return Answer{}, err
	}
	response, err := c.HTTP.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, err
	}
	var seen struct {
		CSRF string `json:"csrf_token"`
	}
	if json.Unmarshal(text, &seen) == nil && seen.CSRF != "" {
		c.CSRF = seen.CSRF
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: text}, nil
}

func (c *Client) request(method, path string, body any) (*http.Request, error) {
	var sent io.Reader
	kind := ""
	switch body := body.(type) {
	case nil:
	case url.Values:
		sent, kind = strings.NewReader(body.Encode()), "application/x-www-form-urlencoded"
	case *bytes.Buffer:
		sent = bytes.NewReader(body.Bytes()) // so that it can be sent again
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent, kind = bytes.NewReader(text), "application/json"
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+path, sent)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if c.CSRF != "" {
		r.Header.Set("X-CSRF-Token", c.CSRF)
	}
	maps.Copy(r.Header, c.Header)
	if method != "GET" && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Authorization") == "" && r.Header.Get("Origin") == "" {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return r, nil
}

// Cookie is the value of a cookie that the client holds; "" if it holds none.
func (c *Client) Cookie(name string) string {
	at, err := url.Parse(c.server.URL)
	if err != nil {
		return ""
	}
	for _, cookie := range c.HTTP.Jar.Cookies(at) {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

// Mail is a mail that the server sent.
type Mail struct {
	To, Subject, Text, HTML string
	Links                   []string
	Code                    string
}

// Token is the token in the first link.
func (m Mail) Token() string {
	for _, link := range m.Links {
		if u, err := url.Parse(link); err == nil && u.Query().Get("token") != "" {
			return u.Query().Get("token")
		}
	}
	return ""
}

// Mails are the mails to an address, newest first.
func (s *Server) Mails(to string) []Mail {
	s.t.Helper()
	c := s.Client()
	c.Header.Set("Accept", "application/json")
	var box struct{ Messages []Mail }
	c.Get("/auth/dev/mail").Into(s.t, &box)
	var mails []Mail
	for _, m := range box.Messages {
		if strings.EqualFold(m.To, to) {
			mails = append(mails, m)
		}
	}
	return mails
}

// Mail waits until an address has got as many mails as count, and returns the newest.
func (s *Server) Mail(to string, count int) Mail {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if mails := s.Mails(to); len(mails) >= count {
			return mails[0]
		} else if time.Now().After(deadline) {
			s.t.Fatalf("%d mails to %s after a minute, want %d", len(mails), to, count)
		}
	}
}

// SignUp signs an address up with [Password] and confirms it by the mailed link. The client is not signed in.
func (s *Server) SignUp(address string) *Client {
	s.t.Helper()
	c := s.Client()
	before := len(s.Mails(address))
	if got := c.Post("/auth/v1/signup", map[string]any{"email": address, "password": Password}); got.Status != 202 {
		s.t.Fatalf("sign up %s = %d, want 202\n%s", address, got.Status, got.Body)
	}
	token := s.Mail(address, before+1).Token()
	if got := c.Post("/auth/v1/email/verify", map[string]any{"token": token}); got.Status != 204 {
		s.t.Fatalf("confirm %s = %d, want 204\n%s", address, got.Status, got.Body)
	}
	return c
}

// SignIn is a signed-in client of somebody, who is signed up first.
func (s *Server) SignIn(address string) *Client {
	s.t.Helper()
	c := s.SignUp(address)
	c.SignIn(address, Password)
	return c
}

// SignIn signs the client in, and fails the test if it cannot.
func (c *Client) SignIn(address, password string) Answer {
	c.t.Helper()
	got := c.Post("/auth/v1/login", map[string]any{"email": address, "password": password})
	if got.Status != 200 {
		c.t.Fatalf("sign in %s = %d, want 200\n%s", address, got.Status, got.Body)
	}
	return got
}
