// Package bench_test measures Ringwall against the marks of docs/performance.md.
//
//	make bench                                   the table: every mark, from one run, in about four minutes
//	make bench PKG=./bench BENCH=Protect COUNT=10    the chain before a handler, in one process, for benchstat
//
// The table needs Linux (it reads /proc), a PostgreSQL at RINGWALL_TEST_POSTGRES and the binary at RINGWALL_BENCH_BINARY;
// make provides both. What is compared takes turns (A B A B …), each figure is the median of the rounds, and a ratio is
// the median of the ratios within a round, because a machine that others use too is not the same from one second to the
// next. Servers are processes of their own, and so is what loads them. The load speaks HTTP/1.1 over connections that stay
// open. At a constant rate, latency counts from the moment at which a request was due, so that a stalled server cannot
// hide the requests which it kept waiting.
//
// Nothing is imitated but two things: the store of a million sessions (whose rows are made when they are asked for, since
// the mirror in front of it is what is measured), and the clients.
package bench_test

import (
	"fmt"
	"os"
	"testing"
)

const (
	passphrase = "correct horse battery staple"
	browser    = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

	// A process of this package with this variable is one of the servers.
	roleVariable   = "RINGWALL_BENCH_ROLE"
	binaryVariable = "RINGWALL_BENCH_BINARY"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
