package bench_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// cpuGroup is a control group that may use some of the processors' time and no more.
type cpuGroup struct {
	folder string
	cores  float64
}

// name is what the table calls what runs in the group.
func (g *cpuGroup) name() string {
	if g == nil {
		return ""
	}
	return fmt.Sprintf(" under a quota of %.1f cores", g.cores)
}

// newCPUGroup makes a group of either version. It is an error where groups cannot be made: in most containers.
func newCPUGroup(tb testing.TB, cores float64) (*cpuGroup, error) {
	tb.Helper()
	micros := int(cores * 100_000)
	name := fmt.Sprintf("ringwall-bench-%d", os.Getpid())
	for file, setting := range map[string]string{
		"/sys/fs/cgroup/cpu/" + name + "/cpu.cfs_quota_us": fmt.Sprint(micros), // its period is 100 ms
		"/sys/fs/cgroup/" + name + "/cpu.max":              fmt.Sprintf("%d 100000", micros),
	} {
		folder := filepath.Dir(file)
		if _, err := os.Stat(filepath.Dir(folder) + "/cgroup.procs"); err != nil {
			continue // not this version
		}
		if err := os.Mkdir(folder, 0o755); err != nil {
			return nil, err
		}
		tb.Cleanup(func() { _ = os.Remove(folder) })
		return &cpuGroup{folder, cores}, os.WriteFile(file, []byte(setting), 0o600)
	}
	return nil, os.ErrNotExist
}

// command starts a program in the group: a server looks for its limits when it starts.
func (g *cpuGroup) command(program string, args ...string) *exec.Cmd {
	if g == nil {
		return exec.Command(program, args...)
	}
	return exec.Command("sh", append([]string{"-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, g.folder, program}, args...)...)
}
