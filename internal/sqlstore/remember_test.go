package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"

	"github.com/ringwall/ringwall/internal/sqlstore"
)

// counting counts what the connections below it parse and free.
type counting struct {
	driver.Connector
	parsed, freed *int
}

func (c counting) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return countingConn{conn.(sqlstore.SQLiteConn), c}, nil
}

type countingConn struct {
	sqlstore.SQLiteConn
	counts counting
}

func (c countingConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	*c.counts.parsed++
	stmt, err := c.SQLiteConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return countingStmt{stmt.(sqlstore.SQLiteStmt), c.counts}, nil
}

type countingStmt struct {
	sqlstore.SQLiteStmt
	counts counting
}

func (s countingStmt) Close() error {
	*s.counts.freed++
	return s.SQLiteStmt.Close()
}

// remembered is one connection, with a table of ten numbers.
func remembered(t *testing.T) (db *sql.DB, counts counting) {
	t.Helper()
	connector, err := sqlite.NewConnector("file:" + filepath.Join(t.TempDir(), "numbers.db"))
	if err != nil {
		t.Fatal(err)
	}
	counts = counting{connector, new(int), new(int)}
	db = sql.OpenDB(sqlstore.Remembering(counts))
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	run(t, db, `CREATE TABLE numbers (n INTEGER PRIMARY KEY)`)
	for n := range 10 {
		run(t, db, `INSERT INTO numbers (n) VALUES (?)`, n)
	}
	return db, counts
}

func run(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

func TestStatementsAreParsedOnce(t *testing.T) {
	db, counts := remembered(t)
	if *counts.parsed != 2 {
		t.Errorf("%d statements were parsed, want 2: one made the table, one filled it ten times", *counts.parsed)
	}
	for n := range 10 {
		var got int
		if err := db.QueryRowContext(t.Context(), `SELECT n FROM numbers WHERE n = ?`, n).Scan(&got); err != nil || got != n {
			t.Errorf("row %d = %d, %v", n, got, err)
		}
	}
	if *counts.parsed != 3 {
		t.Errorf("%d statements were parsed, want 3", *counts.parsed)
	}
	for n := range 1000 { // as lists do, whose text depends on what is asked
		run(t, db, fmt.Sprintf(`SELECT n FROM numbers WHERE n = %d`, n))
	}
	if held := *counts.parsed - *counts.freed; held > 128 {
		t.Errorf("%d statements are held, want at most 128", held)
	}
	if err := db.Close(); err != nil || *counts.parsed != *counts.freed {
		t.Errorf("Close = %v; of %d statements %d were freed", err, *counts.parsed, *counts.freed)
	}
}

// A statement whose rows are still being read must not be begun again.
func TestStatementWithinItself(t *testing.T) {
	db, _ := remembered(t)
	const text = `SELECT n FROM numbers WHERE n >= ? ORDER BY n`
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	for range 3 {
		outer, err := tx.QueryContext(t.Context(), text, 7)
		if err != nil {
			t.Fatal(err)
		}
		var seen []int
		for outer.Next() {
			var n, first int
			if err := outer.Scan(&n); err != nil {
				t.Fatal(err)
			}
			if err := tx.QueryRowContext(t.Context(), text, n-5).Scan(&first); err != nil || first != n-5 {
				t.Fatalf("inside of row %d: %d, %v", n, first, err)
			}
			seen = append(seen, n)
		}
		if err := outer.Err(); err != nil || fmt.Sprint(seen) != "[7 8 9]" {
			t.Fatalf("rows %v, %v; want [7 8 9]", seen, err)
		}
	}
}

// What failed, or was parsed before the table changed, does not come back.
func TestStatementAfterFaultAndChange(t *testing.T) {
	db, _ := remembered(t)
	const insert, count = `INSERT INTO numbers (n) VALUES (?)`, `SELECT count(*) FROM numbers WHERE n >= ?`
	for n := range 5 {
		if _, err := db.ExecContext(t.Context(), insert, n); err == nil {
			t.Fatalf("%d went in twice", n)
		}
		run(t, db, insert, 100+n)
	}
	var rows int
	if err := db.QueryRowContext(t.Context(), count, 100).Scan(&rows); err != nil || rows != 5 {
		t.Fatalf("%d rows, %v; want 5", rows, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := db.QueryRowContext(ended, count, 0).Scan(&rows); err == nil {
		t.Fatal("a statement ran for somebody who has gone")
	}
	run(t, db, `DROP TABLE numbers`)
	if err := db.QueryRowContext(t.Context(), count, 0).Scan(&rows); err == nil {
		t.Fatal("rows of a table that is gone")
	}
	run(t, db, `CREATE TABLE numbers (added TEXT DEFAULT '', n INTEGER UNIQUE)`)
	run(t, db, insert, 7)
	if err := db.QueryRowContext(t.Context(), count, 0).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows, %v; want 1", rows, err)
	}
}
