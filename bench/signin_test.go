package bench_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// signIns are marks 5 to 8: many people sign in at the same time, and checks go on beside them. With a group, the server
// has no more of the processors than that.
func (t *table) signIns(tb testing.TB, group *cpuGroup) {
	tb.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // the clients must not wait for each other
	t.progress("a data folder with %d people%s", stormPeople, group.name())
	server := ringwallDevIn(tb, group, dataFolder(tb, stormPeople, 1))
	bare := child(tb, "hello", answer{jsonHead, "{}"})
	time.Sleep(2 * time.Second)
	w := &weather{idle: server.memory(tb, "VmRSS"), group: group}
	check := checks("/auth/v1/session", server.address, stormPeople)

	t.progress("%d checks a second, calm", stormChecks)
	w.calm = t.steady(tb, server, 6*time.Second, check)
	if group == nil {
		t.hashesAlone(tb, w)
	}
	t.progress("%d clients sign in, with %d checks a second beside them", stormClients, stormChecks)
	cpu, hashing, ours, others := server.cpu(tb), server.hashing(tb), own(tb)+bare.cpu(tb), busy(tb)
	done := make(chan struct{}, 2)
	go func() {
		w.storm = rage(server.address, stormTime)
		done <- struct{}{}
	}()
	go func() {
		w.control = t.steady(tb, bare, stormTime, check)
		done <- struct{}{}
	}()
	w.beside = t.steady(tb, server, stormTime, check)
	<-done
	<-done
	w.spent = server.cpu(tb) - cpu
	w.hashed = server.hashing(tb) - hashing
	w.load = own(tb) + bare.cpu(tb) - ours
	w.others = max(busy(tb)-others-w.spent-w.load, 0)
	w.peak = server.memory(tb, "VmHWM")
	t.progress("meanwhile the load used %.1f s of CPU, and everything else on the machine %.1f s", w.load.Seconds(), w.others.Seconds())
	if group == nil {
		t.hashesAlone(tb, w)
	}
	t.report(w)
	stop([]*target{{server: bare}, {server: server}})
}

// weather is what was measured around and in a storm.
type weather struct {
	group                 *cpuGroup
	idle, peak            int64
	calm, beside, control outcome // control: a bare handler in another process, at the same time
	storm                 storm
	spent, hashed         time.Duration // CPU of the server in the storm, and of its hash threads
	load, others          time.Duration // of load and bare handler, and of everybody else
	slots                 float64
	alone, full, cpu      figures // hashes a second with one caller, and with all slots; CPU seconds a hash
}

// hashesAlone measures the password queue without anything around it.
func (t *table) hashesAlone(tb testing.TB, w *weather) {
	tb.Helper()
	t.progress("hashes alone")
	hashing := child(tb, "hashes", nil)
	w.slots = number(tb, hashing, "/slots")
	before := hashing.cpu(tb)
	alone := number(tb, hashing, "/hashes?callers=1&during=2s")
	full := number(tb, hashing, "/hashes?callers=0&during=3s")
	w.cpu = append(w.cpu, (hashing.cpu(tb)-before).Seconds()/(alone*2+full*3))
	w.alone, w.full = append(w.alone, alone), append(w.full, full)
	hashing.stop()
}

func (t *table) report(w *weather) {
	limit := max(3*w.calm.quantile(0.99), 8*time.Millisecond)
	name := "storm" + w.group.name() + ": "
	t.add("5", name+"p99 of a check, ms (calm: "+millis(w.calm.quantile(0.99))+")", millis(w.beside.quantile(0.99)), "at most "+millis(limit), w.beside.quantile(0.99) <= limit)
	t.add("5", name+"p99 of a bare handler in another process, at the same time", millis(w.control.quantile(0.99)), "", true)
	t.add("5", name+"checks that failed, of "+strconv.Itoa(w.beside.done+w.beside.failed), strconv.Itoa(w.beside.failed), "none", w.beside.failed == 0)
	s := w.storm
	t.add("8", fmt.Sprintf("%sp99 of the %d admitted, ms (p50 %s; %d gave up in the queue)", name, len(s.admitted), millis(quantile(s.admitted, 0.5)), s.waited), millis(quantile(s.admitted, 0.99)), "at most 2500", quantile(s.admitted, 0.99) <= 2500*time.Millisecond)
	t.add("8", fmt.Sprintf("%sp99 of the %d refused at the door, ms (p50 %s)", name, len(s.refused), millis(quantile(s.refused, 0.5))), millis(quantile(s.refused, 0.99)), "under 10", quantile(s.refused, 0.99) < 10*time.Millisecond)
	t.add("8", name+"503 without Retry-After; other answers "+s.fault, fmt.Sprintf("%d; %d", s.bare, s.other), "none", s.bare+s.other == 0)
	if w.group != nil {
		return
	}
	most := w.idle + int64(2.5*w.slots*(64<<20))
	t.add("6", fmt.Sprintf("%speak memory (idle: %s, %.0f slots)", name, mebibytes(w.idle), w.slots), mebibytes(w.peak), "at most "+mebibytes(most), w.peak <= most)
	rate, alone := float64(s.inTime)/stormTime.Seconds(), w.alone.median()
	share := rate / (float64(runtime.NumCPU()) * alone)
	t.add("7", fmt.Sprintf("%ssign-ins a second ÷ (cores ÷ time of one hash, %.0f ms)", name, 1000/alone), fmt.Sprintf("%.1f/s = %.2f", rate, share), "at least 0.85", share >= 0.85)
	t.add("7", fmt.Sprintf("%sthe same ÷ the queue alone (%.1f/s)", name, w.full.median()), fmt.Sprintf("%.2f", rate/w.full.median()), "", true)
	left := float64(runtime.NumCPU())*stormTime.Seconds() - w.load.Seconds() - w.others.Seconds()
	t.add("7", fmt.Sprintf("%sthe same ÷ what the cores could hash in the time that the load (%.1f s) and others on the machine (%.1f s) left", name, w.load.Seconds(), w.others.Seconds()),
		fmt.Sprintf("%.2f", float64(s.inTime)*w.cpu.median()/left), "", true)
	more := w.spent.Seconds() / float64(len(s.admitted)) / w.cpu.median()
	t.add("7", fmt.Sprintf("%sCPU a sign-in, checks included, ÷ CPU of a hash (%.0f ms)", name, 1000*w.cpu.median()), fmt.Sprintf("%.2f", more), "at most 1.10", more <= 1.1)
	if w.hashed > 0 {
		t.add("7", name+"CPU of the server, checks and refusals included, ÷ CPU of its hash threads at the same time", fmt.Sprintf("%.2f", w.spent.Seconds()/w.hashed.Seconds()), "", true)
	}
}

func (t *table) steady(tb testing.TB, server *process, during time.Duration, check requests) outcome {
	tb.Helper()
	got, err := atConstantRate(server.address, stormChecks, during, check)
	if err != nil {
		tb.Error(err) // not Fatal: this is not always the goroutine of the test
	}
	if got.failed > 0 {
		t.progress("a check failed: %s", got.firstFault)
	}
	return got
}

// number is what a server of ours answers to a GET.
func number(tb testing.TB, server *process, path string) float64 {
	tb.Helper()
	response, err := http.Get("http://" + server.address + path)
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		tb.Fatalf("%s answers %q: %v", path, text, err)
	}
	return n
}
