package sqlstore

import (
	"database/sql"
	"database/sql/driver"
)

// WriterOf is the writing connection of a store on SQLite, for tests that take its disk away.
func WriterOf(s *Store) *sql.DB { return s.engine.(*writer).db.Unsafe() }

// Remembering opens connections that parse each statement once.
func Remembering(c driver.Connector) driver.Connector { return remembering{c} }

type (
	SQLiteConn = sqliteConn
	SQLiteStmt = sqliteStmt
)
