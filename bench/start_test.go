package bench_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// starts is mark 12: from the start of the process to the first answer, with a database that is there.
func (t *table) starts(tb testing.TB, data string) {
	tb.Helper()
	t.progress("start, again and again")
	var took, cpu figures
	for range 9 {
		d, used := t.startOnce(tb, data)
		took, cpu = append(took, d.Seconds()*1000), append(cpu, used.Seconds()*1000)
	}
	t.add("12", "start of the process to the first page, ms, existing database", took.String(), "at most 100", took.median() <= 100)
	t.add("12", "CPU of that, ms", cpu.String(), "", true)
	file, err := os.Stat(program(tb))
	if err != nil {
		tb.Fatal(err)
	}
	t.add("12", "size of the binary, stripped", fmt.Sprintf("%.1f MB", float64(file.Size())/1e6), "at most 40 MB", file.Size() <= 40e6)
}

// startOnce starts the binary on a port that is free, and asks until it answers.
func (t *table) startOnce(tb testing.TB, data string) (took, cpu time.Duration) {
	tb.Helper()
	const address = "127.0.0.1:18417"
	command := exec.Command(program(tb), "dev", "--data", data, "--addr", address)
	command.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "RINGWALL_") })
	request := []byte("GET /auth/login HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
	began := time.Now()
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	p := &process{pid: command.Process.Pid}
	defer func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
	}()
	for time.Since(began) < 30*time.Second {
		c, err := dial(address)
		if err != nil {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		status, _, _, err := c.do(request)
		_ = c.conn.Close()
		if err == nil && status == http.StatusOK {
			return time.Since(began), p.cpu(tb)
		}
	}
	tb.Fatal("no answer after 30 s")
	return 0, 0
}

// idles is the rest of mark 12, for a server that nobody uses. It returns at once; the figures come with the call of end.
func (t *table) idles(tb testing.TB, data string) (end func()) {
	tb.Helper()
	server := ringwallDev(tb, data)
	time.Sleep(3 * time.Second)
	memory, before, began := server.memory(tb, "VmRSS"), server.cpu(tb), time.Now()
	return func() {
		tb.Helper()
		time.Sleep(time.Until(began.Add(time.Minute)))
		minutes := time.Since(began).Minutes()
		cpu := float64((server.cpu(tb) - before).Milliseconds()) / minutes
		t.add("12", "memory after the start", mebibytes(memory), "at most 30 MiB", memory <= 30<<20)
		t.add("12", fmt.Sprintf("CPU of an idle minute (of %.1f), ms", minutes), fmt.Sprintf("%.0f", cpu), "at most 60", cpu <= 60)
		server.stop()
	}
}
