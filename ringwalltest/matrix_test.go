package ringwalltest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/authz"
	"github.com/ringwall/ringwall/ringwalltest"
	"github.com/ringwall/ringwall/session"
)

// notes is a small application. Holes are what somebody forgot.
type notes struct {
	owners   sync.Map // of notes, by id
	sessions sync.Map // that were seen, by cookie
	holes    map[string]bool
}

func (n *notes) mux() *authz.Mux {
	mux := authz.NewMux()
	rule := func(hole string, r authz.Rule) authz.Rule {
		if n.holes[hole] {
			return authz.SignedIn()
		}
		return r
	}
	mux.HandleFunc("GET /{$}", authz.Public(), n.say)
	mux.HandleFunc("POST /notes", authz.SignedIn(), n.add)
	mux.HandleFunc("POST /subscribe", ruleOf(n.holes["a form that anybody sends"], authz.Public(), authz.SignedIn()), n.say)
	mux.HandleFunc("GET /notes/{id}", authz.SignedIn(), n.own("reads anybody's", n.say))
	mux.HandleFunc("DELETE /notes/{id}", authz.SignedIn(), n.own("deletes anybody's", n.say))
	mux.HandleFunc("GET /admin/notes", rule("anybody administers", authz.Role("admin")), n.say)
	wipe := authz.All(authz.Role("admin"), authz.Fresh(5*time.Minute))
	if n.holes["old proofs of administrators wipe"] {
		wipe = authz.Role("admin")
	}
	mux.HandleFunc("POST /admin/wipe", rule("anybody wipes", wipe), n.say)
	mux.HandleFunc("GET /ledger", rule("anybody audits", authz.Permission("ledger.read")), n.say)
	mux.HandleFunc("PUT /notes/latest", authz.Fresh(5*time.Minute), n.say)
	if n.holes["a route that nobody knows"] {
		mux.HandleFunc("GET /debug", authz.Public(), n.say)
	}
	if n.holes["a way around"] {
		mux.HandleFunc("GET /notes/{id}/{rest...}", authz.Public(), n.say)
	}
	switch {
	case n.holes["open to all"]:
		mux.HandleFunc("GET /notes", authz.Public(), n.say)
	case n.holes["sessions are remembered"]:
		mux.HandleFunc("GET /notes", authz.Public(), n.remember(n.say))
	default:
		mux.HandleFunc("GET /notes", authz.SignedIn(), n.say)
	}
	return mux
}

func ruleOf(hole bool, open, closed authz.Rule) authz.Rule {
	if hole {
		return open
	}
	return closed
}

func (n *notes) say(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("notes")) }

func (n *notes) add(w http.ResponseWriter, r *http.Request) {
	s, _ := session.From(r.Context())
	id := s.ID.String() + time.Now().Format("150405.000000000")
	n.owners.Store(id, s.UserID.String())
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id})
}

func (n *notes) own(hole string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.From(r.Context())
		if owner, _ := n.owners.Load(r.PathValue("id")); owner != s.UserID.String() && !n.holes[hole] {
			http.NotFound(w, r)
			return
		}
		next(w, r)
	}
}

// remember asks for a session once, and believes its cookie from then on.
func (n *notes) remember(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("__Host-ringwall")
		if err != nil {
			w.WriteHeader(401)
			return
		}
		if _, ok := session.From(r.Context()); ok {
			n.sessions.Store(cookie.Value, true)
		}
		if _, ok := n.sessions.Load(cookie.Value); !ok {
			w.WriteHeader(401)
			return
		}
		next(w, r)
	}
}

// table is what the notes should answer.
func table(t *testing.T) func(p ringwalltest.People) []ringwalltest.Row {
	return func(p ringwalltest.People) []ringwalltest.Row {
		add := func() string {
			var made struct{ ID string }
			p.Member.Post("/notes", nil).Into(t, &made)
			return "/notes/" + made.ID
		}
		wipe := ringwalltest.AdministratorsOnly(200)
		wipe.StaleAdministrator = 403
		fresh := ringwalltest.SignedIn(200)
		fresh.Stale, fresh.StaleAdministrator = 403, 403
		ledger := ringwalltest.SignedIn(403)
		ledger.Roles = map[string]int{"auditor": 200}
		return []ringwalltest.Row{
			{Pattern: "GET /{$}", Path: "/", Want: ringwalltest.Public(200)},
			{Pattern: "GET /notes", Want: ringwalltest.SignedIn(200)},
			{Pattern: "POST /notes", Want: ringwalltest.SignedIn(200)},
			{Pattern: "POST /subscribe", Body: url.Values{"to": {"news"}}, Want: ringwalltest.SignedIn(200)},
			{Pattern: "GET /notes/{id}", Path: add(), Want: ringwalltest.OwnerOnly(200)},
			{Pattern: "DELETE /notes/{id}", Make: add, Want: ringwalltest.OwnerOnly(200)},
			{Pattern: "GET /admin/notes", Want: ringwalltest.AdministratorsOnly(200)},
			{Pattern: "POST /admin/wipe", Want: wipe},
			{Pattern: "PUT /notes/latest", Want: fresh},
			{Pattern: "GET /ledger", Want: ledger},
		}
	}
}

// unbounded is a ceiling of attempts that a busy machine does not lower: a dozen servers start at once here.
const unbounded = 1_000_000

// S068: the matrix passes an application without holes, and finds each hole of another.
func TestMatrixFindsEachHole(t *testing.T) {
	for hole, want := range map[string]string{
		"":                        "",
		"reads anybody's":         "GET /notes/{id} as other member",
		"deletes anybody's":       "DELETE /notes/{id} as other member",
		"anybody administers":     "GET /admin/notes as member",
		"anybody wipes":           "POST /admin/wipe as member",
		"sessions are remembered": "GET /notes as revoked session",

		"old proofs of administrators wipe": "POST /admin/wipe as stale administrator",
		"anybody audits":                    "GET /ledger as other member",
		"a route that nobody knows":         "GET /debug: no row",
		"a way around":                      "GET /notes/{id} as anonymous by",
		"open to all":                       "GET /notes as anonymous",
	} {
		t.Run(hole, func(t *testing.T) {
			t.Parallel()
			app := &notes{holes: map[string]bool{hole: true}}
			s := ringwalltest.StartApp(t, ringwall.Options{Roles: map[string][]string{"auditor": {"ledger.read"}}, LimitGlobal: unbounded}, app.mux())
			faults := ringwalltest.MatrixFaults(t, s, table(t))
			found := strings.Join(faults, "\n")
			if want == "" && found != "" || !strings.Contains(found, want) {
				t.Errorf("faults:\n%s\nwant %q", found, want)
			}
		})
	}
}

// A table that says too little, or what the rules deny, is a fault itself.
func TestMatrixWantsAWholeTable(t *testing.T) {
	app := &notes{}
	s := ringwalltest.StartApp(t, ringwall.Options{LimitGlobal: unbounded}, app.mux())
	found := strings.Join(ringwalltest.MatrixFaults(t, s, func(ringwalltest.People) []ringwalltest.Row {
		return []ringwalltest.Row{
			{Pattern: "GET /nothing", Want: ringwalltest.Public(200)},
			{Pattern: "GET /{$}", Path: "/", Want: ringwalltest.Statuses{Anonymous: 200}},
			{Pattern: "GET /notes", Want: ringwalltest.Public(200)},
		}
	}), "\n")
	for _, want := range []string{
		"GET /nothing: no such route", "GET /{$} as member: the row says nothing about it",
		`GET /notes as anonymous: the row wants 200, but the rule "signed in" admits nobody who is not signed in`,
		"GET /ledger: no row says what this route answers to whom",
	} {
		if !strings.Contains(found, want) {
			t.Errorf("faults:\n%s\nwant %q among them", found, want)
		}
	}
}
