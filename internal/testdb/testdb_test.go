package testdb_test

import (
	"database/sql"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/ringwall/ringwall/internal/testdb"
)

func TestDatabasesAreApart(t *testing.T) {
	names := make(chan string, 4)
	t.Run("together", func(t *testing.T) {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() { names <- insert(t, testdb.Postgres(t)) })
		}
		group.Wait()
	})
	close(names)
	seen := map[string]bool{}
	admin, err := sql.Open("pgx", os.Getenv(testdb.Variable))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	for name := range names {
		if seen[name] {
			t.Errorf("two tests had %s", name)
		}
		seen[name] = true
		var left int
		if err := admin.QueryRow(`SELECT COUNT(*) FROM pg_database WHERE datname = $1`, name).Scan(&left); err != nil || left != 0 {
			t.Errorf("%s was not dropped: %d, %v", name, left, err)
		}
	}
}

// insert fails unless the database is new, and returns its name.
func insert(t *testing.T, db testdb.DB) (name string) {
	opened, err := sql.Open("pgx", db.DSN)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = opened.Close() }()
	if _, err := opened.Exec(`INSERT INTO ringwall_facts (name, value) VALUES ('same', 'for all')`); err != nil {
		t.Errorf("insert: %v", err)
	}
	if err := opened.QueryRow(`SELECT current_database()`).Scan(&name); err != nil {
		t.Error(err)
	}
	return name
}

func TestWithoutPostgresItFails(t *testing.T) {
	if os.Getenv(testdb.Variable) == "" {
		testdb.Postgres(t)
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestWithoutPostgresItFails$")
	child.Env = append(os.Environ(), testdb.Variable+"=")
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "make test") {
		t.Errorf("without PostgreSQL: %v, %s; want a failure that names `make test`", err, out)
	}
}
