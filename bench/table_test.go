package bench_test

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/ringwall/ringwall/internal/testdb"
)

const (
	people  = 1000
	devices = 10
	rounds  = 7
	each    = 1200 * time.Millisecond
)

// BenchmarkTable is the one table of all marks, from one run.
func BenchmarkTable(b *testing.B) {
	t := &table{began: time.Now()}
	began, us := busy(b), time.Now()
	idle := t.idles(b, dataFolder(b, people, devices))
	t.starts(b, dataFolder(b, people, devices))
	t.checks(b)
	t.postgres(b)
	t.million(b)
	idle()
	t.storms(b)
	t.progress("%d cores; all of them together were busy for %.0f %% of the time, with this and whatever else ran here", runtime.NumCPU(),
		100*(busy(b)-began).Seconds()/time.Since(us).Seconds()/float64(runtime.NumCPU()))
	t.print()
}

// The parts of the table, one by one.

func BenchmarkChecks(b *testing.B) {
	t := &table{began: time.Now()}
	t.checks(b)
	t.print()
}

func BenchmarkPostgres(b *testing.B) {
	t := &table{began: time.Now()}
	t.postgres(b)
	t.print()
}

func BenchmarkMillion(b *testing.B) {
	t := &table{began: time.Now()}
	t.million(b)
	t.print()
}

func BenchmarkStorm(b *testing.B) {
	t := &table{began: time.Now()}
	t.storms(b)
	t.print()
}

func BenchmarkStart(b *testing.B) {
	t := &table{began: time.Now()}
	idle := t.idles(b, dataFolder(b, people, devices))
	t.starts(b, dataFolder(b, people, devices))
	idle()
	t.print()
}

func (t *table) storms(tb testing.TB) {
	tb.Helper()
	t.signIns(tb, nil)
	group, err := newCPUGroup(tb, 1.5)
	if err != nil {
		t.add("5", "storm under a quota of 1.5 cores", "not measured: "+err.Error(), "", true)
		return
	}
	t.signIns(tb, group)
}

var jsonHead = map[string][]string{"Content-Type": {"application/json"}}

// checks is mark 1: the check of a session on the embedded database.
func (t *table) checks(tb testing.TB) {
	tb.Helper()
	t.progress("a data folder with %d people and %d sessions", people, people*devices)
	dev := ringwallDev(tb, dataFolder(tb, people, devices))
	const n = people * devices
	whole := checks("/auth/v1/session", dev.address, n)
	head, body := askOnce(tb, dev.address, whole)

	t.progress("checks against a bare handler")
	bare := &target{name: "bare handler, same body", server: child(tb, "hello", answer{jsonHead, body}), request: whole}
	alike := &target{name: "bare handler, same head and body", server: child(tb, "hello", answer{head, body}), request: whole}
	mirror := &target{name: "check alone", server: child(tb, "mirror", crowd{Sessions: n, People: people, Body: body}), request: checks("/bare", host, n)}
	stack := &target{name: "whole stack (ringwall dev)", server: dev, request: whole}
	all := []*target{bare, alike, mirror, stack}
	takeTurns(tb, rounds, each, all...)
	t.atLeast("1", "check, whole stack ÷ bare handler, same body", stack.rates.over(bare.rates), 0.65)
	t.atLeast("1", "check alone ÷ bare handler, same body", mirror.rates.over(bare.rates), 0.80)
	t.add("1", "check, whole stack ÷ bare handler, same head and body", stack.rates.over(alike.rates).String(), "", true)
	t.addCPU("1", all...)
	stop(all)
}

func (t *table) addCPU(mark string, targets ...*target) {
	for _, each := range targets {
		t.add(mark, "CPU of the server a request, µs: "+each.name, each.cpu.String(), "", true)
	}
}

func stop(targets []*target) {
	for _, each := range targets {
		each.server.stop()
	}
}

// postgres is mark 3's miss: a check that reads PostgreSQL.
func (t *table) postgres(tb testing.TB) {
	tb.Helper()
	const n = people * devices
	t.progress("a PostgreSQL with %d people and %d sessions", people, n)
	at := place{Database: testdb.Postgres(tb).DSN, MasterKey: masterKey, Origin: "https://" + host}
	settle(tb, at, people, devices)
	request := checks("/auth/v1/session", host, n)

	var between wire
	tapped := at
	tapped.Database = between.tap(tb, at.Database)
	counted := child(tb, "library", tapped)
	const asked = 1000
	statements, trips, parses := countOn(tb, &between, counted, request, asked)
	counted.stop()
	t.add("3", fmt.Sprintf("PostgreSQL: statements, round trips and parses of %d checks", asked), fmt.Sprintf("%d, %d, %d", statements, trips, parses),
		"one, one, none each", statements <= asked+asked/100 && trips <= asked+asked/100 && parses <= asked/100)

	t.progress("checks on PostgreSQL against a bare handler")
	library := &target{name: "whole stack on PostgreSQL, uncached", server: child(tb, "library", at), request: request}
	_, body := askOnce(tb, library.server.address, request)
	bare := &target{name: "bare handler, same body", server: child(tb, "hello", answer{jsonHead, body}), request: request}
	all := []*target{bare, library}
	takeTurns(tb, rounds, each, all...)
	t.atLeast("3", "PostgreSQL: check, whole stack ÷ bare handler", library.rates.over(bare.rates), 0.20)
	t.addCPU("3", library)
	stop(all)
}

// countOn asks one check after the other, when all is warm. The workers of the server ask for something now and then.
func countOn(tb testing.TB, between *wire, server *process, make requests, asked int) (statements, trips, parses int64) {
	tb.Helper()
	c, err := dial(server.address)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.conn.Close()
	ask := func(from, to int) {
		for i := from; i < to; i++ {
			if status, _, body, err := c.do(make(uint64(i), nil)); err != nil || status != http.StatusOK {
				tb.Fatalf("check: %d %v %s", status, err, body)
			}
		}
	}
	ask(0, 100)
	s, r, p := between.statements.Load(), between.trips.Load(), between.parses.Load()
	ask(100, 100+asked)
	return between.statements.Load() - s, between.trips.Load() - r, between.parses.Load() - p
}

// million is mark 4: many sessions.
func (t *table) million(tb testing.TB) {
	tb.Helper()
	const few, many = 10_000, 1_000_000
	t.progress("a mirror of a million sessions")
	small := &target{name: "10 000 sessions", server: child(tb, "mirror", crowd{Sessions: few, People: few / 10}), request: checks("/auth/v1/session", host, few)}
	large := &target{name: "1 000 000 sessions", server: child(tb, "mirror", crowd{Sessions: many, People: many / 10}), request: checks("/auth/v1/session", host, many)}
	taken := number(tb, large.server, "/memory")
	bounded := child(tb, "mirror", crowd{Sessions: many, People: many / 10, CacheBytes: 16 << 20})
	held := number(tb, bounded, "/memory")
	bounded.stop()
	t.progress("checks of a million sessions against those of ten thousand")
	takeTurns(tb, rounds, each, small, large)
	t.atLeast("4", "checks of 1 000 000 sessions ÷ of 10 000, behind the chain", large.rates.over(small.rates), 0.90)
	t.add("4", "p99 of these checks, ms, 16 connections", large.p99.String(), "", true)
	t.add("4", "heap a cached session, with 10 sessions a person, bytes", fmt.Sprintf("%.0f", taken/many), "at most 250", taken <= 250*many)
	t.add("4", "heap after a million sessions, cache bound to 16 MiB", mebibytes(int64(held)), "at most 16 MiB", held <= 16<<20)
	t.addCPU("4", small, large)
	stop([]*target{small, large})
}

// askOnce is the answer to a request, as a bare handler has to give it.
func askOnce(tb testing.TB, address string, make requests) (head http.Header, body string) {
	tb.Helper()
	c, err := dial(address)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.conn.Close()
	status, raw, text, err := c.do(make(0, nil))
	if err != nil || status != http.StatusOK {
		tb.Fatalf("first request: %d %v %s", status, err, text)
	}
	head, err = parseHead(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return head, string(text)
}
