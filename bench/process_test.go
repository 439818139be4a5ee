package bench_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// process is a server in a process of its own.
type process struct {
	address string
	pid     int
	stop    func()
}

// child starts this program again, in a role; setting is what the role needs to know.
func child(tb testing.TB, role string, setting any) *process {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	encoded, err := json.Marshal(setting)
	if err != nil {
		tb.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), roleVariable+"="+role)
	return start(tb, command, encoded, regexp.MustCompile(`ready (\S+)`))
}

// ringwallDev starts the binary as a newcomer would, in a data folder.
func ringwallDev(tb testing.TB, data string) *process { return ringwallDevIn(tb, nil, data) }

func ringwallDevIn(tb testing.TB, group *cpuGroup, data string) *process {
	tb.Helper()
	command := group.command(program(tb), "dev", "--data", data, "--addr", "127.0.0.1:0")
	command.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "RINGWALL_") })
	return start(tb, command, nil, regexp.MustCompile(`Address\s+http://([^/]+)/`))
}

func program(tb testing.TB) string {
	tb.Helper()
	path := os.Getenv(binaryVariable)
	if path == "" {
		tb.Fatalf("%s is not set: use `make bench`, which builds the binary first", binaryVariable)
	}
	return path
}

// start runs a command until stop is called or the test ends, and waits until it says where it listens.
func start(tb testing.TB, command *exec.Cmd, first []byte, address *regexp.Regexp) *process {
	tb.Helper()
	in, err := command.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	var complaints bytes.Buffer
	command.Stderr = &complaints
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	p := &process{pid: command.Process.Pid}
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = in.Close()
		_ = command.Process.Signal(os.Interrupt)
		late := time.AfterFunc(20*time.Second, func() { _ = command.Process.Kill() })
		_ = command.Wait()
		late.Stop()
	}
	tb.Cleanup(p.stop)
	if _, err := in.Write(append(first, '\n')); err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := address.FindStringSubmatch(lines.Text()); found != nil {
			p.address = found[1]
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return p
		}
	}
	p.stop()
	tb.Fatalf("%s did not start:\n%s", command, complaints.String())
	return nil
}

// cpu is the time that the process has used, user and system.
func (p *process) cpu(tb testing.TB) time.Duration {
	tb.Helper()
	return processor(tb, fmt.Sprintf("/proc/%d/stat", p.pid))
}

// hashing is what the threads of lower priority than the process have used, which hash and do nothing else. The rest of a
// process is what else it does.
func (p *process) hashing(tb testing.TB) time.Duration {
	tb.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.pid))
	if err != nil {
		tb.Fatal(err)
	}
	var used time.Duration
	priority := niceness(tb, fmt.Sprintf("/proc/%d/stat", p.pid))
	for _, thread := range threads {
		if niceness(tb, thread) > priority {
			used += processor(tb, thread)
		}
	}
	return used
}

func niceness(tb testing.TB, stat string) int64 { return statField(tb, stat, 16) }

// processor is user and system time.
func processor(tb testing.TB, stat string) time.Duration {
	ticks := statField(tb, stat, 11) + statField(tb, stat, 12)
	return time.Duration(ticks) * (time.Second / 100) // USER_HZ is 100 on every Linux that Go knows
}

// statField counts from the first behind the name, which is in parentheses and may hold anything.
func statField(tb testing.TB, stat string, n int) int64 {
	tb.Helper()
	text, err := os.ReadFile(stat)
	if err != nil {
		tb.Fatal(err)
	}
	value, err := strconv.ParseInt(strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))[n], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return value
}

// own is the CPU that this process, which is the load, has used.
func own(tb testing.TB) time.Duration {
	tb.Helper()
	return (&process{pid: os.Getpid()}).cpu(tb)
}

// memory is VmRSS or VmHWM (its peak), in bytes.
func (p *process) memory(tb testing.TB, field string) int64 {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				tb.Fatal(err)
			}
			return n << 10
		}
	}
	tb.Fatalf("no %s in /proc/%d/status", field, p.pid)
	return 0
}

// busy is the time that all cores have worked since the start of the machine, for everybody.
func busy(tb testing.TB) time.Duration {
	tb.Helper()
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		tb.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var ticks int64
	for i, field := range strings.Fields(line)[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		if i != 3 && i != 4 { // idle, iowait
			ticks += n
		}
	}
	return time.Duration(ticks) * (time.Second / 100)
}
