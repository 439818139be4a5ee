package sqlsafe_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/sqlsafe"
)

var (
	makeNotes  = sqlsafe.New(`CREATE TABLE notes (id INTEGER PRIMARY KEY, owner BLOB, title TEXT, body TEXT)`)
	insertNote = sqlsafe.New(`INSERT INTO notes (owner, title, body) VALUES ($3, $1, $2)`)
	countNotes = sqlsafe.New(`SELECT COUNT(*) FROM notes`)
	allTables  = sqlsafe.New(`SELECT COUNT(*) FROM sqlite_master`)
	ownTitle   = sqlsafe.Owned(`SELECT title FROM notes WHERE owner = $1 AND id = $2`)
	deleteOwn  = sqlsafe.Owned(`DELETE FROM notes WHERE owner = $1`)
	notes      = sqlsafe.List(`SELECT title FROM notes WHERE TRUE`)
)

func openNotes(t testing.TB, titles ...string) *sqlsafe.DB {
	t.Helper()
	opened, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "notes.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	db := sqlsafe.Wrap(opened)
	if _, err := db.Exec(t.Context(), makeNotes); err != nil {
		t.Fatal(err)
	}
	for _, title := range titles {
		if _, err := db.Exec(t.Context(), insertNote.With(title, "body of "+title, nil)); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func titles(t testing.TB, db *sqlsafe.DB, q sqlsafe.Query) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), q)
	if err != nil {
		t.Fatalf("Query: %v", err)
	}
	defer func() { _ = rows.Close() }()
	var found []string
	for rows.Next() {
		var title string
		if err := rows.Scan(&title); err != nil {
			t.Fatal(err)
		}
		found = append(found, title)
	}
	return found
}

func count(t testing.TB, db *sqlsafe.DB, q sqlsafe.Query) (n int) {
	t.Helper()
	if err := db.QueryRow(context.Background(), q).Scan(&n); err != nil {
		t.Fatalf("QueryRow: %v", err)
	}
	return n
}

func TestListFiltersSortsAndIsBounded(t *testing.T) {
	db := openNotes(t, "a", "b", "c", "d?")
	for name, tt := range map[string]struct {
		q    sqlsafe.ListQuery
		want []string
	}{
		"all, sorted":               {notes.OrderBy(`title DESC`), []string{"d?", "c", "b", "a"}},
		"the later order":           {notes.OrderBy(`title DESC`).OrderBy(`title`), []string{"a", "b", "c", "d?"}},
		"two filters":               {notes.And(`title > ?`, "a").And(`title < ?`, "c"), []string{"b"}},
		"either, in one filter":     {notes.And(`title = ? OR title = ?`, "a", "c").And(`title <> ?`, "a"), []string{"c"}},
		"row values":                {notes.And(`(title, id) > (?, ?)`, "c", 0).OrderBy(`title`), []string{"c", "d?"}},
		"a question mark in quotes": {notes.And(`title = 'd?' -- really?`+"\n"+`AND body <> ? /* ? */`, "x"), []string{"d?"}},
		"a doubled quote":           {notes.And(`title <> 'it''s ?' AND "title" = ?`, "a"), []string{"a"}},
		"limit":                     {notes.OrderBy(`title`).Limit(2), []string{"a", "b"}},
		"limit zero is the bound":   {notes.OrderBy(`title`).Limit(0).Limit(-1), []string{"a", "b", "c", "d?"}},
	} {
		if diff := cmp.Diff(tt.want, titles(t, db, tt.q)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestListsAreValues(t *testing.T) {
	db := openNotes(t, "a", "b", "c")
	some := notes.And(`title <> ?`, "a")
	b, c := some.And(`title = ?`, "b"), some.And(`title = ?`, "c")
	if diff := cmp.Diff([]string{"b"}, titles(t, db, b)); diff != "" {
		t.Errorf("one branch:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"c"}, titles(t, db, c)); diff != "" {
		t.Errorf("the other branch:\n%s", diff)
	}
}

func TestAListNeverReturnsMoreThanMaxRows(t *testing.T) {
	db := openNotes(t)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range sqlsafe.MaxRows + 5 {
		if _, err := tx.Exec(t.Context(), insertNote.With("x", "", nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{0, -5, sqlsafe.MaxRows, sqlsafe.MaxRows + 1, 1 << 40} {
		if n := len(titles(t, db, notes.Limit(limit))); n != sqlsafe.MaxRows {
			t.Errorf("Limit(%d) returned %d rows, want %d", limit, n, sqlsafe.MaxRows)
		}
	}
}

func TestOwnedNeedsAnOwner(t *testing.T) {
	db := openNotes(t)
	ada, eve := identity.NewRandomID(), identity.NewRandomID()
	for _, owner := range []identity.ID{ada, {}} { // a row of nobody's, which the zero Subject must not reach
		if _, err := db.Exec(t.Context(), insertNote.With("secret", "", owner[:])); err != nil {
			t.Fatal(err)
		}
	}
	var title string
	if err := db.QueryRow(t.Context(), ownTitle.For(identity.SubjectOf(ada), 1)).Scan(&title); err != nil || title != "secret" {
		t.Errorf("her own = %q, %v", title, err)
	}
	if err := db.QueryRow(t.Context(), ownTitle.For(identity.SubjectOf(eve), 1)).Scan(&title); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("somebody else's = %v, want ErrNoRows", err)
	}
	_, execErr := db.Exec(t.Context(), deleteOwn.For(identity.Subject{}))
	_, queryErr := db.Query(t.Context(), ownTitle.For(identity.Subject{}, 1))
	rowErr := db.QueryRow(t.Context(), ownTitle.For(identity.Subject{}, 1)).Scan(&title)
	for name, err := range map[string]error{"Exec": execErr, "Query": queryErr, "QueryRow": rowErr} {
		if !errors.Is(err, sqlsafe.ErrNoSubject) {
			t.Errorf("%s for nobody = %v, want ErrNoSubject", name, err)
		}
	}
	if n := count(t, db, countNotes); n != 2 {
		t.Errorf("%d rows left, want 2", n)
	}
}

func TestSlipsAreRefused(t *testing.T) {
	db := openNotes(t, "a")
	ada := identity.SubjectOf(identity.NewRandomID())
	for name, tt := range map[string]struct {
		q    sqlsafe.Query
		want error
	}{
		"two statements":               {sqlsafe.New(`DELETE FROM notes; DROP TABLE notes`), sqlsafe.ErrSeveral},
		"two statements, owned":        {sqlsafe.Owned(`DELETE FROM notes WHERE owner = $1; DROP TABLE notes`).For(ada), sqlsafe.ErrSeveral},
		"two statements, a list":       {sqlsafe.List(`SELECT 1; DROP TABLE notes`), sqlsafe.ErrSeveral},
		"too few arguments":            {notes.And(`title = ? OR title = ?`, "a"), sqlsafe.ErrPlaceholders},
		"too many arguments":           {notes.And(`title = 'a'`, "a"), sqlsafe.ErrPlaceholders},
		"a list's text with arguments": {sqlsafe.List(`SELECT 1 WHERE 1 = ?`), sqlsafe.ErrPlaceholders},
		// It ran with the first filter's argument in the place of the owner.
		"a list that numbers":         {sqlsafe.List(`SELECT title FROM notes WHERE owner = $1`).And(`title <> ?`, "a"), sqlsafe.ErrPlaceholders},
		"a filter that numbers":       {notes.And(`title = ?`, "a").And(`title = $1`), sqlsafe.ErrPlaceholders},
		"a filter as SQLite numbers":  {notes.And(`title = ?1`, "a"), sqlsafe.ErrPlaceholders},
		"an order that numbers":       {notes.And(`title = ?`, "a").OrderBy(`$1`), sqlsafe.ErrPlaceholders},
		"an order with an argument":   {notes.And(`title = ?`, "a").OrderBy(`?`), sqlsafe.ErrPlaceholders},
		"an owner that is not asked":  {sqlsafe.Owned(`DELETE FROM notes WHERE id = $10 OR title = '$1' -- $1`).For(ada), sqlsafe.ErrPlaceholders},
		"an OR beside the filters":    {sqlsafe.List(`SELECT title FROM notes WHERE title = 'a' or title = 'b'`).And(`title = 'c'`), sqlsafe.ErrReach},
		"an OR behind quotes":         {sqlsafe.List("SELECT title FROM notes WHERE title <> ')' --)\n OR/**/TRUE"), sqlsafe.ErrReach},
		"a second SELECT":             {sqlsafe.List(`SELECT title FROM notes WHERE FALSE UNION ALL SELECT title FROM notes WHERE TRUE`).And(`FALSE`), sqlsafe.ErrReach},
		"an open list":                {sqlsafe.List(`SELECT title FROM notes WHERE (TRUE`), sqlsafe.ErrReach},
		"a filter that ends itself":   {notes.And(`FALSE) OR (TRUE`), sqlsafe.ErrReach},
		"one that opens another":      {notes.And(`TRUE) AND ((FALSE`), sqlsafe.ErrReach},
		"the zero list":               {sqlsafe.ListQuery{}, sqlsafe.ErrPlaceholders},
		"the zero list with a filter": {sqlsafe.ListQuery{}.And(`TRUE`), sqlsafe.ErrPlaceholders},
	} {
		if _, err := db.Exec(t.Context(), tt.q); !errors.Is(err, tt.want) {
			t.Errorf("%s = %v, want %v", name, err, tt.want)
		}
	}
	for name, q := range map[string]sqlsafe.ListQuery{
		"an OR in parentheses":     sqlsafe.List(`SELECT title FROM notes WHERE (title = 'a' OR title = 'b')`),
		"an OR that joins":         sqlsafe.List(`SELECT n.title FROM notes n JOIN notes m ON n.id = m.id OR FALSE WHERE TRUE`),
		"a word that begins so":    sqlsafe.List(`SELECT title AS "or", title AS order_of FROM notes WHERE title <> ' OR '`),
		"a UNION in parentheses":   sqlsafe.List(`SELECT title FROM (SELECT title FROM notes UNION SELECT title FROM notes) x WHERE TRUE`),
		"filters with parentheses": notes.And(`title IN ('a', ')') OR (title = ?)`, "b"),
	} {
		rows, err := db.Query(t.Context(), q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = rows.Close()
	}
	for _, fine := range []string{"a trailing semicolon", "a comment after it"} {
		if n := count(t, db, map[string]sqlsafe.Statement{
			"a trailing semicolon": sqlsafe.New(`SELECT COUNT(*) FROM notes WHERE title <> ';DROP';`),
			"a comment after it":   sqlsafe.New("SELECT COUNT(*) FROM notes; -- all of them;\n /* x */ "),
		}[fine]); n != 1 {
			t.Errorf("%s: %d", fine, n)
		}
	}
}

func TestPreparedAndTx(t *testing.T) {
	db := openNotes(t, "a")
	prepared, err := db.Prepare(t.Context(), countNotes)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), insertNote.With("b", "", nil)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := prepared.QueryRow(t.Context()).Scan(&n); err != nil || n != 1 {
		t.Errorf("after a rollback: %d, %v", n, err)
	}
	if err := prepared.Close(); err != nil {
		t.Error(err)
	}
	if _, err := db.Prepare(t.Context(), sqlsafe.New(`SELECT 1; SELECT 2`)); !errors.Is(err, sqlsafe.ErrSeveral) {
		t.Errorf("Prepare of two statements = %v", err)
	}
}

// No argument becomes SQL: it comes back as it went in, and nothing else changes.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{"", "a", "'; DROP TABLE notes; --", `" OR 1=1`, "?", "$1", "%", "\x00", "/*", "--", "\xff", "') UNION SELECT 1 --", "?1", ":x", "@x", strings.Repeat("'", 999)} {
		f.Add(seed, "decoy")
	}
	db := openNotes(f, "decoy-1", "decoy-2")
	f.Fuzz(func(t *testing.T, title, body string) {
		ctx := context.Background()
		tables, before := count(t, db, allTables), count(t, db, countNotes)
		tx, err := db.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.Exec(ctx, insertNote.With([]byte(title), []byte(body), nil)); err != nil {
			t.Fatalf("insert: %v", err)
		}
		q := sqlsafe.List(`SELECT title, body FROM notes WHERE TRUE`).And(`title = ? AND TRUE`, []byte(title)).And(`body IN (?, ?)`, []byte(body), []byte(body)).OrderBy(`id`)
		rows, err := tx.Query(ctx, q)
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		defer func() { _ = rows.Close() }()
		found := 0
		for ; rows.Next(); found++ {
			var gotTitle, gotBody []byte
			if err := rows.Scan(&gotTitle, &gotBody); err != nil {
				t.Fatal(err)
			}
			if string(gotTitle) != title || string(gotBody) != body {
				t.Errorf("(%q, %q) came back as (%q, %q)", title, body, gotTitle, gotBody)
			}
		}
		_ = rows.Close()
		if found != 1 {
			t.Errorf("(%q, %q) was found %d times, want once", title, body, found)
		}
		var after, still int
		if err := errors.Join(tx.QueryRow(ctx, countNotes).Scan(&after), tx.QueryRow(ctx, allTables).Scan(&still)); err != nil {
			t.Fatal(err)
		}
		if after != before+1 || still != tables {
			t.Errorf("(%q, %q) made %d rows of %d and %d tables of %d", title, body, after, before, still, tables)
		}
	})
}
