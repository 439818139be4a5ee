package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ringwall/ringwall/internal/problem"
)

var unavailable = problem.New(problem.Unavailable, "unavailable", "The database is out of reach. Try again in a moment.").After(2 * time.Second)

// fault turns what the drivers say into "unavailable" where waiting helps, or an operator.
func fault(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := errors.AsType[*problem.Error](err); ok {
		return err
	}
	if outOfReach(err) {
		return unavailable.Because(err)
	}
	return err
}

func outOfReach(err error) bool {
	for _, sign := range []error{
		context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, errClosed,
	} {
		if errors.Is(err, sign) {
			return true
		}
	}
	if err.Error() == "sql: database is closed" { // its variable is not exported
		return true
	}
	if err, ok := errors.AsType[*sqlite.Error](err); ok {
		switch err.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
			sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB:
			return true
		}
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok { // whatever the server's reason is
		return true
	}
	if err, ok := errors.AsType[*pgconn.PgError](err); ok {
		return again(err) || away(err.Code)
	}
	if pgconn.SafeToRetry(err) { // nothing was sent
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}

// away lists the states in which PostgreSQL, or the way to it, does not serve: connection (08), resources (53),
// operator intervention and timeouts (57), system errors (58), a lock not to be had, a server that only reads, and
// credentials that it does not take at the moment (28), which an operator mends without a restart of ours.
func away(code string) bool {
	for _, class := range []string{"08", "28", "53", "57", "58", "55P03", "25006", "3D000"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// again reports whether the transaction lost to another one and should be run once more.
func again(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40001" || pg.Code == "40P01")
}
