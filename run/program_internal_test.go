package run

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// entry is an entry of a folder with any owner, which only root could make.
type entry struct {
	mode fs.FileMode
	uid  int
	gid  uint32
}

func (entry) Name() string        { return "entry" }
func (entry) Size() int64         { return 0 }
func (e entry) Mode() fs.FileMode { return e.mode }
func (entry) ModTime() time.Time  { return time.Time{} }
func (e entry) IsDir() bool       { return e.mode.IsDir() }
func (e entry) Sys() any          { return &syscall.Stat_t{Uid: uint32(e.uid), Gid: e.gid} } // #nosec G115 -- ids of the test
func (e entry) String() string    { return e.mode.String() }

// In /tmp anybody can make a link, and have it lead to any program of root's.
func TestWhoCouldReplaceAnEntry(t *testing.T) {
	me, other := os.Geteuid(), os.Geteuid()+1
	for name, tt := range map[string]struct {
		entry entry
		want  bool
	}{
		"a program of ours":                   {entry{0o755, me, 1}, true},
		"a program of root's":                 {entry{0o755, 0, 1}, true},
		"a program of somebody else's":        {entry{0o755, other, 1}, false},
		"one that everybody may write":        {entry{0o757, me, 1}, false},
		"one that its group may write":        {entry{0o775, me, 1}, false},
		"one that root's group may write":     {entry{0o775, 0, 0}, true},
		"a link of ours":                      {entry{fs.ModeSymlink | 0o777, me, 1}, true},
		"a link of somebody else's":           {entry{fs.ModeSymlink | 0o777, other, 1}, false},
		"a folder like /tmp":                  {entry{fs.ModeDir | fs.ModeSticky | 0o777, 0, 0}, true},
		"a folder like /tmp, somebody else's": {entry{fs.ModeDir | fs.ModeSticky | 0o777, other, 1}, false},
		"a folder that everybody may write":   {entry{fs.ModeDir | 0o777, me, 1}, false},
		"a file with the sticky bit":          {entry{fs.ModeSticky | 0o777, me, 1}, false},
	} {
		if got := isOurs(tt.entry); got != tt.want {
			t.Errorf("%s (%v): isOurs = %v, want %v", name, tt.entry, got, tt.want)
		}
	}
	// It is the link that is looked at, and not only what it leads to.
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o700); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	program, link := filepath.Join(folder, "program"), filepath.Join(folder, "link")
	if err := os.WriteFile(program, []byte("#!/bin/true"), 0o700); err != nil { // #nosec G306 -- a program
		t.Fatal(err)
	}
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	if err := trusted(link); err != nil {
		t.Errorf("a link of ours: %v", err)
	}
	if os.Lchown(link, other, -1) == nil { // we are root: the attack itself
		if err := trusted(link); err == nil {
			t.Error("a link of somebody else's to a program of ours is trusted")
		}
	}
}
