package testdb_test

import (
	"database/sql"
	"testing"

	"github.com/ringwall/ringwall/internal/testdb"
)

func TestOwnServerStopsAndStarts(t *testing.T) {
	server := testdb.OwnServer(t)
	one, other := server.Database(), server.Database()
	insert(t, one)
	insert(t, other)
	db, err := sql.Open("pgx", one.AdminDSN)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	server.Stop()
	if err := db.Ping(); err == nil {
		t.Error("a stopped server answers")
	}
	server.Stop() // twice is nothing
	server.Start()
	var facts int
	if err := db.QueryRow(`SELECT COUNT(*) FROM ringwall_facts`).Scan(&facts); err != nil || facts != 1 {
		t.Errorf("after a stop and a start there are %d rows, %v; want the one of before", facts, err)
	}
}
