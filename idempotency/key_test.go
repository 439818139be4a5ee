package idempotency_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/sqlsafe"
)

const bareUUID = "8e03978e-40d5-43dd-bc93-6894a57f9324"

// I057: a String of RFC 9651 and nothing else.
func TestParseKey(t *testing.T) {
	for line, want := range map[string]string{
		`"` + bareUUID + `"`:                  bareUUID,
		`  "` + bareUUID + `" `:               bareUUID,
		`"a key \"with\" \\ and spaces"`:      `a key "with" \ and spaces`,
		`"` + strings.Repeat("k", 16) + `"`:   strings.Repeat("k", 16),
		`"` + strings.Repeat("k", 128) + `"`:  strings.Repeat("k", 128),
		`"` + strings.Repeat(`\"`, 128) + `"`: strings.Repeat(`"`, 128),
	} {
		if got, err := idempotency.ParseKey(line); err != nil || got != want {
			t.Errorf("ParseKey(%s) = %q, %v, want %q", line, got, err, want)
		}
	}
	for _, line := range []string{
		"", " ", `"`, `""`, bareUUID, "'" + bareUUID + "'", `"` + bareUUID, bareUUID + `"`, `"` + bareUUID + `"x`, `"` + bareUUID + `";a=1`, `"` + bareUUID + `", "` + bareUUID + `"`,
		`"` + strings.Repeat("k", 15) + `"`, `"` + strings.Repeat("k", 129) + `"`, `"` + strings.Repeat("k", 1<<16) + `"`, `"ends in a backslash\`, `"escapes a letter \k"`, `"has a` + "\t" + `tab in its middle"`,
		"\"has a \x00 in its middle\"", "\"has a \x7f in its middle\"", `"has an ä in its middle"`, "\t" + `"` + bareUUID + `"`, ":OGUwMzk3OGUtNDBkNS00M2Rk:", "8039784043", "?1", `("` + bareUUID + `")`,
	} {
		if got, err := idempotency.ParseKey(line); err == nil {
			t.Errorf("ParseKey(%q) = %q, want it refused", line, got)
		}
	}
	if _, err := idempotency.ParseKey(`"`+bareUUID+`"`, `"`+bareUUID+`"`); err == nil {
		t.Error("two lines of the field were taken")
	}
}

// Whatever is taken is of the promised form, and has no other spelling than those that escapes and spaces allow.
func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{`"` + bareUUID + `"`, bareUUID, `"a key \"with\" \\ and spaces"`, `"\`, `""`, `"` + strings.Repeat(`\\`, 64) + `"`, "\"ä\x00\"", `"0123456789abcdef";a="b"`} {
		f.Add(seed)
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	f.Fuzz(func(t *testing.T, line string) {
		key, err := idempotency.ParseKey(line)
		if err != nil {
			if key != "" {
				t.Errorf("ParseKey(%q) = %q and %v", line, key, err)
			}
			return
		}
		if len(key) < 16 || len(key) > 128 || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("ParseKey(%q) = %q", line, key)
		}
		if spelled := `"` + quote.Replace(key) + `"`; spelled != strings.Trim(line, " ") {
			t.Errorf("ParseKey(%q) = %q, which is spelled %s", line, key, spelled)
		}
	})
}

// I058, I057: without a key that can be read nothing is done.
func TestWithoutAKeyNothingIsDone(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was done") }))
		for key, want := range map[string]string{"": "idempotency-key-missing", " ": "idempotency-key-malformed", bareUUID: "idempotency-key-malformed", `"short"`: "idempotency-key-malformed"} {
			w := send(h, transfer().with(func(c *call) { c.key = key }))
			if w.Code != 400 || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), "/problems/"+want+`"`) {
				t.Errorf("the key %q = %d %s, want 400 %s", key, w.Code, w.Body, want)
			}
			if len(key) > 5 && strings.Contains(w.Body.String(), key) {
				t.Errorf("the answer repeats the key %s", key)
			}
		}
		twice := transfer().request()
		twice.Header["Idempotency-Key"] = []string{someKey, someKey}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, twice); w.Code != 400 {
			t.Errorf("two keys = %d, want 400", w.Code)
		}
		if w := send(h, transfer().with(func(c *call) { c.user = "" })); w.Code != 401 {
			t.Errorf("nobody = %d, want 401", w.Code)
		}
	})
}

// What reads changes nothing and needs no key, also while the database is gone.
func TestSafeMethodsPass(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		h := newKeys(t, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
		if err := db.Unsafe().Close(); err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE"} {
			if w := send(h, call{method: method, target: "/transfers"}); w.Code != 204 {
				t.Errorf("%s = %d, want 204 from the handler", method, w.Code)
			}
		}
	})
}

// Bodies are bounded, and one that cannot be compared is not carried out.
func TestBodiesAreBoundedAndWhole(t *testing.T) {
	hosts(t, func(t *testing.T, db *sqlsafe.DB) {
		done := 0
		h := newKeys(t, db, idempotency.Options{MaxBodyBytes: 100}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if done++; err != nil || len(body) != 100 {
				t.Errorf("the handler read %d bytes, %v", len(body), err)
			}
		}))
		post := func(body io.Reader, length int64) int {
			r := transfer().request()
			r.Body, r.ContentLength = io.NopCloser(body), length
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w.Code
		}
		long := strings.Repeat("x", 101)
		half := io.MultiReader(strings.NewReader("{"), failing{io.ErrUnexpectedEOF})
		for name, got := range map[string][2]int{
			"declared too long": {post(strings.NewReader(long), 101), 413},
			"too long":          {post(strings.NewReader(long), -1), 413},
			"cut off":           {post(half, -1), 400},
			"endless":           {post(failing{nil}, -1), 413},
		} {
			if got[0] != got[1] || done != 0 {
				t.Errorf("%s = %d after %d effects, want %d and none", name, got[0], done, got[1])
			}
		}
		if got := post(strings.NewReader(long[1:]), 100); got != 200 || done != 1 {
			t.Errorf("exactly as long as may be = %d", got)
		}
		r := transfer().request()
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		r.Body = io.NopCloser(strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"cents\"\r\n\r\n1\r\n--x--\r\n"))
		if err := r.ParseMultipartForm(1 << 10); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 500 || done != 1 {
			t.Errorf("a body that somebody has read before = %d after %d effects, want 500 and none", w.Code, done)
		}
	})
}

// failing is a body that fails, or never ends.
type failing struct{ err error }

func (f failing) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return len(p), nil
}

func TestNewRefuses(t *testing.T) {
	db := sqlsafe.Wrap(nil)
	for name, o := range map[string]idempotency.Options{
		"a negative life":                    {Life: -1},
		"a negative timeout":                 {Timeout: -1},
		"a negative body":                    {MaxBodyBytes: -1},
		"a negative answer":                  {MaxAnswerBytes: -1},
		"a life that ends before the claims": {Life: 59e9},
	} {
		if _, err := idempotency.New(db, o); err == nil {
			t.Errorf("New took %s", name)
		}
	}
	if _, err := idempotency.New(nil, idempotency.Options{}); err == nil {
		t.Error("New took no database")
	}
	if _, err := idempotency.New(db, idempotency.Options{}); err != nil {
		t.Errorf("New = %v for the zero options", err)
	}
	if err := idempotency.Once(t.Context(), nil); !errors.Is(err, idempotency.ErrNoKey) {
		t.Errorf("Once outside of a request = %v, want ErrNoKey", err)
	}
}
