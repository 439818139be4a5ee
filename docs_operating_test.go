package ringwall_test

import (
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"go/ast"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/testdb"
	"github.com/ringwall/ringwall/ringwalltest"
)

// The picture and the page about it show every package of the house and every module that it stands on.
func TestArchitectureIsWhole(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	page, picture := read(t, "docs/architecture.md"), read(t, "docs/architecture.svg")
	entries := map[string]bool{}
	for _, s := range house.files {
		_, entry, ok := placeOf(s.folder)
		switch {
		case !ok || s.test || slices.Contains([]string{"internal/testdb", "internal/lineartest", "internal/compiletest", "internal/webtest", "internal/bench"}, entry):
		case entry == ".":
			entries["ringwall"] = true
		case entry == "cmd":
			entries[s.folder] = true
		default:
			entries[entry] = true
		}
	}
	for entry := range entries {
		if !strings.Contains(picture, ">"+entry+"</text>") || !strings.Contains(page, "`"+entry+"`") {
			t.Errorf("docs/architecture.svg or docs/architecture.md does not show %s", entry)
		}
	}
	for _, m := range regexp.MustCompile(`>([a-z]+(?:/[a-z]+)?)</text>`).FindAllStringSubmatch(picture, -1) {
		if strings.Contains(m[1], "/") && !entries[m[1]] {
			t.Errorf("docs/architecture.svg shows %s, which does not exist", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(read(t, "go.mod"), -1) {
		if !strings.Contains(page, "`"+m[1]+"`") {
			t.Errorf("docs/architecture.md does not say why there is %s", m[1])
		}
	}
}

// The lines of the log that an operator is told to watch for are lines that the source writes.
func TestWatchedLogLinesAreWritten(t *testing.T) {
	house, err := readTree(".")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, s := range house.files {
		ast.Inspect(s.syntax, func(node ast.Node) bool {
			if e, ok := node.(ast.Expr); ok && !s.test {
				if text, ok := textOf(e); ok {
					written[text] = true
				}
			}
			return true
		})
	}
	_, table, ok := strings.Cut(read(t, "docs/operating.md"), "\n| line | what it tells | what to do |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	lines := regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(table, -1)
	if !ok || len(lines) < 5 {
		t.Fatalf("docs/operating.md has no table of lines to watch: %q", lines)
	}
	for _, m := range lines {
		if !written[m[1]] {
			t.Errorf("docs/operating.md watches for %q, which nothing logs", m[1])
		}
	}
}

func TestAPIPageListsEveryCall(t *testing.T) {
	page := read(t, "docs/api.md")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /auth/v1/\\S+)` \\|").FindAllStringSubmatch(page, -1) {
		listed[m[1]] = true
	}
	for _, r := range ringwalltest.Start(t).Ringwall.Routes() {
		call := r.Method + " " + r.Path
		if strings.HasPrefix(r.Path, "/auth/v1/") && !listed[call] {
			t.Errorf("docs/api.md does not list %s", call)
		}
		delete(listed, call)
	}
	for call := range listed {
		t.Errorf("docs/api.md lists %s, which does not exist", call)
	}
}

// The set-up of PostgreSQL, run as it stands but for the names, gives a server that starts and a role that can do no more than it must.
func TestPostgresSetUpAsDocumented(t *testing.T) {
	server := os.Getenv(testdb.Variable)
	if server == "" {
		t.Fatalf("%s is not set: run the tests with `make test`", testdb.Variable)
	}
	name := "ringwall_docs_" + strings.ToLower(rand.Text())
	setUp := block(t, "docs/operating.md", "sql")
	setUp = regexp.MustCompile(`\bringwall\b`).ReplaceAllString(setUp, name)
	setUp = regexp.MustCompile(`\bringwall_(owner|runtime)\b`).ReplaceAllString(setUp, name+"_$1")
	passwords := regexp.MustCompile(`CREATE ROLE \w+_(owner|runtime) LOGIN PASSWORD '([^']+)'`).FindAllStringSubmatch(setUp, -1)
	if len(passwords) != 2 {
		t.Fatalf("the set-up makes %d roles with passwords, want two", len(passwords))
	}
	before, after, ok := strings.Cut(setUp, "\\connect "+name+"\n")
	if !ok {
		t.Fatal("the set-up does not connect to the new database")
	}
	address := func(role, database, password string) string {
		u, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		if role != "" {
			u.User = url.UserPassword(name+"_"+role, password)
		}
		if database != "" {
			u.Path = "/" + database
		}
		return u.String()
	}
	t.Cleanup(func() {
		execute(t, address("", "", ""), fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE);\nDROP ROLE IF EXISTS %s_owner;\nDROP ROLE IF EXISTS %s_runtime;\n", name, name, name))
	})
	execute(t, address("", "", ""), before)
	execute(t, address("", name, ""), after)

	o := ringwall.MigrateOptions{Database: address("runtime", name, passwords[1][2]), DatabaseOwner: address("owner", name, passwords[0][2])}
	for range 2 { // the second time it does nothing
		if err := ringwall.Migrate(t.Context(), o); err != nil {
			t.Fatalf("Migrate = %v", err)
		}
	}
	if faults, err := ringwall.RuntimeRoleFaults(t.Context(), o.Database); err != nil || len(faults) > 0 {
		t.Errorf("RuntimeRoleFaults = %q, %v, want none", faults, err)
	}
	if faults, err := ringwall.RuntimeRoleFaults(t.Context(), o.DatabaseOwner); err != nil || len(faults) == 0 {
		t.Errorf("RuntimeRoleFaults of the owner = %q, %v, want some", faults, err)
	}
	s := ringwalltest.StartApp(t, ringwall.Options{Database: o.Database, MasterKey: ringwall.NewSecret(strings.Repeat("0123456789abcdef", 3) + "fedcba9876543210")}, nil)
	s.SignIn("first@example.org")
}

// execute runs statements that each end a line with a semicolon.
func execute(t *testing.T, address, statements string) {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for statement := range strings.SplitSeq(strings.TrimSpace(statements), ";\n") {
		if _, err := db.Exec(strings.TrimSuffix(statement, ";")); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// A backup of SQLite as the page makes it, while the server runs, opens with a copy of the key.
func TestSQLiteBackupAsDocumented(t *testing.T) {
	if !strings.Contains(read(t, "docs/operating.md"), `umask 077; sqlite3 /var/lib/ringwall/ringwall.db "VACUUM INTO '/backup/ringwall-$(date +%F).db'"`) {
		t.Fatal("docs/operating.md makes its backup in another way: test that")
	}
	s := ringwalltest.Start(t)
	s.SignUp("kept@example.org")
	original := strings.TrimPrefix(s.Options.Database, "sqlite:")
	backup := t.TempDir()
	db, err := sql.Open("sqlite", original)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("VACUUM INTO '" + filepath.Join(backup, "ringwall.db") + "'"); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	restored := "sqlite:" + filepath.Join(backup, "ringwall.db")
	o := s.Options
	o.Database = restored
	if rw, err := ringwall.New(t.Context(), o); err == nil {
		_ = rw.Close(t.Context())
		t.Error("the backup opened without its key")
	}
	write(t, filepath.Join(backup, "master.key"), read(t, filepath.Join(filepath.Dir(original), "master.key")))
	again := ringwalltest.StartApp(t, ringwall.Options{Database: restored, Environment: o.Environment}, nil)
	again.Client().SignIn("kept@example.org", ringwalltest.Password)
}

// The unit of systemd, with folders of the test: the server starts, and answers the proxy that it names.
func TestServeAsDocumented(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "master.key"), strings.Repeat("0123456789abcdef", 3)+"fedcba9876543210\n")
	write(t, filepath.Join(folder, "smtp"), "smtp://user:password@mail.example.org:587\n")
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "ringwall")
	build(t, ".", binary, "./cmd/ringwall")
	serve := command(t, folder, binary, "serve")
	serve.Env = []string{"RINGWALL_ADDR=127.0.0.1:0", "RINGWALL_OPS_ADDR=127.0.0.1:0"}
	unit := strings.NewReplacer("/var/lib/ringwall", folder, "/etc/ringwall", folder).Replace(block(t, "docs/operating.md", "ini"))
	for _, m := range regexp.MustCompile(`(?m)^Environment=(RINGWALL_.+)$`).FindAllStringSubmatch(unit, -1) {
		serve.Env = append(serve.Env, m[1])
	}
	serve.Stderr = t.Output()
	said, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	var ready struct{ Description, Address string }
	for lines := json.NewDecoder(said); ready.Description != "ready"; {
		if err := lines.Decode(&ready); err != nil {
			_ = serve.Wait()
			t.Fatalf("serve ended without being ready: %v", err)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	for host, status := range map[string]int{"id.example.org": 200, "other.example.org": 421} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+ready.Address+"/auth/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
		got, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = got.Body.Close()
		if got.StatusCode != status || got.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("GET /auth/login of %s = %d with HSTS %q, want %d", host, got.StatusCode, got.Header.Get("Strict-Transport-Security"), status)
		}
	}
	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("serve after SIGTERM = %v, want status 0", err)
	}
}
