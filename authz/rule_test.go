package authz_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/internal/identity"
)

func TestRules(t *testing.T) {
	now := time.Date(2026, time.March, 12, 9, 41, 0, 0, time.UTC)
	office := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fc00::/7")}
	person := func(address string, fresh time.Duration, roles ...string) identity.Actor {
		from := identity.Request{}
		if address != "" {
			from.Address = netip.MustParseAddr(address)
		}
		return identity.NewPerson(identity.SubjectOf(identity.NewRandomID()), identity.NewRandomID(), now.Add(fresh), roles, from)
	}
	stranger := identity.NewAnonymous(identity.Request{Address: netip.MustParseAddr("10.1.2.3")})
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
		{"a member", authz.Admin(office...), person("10.1.2.3", time.Minute, "member"), authz.Denied},
		{"a role that looks alike", authz.Admin(office...), person("10.1.2.3", time.Minute, "Admin", "administrator", "admin2"), authz.Denied},
		{"an administrator elsewhere", authz.Admin(office...), person("203.0.113.9", time.Minute, "admin"), authz.Elsewhere},
		{"an administrator from nowhere", authz.Admin(office...), person("", time.Minute, "admin"), authz.Elsewhere},
		{"no network is none", authz.Admin(), person("10.1.2.3", time.Minute, "admin"), authz.Elsewhere},
		{"an old proof", authz.Admin(office...), person("10.1.2.3", -time.Second, "admin"), authz.NeedsRefresh},
		{"a proof that ends now", authz.Admin(office...), person("10.1.2.3", 0, "admin"), authz.NeedsRefresh},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.rule.Check(tt.by, now); got != tt.want {
				t.Errorf("%q.Check(%v) = %d, want %d", tt.rule, tt.by, got, tt.want)
			}
		})
	}
	if r := authz.All(authz.Role("admin"), authz.From(office...), authz.Fresh()); r.IsAdmin() || !r.NeedsOrigin() || !r.Needs() {
		t.Errorf("%q: IsAdmin %v, NeedsOrigin %v, Needs %v; only Admin makes the rule of administrators", r, r.IsAdmin(), r.NeedsOrigin(), r.Needs())
	}
}
