package bench_test

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"
)

// figures are one value a round.
type figures []float64

func (f figures) median() float64 {
	if len(f) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(f))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// over is the ratio of two figures, round by round.
func (f figures) over(other figures) figures {
	ratios := make(figures, len(f))
	for i := range f {
		ratios[i] = f[i] / other[i]
	}
	return ratios
}

// String is the median with the least and the most.
func (f figures) String() string {
	return fmt.Sprintf("%.2f (%.2f to %.2f)", f.median(), slices.Min(f), slices.Max(f))
}

// target is a server under load, one of several that take turns.
type target struct {
	name    string
	server  *process
	request requests

	rates, cpu, p99 figures // requests a second; microseconds of the server a request; milliseconds
}

const connections = 16

// takeTurns loads each target once a round, for a while, and collects what it did. The first round only warms up.
func takeTurns(tb testing.TB, rounds int, each time.Duration, targets ...*target) {
	tb.Helper()
	for round := range rounds + 1 {
		for _, t := range targets {
			before := t.server.cpu(tb)
			got, err := asFastAsItCan(t.server.address, connections, each, t.request)
			if err != nil {
				tb.Fatalf("load %s: %v", t.name, err)
			}
			if got.failed > 0 || got.done == 0 {
				tb.Fatalf("%s: %d of %d requests failed, the first with %s", t.name, got.failed, got.failed+got.done, got.firstFault)
			}
			if round == 0 {
				continue
			}
			t.rates = append(t.rates, got.rate())
			t.cpu = append(t.cpu, float64((t.server.cpu(tb)-before).Microseconds())/float64(got.done))
			t.p99 = append(t.p99, got.quantile(0.99).Seconds()*1000)
		}
	}
}

// row is a line of the table.
type row struct {
	mark, what, measured, wanted string
	met                          bool
}

// table collects rows, and tells how it goes on.
type table struct {
	began time.Time
	rows  []row
}

func (t *table) progress(text string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, "%4.0f s  %s\n", time.Since(t.began).Seconds(), fmt.Sprintf(text, args...))
}

func (t *table) add(mark, what, measured, wanted string, met bool) {
	t.rows = append(t.rows, row{mark, what, measured, wanted, met})
}

func (t *table) atLeast(mark, what string, got figures, least float64) {
	t.add(mark, what, got.String(), fmt.Sprintf("at least %.2f", least), got.median() >= least)
}

func (t *table) print() {
	slices.SortStableFunc(t.rows, func(a, b row) int { return cmp.Or(cmp.Compare(len(a.mark), len(b.mark)), cmp.Compare(a.mark, b.mark)) })
	widths := [4]int{}
	for _, r := range t.rows {
		for i, cell := range []string{r.mark, r.what, r.measured, r.wanted} {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, r := range t.rows {
		verdict := "met"
		switch {
		case r.wanted == "":
			verdict = ""
		case !r.met:
			verdict = "MISSED"
		}
		_, _ = fmt.Fprintf(os.Stdout, "| %-*s | %-*s | %-*s | %-*s | %-6s |\n", widths[0], r.mark, widths[1], r.what, widths[2], r.measured, widths[3], r.wanted, verdict)
	}
}
