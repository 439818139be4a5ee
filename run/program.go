package run

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// runners are programs that run what their arguments say. Behind one, a value is a command again.
func runners() []string {
	return []string{
		"sh", "bash", "dash", "ash", "rbash", "zsh", "ksh", "ksh93", "mksh", "csh", "tcsh", "fish", "busybox", "toybox", "rc",
		"env", "xargs", "sudo", "su", "doas", "pkexec", "runuser", "setpriv", "chroot", "unshare", "nsenter", "nohup", "nice", "ionice",
		"setsid", "timeout", "stdbuf", "script", "watch", "ssh", "parallel", "make", "awk", "gawk", "mawk", "systemd-run",
		"time", "flock", "taskset", "chrt", "prlimit", "setarch", "strace", "unbuffer", "expect", "ed", "ex", "vi", "vim",
		"sed", "gsed", "sqlite3", "psql", "mysql", "mariadb", "socat", "gdb", "ld.so", "sg", "run-parts", "start-stop-daemon", "npx",
		"fakeroot", "bwrap", "firejail", "proot", "capsh", "gosu", "su-exec", "tini", "dumb-init", "chpst", "ssh-agent", "dbus-run-session",
		"choom", "uclampset", "numactl", "cpulimit", "logsave", "rlwrap", "ltrace", "valgrind",
	}
}

// resolve is the path of a program without symbolic links, if it may be run.
func resolve(program string) (string, error) {
	if !filepath.IsAbs(program) || filepath.Clean(program) != program {
		return "", fmt.Errorf("run: %w: name it by its absolute path", ErrProgram)
	}
	path, err := filepath.EvalSymlinks(program)
	if err != nil {
		return "", fmt.Errorf("run %s: %w: %w", program, ErrProgram, err)
	}
	for _, name := range []string{filepath.Base(program), filepath.Base(path)} {
		if slices.Contains(runners(), name) || strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld-musl") { // the loader runs its argument
			return "", fmt.Errorf("run %s: %w: it runs what its arguments say", program, ErrProgram)
		}
	}
	for _, named := range []string{program, path} {
		if err := trusted(named); err != nil {
			return "", err
		}
	}
	return path, nil
}

// trusted is [ErrProgram] unless the path leads to a program that only root and the user of this process can change or
// replace: it, and each folder or symbolic link above it.
func trusted(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("run %s: %w: %w", path, ErrProgram, err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("run %s: %w: it is no program", path, ErrProgram)
	}
	for at := path; ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if err != nil {
			return fmt.Errorf("run %s: %w: %w", path, ErrProgram, err)
		}
		if !isOurs(info) {
			return fmt.Errorf("run %s: %w: somebody else could replace it, because %s is theirs or may be written by others", path, ErrProgram, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// isOurs reports whether only root and the user of this process may write. A link of somebody else's leads to what they like,
// whoever owns that. In a folder like /tmp, where everybody may
// but nobody can replace what belongs to another (the sticky bit), it is the entry's owner that counts.
func isOurs(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return false
	}
	if info.Mode()&fs.ModeSymlink != 0 || info.IsDir() && info.Mode()&fs.ModeSticky != 0 {
		return true // nobody writes a link: they make another, if the folder lets them
	}
	return info.Mode()&0o002 == 0 && (info.Mode()&0o020 == 0 || owner.Gid == 0)
}
