// Package sqlsafe runs SQL that was written down when the program was compiled, and no other.
//
// A statement is made from an untyped constant. A string that was put together at run time does not compile:
//
//	var renameUser = sqlsafe.New(`UPDATE users SET name = $2 WHERE id = $1`)
//	_, err := db.Exec(ctx, renameUser.With(id, name))
//
//	sqlsafe.New("SELECT " + column) // does not compile, unless column is a constant too
//
// [List] is for lists that are filtered and sorted. Each fragment is a constant, so a request chooses among the
// filters and orders that the program knows and never writes one; and there is always a LIMIT:
//
//	var users = sqlsafe.List(`SELECT id, name FROM users WHERE NOT deleted`)
//	q := users.And(`name >= ?`, from).OrderBy(`name, id`).Limit(50)
//	rows, err := db.Query(ctx, q)
//
// [Owned] is for rows that belong to somebody. Such a statement runs only for an [identity.Subject], which no
// request input can become; it is bound as $1, so the owner stands in the statement itself:
//
//	var ownInvoice = sqlsafe.Owned(`SELECT total FROM invoices WHERE owner_id = $1 AND id = $2`)
//	err := db.QueryRow(ctx, ownInvoice.For(session.Subject(), id)).Scan(&total)
//
// [Wrap] puts a [DB] around a *sql.DB of any driver that numbers its placeholders $1, $2 and so on.
//
// # A second layer on PostgreSQL
//
// An owner that a statement names can be forgotten in the next one. [WrapPostgres] and [DB.BeginAs] tell the database
// itself whose rows a transaction may touch, and its policies (row-level security) hold every statement to that:
//
//	tx, err := db.BeginAs(ctx, session.Subject())
//
// # What it does not catch
//
// A constant can still be wrong: a statement that forgets its WHERE clause is as constant as any other, and an
// Owned one that never mentions $1 is refused when it runs, not when it compiles. SQL that a database function
// assembles by itself (EXECUTE in PL/pgSQL) is out of sight. Reflection, package unsafe and a generic function over
// ~string that takes New itself as a value get around the type; whoever writes that does not do so by mistake.
// Row-level security does not bind superusers, and by default not the owner of a table: [DB.CheckRowSecurity] tells.
// [DB.Unsafe] hands out the *sql.DB for migrations and the like: search for it to review every use.
package sqlsafe

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/internal/identity"
)

// MaxRows is how many rows a [ListQuery] returns at most.
const MaxRows = 1000

var (
	// ErrNoSubject says that a statement about somebody's rows was run for nobody. The database was not asked.
	ErrNoSubject = errors.New("sqlsafe: no subject for a statement about somebody's rows")
	// ErrPlaceholders says that a fragment has another number of placeholders than arguments, that a list numbers its own
	// ($1: it would be the argument of another fragment), or that an owned statement never mentions its owner.
	ErrPlaceholders = errors.New("sqlsafe: placeholders and arguments do not match")
	// ErrReach says that a list would not be held to its conditions: an OR in its own WHERE clause, or another SELECT, that
	// stands outside of parentheses, or a condition that closes a parenthesis which it has not opened.
	ErrReach = errors.New("sqlsafe: a condition does not hold for the whole list: put parentheses around what belongs together")
	// ErrSeveral says that a text holds more than one statement.
	ErrSeveral = errors.New("sqlsafe: more than one statement in one text")
)

// constant accepts untyped constants only, because nobody outside of this package can name it.
type constant string

// Query is a statement with its arguments, ready to run: a [Statement], a [Bound] or a [ListQuery].
type Query interface {
	build() (text string, args []any, err error)
}

// Statement is one statement with the placeholders $1, $2 and so on. Without any it can be run as it stands.
type Statement struct {
	text string
	err  error
}

// New makes a statement from a constant.
func New(text constant) Statement { return Statement{text: string(text), err: several(string(text))} }

// With binds the arguments: $1 is the first.
func (s Statement) With(args ...any) Bound { return Bound{text: s.text, args: args, err: s.err} }

func (s Statement) build() (string, []any, error) { return s.With().build() }

// Bound is a statement together with its arguments.
type Bound struct {
	text string
	args []any
	err  error
}

func (b Bound) build() (string, []any, error) { return b.text, b.args, b.err }

// OwnedStatement is a statement about the rows of one person: it cannot run without them.
type OwnedStatement struct {
	text string
	err  error
}

// Owned makes a statement about somebody's rows. $1 is the owner's id.
func Owned(text constant) OwnedStatement {
	o := OwnedStatement{text: string(text), err: several(string(text))}
	if o.err == nil && !mentionsOwner(o.text) {
		o.err = ErrPlaceholders
	}
	return o
}

// For binds the owner as $1, and the arguments from $2 on. For the zero Subject running it returns [ErrNoSubject].
func (o OwnedStatement) For(owner identity.Subject, args ...any) Bound {
	if owner.IsZero() {
		return Bound{err: ErrNoSubject}
	}
	id := owner.ID()
	return Bound{text: o.text, args: append([]any{id[:]}, args...), err: o.err}
}

// ListQuery is a list under construction. Each method returns a new one, so a ListQuery can be shared.
type ListQuery struct {
	text  string
	order string
	args  []any
	limit int
	err   error
}

// List makes a list from a constant SELECT without placeholders that ends in its WHERE clause (WHERE TRUE if there is
// nothing to say); what has an argument is an [ListQuery.And]. Running it returns at most [MaxRows] rows. An OR in the clause needs parentheses: AND binds tighter, and
// every row of its left side would be on the list whatever [ListQuery.And] says.
func List(text constant) ListQuery {
	body, n, own := number(string(text), 0)
	l := ListQuery{text: body, limit: MaxRows, err: several(body)}
	switch {
	case n != 0 || own:
		l.err = ErrPlaceholders
	case l.err == nil && reaches(body):
		l.err = ErrReach
	}
	return l
}

// And adds a condition. Its placeholders are question marks, one for each argument.
func (l ListQuery) And(condition constant, args ...any) ListQuery {
	text, n, own := number(string(condition), len(l.args))
	switch {
	case l.err != nil:
	case n != len(args) || own:
		l.err = ErrPlaceholders
	case !isWhole(text):
		l.err = ErrReach
	}
	l.text += "\nAND (" + text + ")"
	l.args = append(slices.Clip(l.args), args...)
	return l
}

// OrderBy sets the order, such as "created_micros DESC, id", without placeholders. A later one replaces an earlier one.
func (l ListQuery) OrderBy(order constant) ListQuery {
	if _, n, own := number(string(order), 0); l.err == nil && (n != 0 || own) {
		l.err = ErrPlaceholders
	}
	l.order = string(order)
	return l
}

// Limit bounds the number of rows. Less than one, or more than [MaxRows], means MaxRows.
func (l ListQuery) Limit(rows int) ListQuery {
	if rows < 1 || rows > MaxRows {
		rows = MaxRows
	}
	l.limit = rows
	return l
}

func (l ListQuery) build() (string, []any, error) {
	if l.limit == 0 { // the zero ListQuery
		return "", nil, ErrPlaceholders
	}
	text := l.text
	if l.order != "" {
		text += "\nORDER BY " + l.order
	}
	args := append(slices.Clip(l.args), int64(l.limit))
	return text + "\nLIMIT $" + strconv.Itoa(len(args)), args, l.err
}

// number replaces each question mark outside of quotes and comments by $from+1, $from+2 and so on. Own is true if the text
// has numbers of its own there ($1, ?1).
func number(text string, from int) (numbered string, count int, own bool) {
	var out strings.Builder
	for rest := text; rest != ""; {
		size := token(rest)
		mark := size == 1 && (rest[0] == '?' || rest[0] == '$')
		own = own || mark && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9'
		if mark && rest[0] == '?' {
			count++
			out.WriteString("$" + strconv.Itoa(from+count))
		} else {
			out.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	return out.String(), count, own
}

// mentionsOwner reports whether $1 stands in the text, outside of quotes and comments.
func mentionsOwner(text string) bool {
	for rest := text; rest != ""; {
		size := token(rest)
		if size == 1 && strings.HasPrefix(rest, "$1") && (len(rest) == 2 || rest[2] < '0' || rest[2] > '9') {
			return true
		}
		rest = rest[size:]
	}
	return false
}

// several is [ErrSeveral] if anything but space and comments follows a semicolon.
func several(text string) error {
	ended := false
	for rest := text; rest != ""; {
		size := token(rest)
		switch {
		case size == 1 && rest[0] == ';':
			ended = true
		case size > 1 && (rest[0] == '-' || rest[0] == '/'):
		case ended && strings.TrimSpace(rest[:size]) != "":
			return ErrSeveral
		}
		rest = rest[size:]
	}
	return nil
}

// token is the size of what stands first in the text: a quoted piece, a comment, or one byte.
func token(text string) int {
	end := func(closing string, from int) int {
		if at := strings.Index(text[from:], closing); at >= 0 {
			return from + at + len(closing)
		}
		return len(text)
	}
	switch {
	case text[0] == '\'', text[0] == '"':
		return end(text[:1], 1) // a doubled quote is two pieces side by side
	case strings.HasPrefix(text, "$$"):
		return end("$$", 2)
	case strings.HasPrefix(text, "--"):
		return end("\n", 2)
	case strings.HasPrefix(text, "/*"):
		return end("*/", 2)
	}
	return 1
}
