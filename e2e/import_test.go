package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/ringwalltest"
)

// Hashes of "password" (bcrypt: of "U*U"), by their sort.
var foreignHashes = map[string]string{
	"bcrypt": "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	"scrypt": "$scrypt$ln=12,r=8,p=1$MDEyMzQ1Njc4Ofvv//4+Pw$ldssxjHOtQmPn6HFXc+U5XhsGdGboDpi8Kl3eK7iNYM",
	"pbkdf2": "$pbkdf2-sha256$1500$MDEyMzQ1Njc4Ofvv//4.Pw$yi/gS/PXTTEiPVPGxpqKL67VpLKC3CaMsZm07Ab46NA",
	"argon2": "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
}

func foreignPassword(name string) string {
	if name == "bcrypt" {
		return "U*U"
	}
	return "password"
}

// exportedPeople is everybody, by address, as the operator's command gives them.
func exportedPeople(t *testing.T, s *ringwalltest.Server) map[string]object {
	t.Helper()
	all := map[string]object{}
	for after := ""; ; {
		page := operate(t, s, "user.export", object{"after": after, "limit": 2})
		for _, u := range page["users"].([]any) {
			all[u.(object)["email"].(string)] = u.(object)
		}
		next, more := page["next"].(string)
		if !more {
			return all
		}
		after = next
	}
}

// S020, D14: a hash of another system opens the account, and is one of ours from then on.
func TestImportedHashesAreReplacedAtSignIn(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		var people []object
		for name, hash := range foreignHashes {
			people = append(people, object{"email": name + "@example.org", "email_verified": true, "password_hash": hash})
		}
		operate(t, s, "user.import", object{"users": people})
		for name := range foreignHashes {
			address := name + "@example.org"
			if before, _ := exportedPeople(t, s)[address]["password_hash"].(string); strings.HasPrefix(before, "$argon2id$") || before == "" {
				t.Fatalf("%s is stored as %.12q before the first sign-in", name, before)
			}
			wrong := login(s.Client(), address, "not the password, surely")
			want(t, "a wrong password for "+name, wrong, 401, "login-failed")
			sameAnswer(t, "nobody", wrong, login(s.Client(), "nobody-"+address, "not the password, surely"))
			want(t, "the right password for "+name, login(s.Client(), address, foreignPassword(name)), 200, "")
			if after, _ := exportedPeople(t, s)[address]["password_hash"].(string); !strings.HasPrefix(after, "$argon2id$v=19$"+password.Params{MemoryKiB: 19456, Time: 2, Parallelism: 1}.String()+"$") {
				t.Errorf("%s is stored as %.40q after a sign-in", name, after)
			}
			want(t, "once more for "+name, login(s.Client(), address, foreignPassword(name)), 200, "")
		}
	})
}

// Each person is judged alone. What is refused keeps nobody out, a dry run leaves nothing, and doing it again does nothing.
func TestImportJudgesEachPerson(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		s.SignUp("there@example.org")
		const id = "4f7a1b2c-0d3e-4a5b-8c6d-7e8f90a1b2c3"
		ok := func(address string, more ...object) object {
			row := object{"email": address, "email_verified": true}
			for _, m := range more {
				for k, v := range m {
					row[k] = v
				}
			}
			return row
		}
		future := time.Now().Add(24 * time.Hour).UnixMicro()
		rows := []struct {
			row            object
			outcome, field string
		}{
			{ok("new@example.org", object{"id": id, "roles": []string{"admin", "auditor"}, "language": "de", "created_at": 1700000000123456, "password_hash": foreignHashes["bcrypt"]}), "made", ""},
			{ok("NEW@example.org"), "there", ""},
			{ok("there@example.org", object{"password_hash": foreignHashes["bcrypt"], "roles": []string{"admin"}}), "there", ""},
			{ok("thief@example.org", object{"id": id}), "refused", "id"},
			{ok("odd@example.org", object{"id": "7"}), "refused", "id"},
			{object{"email": "unconfirmed@example.org"}, "refused", "email_verified"},
			{ok("no address"), "refused", "email"},
			{ok("nul@example.org", object{"display_name": "a\x00b"}), "refused", "display_name"},
			{ok("role@example.org", object{"roles": []string{"Admin; DROP TABLE"}}), "refused", "roles"},
			{ok("late@example.org", object{"created_at": future}), "refused", "created_at"},
			{ok("slow@example.org", object{"password_hash": "$2b$31$CCCCCCCCCCCCCCCCCCCCC.FJj9w2dMxG/OMSU5q.D3h/cEq6ERrnu"}), "refused", "password_hash"},
			{ok("huge@example.org", object{"password_hash": "$scrypt$ln=30,r=8,p=1$MDEyMzQ1Njc4Ofvv$ldssxjHOtQmPn6HFXc+U5XhsGdGboDpi8Kl3eK7iNYM"}), "refused", "password_hash"},
			{ok("plain@example.org", object{"password_hash": "hunter2"}), "refused", "password_hash"},
			{ok("locked@example.org", object{"locked": true, "lock_reason": "fraud", "password_hash": foreignHashes["scrypt"]}), "made", ""},
			{ok("bare@example.org"), "made", ""},
		}
		var users []object
		for _, r := range rows {
			users = append(users, r.row)
		}
		outcomes := func(in object) []any {
			t.Helper()
			return operate(t, s, "user.import", in)["users"].([]any)
		}
		for i, dry := range []bool{true, false} {
			for j, got := range outcomes(object{"users": users, "dry_run": dry}) {
				outcome, field := rows[j].outcome, rows[j].field
				if dry && j == 1 || dry && j == 3 {
					outcome, field = "made", "" // a dry run knows nothing of the rows before; the command does
				}
				if g := got.(object); g["outcome"] != outcome || field != "" && g["field"] != field {
					t.Errorf("pass %d, row %d = %v, want %s %s", i, j, g, outcome, field)
				}
			}
			if n := len(exportedPeople(t, s)); n != []int{1, 4}[i] {
				t.Errorf("%d accounts after pass %d", n, i)
			}
		}
		events := func() (made, batches int) {
			for _, e := range operate(t, s, "audit.tail", object{"limit": 1000})["events"].([]any) {
				switch reason := e.(object)["reason"]; {
				case reason == "imported" && e.(object)["event"] == "user_created":
					made++
				case reason == "users imported":
					batches++
				}
			}
			return made, batches
		}
		for range 2 {
			if made, batches := events(); made != 3 || batches != 1 {
				t.Errorf("the audit log has %d people and %d imports, want 3 and 1", made, batches)
			}
			for j, got := range outcomes(object{"users": users}) {
				if g := got.(object); g["outcome"] == "made" {
					t.Errorf("row %d is made again: %v", j, g)
				}
			}
		}
		all := exportedPeople(t, s)
		delete(all["new@example.org"], "password_hash")
		if diff := cmp.Diff(object{
			"id": id, "email": "new@example.org", "email_verified": true, "roles": []any{"admin", "auditor"}, "language": "de",
			"created_at": 1700000000123456., "password_changed_at": 1700000000123456.,
		}, all["new@example.org"]); diff != "" {
			t.Errorf("somebody new:\n%s", diff)
		}
		if roles := all["there@example.org"]["roles"]; roles != nil {
			t.Errorf("somebody who was there got roles: %v", roles)
		}
		want(t, "locked, the right password", login(s.Client(), "locked@example.org", "password"), 401, "login-failed")
		want(t, "without a password", login(s.Client(), "bare@example.org", "anything at all"), 401, "login-failed")
		want(t, "the one who was there", login(s.Client(), "there@example.org", ringwalltest.Password), 200, "")
	})
}

func TestImportOfAnExportIsTheSame(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		from := ringwalltest.StartApp(t, ringwall.Options{MetadataSchema: metadataSchema}, nil)
		to := ringwalltest.StartApp(t, ringwall.Options{Database: db.DSN, MasterKey: ringwall.NewSecret(masterKey), MetadataSchema: metadataSchema}, nil)
		from.SignUp("ada@example.org")
		operate(t, from, "user.metadata", object{"user": "ada@example.org", "public": object{"plan": "team"}, "own": object{"bio": "\"<"}})
		operate(t, from, "user.create", object{"email": "Grace@example.org", "display_name": "Grace \"Hopper\", the first", "roles": []string{"admin", "auditor"}, "password": ringwalltest.Password})
		operate(t, from, "user.create", object{"email": "bare@example.org"})
		operate(t, from, "user.lock", object{"user": "ada@example.org", "reason": "two\nlines, \"quoted\""})
		operate(t, from, "user.import", object{"users": []object{{"email": "old@example.org", "email_verified": true, "password_hash": foreignHashes["pbkdf2"], "created_at": 1500000000000001}}})
		before := exportedPeople(t, from)
		var people []object
		for _, p := range before {
			people = append(people, p)
		}
		operate(t, to, "user.import", object{"users": people})
		if diff := cmp.Diff(before, exportedPeople(t, to)); diff != "" {
			t.Errorf("after the way through a file:\n%s", diff)
		}
		want(t, "her password goes with her", login(to.Client(), "grace@example.org", ringwalltest.Password), 200, "")
	})
}

// A stolen password that opens nothing any more must not open the account elsewhere.
func TestClosedAccountsAreExportedWithoutTheirHash(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		for _, address := range []string{"open@example.org", "demanded@example.org", "going@example.org"} {
			s.SignUp(address)
		}
		operate(t, s, "user.demand-reset", object{"user": "demanded@example.org"})
		operate(t, s, "user.delete", object{"user": "going@example.org"})
		all := exportedPeople(t, s)
		for address, hashed := range map[string]bool{"open@example.org": true, "demanded@example.org": false, "going@example.org": false} {
			if _, got := all[address]["password_hash"]; got != hashed {
				t.Errorf("%s is exported with a hash: %v, want %v (%v)", address, got, hashed, all[address])
			}
		}
	})
}

func TestFiftyImportsOfOneAddressMakeOne(t *testing.T) {
	each(t, func(t *testing.T, s *ringwalltest.Server) {
		var made, there int
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				body := fmt.Sprintf(`{"users":[{"email":"%s@example.org","email_verified":true},{"email":"one@example.org","email_verified":true}]}`, strings.Repeat("x", i+1))
				out, err := s.Ringwall.Operate(context.Background(), "tester", "user.import", []byte(body))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				made += bytes.Count(out, []byte(`"made"`))
				there += bytes.Count(out, []byte(`"there"`))
			})
		}
		all.Wait()
		if made != 51 || there != 49 {
			t.Errorf("%d made and %d there, want 51 and 49", made, there)
		}
	})
}

// An import that is killed in the middle, and whose server is killed too, ends well when it is run again.
func TestKilledImportGoesOn(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	d := run(t, data, "")
	var file bytes.Buffer
	const people = 3000
	file.WriteString("email,email_verified,password_hash\n")
	for i := range people {
		fmt.Fprintf(&file, "person%d@example.org,true,%s\n", i, foreignHashes["bcrypt"])
	}
	imported := func() int {
		out, err := command(t, data, "user", "list", "--limit", "1000", "--json")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(out, "@example.org")
	}
	killed := func(half int, kill func(*exec.Cmd)) {
		path, _ := ringwallProgram()
		c := exec.CommandContext(t.Context(), path, "user", "import", "-", "--data", data)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		before := imported()
		if _, err := in.Write(file.Bytes()[:half]); err != nil { // the rest never comes, so it stands in the middle
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); imported() == before; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nothing is imported")
			}
		}
		kill(c)
		_, _ = io.WriteString(in, "\n")
		_ = in.Close()
		if err := c.Wait(); err == nil {
			t.Error("an import in whose middle something was killed ended well")
		}
	}
	killed(file.Len()/4, func(c *exec.Cmd) { _ = c.Process.Kill() })
	killed(file.Len()*4/5, func(*exec.Cmd) { d.kill() })
	run(t, data, "")

	path, _ := ringwallProgram()
	c := exec.CommandContext(t.Context(), path, "user", "import", "-", "--json", "--data", data)
	c.Stdin = &file
	out, err := c.Output()
	var total struct{ Read, Made, There, Refused int }
	if err != nil || json.Unmarshal(out, &total) != nil || total.Read != people || total.Made+total.There != people || total.There == 0 || total.Made == 0 {
		t.Fatalf("the last run = %s, %v; want all %d, some of them there", out, err, people)
	}
	if out, err := command(t, data, "audit", "verify"); err != nil {
		t.Errorf("audit verify: %v\n%s", err, out)
	}
}

// mustFloorHash is a hash of ours, as another installation would have made it.
func mustFloorHash(t *testing.T, chosen string) string {
	t.Helper()
	phc, err := password.Hash(chosen, password.Params{MemoryKiB: 19456, Time: 2, Parallelism: 1})
	if err != nil {
		t.Fatal(err)
	}
	return phc
}
