package sqlstore

import "database/sql"

// WriterOf is the writing connection of a store on SQLite, for tests that take its disk away.
func WriterOf(s *Store) *sql.DB { return s.engine.(*writer).db.Unsafe() }
