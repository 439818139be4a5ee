package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// canary holds every secret and every personal thing of one person's story.
type canary struct {
	passwords []string // chosen, wrong, refused and former ones
	tokens    []string // of sessions, as cookies and as bearer
	cookies   []string // others that prove something: device, flow, pre
	mailed    []string // tokens and codes
	forms     []string // CSRF tokens
	personal  []string
	answers   []spoken
}

// spoken is an answer and what may be in it.
type spoken struct {
	what string
	got  ringwalltest.Answer
	may  []string
}

func (c *canary) hear(what string, got ringwalltest.Answer, may ...string) ringwalltest.Answer {
	c.answers = append(c.answers, spoken{what, got, may})
	return got
}

func (c *canary) holds(client *ringwalltest.Client) {
	for name, list := range map[string]*[]string{
		"__Host-ringwall": &c.tokens, "__Host-ringwall-device": &c.cookies, "__Host-ringwall-flow": &c.cookies, "__Host-ringwall-pre": &c.cookies,
	} {
		if value := client.Cookie(name); value != "" {
			*list = append(*list, value)
		}
	}
	if client.CSRF != "" {
		c.forms = append(c.forms, client.CSRF)
	}
}

const canaryAgent = "Canary-Agent/7.7 (Nest; Linux x86_64)"

// live is the story of one person through every door that takes a secret.
func (c *canary) live(t *testing.T, s *ringwalltest.Server) {
	t.Helper()
	password := func(name string) string {
		p := "canary " + name + " pässword 🐤 \"quoted\""
		c.passwords = append(c.passwords, p)
		return p
	}
	first, second, third, wrong, short := password("first"), password("second"), password("third"), password("wrong"), "short-canary"
	c.passwords = append(c.passwords, short)
	const address = "canary.bird@nest.example.org"
	c.personal = []string{"canary.bird", "Canary Birdsong", canaryAgent}
	browser := s.Client()
	browser.Header.Set("User-Agent", canaryAgent)
	post := func(what, path string, body object, status int, code string) ringwalltest.Answer {
		t.Helper()
		got := c.hear(what, browser.Post(path, body))
		want(t, what, got, status, code)
		c.holds(browser)
		return got
	}
	secret := func(count int) (token, code string) {
		m := s.Mail(address, count)
		c.mailed = append(c.mailed, m.Token())
		if m.Code != "" {
			c.mailed = append(c.mailed, m.Code, strings.ReplaceAll(m.Code, "-", ""))
		}
		return m.Token(), m.Code
	}
	post("a weak password", "/auth/v1/signup", object{"email": address, "password": short}, 422, "password-weak")
	post("sign up", "/auth/v1/signup", object{"email": address, "password": first, "display_name": "Canary Birdsong"}, 202, "")
	token, _ := secret(1)
	c.hear("the page behind the link", browser.Get("/auth/verify-email?token="+url.QueryEscape(token)), token)
	post("a wrong code", "/auth/v1/email/verify", object{"email": address, "code": "AAAA-AAAA"}, 422, "link-invalid")
	post("resend", "/auth/v1/email/resend", object{"email": address}, 202, "")
	token, code := secret(2)
	post("confirm", "/auth/v1/email/verify", object{"email": address, "code": code}, 204, "")
	post("the used link", "/auth/v1/email/verify", object{"token": token}, 422, "link-invalid")
	post("a wrong password", "/auth/v1/login", object{"email": address, "password": wrong}, 401, "login-failed")
	post("a body that is no JSON", "/auth/v1/login", object{"email": address, "passwort": wrong}, 422, "invalid")
	post("sign in", "/auth/v1/login", object{"email": address, "password": first, "remember": true}, 200, "")
	c.hear("the session", browser.Get("/auth/v1/session"))
	c.hear("the devices", browser.Get("/auth/v1/sessions"))
	c.hear("the account page", browser.Get("/auth/account"))
	post("a wrong proof", "/auth/v1/session/reauthenticate", object{"password": wrong}, 401, "login-failed")
	post("prove again", "/auth/v1/session/reauthenticate", object{"password": first}, 200, "")
	post("a wrong current password", "/auth/v1/password", object{"current_password": wrong, "new_password": second}, 401, "login-failed")
	post("change", "/auth/v1/password", object{"current_password": first, "new_password": second}, 200, "")
	post("forgot", "/auth/v1/password/forgot", object{"email": address}, 202, "")
	token = resetToken(t, s, address)
	c.mailed = append(c.mailed, token)
	c.hear("the page behind the link", browser.Get("/auth/reset-password?token="+url.QueryEscape(token)), token)
	post("reset", "/auth/v1/password/reset", object{"token": token, "password": third}, 204, "")
	browser.CSRF = ""
	asked := browser.Post("/auth/v1/login", object{"email": address, "password": third, "bearer": true})
	want(t, "a browser asks for bearer", c.hear("a browser asks for bearer", asked), 422, "invalid")
	bearer := raw(t, s, "POST", "/auth/v1/login", []byte(fmt.Sprintf(`{"email":%q,"password":%q,"bearer":true}`, address, third)), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("User-Agent", canaryAgent)
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(address+":"+third))) // as some clients do unasked
	})
	want(t, "bearer", bearer, 200, "")
	var signedIn struct{ Token string }
	bearer.Into(t, &signedIn)
	c.tokens = append(c.tokens, signedIn.Token)
	c.hear("bearer", bearer, signedIn.Token)
	// The pages, with their forms: what was typed wrong does not come back.
	page := s.Client()
	page.Header.Set("User-Agent", canaryAgent)
	form := func(path string, values url.Values) {
		t.Helper()
		shown := c.hear("GET "+path, page.Get(path))
		c.holds(page)
		values.Set("csrf_token", formToken(t, shown))
		c.forms = append(c.forms, values.Get("csrf_token"))
		c.hear("POST "+path, page.Do("POST", path, values))
		c.holds(page)
	}
	form("/auth/login", url.Values{"email": {address}, "password": {wrong}})
	form("/auth/signup", url.Values{"email": {address}, "password": {short}, "display_name": {"Canary Birdsong"}})
	form("/auth/login", url.Values{"email": {address}, "password": {third}})
	c.hear("the account page", page.Get("/auth/account"))
	// Secrets where they do not belong: in paths, in queries, in headers.
	stray := raw(t, s, "GET", "/auth/v1/nothing/"+url.PathEscape(wrong)+"?password="+url.QueryEscape(wrong)+"&token="+signedIn.Token, nil, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+signedIn.Token)
		r.Header.Set("Cookie", "session="+signedIn.Token)
		r.Header.Set("X-Api-Key", wrong)
	})
	c.hear("a secret in a path", stray)
	want(t, "the stray", stray, 404, "not-found")
	if page.Cookie("__Host-ringwall") == "" {
		t.Fatal("the form did not sign in")
	}
}

// formToken is the hidden field of a form.
func formToken(t *testing.T, page ringwalltest.Answer) string {
	t.Helper()
	_, after, found := strings.Cut(string(page.Body), `name="csrf_token" value="`)
	token, _, closed := strings.Cut(after, `"`)
	if !found || !closed {
		t.Fatalf("no form token in a page of status %d", page.Status)
	}
	return token
}

// spelled are the ways in which a secret may lie somewhere.
func spelled(secret string) [][]byte {
	quoted, _ := json.Marshal(secret)
	list := [][]byte{
		[]byte(secret), quoted[1 : len(quoted)-1], []byte(url.QueryEscape(secret)), []byte(url.PathEscape(secret)),
		[]byte(hex.EncodeToString([]byte(secret))), []byte(base64.StdEncoding.EncodeToString([]byte(secret))), []byte(base64.RawURLEncoding.EncodeToString([]byte(secret))),
	}
	if decoded, err := hex.DecodeString(secret); err == nil && len(decoded) >= 16 {
		list = append(list, decoded)
	}
	if decoded, err := base64.RawURLEncoding.DecodeString(secret); err == nil && len(decoded) >= 16 {
		list = append(list, decoded)
	}
	return list
}

func absent(t *testing.T, where string, text []byte, what string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		for _, spelling := range spelled(secret) {
			if at := bytes.Index(text, spelling); at >= 0 {
				t.Errorf("%s holds %s %q: …%q…", where, what, secret, text[max(0, at-40):min(len(text), at+len(spelling)+20)])
				return
			}
		}
	}
}

// dump reads every row of every table of ours, column by column.
func dump(t *testing.T, db testdb.DB, on *sql.DB) map[string][][]byte {
	t.Helper()
	names := `SELECT tablename FROM pg_tables WHERE tablename LIKE 'ringwall%'`
	if db.Engine == "sqlite" {
		names = `SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ringwall%'`
	}
	tables, err := on.Query(names)
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	found := map[string][][]byte{}
	for tables.Next() {
		var table string
		if err := tables.Scan(&table); err != nil {
			t.Fatal(err)
		}
		rows, err := on.Query(`SELECT * FROM ` + table)
		if err != nil {
			t.Fatal(err)
		}
		columns, _ := rows.Columns()
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			for i, name := range columns {
				switch v := (*values[i].(*any)).(type) {
				case []byte:
					found[table+"."+name] = append(found[table+"."+name], bytes.Clone(v))
				case string:
					found[table+"."+name] = append(found[table+"."+name], []byte(v))
				default:
					found[table+"."+name] = append(found[table+"."+name], fmt.Append(nil, v))
				}
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// S014, S015, S023, S027, S106: no secret lies, is logged, mailed or answered where it must not be.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		log, c := &logBuffer{}, &canary{}
		s := start(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), Log: log.logger()})
		c.live(t, s)
		if len(c.tokens) < 4 || len(c.cookies) < 3 || len(c.mailed) < 7 || len(c.forms) < 4 {
			t.Fatalf("the story has too few secrets: %d tokens, %d cookies, %d mailed, %d forms", len(c.tokens), len(c.cookies), len(c.mailed), len(c.forms))
		}

		for _, a := range c.answers {
			head := &bytes.Buffer{}
			h := a.got.Header.Clone()
			h.Del("Set-Cookie")
			_ = h.Write(head)
			text := append(head.Bytes(), a.got.Body...)
			absent(t, "the answer to "+a.what, text, "a password", c.passwords...)
			absent(t, "the answer to "+a.what, text, "a password's hash", "$argon2id$")
			for _, secret := range append(append([]string{}, c.tokens...), c.mailed...) {
				if len(a.may) == 0 || a.may[0] != secret {
					absent(t, "the answer to "+a.what, text, "a token or code", secret)
				}
			}
			for _, line := range a.got.Header.Values("Set-Cookie") {
				absent(t, "a cookie of "+a.what, []byte(line), "a password or code", append(c.passwords, c.mailed...)...)
			}
		}

		for _, m := range s.Mails("canary.bird@nest.example.org") {
			text := []byte(m.Subject + "\n" + m.Text + "\n" + m.HTML)
			absent(t, "the mail "+m.Subject, text, "a password", c.passwords...)
			absent(t, "the mail "+m.Subject, text, "a session or cookie", append(c.tokens, c.cookies...)...)
		}

		lines := []byte(log.String())
		everything := append(append(append(append([]string{}, c.passwords...), c.tokens...), c.cookies...), append(c.mailed, c.forms...)...)
		absent(t, "the log", lines, "a secret", everything...)
		absent(t, "the log", lines, "a personal thing", c.personal...)
		absent(t, "the log", lines, "a key", masterKey, "$argon2id$")

		stored := dump(t, db, onDatabase(t, db))
		if string(bytes.Join(stored["ringwall_users.display_name"], nil)) != "Canary Birdsong" || len(stored["ringwall_audit.personal"]) < 10 || len(c.answers) < 20 {
			t.Error("what must be there is missing: the test looks in the wrong place")
		}
		for column, values := range stored {
			all := bytes.Join(values, []byte("\x00\x00"))
			absent(t, column, all, "a secret", everything...)
			absent(t, column, all, "a key", masterKey)
			absent(t, column, all, "a password's hash in clear", "$argon2id$", "argon2")
			if !strings.HasPrefix(column, "ringwall_users.") && !strings.HasPrefix(column, "ringwall_signups.") && column != "ringwall_sessions.user_agent" {
				absent(t, column, all, "a personal thing in clear", c.personal...)
			}
			if strings.HasPrefix(column, "ringwall_audit.") {
				absent(t, column, all, "an address in clear", "127.0.0.1")
			}
		}
		if path, ok := strings.CutPrefix(db.DSN, "sqlite:"); ok {
			for _, file := range []string{path, path + "-wal", path + "-shm"} {
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				absent(t, filepath.Base(file), content, "a secret", everything...)
				absent(t, filepath.Base(file), content, "a key or hash", masterKey, "$argon2id$")
				if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v, %v; want 0600", file, info.Mode(), err)
				}
			}
		}
	})
}
