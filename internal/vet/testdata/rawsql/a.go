// Package rawsql goes around sqlsafe in the ways that there are.
package rawsql

import (
	"context"
	"database/sql"

	"github.com/ringwall/ringwall/sqlsafe"
)

var count = sqlsafe.New(`SELECT COUNT(*) FROM notes`)

func direct(ctx context.Context, db *sql.DB, name string) {
	_, _ = db.Exec("DELETE FROM notes WHERE name = '" + name + "'") // want `database/sql runs by itself`
	_, _ = db.QueryContext(ctx, "SELECT 1")                         // want `database/sql runs by itself`
	_ = db.QueryRow("SELECT 1")                                     // want `database/sql runs by itself`
	_, _ = db.Prepare("SELECT 1")                                   // want `database/sql runs by itself`
	run := db.ExecContext                                           // want `database/sql runs by itself`
	_, _ = run(ctx, "SELECT 1")
}

type store struct{ *sql.DB }

func embedded(s store) {
	_, _ = s.Exec("SELECT 1") // want `database/sql runs by itself`
}

func transaction(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.Exec("SELECT 1") // want `database/sql runs by itself`
	return err
}

// What people write to have one function for a database and a transaction: *sql.DB has it too.
type runner interface {
	ExecContext(ctx context.Context, statement string, args ...any) (sql.Result, error)
	QueryRow(statement string, args ...any) *sql.Row
	Query(name string) error
}

func behindAnInterface(ctx context.Context, db runner) {
	_, _ = db.ExecContext(ctx, "SELECT 1") // want `behind an interface`
	_ = db.QueryRow("SELECT 1")            // want `behind an interface`
	_ = db.Query("something else")
}

func generic[T interface{ QueryRow(string, ...any) *sql.Row }](db T) {
	_ = db.QueryRow("SELECT 1") // want `behind an interface`
}

type safe interface {
	Exec(ctx context.Context, q sqlsafe.Query) (sql.Result, error)
}

func behindASafeOne(ctx context.Context, db safe) {
	_, _ = db.Exec(ctx, count)
}

type (
	another = sql.DB
	own     sql.DB
)

func byAnotherName(a *another, o *own) {
	_, _ = a.Exec("SELECT 1")            // want `database/sql runs by itself`
	_, _ = (*sql.DB)(o).Exec("SELECT 1") // want `database/sql runs by itself`
	_ = (*sql.DB).Exec                   // want `database/sql runs by itself`
}

func driver(conn *sql.Conn) error {
	return conn.Raw(func(any) error { return nil }) // want `driver's own connection`
}

func door(db *sqlsafe.DB) error { return db.Unsafe().Ping() } // want `without sqlsafe around it`

func excused(db *sql.DB) {
	//ringwall:allow rawsql the tables are made by the tool that owns them
	_, _ = db.Exec("CREATE TABLE notes (name TEXT)")
	_, _ = db.Exec("SELECT 1") //ringwall:allow rawsql a probe that the driver wants
	_, _ = db.Exec("SELECT 4") // want `database/sql runs by itself`
	//ringwall:allow rolecheck a reason for something else
	_, _ = db.Exec("SELECT 2") // want `database/sql runs by itself`
	//ringwall:allow rawsql one reason of two
	//ringwall:allow rolecheck and another, for something else
	_, _ = db.Exec("SELECT 5")
	//ringwall:allow rawsql
	_, _ = db.Exec("SELECT 3") // want `wants a reason`
}

func right(ctx context.Context, db *sql.DB) (n int, err error) {
	err = sqlsafe.Wrap(db).QueryRow(ctx, count).Scan(&n)
	return n, err
}
