package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ringwall/ringwall/sqlsafe"
)

const (
	readers    = 8
	busyMillis = 5000 // how long another process may hold the file before a call gives up
	asWriter   = "_txlock=immediate&_journal_mode=WAL&_synchronous=FULL&_pragma=journal_size_limit(67108864)"
)

func openSQLite(ctx context.Context, config Config, path string) (*Store, error) {
	path, err := makeFile(path)
	if err != nil {
		return nil, err
	}
	writing, err := openFile(path, asWriter, 1)
	if err != nil {
		return nil, err
	}
	if err := openSchema(ctx, writing, onSQLite); err != nil {
		if broken, ok := errors.AsType[*sqlite.Error](err); ok && (broken.Code()&0xff == sqlite3.SQLITE_NOTADB || broken.Code()&0xff == sqlite3.SQLITE_CORRUPT) {
			err = errBroken(path, broken) // to wait mends nothing
			return nil, errors.Join(err, writing.Close())
		}
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), writing.Close())
	}
	reading, err := openFile(path, "_query_only=1", readers)
	if err != nil {
		return nil, errors.Join(err, writing.Close())
	}
	s := &Store{config: config, reader: reader{q: pool{db: sqlsafe.Wrap(reading)}, now: config.Now}}
	s.engine = startWriter(s, writing, reading)
	return s, nil
}

// errBroken tells what to do about a file that SQLite cannot read.
func errBroken(path string, cause *sqlite.Error) error {
	return fmt.Errorf("%s is no SQLite database, or is damaged (%s). If it is another file, name the database that you mean. If it was one, keep what is there and restore a backup of it, with its master key. "+
		"If nothing was ever stored in it, move it away: a new one is made", path, cause.Error())
}

// makeFile makes the file readable by its owner alone, before SQLite would make it readable by others. The files that
// SQLite puts beside it inherit its mode.
func makeFile(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open the database: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("open the database: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- the operator names the file
	if err != nil {
		return "", fmt.Errorf("open the database: %w", err)
	}
	if err := errors.Join(file.Chmod(0o600), file.Close()); err != nil {
		return "", fmt.Errorf("open the database: %w", err)
	}
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Chmod(path+beside, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("open the database: %w", err)
		}
	}
	return path, nil
}

// openFile opens a pool whose connections stay open: an idle one that is closed would prepare every statement again.
func openFile(path, options string, connections int) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Path: path}
	name.RawQuery = "mode=rw&_foreign_keys=1&_dqs=0&_defensive=1&_busy_timeout=" + strconv.Itoa(busyMillis) + "&" + options
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db := sql.OpenDB(remembering{connector})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}
