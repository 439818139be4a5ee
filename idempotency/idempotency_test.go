package idempotency_test

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/sqlsafe"
)

const someKey = `"8e03978e-40d5-43dd-bc93-6894a57f9324"`

// inFile are the options of a SQLite file that many write to. What is lost without power is not what is tested.
const inFile = "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"

// hosts runs a test on the database of a host, with the table made by its owner.
func hosts(t *testing.T, test func(t *testing.T, db *sqlsafe.DB)) {
	for engine, dsn := range map[string]string{"sqlite": t.TempDir() + "/host.db" + inFile, "postgres": testdb.Empty(t).AdminDSN} {
		t.Run(engine, func(t *testing.T) {
			driver := "sqlite"
			if engine == "postgres" {
				driver = "pgx"
			}
			opened, err := sql.Open(driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = opened.Close() })
			db := sqlsafe.Wrap(opened)
			for _, statement := range []sqlsafe.Statement{sqlsafe.New(idempotency.Schema), sqlsafe.New(`CREATE TABLE transfers (cents BIGINT NOT NULL)`)} {
				if _, err := db.Exec(t.Context(), statement); err != nil {
					t.Fatalf("make the tables: %v", err)
				}
			}
			test(t, db)
		})
	}
}

// clock is one that tests advance.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(1_700_000_000_000_000)
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()) }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

func newKeys(t testing.TB, db *sqlsafe.DB, o idempotency.Options) *idempotency.Keys {
	t.Helper()
	if o.Who == nil {
		o.Who = func(r *http.Request) string { return r.Header.Get("X-Test-User") }
	}
	keys, err := idempotency.New(db, o)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// call is a request that a test sends.
type call struct{ method, target, user, key, contentType, body string }

func transfer() call {
	return call{"POST", "/transfers", "ada", someKey, "application/json", `{"cents": 100}`}
}

func (c call) with(change func(*call)) call {
	change(&c)
	return c
}

func (c call) request() *http.Request {
	r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
	r.Header.Set("X-Test-User", c.user)
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	if c.contentType != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	return r
}

func send(h http.Handler, c call) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, c.request())
	return w
}

// S111, I057 to I061: one effect, the same answer again, and 422, 409, 400 where they are due.
func TestOneEffectAndTheSameAnswer(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		effects := 0
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			effects++
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "/transfers/1")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Set-Cookie", "token=secret")
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprintf(w, `{"number": %d, "got": %q}`, effects, body)
		}))
		first, again := send(h, transfer()), send(h, transfer())
		if first.Code != 201 || first.Header().Get("Idempotency-Replayed") != "" || first.Header().Get("Set-Cookie") == "" || first.Header().Get("Idempotency-Expires") == "" {
			t.Errorf("the first = %d %v", first.Code, first.Header())
		}
		if effects != 1 || again.Code != 201 || again.Body.String() != first.Body.String() || !strings.Contains(first.Body.String(), "100") {
			t.Errorf("the second = %d %s after %d effects, want %s and one", again.Code, again.Body, effects, first.Body)
		}
		for name, want := range map[string]string{"Content-Type": "application/json", "Location": "/transfers/1", "Cache-Control": "no-store", "Idempotency-Replayed": "true",
			"Set-Cookie": "", "Idempotency-Expires": first.Header().Get("Idempotency-Expires")} {
			if got := again.Header().Get(name); got != want {
				t.Errorf("%s of the second = %q, want %q", name, got, want)
			}
		}
	})
}

// Of fifty posts at once one is carried out; the others are told to wait, or get its answer.
func TestFiftyParallelPostsAreOneEffect(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		insert := sqlsafe.New(`INSERT INTO transfers (cents) VALUES (100)`)
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := db.Exec(r.Context(), insert); err != nil {
				t.Errorf("insert: %v", err)
			}
			time.Sleep(20 * time.Millisecond)
			_, _ = w.Write([]byte("done"))
		})
		nodes := []http.Handler{newKeys(t, db, idempotency.Options{}).Handler(handler), newKeys(t, db, idempotency.Options{}).Handler(handler)}
		var wg sync.WaitGroup
		var fresh atomic.Int64
		for i := range 50 {
			wg.Go(func() {
				w := send(nodes[i%2], transfer())
				switch {
				case w.Code == 200 && w.Body.String() == "done":
					if w.Header().Get("Idempotency-Replayed") == "" {
						fresh.Add(1)
					}
				case w.Code == 409 && strings.Contains(w.Body.String(), "/problems/idempotency-key-in-flight") && w.Header().Get("Retry-After") == "1":
				default:
					t.Errorf("one of fifty = %d %s", w.Code, w.Body)
				}
			})
		}
		wg.Wait()
		var count int
		if err := db.QueryRow(t.Context(), sqlsafe.New(`SELECT COUNT(*) FROM transfers`)).Scan(&count); err != nil || count != 1 || fresh.Load() != 1 {
			t.Errorf("fifty posts = %d transfers, %d fresh answers, %v; want one", count, fresh.Load(), err)
		}
		if w := send(nodes[1], transfer()); w.Code != 200 || w.Header().Get("Idempotency-Replayed") != "true" {
			t.Errorf("afterwards = %d %v, want the stored answer", w.Code, w.Header())
		}
	})
}

// A page without script has its key in a field, and pressing its button twice is one effect.
func TestFormsHaveTheirKeyInAField(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		effects := 0
		keys := newKeys(t, db, idempotency.Options{Field: "once"})
		h := keys.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			effects++
			http.Redirect(w, r, fmt.Sprint("/transfers/", r.PostFormValue("cents")), http.StatusSeeOther)
		}))
		form := transfer().with(func(c *call) {
			c.key, c.contentType, c.body = "", "application/x-www-form-urlencoded", "cents=100&once=RTZ4XQKJ5WVN3LHD7ABCMS2EYG"
		})
		for range 2 {
			if w := send(h, form); w.Code != 303 || w.Header().Get("Location") != "/transfers/100" || effects != 1 {
				t.Errorf("the form = %d to %q after %d effects, want 303 to /transfers/100 and one", w.Code, w.Header().Get("Location"), effects)
			}
		}
		for body, want := range map[string]string{
			"cents=200&once=RTZ4XQKJ5WVN3LHD7ABCMS2EYG": "idempotency-key-reused",
			"cents=100":            "idempotency-key-missing",
			"cents=100&once=":      "idempotency-key-malformed",
			"cents=100&once=short": "idempotency-key-malformed",
			"once=RTZ4XQKJ5WVN3LHD7ABCMS2EYG&once=RTZ4XQKJ5WVN3LHD7ABCMS2EYG": "idempotency-key-malformed",
			"cents=%zz&once=RTZ4XQKJ5WVN3LHD7ABCMS2EYG":                       "malformed",
		} {
			if w := send(h, form.with(func(c *call) { c.body = body })); !strings.Contains(w.Body.String(), "/problems/"+want+`"`) || effects != 1 {
				t.Errorf("%s = %d %s after %d effects, want %s", body, w.Code, w.Body, effects, want)
			}
		}
		if w := send(h, form.with(func(c *call) { c.contentType = "application/json" })); w.Code != 400 {
			t.Errorf("a body of another type = %d, want 400: it has no field", w.Code)
		}
	})
}
