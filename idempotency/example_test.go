package idempotency_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	_ "modernc.org/sqlite"

	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/sqlsafe"
)

// bank is an application that moves money, on plain net/http and with its own database.
type bank struct{ db *sqlsafe.DB }

type order struct {
	Cents int `json:"cents" required:"true"`
}

var (
	makeOrders  = sqlsafe.New(`CREATE TABLE orders (owner TEXT NOT NULL, cents BIGINT NOT NULL)`)
	insertOrder = sqlsafe.New(`INSERT INTO orders (owner, cents) VALUES ($1, $2)`)
	sumOrders   = sqlsafe.New(`SELECT COALESCE(SUM(cents), 0) FROM orders`)
)

// transfer writes the order and the record that it is carried out in one transaction: exactly once.
func (b bank) transfer(w http.ResponseWriter, r *http.Request) {
	in, err := input.DecodeJSON[order](r, 0)
	if err == nil {
		err = b.insert(r.Context(), caller(r), in)
	}
	if err != nil {
		input.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, "%d cents are on their way", in.Cents)
}

func (b bank) insert(ctx context.Context, owner string, in order) error {
	tx, err := b.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := idempotency.Once(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, insertOrder.With(owner, in.Cents)); err != nil {
		return err
	}
	return tx.Commit()
}

// caller is whoever the application knows to be signed in. Behind ringwall's Protect it is not needed.
func caller(r *http.Request) string {
	name, _, _ := r.BasicAuth() // an example: nobody has checked a password here
	return name
}

// A whole application: a payment that is sent again because its answer got lost.
func Example() {
	opened, err := sql.Open("sqlite", "file:bank?mode=memory&cache=shared")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = opened.Close() }()
	opened.SetMaxOpenConns(1)
	ctx, app := context.Background(), bank{sqlsafe.Wrap(opened)}
	for _, table := range []sqlsafe.Statement{makeOrders, sqlsafe.New(idempotency.Schema)} {
		if _, err := app.db.Exec(ctx, table); err != nil {
			log.Fatal(err)
		}
	}
	keys, err := idempotency.New(app.db, idempotency.Options{Who: caller})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /transfers", keys.Handler(http.HandlerFunc(app.transfer)))

	pay := func(who, key, body string) {
		r := httptest.NewRequest("POST", "/transfers", strings.NewReader(body))
		r.SetBasicAuth(who, "")
		r.Header.Set("Content-Type", "application/json")
		r.Header["Idempotency-Key"] = []string{key}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		said := w.Body.String()
		if w.Code >= 400 {
			said = said[strings.Index(said, "problems/"):strings.Index(said, `","title`)]
		}
		fmt.Printf("%d %s, replayed: %q\n", w.Code, said, w.Header().Get("Idempotency-Replayed"))
	}
	key := `"8e03978e-40d5-43dd-bc93-6894a57f9324"`
	pay("ada", key, `{"cents": 1900}`)
	pay("ada", key, `{"cents": 1900}`)
	pay("ada", key, `{"cents": 9900}`)
	pay("ada", "8e03978e-40d5-43dd-bc93-6894a57f9324", `{"cents": 1900}`)
	pay("bob", key, `{"cents": 50}`)

	var cents int
	if err := app.db.QueryRow(ctx, sumOrders).Scan(&cents); err != nil {
		log.Fatal(err)
	}
	fmt.Println("moved:", cents)
	// Output:
	// 201 1900 cents are on their way, replayed: ""
	// 201 1900 cents are on their way, replayed: "true"
	// 422 problems/idempotency-key-reused, replayed: ""
	// 400 problems/idempotency-key-malformed, replayed: ""
	// 201 50 cents are on their way, replayed: ""
	// moved: 1950
}
