package ringwalltest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// People are those who call every route in [Matrix].
type People struct {
	Anonymous     *Client // nobody is signed in
	Revoked       *Client // the member, with a session that has called every page that is a GET, and was ended then
	Other         *Client // another member
	Stale         *Client // the member, who proved it twenty minutes ago
	Member        *Client // whose objects the routes are about
	Administrator *Client // holds the role admin

	StaleAdministrator *Client // holds it too, and proved it twenty minutes ago
}

// Statuses are what a route answers to each of them. Zero is no expectation, and fails: a table with holes shows nothing.
// Those who are not signed in carry the token of a page that everybody may see, so that it is the rule that refuses them, and
// not the lack of one. For a row with Send, which may leave it out, 401 stands for 403 too.
type Statuses struct {
	Anonymous, Revoked, Other, Stale, Member, Administrator int

	// StaleAdministrator is what an administrator gets who has to prove it again: 403 where the rule wants a fresh proof.
	// Zero: what Administrator gets.
	StaleAdministrator int

	// Roles are what people answer who hold a role besides, by the role's name.
	Roles map[string]int
}

// Public is a route that answers everybody alike.
func Public(status int) Statuses {
	return Statuses{Anonymous: status, Revoked: status, Other: status, Stale: status, Member: status, Administrator: status}
}

// SignedIn is a route that answers everybody alike who is signed in.
func SignedIn(status int) Statuses {
	return Statuses{Anonymous: 401, Revoked: 401, Other: status, Stale: status, Member: status, Administrator: status}
}

// OwnerOnly is a route about somebody's object: for all others it is not there (404), administrators included.
func OwnerOnly(status int) Statuses {
	return Statuses{Anonymous: 401, Revoked: 401, Other: 404, Stale: status, Member: status, Administrator: 404}
}

// AdministratorsOnly is a route of a function that members do not have (403).
func AdministratorsOnly(status int) Statuses {
	return Statuses{Anonymous: 401, Revoked: 401, Other: 403, Stale: 403, Member: 403, Administrator: status}
}

// Row says how a route is called, and what it answers to whom. A route may have several.
type Row struct {
	Pattern string        // of the route, as it was registered: "GET /invoices/{id}"
	Path    string        // to call; empty: that of the pattern
	Body    any           // as [Client.Do] takes it
	Make    func() string // makes an object of the member's for each call and returns its path: for what a call uses up

	// Send calls the route in another way than [Client.Do], such as with an upload.
	Send func(c *Client, path string) Answer

	Want Statuses
}

// Matrix calls every route of the application that Protect guards as everybody of [People], and fails on each answer that
// is not the one of its row, on a route without a row, a row without a route, and an answer that nobody expected. Every
// protected route is called, too, by paths that two programs could read differently, which must lead strangers nowhere.
// Rows make the member's objects and return the table (OWASP, Authorization Testing Automation):
//
//	ringwalltest.Matrix(t, s, func(p ringwalltest.People) []ringwalltest.Row {
//		id := newInvoice(p.Member)
//		return []ringwalltest.Row{
//			{Pattern: "GET /{$}", Path: "/", Want: ringwalltest.Public(200)},
//			{Pattern: "GET /invoices/{id}", Path: "/invoices/" + id, Want: ringwalltest.OwnerOnly(200)},
//			{Pattern: "GET /admin/invoices", Want: ringwalltest.AdministratorsOnly(200)},
//		}
//	})
//
// It does not know what a route does: an answer of the right status that did the wrong thing passes.
func Matrix(t testing.TB, s *Server, rows func(People) []Row) {
	t.Helper()
	for _, fault := range matrixFaults(t, s, rows) {
		t.Error(fault)
	}
}

// matrixFaults are what [Matrix] fails on.
func matrixFaults(t testing.TB, s *Server, rows func(People) []Row) (faults []string) {
	t.Helper()
	m := matrix{s: s, rules: map[string]string{}, holders: map[string]*Client{}}
	for _, r := range s.Ringwall.Routes() {
		if r.Application {
			m.rules[strings.TrimSpace(r.Method+" "+r.Path)] = r.Rule
		}
	}
	m.people = m.meet(t)
	m.anything = m.people.Anonymous.Get("/no-such-path-of-the-matrix").Status < http.StatusBadRequest
	table, seen := rows(m.people), map[string]bool{}
	m.end(t, table)
	for _, row := range table {
		if _, ok := m.rules[row.Pattern]; !ok {
			faults = append(faults, row.Pattern+": no such route; the pattern must be the one that was registered")
			continue
		}
		seen[row.Pattern] = true
		for role := range row.Want.Roles {
			if m.holders[role] == nil {
				m.holders[role] = m.hold(t, role)
			}
		}
		faults = append(faults, m.check(row)...)
	}
	for _, pattern := range slices.Sorted(maps.Keys(m.rules)) {
		if !seen[pattern] {
			faults = append(faults, pattern+": no row says what this route answers to whom")
		}
	}
	return faults
}

type matrix struct {
	s       *Server
	rules   map[string]string
	people  People
	holders map[string]*Client // by role

	anything bool // strangers may ask for any path at all
}

// meet makes the people. Those who are stale prove it first, and time goes by.
func (m *matrix) meet(t testing.TB) (p People) {
	const member, administrator = "matrix-member@example.org", "matrix-admin@example.org"
	s := m.s
	p.Stale, p.StaleAdministrator = s.SignIn(member), m.hold(t, "admin")
	s.Clock.Advance(20 * time.Minute)
	for _, stale := range []*Client{p.Stale, p.StaleAdministrator} {
		stale.Get("/auth/v1/session") // still in use
	}
	p.Anonymous, p.Member, p.Revoked, p.Administrator = s.Client(), s.Client(), s.Client(), s.Client()
	p.Member.SignIn(member, Password)
	p.Revoked.SignIn(member, Password)
	p.Administrator.SignIn(administrator, Password)
	p.Other = s.SignIn("matrix-other@example.org")
	return p
}

// end ends the session that will be the revoked one, after it has been seen wherever it can be seen without harm: whoever
// remembers sessions by themselves remembers this one now.
func (m *matrix) end(t testing.TB, table []Row) {
	t.Helper()
	for _, row := range table {
		if _, ok := m.rules[row.Pattern]; !ok || row.Make != nil || row.Send != nil {
			continue
		}
		if method, path := row.target(); method == http.MethodGet {
			m.people.Revoked.Get(path)
		}
	}
	var known struct {
		Session struct{ ID string }
	}
	m.people.Revoked.Get("/auth/v1/session").Into(t, &known)
	if got := m.people.Member.Delete("/auth/v1/sessions/" + known.Session.ID); got.Status != 204 {
		t.Fatalf("end a session = %d, want 204\n%s", got.Status, got.Body)
	}
	for _, stranger := range []*Client{m.people.Revoked, m.people.Anonymous} {
		page := stranger.Get("/auth/login")
		found := tokenOfForm.FindSubmatch(page.Body)
		if found == nil {
			t.Fatalf("the page of sign-in = %d, and has no token\n%s", page.Status, page.Body)
		}
		stranger.CSRF = string(found[1])
	}
}

var tokenOfForm = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// hold signs somebody in who holds a role.
func (m *matrix) hold(t testing.TB, role string) *Client {
	t.Helper()
	address := "matrix-" + role + "@example.org"
	c := m.s.SignUp(address)
	m.s.Grant(address, role)
	c.SignIn(address, Password)
	return c
}

// target is the method of a row, and its path, unless that is made for each call.
func (r Row) target() (method, path string) {
	method, path, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		method, path = http.MethodGet, r.Pattern
	}
	return method, cmp.Or(r.Path, path)
}

// check calls one row as everybody.
func (m *matrix) check(row Row) (faults []string) {
	method, path := row.target()
	call := func(c *Client) Answer {
		if row.Make != nil {
			path = row.Make()
		}
		if row.Send != nil {
			return row.Send(c, path)
		}
		return c.Do(method, path, row.Body)
	}
	type caller struct {
		name   string
		client *Client
		want   int
	}
	p, w := m.people, row.Want
	callers := []caller{
		{"anonymous", p.Anonymous, w.Anonymous}, {"revoked session", p.Revoked, w.Revoked}, {"other member", p.Other, w.Other},
		{"stale session", p.Stale, w.Stale}, {"administrator", p.Administrator, w.Administrator},
		{"stale administrator", p.StaleAdministrator, cmp.Or(w.StaleAdministrator, w.Administrator)}, {"member", p.Member, w.Member},
	}
	for _, role := range slices.Sorted(maps.Keys(w.Roles)) {
		callers = append(callers, caller{"role " + role, m.holders[role], w.Roles[role]})
	}
	open := m.rules[row.Pattern] == "public"
	for _, c := range callers {
		name, client, want := row.Pattern+" as "+c.name, c.client, c.want
		if want == 0 {
			faults = append(faults, name+": the row says nothing about it")
			continue
		}
		stranger := client == p.Anonymous || client == p.Revoked
		if got := call(client); got.Status != want && !(stranger && row.Send != nil && want == 401 && got.Status == 403) {
			faults = append(faults, fmt.Sprintf("%s (%s) = %d %s, want %d", name, path, got.Status, got.Code(), want))
		}
		if !open && want != 401 && stranger {
			faults = append(faults, fmt.Sprintf("%s: the row wants %d, but the rule %q admits nobody who is not signed in: 401", name, want, m.rules[row.Pattern]))
		}
	}
	if !open && !m.anything {
		faults = append(faults, m.detours(row.Pattern, method, path)...)
	}
	return faults
}

// detours are other spellings of a path. Anonymously none of them may lead anywhere.
func (m *matrix) detours(pattern, method, path string) (faults []string) {
	plain, query, _ := strings.Cut(path, "?")
	if query != "" {
		query = "?" + query
	}
	last := strings.LastIndex(plain, "/")
	for _, detour := range []string{
		"/" + plain, "/." + plain, "/x/.." + plain, plain + "/", plain + "/.", plain + "//", strings.ToUpper(plain),
		plain[:last] + "%2f" + plain[last+1:], plain[:last] + "/%2e/" + plain[last+1:], plain[:last] + "%5c" + plain[last+1:], plain + "%00", plain + ";x=y", plain + "%20",
	} {
		if detour == plain {
			continue
		}
		got, err := m.people.Anonymous.Try(method, detour+query, nil)
		if err == nil && got.Status < http.StatusBadRequest {
			faults = append(faults, fmt.Sprintf("%s as anonymous by %q = %d, want a refusal", pattern, detour, got.Status))
		}
	}
	return faults
}

// Grant gives somebody a role, as an operator does.
func (s *Server) Grant(address, role string) {
	s.t.Helper()
	body := fmt.Sprintf(`{"user":%q,"role":%q}`, address, role)
	if _, err := s.Ringwall.Operate(s.t.Context(), "ringwalltest", "user.grant", []byte(body)); err != nil {
		s.t.Fatalf("grant %s to %s: %v", role, address, err)
	}
}
