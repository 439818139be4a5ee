package authz_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/identity"
)

func TestRules(t *testing.T) {
	now := time.Date(2026, time.March, 12, 9, 41, 0, 0, time.UTC)
	office := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fc00::/7")}
	// The proof of identity of those with a minute was four minutes ago, and that of those with nothing exactly five.
	person := func(address string, fresh time.Duration, roles ...string) identity.Actor {
		from := identity.Request{}
		if address != "" {
			from.Address = netip.MustParseAddr(address)
		}
		return identity.NewPerson(identity.SubjectOf(identity.NewRandomID()), identity.NewRandomID(), now.Add(fresh-5*time.Minute), identity.Granted{Roles: roles, Permissions: "invoices.read,invoices.export", ByRole: map[string][]string{"auditor": {"ledger.read"}, "admin": {"admin"}}}, from)
	}
	stranger := identity.NewAnonymous(identity.Request{Address: netip.MustParseAddr("10.1.2.3")})
	unproved := identity.NewPerson(identity.SubjectOf(identity.NewRandomID()), identity.NewRandomID(), time.Time{}, identity.Granted{}, identity.Request{})
	ghost := identity.NewPerson(identity.Subject{}, identity.NewRandomID(), now, identity.Granted{Roles: []string{"admin"}}, identity.Request{Address: netip.MustParseAddr("10.1.2.3")})
	isPost := func(r *http.Request) bool { return r.Method == "POST" }
	readsBody := func(r *http.Request) bool {
		text, err := io.ReadAll(r.Body)
		return err != nil || len(text) > 0
	}
	for _, tt := range []struct {
		name string
		rule authz.Rule
		by   identity.Actor
		want authz.Verdict
	}{
		{"no rule denies", authz.Rule{}, person("10.1.2.3", time.Minute, "admin"), authz.Denied},
		{"all of nothing denies", authz.All(), person("10.1.2.3", time.Minute, "admin"), authz.Denied},
		{"one that denies is enough", authz.All(authz.Public(), authz.Rule{}), stranger, authz.Denied},
		{"the first refusal is the verdict", authz.All(authz.SignedIn(), authz.Rule{}), stranger, authz.NeedsSignIn},
		{"a network admits", authz.From(office...), stranger, authz.Allowed},
		{"an administrator", authz.Admin(office...), person("10.1.2.3", time.Minute, "support", "admin"), authz.Allowed},
		{"an administrator by IPv6", authz.Admin(office...), person("fd00::1", time.Minute, "admin"), authz.Allowed},
		{"IPv4 in IPv6 is IPv4", authz.Admin(office...), person("::ffff:10.1.2.3", time.Minute, "admin"), authz.Allowed},
		{"nobody", authz.Admin(office...), stranger, authz.NeedsSignIn},
		{"the zero actor", authz.Admin(office...), identity.Actor{}, authz.NeedsSignIn},
		{"an operator is no session", authz.Admin(office...), identity.NewOperator("root"), authz.NeedsSignIn},
		{"a session of nobody's", authz.Admin(office...), ghost, authz.NeedsSignIn},
		{"the same, signed in", authz.SignedIn(), ghost, authz.NeedsSignIn},
		{"a member", authz.Admin(office...), person("10.1.2.3", time.Minute, "member"), authz.Denied},
		{"a role that looks alike", authz.Admin(office...), person("10.1.2.3", time.Minute, "Admin", "administrator", "admin2"), authz.Denied},
		{"an administrator elsewhere", authz.Admin(office...), person("203.0.113.9", time.Minute, "admin"), authz.Elsewhere},
		{"an administrator from nowhere", authz.Admin(office...), person("", time.Minute, "admin"), authz.Elsewhere},
		{"no network is none", authz.Admin(), person("10.1.2.3", time.Minute, "admin"), authz.Elsewhere},
		{"an old proof", authz.Admin(office...), person("10.1.2.3", -time.Second, "admin"), authz.NeedsRefresh},
		{"a proof that ends now", authz.Admin(office...), person("10.1.2.3", 0, "admin"), authz.NeedsRefresh},
		{"a permission makes no administrator", authz.Admin(office...), person("10.1.2.3", time.Minute, "auditor"), authz.Denied},

		{"a proof of four minutes ago", authz.Fresh(5 * time.Minute), person("", time.Minute), authz.Allowed},
		{"the same for a shorter time", authz.Fresh(4 * time.Minute), person("", time.Minute), authz.NeedsRefresh},
		{"an old proof for a longer time", authz.Fresh(time.Hour), person("", -50*time.Minute), authz.Allowed},
		{"a proof by a clock that is half a minute ahead", authz.Fresh(time.Hour), person("", 5*time.Minute+30*time.Second), authz.Allowed},
		{"a proof that is still to come: the clock was set back", authz.Fresh(time.Hour), person("", 7*time.Minute), authz.NeedsRefresh},
		{"no proof that counts", authz.Fresh(1 << 62), unproved, authz.NeedsRefresh},
		{"fresh for no time", authz.Fresh(0), person("", time.Minute), authz.Denied},
		{"fresh for less than no time", authz.Fresh(-time.Hour), person("", time.Minute), authz.Denied},
		{"fresh, and nobody", authz.Fresh(time.Hour), stranger, authz.NeedsSignIn},

		{"a permission of the database", authz.Permission("invoices.export"), person("", 0), authz.Allowed},
		{"a part of one", authz.Permission("invoices"), person("", 0), authz.Denied},
		{"two at once", authz.Permission("invoices.read,invoices.export"), person("", 0), authz.Denied},
		{"one without a name", authz.Permission(""), person("", 0), authz.Denied},
		{"a permission of the options", authz.Permission("ledger.read"), person("", 0, "auditor"), authz.Allowed},
		{"one of another role", authz.Permission("ledger.read"), person("", 0, "member"), authz.Denied},
		{"a role is no permission", authz.Permission("auditor"), person("", 0, "auditor"), authz.Denied},
		{"a permission is no role", authz.Role("ledger.read"), person("", 0, "auditor"), authz.Denied},
		{"a permission, and nobody", authz.Permission("ledger.read"), stranger, authz.NeedsSignIn},
		{"an operator has no permission", authz.Permission("ledger.read"), identity.NewOperator("root"), authz.NeedsSignIn},

		{"an attribute", authz.When("post", isPost), person("", 0), authz.Allowed},
		{"another one", authz.When("never", func(*http.Request) bool { return false }), person("", 0), authz.Denied},
		{"an attribute is of people", authz.When("post", isPost), stranger, authz.NeedsSignIn},
		{"no function", authz.When("forgotten", nil), person("", 0), authz.Denied},
		{"the body is not for rules", authz.When("body", readsBody), person("", 0), authz.Denied},

		{"any of nothing denies", authz.Any(), person("10.1.2.3", time.Minute, "admin"), authz.Denied},
		{"one is enough", authz.Any(authz.Rule{}, authz.Role("auditor"), authz.Role("member")), person("", 0, "member"), authz.Allowed},
		{"none is not", authz.Any(authz.Role("auditor"), authz.Role("clerk")), person("", 0, "member"), authz.Denied},
		{"hope: another network", authz.Any(authz.Rule{}, authz.From(office...)), person("203.0.113.9", 0), authz.Elsewhere},
		{"more hope: signing in", authz.Any(authz.From(office...), authz.SignedIn()), identity.Actor{}, authz.NeedsSignIn},
		{"most hope: a new proof", authz.Any(authz.Fresh(time.Minute), authz.From(office...), authz.Role("x")), person("", -time.Hour), authz.NeedsRefresh},
		{"any within all", authz.All(authz.Any(authz.Role("clerk"), authz.Role("auditor")), authz.Fresh(5*time.Minute)), person("", time.Minute, "auditor"), authz.Allowed},
		{"all within any", authz.Any(authz.All(authz.Role("clerk"), authz.Fresh(5*time.Minute)), authz.Role("boss")), person("", time.Minute, "auditor"), authz.Denied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.rule.Check(tt.by, now, httptest.NewRequest("POST", "/", strings.NewReader("x"))); got != tt.want {
				t.Errorf("%q.Check(%v) = %d, want %d", tt.rule, tt.by, got, tt.want)
			}
		})
	}
	if r := authz.All(authz.Role("admin"), authz.From(office...), authz.Fresh(5*time.Minute)); r.IsAdmin() || !r.NeedsOrigin() || !r.Needs() {
		t.Errorf("%q: IsAdmin %v, NeedsOrigin %v, Needs %v; only Admin makes the rule of administrators", r, r.IsAdmin(), r.NeedsOrigin(), r.Needs())
	}
}

// Whoever reads a listing learns what a rule asks for.
func TestRulesHaveNames(t *testing.T) {
	for _, tt := range []struct {
		rule authz.Rule
		want string
	}{
		{authz.Rule{}, "nobody"},
		{authz.All(), "nobody"},
		{authz.Any(), "nobody"},
		{authz.Public(), "public"},
		{authz.SignedIn(), "signed in"},
		{authz.Fresh(5 * time.Minute), "signed in, fresh within 5m"},
		{authz.Fresh(time.Hour), "signed in, fresh within 1h"},
		{authz.Fresh(90 * time.Second), "signed in, fresh within 1m30s"},
		{authz.Role("auditor"), "role auditor"},
		{authz.Permission("ledger.read"), "permission ledger.read"},
		{authz.When("office hours", nil), "when office hours"},
		{authz.All(authz.Any(authz.Role("a"), authz.Permission("b")), authz.When("c", nil)), "(role a or permission b), when c"},
	} {
		if got := tt.rule.String(); got != tt.want {
			t.Errorf("the rule is called %q, want %q", got, tt.want)
		}
	}
	for name, r := range map[string]authz.Rule{"When": authz.When("", nil), "All": authz.All(authz.Public(), authz.When("", nil)), "Any": authz.Any(authz.When("", nil), authz.Public())} {
		if !r.NeedsRequest() {
			t.Errorf("%s does not ask for the request that it looks at", name)
		}
	}
	if authz.All(authz.SignedIn(), authz.Permission("a")).NeedsRequest() {
		t.Error("a rule without attributes asks for the request")
	}
}
