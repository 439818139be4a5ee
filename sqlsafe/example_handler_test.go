package sqlsafe_test

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/ringwall/ringwall/session"
	"github.com/ringwall/ringwall/sqlsafe"
)

var ownInvoice = sqlsafe.Owned(`
	SELECT title
	FROM invoices
	WHERE owner_id = $1 AND id = $2`)

// A handler behind Ringwall's Protect: the owner comes from the proven session, and PostgreSQL is told too.
func Example_handler() {
	opened, err := sql.Open("pgx", "postgres://app@localhost/app")
	if err != nil {
		log.Fatal(err)
	}
	db := sqlsafe.WrapPostgres(opened)
	http.HandleFunc("GET /invoices/{id}", func(w http.ResponseWriter, r *http.Request) {
		s, ok := session.From(r.Context())
		if !ok {
			http.Error(w, "Sign in first.", http.StatusUnauthorized)
			return
		}
		tx, err := db.BeginAs(r.Context(), s.Subject())
		if err != nil {
			http.Error(w, "Try again later.", http.StatusServiceUnavailable)
			return
		}
		defer func() { _ = tx.Rollback() }()
		var title string
		switch err := tx.QueryRow(r.Context(), ownInvoice.For(s.Subject(), r.PathValue("id"))).Scan(&title); {
		case errors.Is(err, sql.ErrNoRows): // not there, and not yours: the same answer
			http.NotFound(w, r)
		case err != nil:
			http.Error(w, "Try again later.", http.StatusServiceUnavailable)
		default:
			_, _ = fmt.Fprintln(w, title)
		}
	})
}
