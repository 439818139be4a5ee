package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/problem"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
	"github.com/ringwall/ringwall/session"
)

const metadataSchema = `{
	"public": {"properties": {"plan": {"enum": ["free", "team"]}, "seats": {"type": "integer"}}, "additionalProperties": false},
	"private": {"properties": {"customer": {"type": "string"}, "note": {"type": "string"}}, "additionalProperties": false},
	"own": {"properties": {"theme": {"enum": ["light", "dark"]}, "bio": {"type": "string"}}, "additionalProperties": false}
}`

func withMetadata(o *ringwall.Options) { o.MetadataSchema = metadataSchema }

// kept is what is kept about somebody, as an answer spells it.
func kept(t *testing.T, got ringwalltest.Answer) string {
	t.Helper()
	want(t, "metadata", got, 200, "")
	var out struct{ Metadata json.RawMessage }
	got.Into(t, &out)
	return string(out.Metadata)
}

// Each writes and reads the parts that are theirs, and the audit log tells which members changed, not what they hold.
func TestMetadata(t *testing.T) {
	eachWith(t, withMetadata, func(t *testing.T, s *ringwalltest.Server) {
		const address = "kept@example.org"
		c, admin := s.SignIn(address), administrator(t, s, "admin@example.org")
		id := myself(t, c).ID
		path := "/auth/v1/admin/users/" + id + "/metadata"
		if got := kept(t, c.Get("/auth/v1/me")); got != `{"public":{},"own":{}}` {
			t.Errorf("before anything is kept: %s", got)
		}
		own := func(patch any) object { return object{"metadata": object{"own": patch}} }
		want(t, "own", c.Do("PATCH", "/auth/v1/me", own(object{"theme": "dark", "bio": "<b>Zoë</b>"})), 200, "")
		want(t, "own and name", c.Do("PATCH", "/auth/v1/me", object{"display_name": "Zoë", "metadata": object{"own": object{"bio": nil}}}), 200, "")
		want(t, "administrator", admin.Do("PATCH", path, object{"public": object{"plan": "team"}, "private": object{"customer": "c-MARK"}, "reason": "ticket 7"}), 200, "")
		want(t, "without a reason", admin.Do("PATCH", path, object{"public": object{"plan": "free"}}), 422, "invalid")
		if out := operate(t, s, "user.metadata", object{"user": address, "public": object{"seats": 3}, "reason": "by hand"}); len(out) != 1 {
			t.Errorf("the command answers %v", out)
		}
		if got := kept(t, c.Get("/auth/v1/me")); got != `{"public":{"plan":"team","seats":3},"own":{"theme":"dark"}}` {
			t.Errorf("the person sees %s", got)
		}
		if got := kept(t, admin.Get(path)); got != `{"public":{"plan":"team","seats":3},"private":{"customer":"c-MARK"},"own":{"theme":"dark"}}` {
			t.Errorf("the administrator sees %s", got)
		}
		// Half of a change is none of it.
		want(t, "a name and what does not fit", c.Do("PATCH", "/auth/v1/me", object{"display_name": "Mallory", "metadata": object{"own": object{"theme": "pink"}}}), 422, "invalid")
		if got := myself(t, c); got.DisplayName != "Zoë" {
			t.Errorf("half of a change was made: %+v", got)
		}
		want(t, "empty it", c.Do("PATCH", "/auth/v1/me", own(nil)), 200, "")
		want(t, "empty it twice", c.Do("PATCH", "/auth/v1/me", own(nil)), 200, "")
		if got := kept(t, c.Get("/auth/v1/me")); !strings.HasSuffix(got, `"own":{}}`) {
			t.Errorf("emptied: %s", got)
		}
		told := ""
		for _, e := range events(t, s, "user_updated") {
			private, _ := json.Marshal(e["private"])
			told += e["actor"].(string)[:6] + " " + e["reason"].(string) + " " + string(private) + "\n"
		}
		for _, line := range []string{
			`person profile {"own":"bio, theme"}`, `person profile {"old_display_name":"","own":"bio"}`, `person profile {"own":"theme"}`,
			`person metadata {"private":"customer","public":"plan","reason":"ticket 7"}`, `operat metadata {"public":"seats","reason":"by hand"}`,
		} {
			if !strings.Contains(told, line+"\n") {
				t.Errorf("no event says %s:\n%s", line, told)
			}
		}
		if strings.Contains(told, "MARK") || strings.Contains(told, "dark") || strings.Count(told, "\n") != 5 {
			t.Errorf("the audit log tells values, or repeats:\n%s", told)
		}
	})
}

// Advisory 20: what the person may not write is refused, named or not, and nothing of the request happens.
func TestMetadataTakesNoRights(t *testing.T) {
	eachWith(t, withMetadata, func(t *testing.T, s *ringwalltest.Server) {
		c, other := s.SignIn("mass@example.org"), s.SignIn("other@example.org")
		admin := administrator(t, s, "admin@example.org")
		path := "/auth/v1/admin/users/" + myself(t, c).ID + "/metadata"
		good := object{"theme": "dark"}
		for name, body := range map[string]object{
			"public":            {"metadata": object{"own": good, "public": object{"plan": "team"}}},
			"private":           {"metadata": object{"own": good, "private": object{"customer": "x"}}},
			"another part":      {"metadata": object{"own": good, "admin": object{}}},
			"another spelling":  {"metadata": object{"own": good, "Public": object{"plan": "team"}}},
			"at the top":        {"public": object{"plan": "team"}},
			"a role":            {"metadata": object{"own": good}, "roles": []string{"admin"}},
			"a verified email":  {"metadata": object{"own": good}, "email_verified": true},
			"somebody else":     {"metadata": object{"own": good}, "id": myself(t, other).ID},
			"a role within":     {"metadata": object{"own": object{"role": "admin"}}},
			"a prototype":       {"metadata": object{"own": object{"__proto__": object{"plan": "team"}}}},
			"a list":            {"metadata": object{"own": []any{good}}},
			"a text":            {"metadata": object{"own": "dark"}},
			"more than it may":  {"metadata": object{"own": object{"bio": strings.Repeat("x", 9000)}}},
			"a number too wide": {"metadata": object{"own": object{"bio": json.RawMessage("1e999999999")}}},
		} {
			want(t, name, c.Do("PATCH", "/auth/v1/me", body), 422, "invalid")
		}
		if got := kept(t, admin.Get(path)); got != `{"public":{},"private":{},"own":{}}` {
			t.Errorf("something was kept: %s", got)
		}
		if got := myself(t, c); len(got.Roles) != 0 {
			t.Errorf("roles %v", got.Roles)
		}
		want(t, "a member as an administrator", c.Do("PATCH", path, object{"public": object{"plan": "team"}, "reason": "x"}), 403, "forbidden")
		want(t, "of nobody", admin.Do("PATCH", "/auth/v1/admin/users/00000000-0000-4000-8000-000000000000/metadata", object{"public": object{"plan": "team"}, "reason": "x"}), 404, "not-found")
		want(t, "what nobody's schema has", admin.Do("PATCH", path, object{"private": object{"score": 7}, "reason": "x"}), 422, "invalid")
	})
}

// Safe when nothing is set: without a schema nothing is taken, by nobody.
func TestMetadataIsClosedWithoutASchema(t *testing.T) {
	s := ringwalltest.Start(t)
	c, admin := s.SignIn("closed@example.org"), administrator(t, s, "admin@example.org")
	want(t, "own", c.Do("PATCH", "/auth/v1/me", object{"metadata": object{"own": object{"a": 1}}}), 422, "invalid")
	path := "/auth/v1/admin/users/" + myself(t, c).ID + "/metadata"
	for _, part := range []string{"public", "private", "own"} {
		want(t, part, admin.Do("PATCH", path, object{part: object{"a": 1}, "reason": "x"}), 422, "invalid")
	}
}

// The export holds all of it (GDPR, article 15), the file on disk nothing in the clear, and a deletion leaves nothing.
func TestMetadataIsSealedExportedAndDeleted(t *testing.T) {
	eachWith(t, withMetadata, func(t *testing.T, s *ringwalltest.Server) {
		const address = "sealed@example.org"
		c := s.SignIn(address)
		operate(t, s, "user.metadata", object{"user": address, "public": object{"plan": "team"}, "private": object{"note": "MARK-private"}, "own": object{"bio": "MARK-own"}})
		want(t, "prove again", c.Post("/auth/v1/session/reauthenticate", object{"password": ringwalltest.Password}), 200, "")
		if got := kept(t, c.Get("/auth/v1/me/export")); got != `{"public":{"plan":"team"},"private":{"note":"MARK-private"},"own":{"bio":"MARK-own"}}` {
			t.Errorf("the export holds %s", got)
		}
		db := openDatabase(t, s)
		var public, private, own []byte
		if err := db.QueryRowContext(t.Context(), "SELECT public_sealed, private_sealed, own_sealed FROM ringwall_user_metadata").Scan(&public, &private, &own); err != nil {
			t.Fatal(err)
		}
		if len(private) == 0 || strings.Contains(string(private)+string(own), "MARK") {
			t.Errorf("the database holds %q %q", private, own)
		}
		// Whoever can write to the database cannot move a part to where the person may read or write it.
		if _, err := db.ExecContext(t.Context(), "UPDATE ringwall_user_metadata SET own_sealed = private_sealed"); err != nil {
			t.Fatal(err)
		}
		if got := c.Get("/auth/v1/me"); got.Status != 500 || strings.Contains(string(got.Body), "MARK") {
			t.Errorf("a part that was moved = %d %s", got.Status, got.Body)
		}
		operate(t, s, "user.delete", object{"user": address, "now": true})
		if rows := texts(t, db, "SELECT CAST(COUNT(*) AS TEXT) FROM ringwall_user_metadata"); rows[0] != "0" {
			t.Errorf("%s rows stay", rows[0])
		}
	})
}

// Fifty at once that each change another member: none is lost.
func TestFiftyParallelChangesOfMetadataAreAllThere(t *testing.T) {
	open := func(o *ringwall.Options) { o.MetadataSchema = `{"own": true}` }
	eachWith(t, open, func(t *testing.T, s *ringwalltest.Server) {
		c := s.SignIn("parallel@example.org")
		wins := fifty(func(i int) bool {
			got, err := c.Try("PATCH", "/auth/v1/me", object{"metadata": object{"own": object{string(rune('A' + i)): i}}})
			return err == nil && got.Status == 200
		})
		var out struct {
			Metadata struct{ Own map[string]int }
		}
		c.Get("/auth/v1/me").Into(t, &out)
		if wins != 50 || len(out.Metadata.Own) != 50 {
			t.Errorf("%d changes were taken, %d are there", wins, len(out.Metadata.Own))
		}
	})
}

// A Go host reads and writes for whoever is signed in; who that is cannot come from the request.
func TestMetadataForGoHosts(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		t.Parallel()
		var s *ringwalltest.Server
		s = ringwalltest.StartApp(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), MetadataSchema: metadataSchema}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			who, _ := session.From(r.Context())
			after, err := s.Ringwall.SetMetadata(r.Context(), who.Subject(), ringwall.Metadata{Public: json.RawMessage(r.URL.Query().Get("public"))})
			if err != nil {
				w.Header().Set("X-Code", problem.From(err).Code)
				return
			}
			read, err := s.Ringwall.Metadata(r.Context(), who.Subject())
			if err != nil || string(read.Public) != string(after.Public) {
				t.Errorf("Metadata = %s, %v, after %s", read.Public, err, after.Public)
			}
			_, _ = w.Write(after.Public)
		}))
		c, other := s.SignIn("host@example.org"), s.SignIn("other@example.org")
		if got := c.Get(`/plan?public=%7B%22plan%22:%22team%22%7D`); string(got.Body) != `{"plan":"team"}` {
			t.Errorf("the host is told %s", got.Body)
		}
		if got := c.Get(`/plan?public=%7B%22plan%22:%22gold%22%7D`); got.Header.Get("X-Code") != "invalid" {
			t.Errorf("what does not fit is %v", got.Header)
		}
		if got := kept(t, other.Get("/auth/v1/me")); got != `{"public":{},"own":{}}` {
			t.Errorf("somebody else has %s", got)
		}
		if _, err := s.Ringwall.SetMetadata(t.Context(), session.Subject{}, ringwall.Metadata{Public: json.RawMessage(`{"plan":"team"}`)}); problem.From(err).Code != "not-found" {
			t.Errorf("of nobody: %v", err)
		}
		actors := ""
		for _, e := range events(t, s, "user_updated") {
			actors += e["actor"].(string) + " "
		}
		if actors != "system:application " {
			t.Errorf("the events are of %q", actors)
		}
	})
}

func TestMetadataSchemaIsAnOption(t *testing.T) {
	file := filepath.Join(t.TempDir(), "metadata.json")
	if err := os.WriteFile(file, []byte("\n"+metadataSchema+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := ringwalltest.StartApp(t, ringwall.Options{MetadataSchema: file}, nil)
	c := s.SignIn("file@example.org")
	want(t, "own", c.Do("PATCH", "/auth/v1/me", object{"metadata": object{"own": object{"theme": "dark"}}}), 200, "")
}

// What an import brings is held against the schemas too, and one row that does not fit keeps nobody else out.
func TestImportedMetadataMustFit(t *testing.T) {
	eachWith(t, withMetadata, func(t *testing.T, s *ringwalltest.Server) {
		rows := []string{
			`{"public":{"plan":"team"},"private":{"note":"old"}}`, // the one that is taken
			`{"public":{"plan":"gold"}}`, `{"secret":{}}`, `{"own":{"bio":"a","bio":"b"}}`, `{"own":`, `[]`, `"x"`,
			`{"own":{"bio":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}`, `{"public":{"seats":1e999999999}}`,
		}
		var people []object
		for i, text := range rows {
			people = append(people, object{"email": fmt.Sprintf("row%d@example.org", i), "email_verified": true, "metadata": text})
		}
		for _, dry := range []bool{true, false} {
			for i, row := range operate(t, s, "user.import", object{"users": people, "dry_run": dry})["users"].([]any) {
				outcome := row.(object)
				if made := outcome["outcome"] == "made"; made != (i == 0) || !made && !strings.HasPrefix(outcome["field"].(string), "metadata") {
					t.Errorf("dry run %v, %s: %v", dry, rows[i][:min(len(rows[i]), 50)], outcome)
				}
			}
		}
		if got, _ := json.Marshal(operate(t, s, "user.metadata", object{"user": "row0@example.org"})["metadata"]); string(got) != `{"own":{},"private":{"note":"old"},"public":{"plan":"team"}}` {
			t.Errorf("imported: %s", got)
		}
	})
}
