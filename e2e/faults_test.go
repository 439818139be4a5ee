package e2e_test

import (
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// onDatabase opens a database past Ringwall, as a superuser or whoever holds the file would.
func onDatabase(t *testing.T, db testdb.DB) *sql.DB {
	t.Helper()
	driver, dsn := "pgx", db.AdminDSN
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, dsn = "sqlite", path+"?_busy_timeout=5000"
	}
	opened, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

// tell runs a statement of an intruder or an administrator.
func tell(t *testing.T, db *sql.DB, statement string, arguments ...any) int64 {
	t.Helper()
	result, err := db.ExecContext(t.Context(), statement, arguments...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	n, _ := result.RowsAffected()
	return n
}

// count is the number that a query gives.
func count(t *testing.T, db *sql.DB, query string, arguments ...any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, arguments...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// within waits until something is so: for patience, and as a machine may be busy for three times as long.
func within(t *testing.T, patience time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * patience); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", 3*patience, what)
		}
	}
}

// wire is a way to a server that can be made to swallow everything, as a network does that drops packets.
type wire struct {
	address string
	target  string
	listen  net.Listener
	mu      sync.Mutex
	mute    bool
	conns   []net.Conn
}

func newWire(t *testing.T, target string) *wire {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: listen.Addr().String(), target: target, listen: listen}
	t.Cleanup(func() {
		_ = listen.Close()
		w.cut()
	})
	go func() {
		for {
			near, err := listen.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				_ = near.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, near, far)
			w.mu.Unlock()
			go w.copy(far, near)
			go w.copy(near, far)
		}
	}()
	return w
}

func (w *wire) copy(to io.WriteCloser, from io.Reader) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		mute := w.mute
		w.mu.Unlock()
		if !mute {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// silence swallows everything from now on; speak breaks what was swallowed in part.
func (w *wire) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mute = true
}

func (w *wire) speak() {
	w.mu.Lock()
	w.mute = false
	w.mu.Unlock()
	w.cut()
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		_ = conn.Close()
	}
	w.conns = nil
}

// onPeople is every kind of request that needs the database, by name.
func onPeople(s *ringwalltest.Server, c *ringwalltest.Client) map[string]func() (ringwalltest.Answer, error) {
	page := s.Client()
	page.Header.Set("Cookie", "__Host-ringwall="+c.Cookie("__Host-ringwall"))
	page.Header.Set("Accept", "text/html")
	by := func(c *ringwalltest.Client, method, path string, body any) func() (ringwalltest.Answer, error) {
		return func() (ringwalltest.Answer, error) { return c.Try(method, path, body) }
	}
	return map[string]func() (ringwalltest.Answer, error){
		"the session check":      by(c, "GET", "/auth/v1/session", nil),
		"the application":        by(c, "GET", "/", nil),
		"a page of ours":         by(page, "GET", "/auth/account", nil),
		"a page of its":          by(page, "GET", "/invoices", nil),
		"sign-in":                by(s.Client(), "POST", "/auth/v1/login", object{"email": "gone@example.org", "password": ringwalltest.Password}),
		"sign-up":                by(s.Client(), "POST", "/auth/v1/signup", object{"email": "new@example.org", "password": ringwalltest.Password}),
		"a forgotten password":   by(s.Client(), "POST", "/auth/v1/password/forgot", object{"email": "gone@example.org"}),
		"a reset":                by(s.Client(), "POST", "/auth/v1/password/reset", object{"token": strings.Repeat("a", 43), "password": newPassword}),
		"sign-out":               by(c, "POST", "/auth/v1/logout", object{}),
		"a change of password":   by(c, "POST", "/auth/v1/password", object{"current_password": ringwalltest.Password, "new_password": newPassword}),
		"revoking the others":    by(c, "DELETE", "/auth/v1/sessions", nil),
		"a link of nobody":       by(page, "GET", "/auth/verify-email?token="+strings.Repeat("a", 43), nil),
		"the mails":              by(s.Client(), "GET", "/auth/dev/mail", nil),
		"a token of nobody here": by(s.Client(), "POST", "/auth/v1/email/verify", object{"token": strings.Repeat("a", 43)}),
	}
}

// refusesEverybody asks everything at once and wants 503 with Retry-After and all headers, soon.
func refusesEverybody(t *testing.T, when string, s *ringwalltest.Server, c *ringwalltest.Client) {
	t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	for name, ask := range onPeople(s, c) {
		all.Go(func() {
			begun := time.Now()
			got, err := ask()
			took := time.Since(begun)
			if err != nil || got.Status != http.StatusServiceUnavailable {
				t.Errorf("%s: %s = %d, %v, want 503\n%s", when, name, got.Status, err, got.Body)
				return
			}
			if wait, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 30 {
				t.Errorf("%s: %s: Retry-After = %q", when, name, got.Header.Get("Retry-After"))
			}
			if took > 20*time.Second {
				t.Errorf("%s: %s took %v", when, name, took)
			}
			if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %s: headers are missing: %v", when, name, got.Header)
			}
			for _, inside := range []string{"SQLSTATE", "pgx", "dial tcp", "127.0.0.1:", "postgres", "sqlite"} {
				if strings.Contains(string(got.Body), inside) {
					t.Errorf("%s: %s tells of the inside (%s): %s", when, name, inside, got.Body)
				}
			}
			for _, line := range got.Header.Values("Set-Cookie") {
				if strings.HasPrefix(line, "__Host-ringwall=") {
					t.Errorf("%s: %s touched the session cookie: %s", when, name, line)
				}
			}
		})
	}
}

// S031: a lost database means refusing, never guessing; and nobody has to restart anything when it is back.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	server := testdb.OwnServer(t)
	db := server.Database()
	between := newWire(t, server.Address())
	u, err := url.Parse(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = between.address
	s := start(t, ringwall.Options{Database: u.String(), MasterKey: ringwall.NewSecret(masterKey), Log: (&logBuffer{}).logger()})
	c := s.SignIn("gone@example.org")
	works := func(when string) {
		t.Helper()
		within(t, 15*time.Second, when+": the session check works", func() bool {
			got, err := c.Try("GET", "/auth/v1/session", nil)
			if err == nil && got.Status != 200 && got.Status != 503 {
				t.Fatalf("%s: the session check = %d\n%s", when, got.Status, got.Body)
			}
			return err == nil && got.Status == 200
		})
		within(t, 15*time.Second, when+": it is ready", func() bool { return s.Ringwall.Ready(t.Context()) == nil })
		// A connection that was used in the last second is not looked at before it is used again: one request finds it broken.
		soon := func(what string, status int, ask func() ringwalltest.Answer) {
			t.Helper()
			within(t, 15*time.Second, when+": "+what, func() bool {
				got := ask()
				if got.Status != status && got.Status != 503 {
					t.Fatalf("%s: %s = %d, want %d\n%s", when, what, got.Status, status, got.Body)
				}
				return got.Status == status
			})
		}
		address := strings.NewReplacer(" ", "-", ",", "").Replace(when) + "@example.org"
		soon("the application", 200, func() ringwalltest.Answer { return c.Get("/") })
		soon("sign-in", 200, func() ringwalltest.Answer { return login(s.Client(), "gone@example.org", ringwalltest.Password) })
		soon("sign-up", 202, func() ringwalltest.Answer { return signUp(s.Client(), address, ringwalltest.Password) })
		s.Mail(address, 1) // the worker of the mails has recovered
		within(t, 35*time.Second, when+": the audit log is sealed", func() bool {
			out, err := s.Ringwall.Operate(t.Context(), "tester", "audit.verify", []byte(`{}`))
			if err == nil && !strings.Contains(string(out), `"ok":true`) {
				t.Fatalf("%s: audit.verify = %s", when, out)
			}
			return err == nil && strings.Contains(string(out), `"waiting":0`)
		})
	}
	works("at first")
	for _, fault := range []struct {
		when         string
		breaks, mend func()
	}{
		{"while it is stopped", server.Stop, server.Start},
		{"while it is silent", between.silence, between.speak},
		{"while it takes nobody", func() { allow(t, db, false); between.cut() }, func() { allow(t, db, true) }},
	} {
		fault.breaks()
		refusesEverybody(t, fault.when, s, c)
		refusesEverybody(t, fault.when+", again", s, c)
		if err := s.Ringwall.Ready(t.Context()); err == nil {
			t.Errorf("Ready %s: no error", fault.when)
		}
		fault.mend()
		works("after " + fault.when)
	}
	// What was refused was not done: one mail for each sign-up that was answered with 202, none for the others.
	if n := len(s.Mails("new@example.org")); n != 0 {
		t.Errorf("%d mails for sign-ups that were answered with 503", n)
	}
}

// allow lets nobody but superusers onto a database, or everybody again.
func allow(t *testing.T, db testdb.DB, yes bool) {
	t.Helper()
	u, err := url.Parse(db.AdminDSN)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	admin := onDatabase(t, testdb.DB{AdminDSN: u.String()})
	if yes {
		tell(t, admin, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true")
		return
	}
	tell(t, admin, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
	tell(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
}

// S031: what somebody does to the database by hand is noticed.
func TestARowDeletedByHandIsNoticed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Log: (&logBuffer{}).logger()})
		c, other := s.SignIn("hand@example.org"), s.SignIn("other@example.org")
		want(t, "before", c.Get("/"), 200, "")
		if n := tell(t, onDatabase(t, db), `DELETE FROM ringwall_sessions WHERE user_id = (SELECT id FROM ringwall_users WHERE email_canonical LIKE 'hand%')`); n != 1 {
			t.Fatalf("%d sessions deleted, want 1", n)
		}
		within(t, 10*time.Second, "the session ends", func() bool { return c.Get("/").Status == 401 })
		want(t, "somebody else", other.Get("/"), 200, "")
	})
}

// A database that takes no writes refuses changes and undoes them, while sessions go on; then everything works again.
func TestDatabaseThatTakesNoWrites(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Log: (&logBuffer{}).logger()})
		c := s.SignIn("full@example.org")
		admin := onDatabase(t, db)
		admin.SetMaxOpenConns(1) // the lock belongs to the connection
		var breaks, mends []string
		if db.Engine == "sqlite" {
			breaks, mends = []string{`BEGIN IMMEDIATE`}, []string{`ROLLBACK`} // another process writes, for too long
		} else {
			u, err := url.Parse(db.DSN)
			if err != nil {
				t.Fatal(err)
			}
			breaks = []string{`ALTER ROLE ` + u.User.Username() + ` IN DATABASE ` + strings.TrimPrefix(u.Path, "/") + ` SET default_transaction_read_only = on`,
				`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`}
			mends = []string{`ALTER ROLE ` + u.User.Username() + ` IN DATABASE ` + strings.TrimPrefix(u.Path, "/") + ` RESET default_transaction_read_only`, breaks[1]}
		}
		for _, statement := range breaks {
			tell(t, admin, statement)
		}
		// Each connection of the pool was cut, and fails once.
		goesOn := func() bool {
			return fifty(func(int) bool {
				got, err := c.Try("GET", "/", nil)
				return err == nil && got.Status == 200
			}) == 50
		}
		within(t, 10*time.Second, "the session goes on", goesOn)
		var all sync.WaitGroup
		for name, ask := range map[string]func() (ringwalltest.Answer, error){
			"sign-in": func() (ringwalltest.Answer, error) {
				return s.Client().Try("POST", "/auth/v1/login", object{"email": "full@example.org", "password": ringwalltest.Password})
			},
			"sign-up": func() (ringwalltest.Answer, error) {
				return s.Client().Try("POST", "/auth/v1/signup", object{"email": "full2@example.org", "password": ringwalltest.Password})
			},
			"sign-out":          func() (ringwalltest.Answer, error) { return c.Try("POST", "/auth/v1/logout", object{}) },
			"the session check": func() (ringwalltest.Answer, error) { return c.Try("GET", "/auth/v1/session", nil) },
		} {
			all.Go(func() {
				begun := time.Now()
				got, err := ask()
				took := time.Since(begun)
				switch {
				case name == "the session check":
					if err != nil || got.Status != 200 || took > 4*time.Second { // the lock would take five
						t.Errorf("%s = %d, %v after %v, want 200 at once", name, got.Status, err, took)
					}
				case err != nil || got.Status != 503 || got.Header.Get("Retry-After") == "" || took > 20*time.Second: // ten in the queue, and five for the lock
					t.Errorf("%s = %d, %v after %v, Retry-After %q; want 503 soon", name, got.Status, err, took, got.Header.Get("Retry-After"))
				}
			})
		}
		all.Wait()
		for _, statement := range mends {
			tell(t, admin, statement)
		}
		within(t, 10*time.Second, "the session still goes on", goesOn)
		within(t, 10*time.Second, "signing in works again", func() bool {
			return login(s.Client(), "full@example.org", ringwalltest.Password).Status == 200
		})
		want(t, "sign-out afterwards", c.Post("/auth/v1/logout", object{}), 204, "")
		if n := len(s.Mails("full2@example.org")); n != 0 {
			t.Errorf("%d mails for a sign-up that was refused", n)
		}
	})
}
