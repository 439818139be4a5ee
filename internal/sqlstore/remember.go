package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
)

const (
	rememberedStatements = 128     // of a connection. Each takes some kilobytes.
	rememberedBytes      = 4 << 10 // of text: what is longer is a migration, and runs once
)

// remembering opens connections that parse each statement once, as those of pgx do: SQLite takes as long to parse one as
// to run it.
type remembering struct{ driver.Connector }

// Connect opens a connection.
func (r remembering) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := r.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := opened.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("the driver of SQLite has changed"), opened.Close())
	}
	return &rememberingConn{sqliteConn: inner, idle: make(map[string]sqliteStmt)}, nil
}

// sqliteConn is what the driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// rememberingConn is used by one goroutine at a time, as every driver.Conn is.
type rememberingConn struct {
	sqliteConn
	idle map[string]sqliteStmt // by text. One that runs is not in it, so it cannot run twice at a time
}

// Close frees what is remembered and closes the connection.
func (c *rememberingConn) Close() error {
	for text, stmt := range c.idle {
		delete(c.idle, text)
		_ = stmt.Close() // the connection goes with it
	}
	return c.sqliteConn.Close()
}

// ExecContext runs a statement that returns no rows.
func (c *rememberingConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if len(text) > rememberedBytes {
		return c.sqliteConn.ExecContext(ctx, text, args)
	}
	stmt, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	result, err := stmt.ExecContext(ctx, args)
	c.put(text, stmt, err)
	return result, err
}

// QueryContext runs a statement that returns rows.
func (c *rememberingConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if len(text) > rememberedBytes {
		return c.sqliteConn.QueryContext(ctx, text, args)
	}
	stmt, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args)
	if err != nil {
		c.put(text, stmt, err)
		return nil, err
	}
	return &rememberingRows{Rows: rows, done: func(err error) { c.put(text, stmt, err) }}, nil
}

func (c *rememberingConn) take(ctx context.Context, text string) (sqliteStmt, error) {
	if stmt, ok := c.idle[text]; ok {
		delete(c.idle, text)
		return stmt, nil
	}
	prepared, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	stmt, ok := prepared.(sqliteStmt)
	if !ok {
		return nil, errors.Join(errors.New("the driver of SQLite has changed"), prepared.Close())
	}
	return stmt, nil
}

// put remembers a statement that has run, in the place of any other if there are too many. One that failed is forgotten.
func (c *rememberingConn) put(text string, stmt sqliteStmt, failed error) {
	if _, twin := c.idle[text]; twin || failed != nil {
		_ = stmt.Close() // repeats the error that whoever ran it has
		return
	}
	for other, old := range c.idle {
		if len(c.idle) < rememberedStatements {
			break
		}
		delete(c.idle, other)
		_ = old.Close()
	}
	c.idle[text] = stmt
}

// rememberingRows give their statement back when they are closed.
type rememberingRows struct {
	driver.Rows
	done func(error)
}

// Close ends the statement. Closing twice is no error.
func (r *rememberingRows) Close() error {
	if r.done == nil {
		return nil
	}
	err := r.Rows.Close()
	r.done(err)
	r.done = nil
	return err
}
