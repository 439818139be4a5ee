//go:build unix

package settings

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByRootAlone reports whether the file is root's while this process is not.
func ownedByRootAlone(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0 && os.Geteuid() != 0
}
