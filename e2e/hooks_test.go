package e2e_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	addCustomer    = sqlsafe.New(`INSERT INTO customers (user_id, email, via) VALUES ($1, $2, $3)`)
	moveCustomer   = sqlsafe.New(`UPDATE customers SET email = $2 WHERE user_id = $1`)
	removeCustomer = sqlsafe.New(`DELETE FROM customers WHERE user_id = $1`)
)

// host is a program with a table of its own beside Ringwall's.
type host struct {
	db     *sql.DB
	mu     sync.Mutex
	fail   func(stage string) error // nil: nothing fails
	wanted []ringwall.SignUp
}

func (h *host) at(stage string) error {
	h.mu.Lock()
	fail := h.fail
	h.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(stage)
}

func (h *host) failing(fail func(stage string) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail = fail
}

func (h *host) hooks() ringwall.Hooks {
	write := func(ctx context.Context, tx ringwall.HookTx, stage string, q sqlsafe.Query) error {
		if n, err := tx.Exec(ctx, q); err != nil || n != 1 {
			return fmt.Errorf("%d rows: %w", n, err)
		}
		return h.at(stage)
	}
	return ringwall.Hooks{
		BeforeSignUp: func(_ context.Context, wanted ringwall.SignUp) error {
			h.mu.Lock()
			h.wanted = append(h.wanted, wanted)
			h.mu.Unlock()
			if strings.HasSuffix(wanted.Email, "@refused.example") {
				return fmt.Errorf("canary: %w", ringwall.ErrRefused)
			}
			return h.at("before")
		},
		OnUserCreated: func(ctx context.Context, tx ringwall.HookTx, u ringwall.User) error {
			return write(ctx, tx, "created", addCustomer.With(u.ID.String(), u.Email, u.Via+" "+strings.Join(u.Roles, " ")))
		},
		OnEmailChanged: func(ctx context.Context, tx ringwall.HookTx, u ringwall.User) error {
			return write(ctx, tx, "moved", moveCustomer.With(u.ID.String(), u.Email))
		},
		OnUserDeleted: func(ctx context.Context, tx ringwall.HookTx, id session.ID) error {
			return write(ctx, tx, "deleted", removeCustomer.With(id.String()))
		},
	}
}

// customers are the rows of the host's table.
func (h *host) customers(t *testing.T) (list []string) {
	t.Helper()
	rows, err := h.db.Query(`SELECT email, via FROM customers ORDER BY email`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var email, via string
		if err := rows.Scan(&email, &via); err != nil {
			t.Fatal(err)
		}
		list = append(list, email+" "+strings.TrimSpace(via))
	}
	return list
}

// eachHosted runs a test against servers with hooks, on both databases.
func eachHosted(t *testing.T, test func(t *testing.T, s *ringwalltest.Server, h *host, told *operators)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		h, told := &host{}, newOperators(t)
		told.now = time.Now
		o := ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Hooks: h.hooks()}
		telling(told.server.URL)(&o)
		s := ringwalltest.StartApp(t, o, application)
		h.db = onDatabase(t, db)
		statements := []string{`CREATE TABLE customers (user_id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL, via TEXT NOT NULL)`}
		if db.Engine != "sqlite" {
			statements = append(statements, `GRANT SELECT, INSERT, UPDATE, DELETE ON customers TO PUBLIC`)
		}
		for _, statement := range statements {
			if _, err := h.db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		test(t, s, h, told)
	})
}

// Every way to an account asks the host and writes its row, and so do a move and an end.
func TestHooksRunForEveryWayToAnAccount(t *testing.T) {
	eachHosted(t, func(t *testing.T, s *ringwalltest.Server, h *host, _ *operators) {
		s.SignUp("a-signup@example.org")
		someone(t, s, "b-operator@example.org", "support")
		operate(t, s, "user.invite", object{"email": "c-invited@example.org", "role": "support", "reason": "new"})
		want(t, "accept", s.Client().Post("/auth/v1/signup/invitation", accept(invitation(t, s, "c-invited@example.org", 1))), 204, "")
		people := []object{{"email": "d-import@example.org", "email_verified": true}, {"email": "x@refused.example", "email_verified": true}}
		if got := fmt.Sprint(operate(t, s, "user.import", object{"users": people})); !strings.Contains(got, "refused") || strings.Contains(got, "canary") {
			t.Errorf("import = %s, want one refused without the words of the hook", got)
		}
		operate(t, s, "user.email", object{"user": "a-signup@example.org", "email": "a-moved@example.org", "reason": "asked"})
		expect := []string{"a-moved@example.org signup", "b-operator@example.org operator support", "c-invited@example.org invitation support", "d-import@example.org import"}
		if got := h.customers(t); !slices.Equal(got, expect) {
			t.Errorf("customers = %q, want %q", got, expect)
		}
		operate(t, s, "user.delete", object{"user": "b-operator@example.org", "now": true})
		if got := h.customers(t); len(got) != 3 {
			t.Errorf("after a deletion %q, want three", got)
		}
		if code := refusedOperation(t, s, "user.create", object{"email": "y@refused.example"}); code != "signup-closed" {
			t.Errorf("an operator's account that the host refuses = %s", code)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, w := range h.wanted {
			if w.Network.IsValid() != (w.Via == "signup" || w.Via == "invitation") || w.Via == "" {
				t.Errorf("a hook was asked about %+v", w)
			}
		}
	})
}

// A hook that fails leaves nothing, tells nobody, and says nothing of itself; with the next one all is well.
func TestAFailingHookLeavesNothing(t *testing.T) {
	eachHosted(t, func(t *testing.T, s *ringwalltest.Server, h *host, told *operators) {
		never := make(chan struct{})
		defer close(never)
		c := s.Client()
		want(t, "sign up", signUp(c, "ada@example.org", ringwalltest.Password), 202, "")
		token := s.Mail("ada@example.org", 1).Token()
		for _, tt := range []struct {
			name   string
			fail   func() error
			status int
			code   string
		}{
			{"an error", func() error { return errors.New("canary") }, 500, "internal"},
			{"a panic", func() error { panic("canary") }, 500, "internal"},
			{"a hook that hangs", func() error { <-never; return nil }, 503, "unavailable"},
		} {
			h.failing(func(string) error { return tt.fail() })
			got := c.Post("/auth/v1/email/verify", object{"token": token})
			want(t, tt.name, got, tt.status, tt.code)
			if strings.Contains(string(got.Body), "canary") || strings.Contains(string(got.Body), "hook") {
				t.Errorf("%s: the answer tells of it: %s", tt.name, got.Body)
			}
		}
		want(t, "sign in meanwhile", c.Post("/auth/v1/login", object{"email": "ada@example.org", "password": ringwalltest.Password}), 401, "login-failed")
		if got := h.customers(t); len(got) != 0 || told.all() != "" {
			t.Errorf("there are %q, and told was %q", got, told.all())
		}
		h.failing(nil)
		want(t, "confirm at last", c.Post("/auth/v1/email/verify", object{"token": token}), 204, "")
		h.failing(func(string) error { return errors.New("canary") })
		for command, in := range map[string]object{
			"user.delete": {"user": "ada@example.org", "now": true}, "user.email": {"user": "ada@example.org", "email": "other@example.org", "reason": "x"},
			"user.import": {"users": []object{{"email": "z@example.org", "email_verified": true}}},
		} {
			body, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := s.Ringwall.Operate(t.Context(), "tester", command, body); err == nil {
				t.Errorf("%s though its hook failed = %s", command, out)
			}
		}
		h.failing(nil)
		c.SignIn("ada@example.org", ringwalltest.Password) // the account is there, under its address
		if got := h.customers(t); !slices.Equal(got, []string{"ada@example.org signup"}) {
			t.Errorf("customers = %q, want the one", got)
		}
		id := idOf(t, s, "ada@example.org")
		within(t, 15*time.Second, "what happened is told", func() bool { return len(told.kinds(id)) >= 2 })
		if got := told.kinds(id); !slices.Equal(got, []string{"session.created", "user.created"}) {
			t.Errorf("told %q, want what happened alone", got)
		}
	})
}

// D17: whatever a hook answers to a sign-up, nobody learns by it whether an address has an account.
func TestAHookTellsNothingOfAccounts(t *testing.T) {
	eachHosted(t, func(t *testing.T, s *ringwalltest.Server, h *host, _ *operators) {
		s.SignUp("known@example.org")
		h.mu.Lock()
		h.wanted = nil
		h.mu.Unlock()
		for name, tt := range map[string]struct {
			fail func(string) error
			code string
		}{
			"yes":      {nil, ""},
			"no":       {func(string) error { return ringwall.ErrRefused }, "signup-closed"},
			"an error": {func(string) error { return errors.New("canary") }, "internal"},
			"a panic":  {func(string) error { panic("canary") }, "internal"},
		} {
			h.failing(tt.fail)
			known := signUp(s.Client(), "known@example.org", ringwalltest.Password)
			unknown := signUp(s.Client(), "unknown@example.org", ringwalltest.Password)
			sameAnswer(t, name, known, unknown)
			if known.Code() != tt.code || strings.Contains(string(known.Body), "canary") {
				t.Errorf("%s = %d %s", name, known.Status, known.Body)
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		asked := map[string]int{}
		for _, w := range h.wanted {
			asked[w.Email]++
		}
		if asked["known@example.org"] != 4 || asked["unknown@example.org"] != 4 {
			t.Errorf("the hook was asked %v, want alike for both", asked)
		}
	})
}
