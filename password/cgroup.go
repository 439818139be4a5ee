package password

import (
	"bufio"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// limits are those of the control groups. Zero: none.
type limits struct {
	quota  float64 // cores' worth of CPU time
	memory int64   // bytes
}

// readCgroups finds the tightest limits on the way from the process's groups up to what is mounted, in both versions.
func readCgroups(root fs.FS) limits {
	mounts := cgroupMounts(root)
	var all limits
	for _, line := range readLines(root, "proc/self/cgroup") {
		fields := strings.SplitN(line, ":", 3) // 4:memory:/group, or 0::/group for version 2
		if len(fields) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			mount, ok := mounts[controller]
			if !ok {
				continue
			}
			for _, dir := range mount.folders(fields[2]) {
				all.tighten(readGroup(root, dir, controller))
			}
		}
	}
	return all
}

func (l *limits) tighten(by limits) {
	if by.quota > 0 && (l.quota == 0 || by.quota < l.quota) {
		l.quota = by.quota
	}
	if by.memory > 0 && (l.memory == 0 || by.memory < l.memory) {
		l.memory = by.memory
	}
}

// readGroup reads one folder; controller is "" for version 2.
func readGroup(root fs.FS, dir, controller string) (l limits) {
	switch controller {
	case "":
		if f := strings.Fields(readText(root, dir+"/cpu.max")); len(f) == 2 {
			l.quota = quota(f[0], f[1])
		}
		l.memory = number(readText(root, dir+"/memory.max"))
	case "cpu":
		l.quota = quota(readText(root, dir+"/cpu.cfs_quota_us"), readText(root, dir+"/cpu.cfs_period_us"))
	case "memory":
		l.memory = number(readText(root, dir+"/memory.limit_in_bytes"))
	}
	return l
}

func quota(micros, period string) float64 {
	if q, p := number(micros), number(period); q > 0 && p > 0 {
		return float64(q) / float64(p)
	}
	return 0
}

// number is 0 for whatever sets no limit: "max", -1, nothing.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// cgroupMount is where a hierarchy, or the part of it below its root, is mounted.
type cgroupMount struct{ root, point string }

// folders are those of a group and of its parents. In a container the group's path may be one of the host: then only what is mounted.
func (m cgroupMount) folders(group string) []string {
	below, ok := group, true
	if m.root != "/" {
		below, ok = strings.CutPrefix(group, m.root)
	}
	if !ok || slices.Contains(strings.Split(below, "/"), "..") || (below != "" && below[0] != '/') {
		return []string{m.point}
	}
	var dirs []string
	for below = path.Clean("/" + below); below != "/"; below = path.Dir(below) {
		dirs = append(dirs, m.point+below)
	}
	return append(dirs, m.point)
}

// cgroupMounts finds the mounted hierarchies by controller; version 2 is "".
func cgroupMounts(root fs.FS) map[string]cgroupMount {
	mounts := make(map[string]cgroupMount)
	for _, line := range readLines(root, "proc/self/mountinfo") {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		mount := cgroupMount{root: left[3], point: strings.TrimPrefix(left[4], "/")}
		switch right[0] {
		case "cgroup2":
			mounts[""] = mount
		case "cgroup":
			for controller := range strings.SplitSeq(right[2], ",") {
				mounts[controller] = mount
			}
		}
	}
	return mounts
}

// physicalMemory is that of the machine in bytes, or 0.
func physicalMemory(root fs.FS) int64 {
	for _, line := range readLines(root, "proc/meminfo") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" && f[2] == "kB" {
			return number(f[1]) * 1024
		}
	}
	return 0
}

func readText(root fs.FS, name string) string {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return "" // no such limit
	}
	return strings.TrimSpace(string(text))
}

func readLines(root fs.FS, name string) (lines []string) {
	scanner := bufio.NewScanner(strings.NewReader(readText(root, name)))
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines
}
