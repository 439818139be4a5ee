package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const lockName = "ringwall.lock"

// folder is the data folder, with its lock. Whoever holds the lock is the only one to write in the folder; it is given
// back by the system when the process ends, however it ends.
type folder struct {
	path     string // absolute
	lock     *os.File
	database *os.File // the lock of the database file; nil: it needs none
}

// record is what the lock file tells about the server that holds it, or held it last.
type record struct {
	pid         int
	environment string
	prefix      string
	database    string // see [placeOf]
	origins     []string
}

// errNoFolder says that the data folder does not exist.
var errNoFolder = errors.New("there is no such folder")

// inUse is a lock that another process holds.
type inUse struct {
	what string
	pid  int
}

func (e inUse) Error() string {
	who := "another process"
	if e.pid > 0 {
		who = "process " + strconv.Itoa(e.pid)
	}
	return fmt.Sprintf("the %s is in use by %s. Stop that process, or name another folder with --data.", e.what, who)
}

// folderFault says what is wrong with the owner or the mode of an existing folder, and how to mend it; empty if nothing is.
func folderFault(path string) string {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		return fmt.Sprintf("%s cannot be looked at: %v.", path, errors.Unwrap(err))
	case !info.IsDir():
		return path + " is a file, not a folder. Name another."
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Sprintf("%s belongs to the user with the number %d, and this process runs as %d. Run it as the owner, or run: chown -R %d %s", path, stat.Uid, os.Geteuid(), os.Geteuid(), path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("%s is open to others than its owner (mode %04o). Run: chmod 700 %s", path, mode, path)
	}
	return ""
}

// makeFolder makes the folder, for its owner alone, if there is none.
func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("the data folder %s cannot be made: %w. Name another with --data", path, errors.Unwrap(err))
	}
	return nil
}

// takeFolder takes the lock of an existing folder, or returns [inUse] or [errNoFolder].
func takeFolder(path string) (*folder, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if _, err := os.Stat(absolute); errors.Is(err, fs.ErrNotExist) {
		return nil, errNoFolder
	}
	if fault := folderFault(absolute); fault != "" {
		return nil, misuse{errors.New(fault)}
	}
	lock, err := takeLock(filepath.Join(absolute, lockName), "data folder "+absolute)
	if err != nil {
		return nil, err
	}
	f := &folder{path: absolute, lock: lock}
	last := f.last()
	last.pid = os.Getpid()
	if err := f.note(last); err != nil {
		f.release()
		return nil, err
	}
	return f, nil
}

// takeDatabase takes a lock beside the database file, so that two folders cannot share it.
func (f *folder) takeDatabase(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the folder of the database %s cannot be made: %w", path, errors.Unwrap(err))
	}
	lock, err := takeLock(path+".lock", "database "+path)
	if err != nil {
		return err
	}
	f.database = lock
	return writeRecord(lock, record{pid: os.Getpid()})
}

// takeLock opens and locks a file. The name of what it guards is for the error.
func takeLock(path, what string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) // #nosec G304 -- the operator names the folder
	if err != nil {
		return nil, fmt.Errorf("the %s cannot be locked: %w", what, err)
	}
	if err := flock(lock); err != nil {
		held := readRecord(lock)
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, inUse{what, held.pid}
		}
		return nil, fmt.Errorf("the %s cannot be locked: %w", what, err)
	}
	return lock, nil
}

func flock(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// last is what the last server noted.
func (f *folder) last() record { return readRecord(f.lock) }

// note writes into the lock file who holds it.
func (f *folder) note(r record) error {
	if err := writeRecord(f.lock, r); err != nil {
		return fmt.Errorf("the data folder %s cannot be written: %w", f.path, err)
	}
	return nil
}

func writeRecord(file *os.File, r record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "pid %d\n", r.pid)
	for _, line := range [][2]string{{"environment", r.environment}, {"prefix", r.prefix}, {"database", r.database}} {
		if line[1] != "" {
			fmt.Fprintf(&b, "%s %s\n", line[0], line[1])
		}
	}
	for _, origin := range r.origins {
		fmt.Fprintf(&b, "origin %s\n", origin)
	}
	if _, err := file.WriteAt([]byte(b.String()), 0); err != nil {
		return err
	}
	return file.Truncate(int64(b.Len()))
}

// holderOf reads who holds a folder, without its lock.
func holderOf(data string) record {
	file, err := os.Open(filepath.Join(data, lockName)) // #nosec G304 -- the operator names the folder
	if err != nil {
		return record{}
	}
	defer func() { _ = file.Close() }()
	return readRecord(file)
}

func readRecord(file *os.File) record {
	var r record
	content, err := io.ReadAll(io.NewSectionReader(file, 0, 64<<10))
	if err != nil {
		return r
	}
	for line := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "pid":
			r.pid, _ = strconv.Atoi(value)
		case "environment":
			r.environment = value
		case "prefix":
			r.prefix = value
		case "database":
			r.database = value
		case "origin":
			r.origins = append(r.origins, value)
		}
	}
	return r
}

// release gives the locks back. The files stay, because removing one would let two processes lock two files of one name.
func (f *folder) release() {
	if f.database != nil {
		_ = f.database.Close()
	}
	_ = f.lock.Close()
}
