package sqlsafe_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	_ "modernc.org/sqlite"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

func Example() {
	var (
		schema   = sqlsafe.New(`CREATE TABLE invoices (owner_id BLOB, title TEXT, cents BIGINT)`)
		insert   = sqlsafe.Owned(`INSERT INTO invoices (owner_id, title, cents) VALUES ($1, $2, $3)`)
		total    = sqlsafe.Owned(`SELECT SUM(cents) FROM invoices WHERE owner_id = $1`)
		invoices = sqlsafe.List(`SELECT title FROM invoices WHERE TRUE`)
	)
	opened, err := sql.Open("sqlite", "file:example?mode=memory&cache=shared")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = opened.Close() }()
	opened.SetMaxOpenConns(1)
	ctx, db := context.Background(), sqlsafe.Wrap(opened)
	if _, err := db.Exec(ctx, schema); err != nil {
		log.Fatal(err)
	}

	// In a handler this is session.From(ctx): it cannot be made from a request.
	ada := identity.SubjectOf(identity.NewRandomID())
	for title, cents := range map[string]int{"books": 1900, "'; DROP TABLE invoices; --": 100} {
		if _, err := db.Exec(ctx, insert.For(ada, title, cents)); err != nil {
			log.Fatal(err)
		}
	}
	var sum int
	if err := db.QueryRow(ctx, total.For(ada)).Scan(&sum); err != nil {
		log.Fatal(err)
	}
	fmt.Println("total:", sum)

	// A request may choose a filter and an order; it never writes one.
	query := invoices.OrderBy(`cents DESC`).Limit(10)
	if atLeast := 1000; atLeast > 0 {
		query = query.And(`cents >= ?`, atLeast)
	}
	var title string
	if err := db.QueryRow(ctx, query).Scan(&title); err != nil {
		log.Fatal(err)
	}
	fmt.Println("large:", title)

	_, err = db.Exec(ctx, insert.For(identity.Subject{}, "nobody's", 1))
	fmt.Println(err)
	// Output:
	// total: 2000
	// large: books
	// sqlsafe: no subject for a statement about somebody's rows
}
