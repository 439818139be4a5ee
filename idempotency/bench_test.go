package idempotency_test

import (
	"crypto/rand"
	"database/sql"
	"net/http"
	"testing"

	"github.com/ringwall/ringwall/idempotency"
	"github.com/ringwall/ringwall/sqlsafe"
)

// BenchmarkHandler is what a key adds to a request on a SQLite file: two writes for a new one, an attempt and a read for
// one that comes again.
func BenchmarkHandler(b *testing.B) {
	opened, err := sql.Open("sqlite", b.TempDir()+"/host.db?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(20000)")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = opened.Close() }()
	db := sqlsafe.Wrap(opened)
	if _, err := db.Exec(b.Context(), sqlsafe.New(idempotency.Schema)); err != nil {
		b.Fatal(err)
	}
	h := newKeys(b, db, idempotency.Options{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"ok": true}`)) }))
	for name, key := range map[string]func() string{
		"new":   func() string { return `"` + rand.Text() + `"` },
		"again": func() string { return someKey },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := send(h, transfer().with(func(c *call) { c.key = key() })); w.Code != 200 {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}
