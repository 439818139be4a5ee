package e2e_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/ringwalltest"
)

// line sends requests whose first line is exactly what a test wants it to be, over one connection as long as it holds.
type line struct {
	t     *testing.T
	s     *ringwalltest.Server
	extra string // more header lines, each with its line break
	conn  *tls.Conn
	in    *bufio.Reader
}

func (l *line) send(method, target string) (status int, body string) {
	l.t.Helper()
	host := strings.TrimPrefix(l.s.URL, "https://")
	for try := 0; ; try++ {
		if l.conn == nil {
			conn, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test's own server
			if err != nil {
				l.t.Fatal(err)
			}
			l.conn, l.in = conn, bufio.NewReader(conn)
		}
		_, err := fmt.Fprintf(l.conn, "%s %s HTTP/1.1\r\nHost: %s\r\nSec-Fetch-Site: same-origin\r\n%s\r\n", method, target, host, l.extra)
		var response *http.Response
		if err == nil {
			response, err = http.ReadResponse(l.in, &http.Request{Method: method})
		}
		if err != nil && try == 0 {
			l.close() // the server had closed it after the answer before
			continue
		}
		if err != nil {
			l.t.Fatalf("%s %q: %v", method, target, err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.Close || method == http.MethodConnect {
			l.close()
		}
		return response.StatusCode, string(text)
	}
}

func (l *line) close() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
	l.conn = nil
}

// pathSpellings are ways in which some program, somewhere, reads a path as another one.
func pathSpellings(path, host string) []string {
	last := strings.LastIndex(path, "/")
	inner := strings.Replace(path[1:], "/", "%2f", 1)
	list := []string{
		path, "/" + path, "//" + host + path, "/." + path, "/x/.." + path, "/./" + path[1:], path + "/", path + "//", path + "/.", path + "/..;/", path + "/x/..",
		path[:last] + "//" + path[last+1:], path[:last] + "/./" + path[last+1:], path[:last] + "/x/../" + path[last+1:], path[:last] + "%2f" + path[last+1:], path[:last] + "%2F" + path[last+1:],
		"/%2e" + path, "/x/%2e%2e" + path, "/x/..%2f" + path[1:], "/" + inner, "/%2f" + path[1:], "/%252f" + path[1:], "/%5c" + path[1:], "\\" + path[1:], strings.ReplaceAll(path, "/", "\\"),
		strings.ToUpper(path), strings.ToUpper(path[:2]) + path[2:], "/%" + fmt.Sprintf("%02x", path[1]) + path[2:], "/%25" + fmt.Sprintf("%02x", path[1]) + path[2:],
		path + "%00", path + "%20", path + "%0a", path + ";x=1", path + "?x=1", path + "?/", path + "%3f", path + "%23", path + ".json", path + "%ff", path + "/%c0%ae%c0%ae/",
		"https://" + host + path, "http://" + host + path, "https://" + host + "/" + path, "https://elsewhere.example" + path, host, "*",
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Adversary 15, 16: however its path is spelt, and with whatever method, a protected route is not reached by somebody who is not signed in,
// nor by somebody whom its rule does not admit. Where a spelling is taken for the path, it is taken so by rule and router alike.
func TestNoSpellingOfAPathPassesItsRule(t *testing.T) {
	mux := ledger()
	s := ringwalltest.StartApp(t, ringwall.Options{}, mux)
	host := strings.TrimPrefix(s.URL, "https://")
	c := s.SignIn("member@example.org")
	anonymous := &line{t: t, s: s}
	member := &line{t: t, s: s, extra: "Cookie: __Host-ringwall=" + c.Cookie("__Host-ringwall") + "\r\nX-CSRF-Token: " + c.CSRF + "\r\n"}
	t.Cleanup(anonymous.close)
	t.Cleanup(member.close)
	fill := strings.NewReplacer("{id}", "7", "{address}", "auditor@example.org", "{$}", "")
	sent := 0
	for _, route := range mux.Routes() {
		if !route.Rule.Needs() {
			continue
		}
		method, path, ok := strings.Cut(route.Pattern, " ")
		if !ok {
			method, path = "GET", route.Pattern
		}
		forMembers := route.Rule.String() == "signed in" || strings.HasPrefix(route.Rule.String(), "signed in, fresh")
		for _, target := range pathSpellings(fill.Replace(path), host) {
			for _, m := range []string{method, "HEAD", "CONNECT", "get"} {
				sent++
				if status, body := anonymous.send(m, target); status < 400 || strings.Contains(body, "reached") {
					t.Errorf("anonymous: %s %q = %d %s, and %s is for %s", m, target, status, body, route.Pattern, route.Rule)
				}
			}
			status, body := member.send(method, target)
			switch {
			case status >= 300 && status < 400:
				t.Errorf("a member: %s %q = %d, a redirect", method, target, status)
			case status < 300 && !forMembers:
				t.Errorf("a member: %s %q = %d %s, and %s is for %s", method, target, status, body, route.Pattern, route.Rule)
			case status < 300 && !strings.HasPrefix(body, "reached "+route.Pattern+" "):
				t.Errorf("a member: %s %q = %d %s, not %s", method, target, status, body, route.Pattern)
			}
		}
	}
	if sent < 1000 {
		t.Errorf("only %d requests were sent", sent)
	}
	if status, body := anonymous.send("GET", "/"); status != 200 || !strings.Contains(body, "as nobody") {
		t.Errorf("the public page afterwards = %d %s", status, body)
	}
	if status, body := member.send("GET", "/invoices/7"); status != 200 || !strings.Contains(body, "as member@example.org") {
		t.Errorf("a member's page afterwards = %d %s", status, body)
	}
}

// Adversary 19, 20: who somebody is comes from the session alone. What a request says of users, roles and permissions, wherever it says it,
// signs nobody in, makes nobody another, and gives nothing.
func TestClaimsInARequestAreNothing(t *testing.T) {
	s := ringwalltest.StartApp(t, ringwall.Options{Roles: map[string][]string{"auditor": {"ledger.read"}}}, ledger())
	s.SignUp("auditor@example.org")
	operate(t, s, "user.grant", object{"user": "auditor@example.org", "role": "auditor"})
	victim := operate(t, s, "user.show", object{"user": "auditor@example.org"})["user"].(object)["id"].(string)
	member := s.SignIn("member@example.org")
	anonymous := s.Client()
	claims := object{
		"user_id": victim, "userId": victim, "user": victim, "owner": "auditor@example.org", "sub": victim, "role": "admin", "roles": []string{"admin"},
		"permissions": []string{"ledger.read"}, "tenant": "other", "email_verified": true, "fresh": true,
	}
	query := url.Values{}
	for name, value := range claims {
		query.Set(name, fmt.Sprint(value))
	}
	for _, c := range []*ringwalltest.Client{anonymous, member} {
		for _, name := range []string{"X-User-Id", "X-User", "X-Ringwall-User", "X-Ringwall-Roles", "X-Forwarded-User", "Remote-User", "X-Roles", "X-Permissions", "X-Original-Url", "X-Rewrite-Url"} {
			c.Header.Set(name, victim)
		}
	}
	for _, at := range []struct {
		name, query string
		body        any
	}{{"the body", "", claims}, {"the query", "?" + query.Encode(), object{}}, {"a form", "", query}, {"all of them", "?" + query.Encode(), claims}} {
		got := anonymous.Do("POST", "/invoices/7"+at.query, at.body)
		if got.Status != 401 && got.Status != 403 { // a form without its token is a 403 before that
			t.Errorf("anonymous with claims in %s = %d %s", at.name, got.Status, got.Body)
		}
		member.Header.Set("X-Csrf-Token", member.CSRF)
		if got := member.Do("POST", "/invoices/7"+at.query, at.body); got.Status != 200 || !strings.HasSuffix(string(got.Body), "as member@example.org") {
			t.Errorf("a member with claims in %s = %d %s", at.name, got.Status, got.Body)
		}
		for _, path := range []string{"/ledger", "/admin/invoices", "/either", "/own/auditor@example.org"} {
			want(t, "a member with claims in "+at.name+" at "+path, member.Get(path+at.query), 403, "forbidden")
			want(t, "anonymous with claims in "+at.name+" at "+path, anonymous.Get(path+at.query), 401, "unauthenticated")
		}
	}
}
