package e2e_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// D17, advisory 29: what a stranger asks for costs as many statements whether an account exists or not. Over a network
// each is a round trip, which could be measured from outside.
func TestKnownAndUnknownCostTheSameStatements(t *testing.T) {
	costTheSame(t, ringwall.Options{})
}

// costTheSame holds the statements of known and unknown addresses against each other.
func costTheSame(t *testing.T, o ringwall.Options) {
	t.Helper()
	db := testdb.Postgres(t)
	r, dsn := startRelay(t, db.DSN)
	at := time.Now() // and stays: the first refusal of each minute is written
	o.Database, o.MasterKey, o.Now = dsn, ringwall.NewSecret(masterKey), func() time.Time { return at }
	s := ringwalltest.StartApp(t, o, nil)
	s.SignUp("known@example.org")
	s.SignUp("locked@example.org")
	want(t, "sign up, not confirmed", signUp(s.Client(), "pending@example.org", ringwalltest.Password), 202, "")
	s.Mail("pending@example.org", 1)
	ask := func(path string, body func(address string) object) func(string) {
		return func(address string) { s.Client().Post(path, body(address)) }
	}
	askers := map[string]*ringwalltest.Client{} // by the address that they will ask for
	for i, wanted := range []string{"known@example.org", "unknown5@example.org", "warmup-unknown5@example.org"} {
		askers[wanted] = s.SignIn("asker" + strconv.Itoa(i) + "@example.org")
	}
	sign := ask("/auth/v1/login", func(a string) object { return object{"email": a, "password": "not the password, surely"} })
	for _, tt := range []struct {
		name           string
		act            func(address string)
		known, unknown string
	}{
		{"a wrong password", sign, "known@example.org", "unknown@example.org"},
		{"a wrong password for an unconfirmed address", sign, "pending@example.org", "unknown2@example.org"},
		{"a forgotten password", ask("/auth/v1/password/forgot", func(a string) object { return object{"email": a} }), "known@example.org", "unknown@example.org"},
		{"a mail again", ask("/auth/v1/email/resend", func(a string) object { return object{"email": a} }), "pending@example.org", "unknown@example.org"},
		{"a mail again, for an account", ask("/auth/v1/email/resend", func(a string) object { return object{"email": a} }), "known@example.org", "unknown3@example.org"},
		{"a wrong code", ask("/auth/v1/email/verify", func(a string) object { return object{"email": a, "code": "AAAA-AAAA"} }), "pending@example.org", "unknown@example.org"},
		{"a sign-up", ask("/auth/v1/signup", func(a string) object { return object{"email": a, "password": ringwalltest.Password} }), "known@example.org", "free@example.org"},
		{"a change of address", func(a string) {
			askers[a].Post("/auth/v1/me/email", object{"email": a, "password": ringwalltest.Password})
		}, "known@example.org", "unknown5@example.org"},
		{"a locked sign-in", func(a string) {
			for range 8 {
				sign(a)
			}
		}, "locked@example.org", "unknown4@example.org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.act("warmup-" + tt.unknown) // the first refusal of a minute is written, whoever it is
			time.Sleep(100 * time.Millisecond)
			known := r.during(func() { tt.act(tt.known) })
			time.Sleep(100 * time.Millisecond)
			unknown := r.during(func() { tt.act(tt.unknown) })
			if len(known) != len(unknown) || len(known) == 0 {
				t.Errorf("%d statements for one that exists, %d for one that does not:\n%s\n\n%s", len(known), len(unknown), strings.Join(known, "\n"), strings.Join(unknown, "\n"))
			}
		})
	}
}
