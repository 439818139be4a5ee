package password

import (
	"testing"
	"testing/fstest"
)

const (
	meminfo8GiB = "MemTotal:        8388608 kB\nMemFree:         1000000 kB\n"
	mountedV2   = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	mountedV1   = "36 32 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n40 32 0:37 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
)

func TestLimitsOfTheMachine(t *testing.T) {
	tests := []struct {
		name       string
		files      map[string]string
		wantQuota  float64
		wantMemory int64
	}{
		{"nothing to read", nil, 0, 0},
		{"physical memory alone", map[string]string{"proc/meminfo": meminfo8GiB}, 0, 8 << 30},
		{"version 2, no limits", map[string]string{
			"proc/meminfo": meminfo8GiB, "proc/self/cgroup": "0::/app\n", "proc/self/mountinfo": mountedV2,
			"sys/fs/cgroup/app/cpu.max": "max 100000\n", "sys/fs/cgroup/app/memory.max": "max\n",
		}, 0, 8 << 30},
		{"version 2, limits of the group", map[string]string{
			"proc/meminfo": meminfo8GiB, "proc/self/cgroup": "0::/app\n", "proc/self/mountinfo": mountedV2,
			"sys/fs/cgroup/app/cpu.max": "150000 100000\n", "sys/fs/cgroup/app/memory.max": "536870912\n",
		}, 1.5, 512 << 20},
		{"version 2, the tighter limit of a parent", map[string]string{
			"proc/meminfo": meminfo8GiB, "proc/self/cgroup": "0::/a/b/c\n", "proc/self/mountinfo": mountedV2,
			"sys/fs/cgroup/a/b/c/cpu.max": "300000 100000\n", "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
			"sys/fs/cgroup/a/b/c/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.max": "1073741824\n",
		}, 2, 1 << 30},
		{"version 2, in a container with a namespace", map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountedV2,
			"sys/fs/cgroup/cpu.max": "50000 100000\n", "sys/fs/cgroup/memory.max": "268435456\n",
		}, 0.5, 256 << 20},
		{"version 1, in a container whose paths are the host's", map[string]string{
			"proc/meminfo":     meminfo8GiB,
			"proc/self/cgroup": "5:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n",
			"proc/self/mountinfo": "36 32 0:33 /docker/0123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n" +
				"40 32 0:37 /docker/0123 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
		}, 2, 512 << 20},
		{"version 1, no limits", map[string]string{
			"proc/meminfo": meminfo8GiB, "proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/\n", "proc/self/mountinfo": mountedV1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
		}, 0, 8 << 30},
		{"a path that leaves the mount", map[string]string{
			"proc/self/cgroup": "0::/../../other\n", "proc/self/mountinfo": mountedV2, "sys/fs/cgroup/cpu.max": "100000 100000\n",
		}, 1, 0},
		{"nonsense", map[string]string{
			"proc/meminfo": "MemTotal: lots kB\n", "proc/self/cgroup": "::\n0:\nx\n0::app\n", "proc/self/mountinfo": "- - -\n1 2 - cgroup2\n" + mountedV2,
			"sys/fs/cgroup/cpu.max": "100000 0\n", "sys/fs/cgroup/memory.max": "-5\n",
		}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			m := machine{cores: 8, procs: 8}
			m.read(root)
			if m.quota != tt.wantQuota || m.memory != tt.wantMemory {
				t.Errorf("quota %v, memory %d, want %v, %d", m.quota, m.memory, tt.wantQuota, tt.wantMemory)
			}
		})
	}
}

func TestSlots(t *testing.T) {
	tests := []struct {
		name      string
		machine   machine
		slotBytes int64
		niced     bool
		want      int
	}{
		{"cores, where memory is ample", machine{cores: 2, procs: 2, memory: 8 << 30}, 0, true, 2},
		{"a quarter of the memory", machine{cores: 8, procs: 8, memory: 1 << 30}, 0, true, 4},
		{"a quarter of the memory, with larger hashes", machine{cores: 8, procs: 8, memory: 1 << 30}, 256 << 20, true, 1},
		{"one, however little memory", machine{cores: 8, procs: 8, memory: 64 << 20}, 0, true, 1},
		{"what the host wants of the cores", machine{cores: 8, procs: 2, memory: 8 << 30}, 0, true, 2},
		{"one core fewer without niceness", machine{cores: 4, procs: 4, memory: 8 << 30}, 0, false, 3},
		{"one on one core without niceness", machine{cores: 1, procs: 1, memory: 8 << 30}, 0, false, 1},
		{"one under a quota of 1.5 cores", machine{cores: 2, procs: 2, quota: 1.5, memory: 8 << 30}, 0, false, 1},
		{"one under a quota of half a core", machine{cores: 2, procs: 2, quota: 0.5, memory: 8 << 30}, 0, false, 1},
		{"whole cores of the quota less one", machine{cores: 8, procs: 5, quota: 4.9, memory: 8 << 30}, 0, false, 3},
		{"cores where memory is unknown", machine{cores: 3, procs: 3}, 0, true, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.machine.slots(tt.slotBytes, tt.niced); got != tt.want {
				t.Errorf("slots = %d, want %d", got, tt.want)
			}
		})
	}
}
