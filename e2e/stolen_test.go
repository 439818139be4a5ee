package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/ringwalltest"
)

// S014, S097: whoever reads the whole database, or a backup of it, finds nothing that opens anything.
func TestAStolenDatabaseOpensNothing(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		c := s.Client()
		want(t, "sign up", signUp(c, "stolen@example.org", ringwalltest.Password), 202, "")
		confirmation := s.Mail("stolen@example.org", 1)
		flow := c.Cookie("__Host-ringwall-flow")
		stolen := []string{stealDatabase(t, s)} // while the link, the code and the flow still work
		want(t, "confirm", c.Post("/auth/v1/email/verify", object{"token": confirmation.Token()}), 204, "")
		c.SignIn("stolen@example.org", ringwalltest.Password)
		want(t, "forgot", s.Client().Post("/auth/v1/password/forgot", object{"email": "stolen@example.org"}), 202, "")
		reset := s.Mail("stolen@example.org", 2)
		stolen = append(stolen, stealDatabase(t, s))

		_, deviceMAC, _ := strings.Cut(c.Cookie("__Host-ringwall-device"), ".")
		for name, secret := range map[string]string{
			"the password": ringwalltest.Password, "the session's token": c.Cookie("__Host-ringwall"), "the proof of the known device": deviceMAC,
			"the mark of the sign-up's browser": flow, "the link of the confirmation": confirmation.Token(), "its code": confirmation.Code,
			"its code without the hyphen": strings.ReplaceAll(confirmation.Code, "-", ""), "the link of the reset": reset.Token(),
			"the words of a mail": reset.Subject, "the master key": masterKey, "a CSRF token": c.CSRF,
		} {
			if secret == "" {
				t.Fatalf("%s is empty", name)
			}
			for _, spelling := range spellings(secret) {
				for _, dump := range stolen {
					if strings.Contains(dump, spelling) {
						t.Errorf("the database holds %s as %q", name, spelling)
					}
				}
			}
		}
		if !strings.Contains(stolen[1], "stolen@example.org") {
			t.Error("the dump lacks what it must hold: the test looks in the wrong place")
		}
		for _, hash := range sessionHashes(t, s) {
			thief := s.Client()
			for _, token := range []string{hash, hash + hash} { // as long as a token
				thief.Header.Set("Cookie", "__Host-ringwall="+token)
				want(t, "the stored hash as a token", thief.Get("/auth/v1/session"), 401, "unauthenticated")
			}
		}
	})
}

// spellings are a secret and, if it is an encoding, the bytes in it, as text and as hex.
func spellings(secret string) []string {
	all := []string{secret, hex.EncodeToString([]byte(secret))}
	if raw, err := hex.DecodeString(secret); err == nil {
		all = append(all, string(raw), secret)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(secret); err == nil && len(raw) >= 16 {
		all = append(all, string(raw), hex.EncodeToString(raw))
	}
	return all
}

// stealDatabase is everything that lies in the database: the files of SQLite, or each row of each table of PostgreSQL.
func stealDatabase(t *testing.T, s *ringwalltest.Server) string {
	t.Helper()
	var dump bytes.Buffer
	if path, ok := strings.CutPrefix(s.Options.Database, "sqlite:"); ok {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			content, err := os.ReadFile(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			dump.Write(content)
		}
		return dump.String()
	}
	db := openDatabase(t, s)
	for _, table := range texts(t, db, "SELECT tablename FROM pg_tables WHERE tablename LIKE 'ringwall\\_%' ORDER BY tablename") {
		for _, row := range texts(t, db, "SELECT t::text FROM "+table+" t") {
			fmt.Fprintln(&dump, table, row)
		}
	}
	return dump.String()
}

func sessionHashes(t *testing.T, s *ringwalltest.Server) []string {
	t.Helper()
	query := "SELECT lower(hex(token_hash)) FROM ringwall_sessions"
	if !strings.HasPrefix(s.Options.Database, "sqlite:") {
		query = "SELECT encode(token_hash, 'hex') FROM ringwall_sessions"
	}
	hashes := texts(t, openDatabase(t, s), query)
	if len(hashes) == 0 || len(hashes[0]) != 64 {
		t.Fatalf("the stored hashes of sessions are %q", hashes)
	}
	return hashes
}

func openDatabase(t *testing.T, s *ringwalltest.Server) *sql.DB {
	t.Helper()
	driver, name := "pgx", s.Options.Database
	if path, ok := strings.CutPrefix(name, "sqlite:"); ok {
		driver, name = "sqlite", path+"?_pragma=busy_timeout(20000)" // the server writes too
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func texts(t *testing.T, db *sql.DB, query string) (found []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		found = append(found, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}
