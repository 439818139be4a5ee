package sqlstore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ringwall/ringwall/internal/testdb"
)

func TestCloseEndsEverything(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db testdb.DB) {
		before := goleak.IgnoreCurrent()
		store := open(t, db)
		addUser(t, store, "ada@example.org")
		if err := store.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		goleak.VerifyNone(t, before)
	})
}

func TestTheFilesAreTheirOwnersAlone(t *testing.T) {
	db := testdb.SQLite(t)
	path := strings.TrimPrefix(db.DSN, "sqlite:")
	for range 2 {
		store := open(t, db)
		addUser(t, store, filepath.Base(t.TempDir())+"@example.org")
		for _, suffix := range []string{"", "-wal", "-shm"} {
			info, err := os.Stat(path + suffix)
			if err != nil || info.Mode().Perm() != fs.FileMode(0o600) {
				t.Errorf("%s: %v, %v; want 0600", suffix, info.Mode(), err)
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil { // as a careless restore leaves it
			t.Fatal(err)
		}
	}
}
