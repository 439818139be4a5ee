package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// printJSON prints data for programs. What a terminal would obey is escaped, which changes no value.
func (a *app) printJSON(data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	_, err = fmt.Fprintln(a.out, escapeJSON(indented.String()))
	return err
}

// escapeJSON escapes what a terminal would obey; it can only stand in strings.
func escapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// printFields prints names and values, one a line.
func (a *app) printFields(fields [][2]string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, field := range fields {
		_, _ = fmt.Fprintln(w, field[0]+"\t"+oneLine(field[1]))
	}
	return w.Flush()
}

// printTable prints rows under a heading, in columns.
func (a *app) printTable(heading []string, rows [][]string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.Join(heading, "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = shorten(oneLine(cell))
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return w.Flush()
}

// printable escapes what a terminal would obey: names and user agents come from strangers. Line breaks stay.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// oneLine is printable, and without line breaks.
func oneLine(text string) string { return strings.ReplaceAll(printable(text), "\n", `\u000a`) }

const cellWidth = 64

func shorten(text string) string {
	if runes := []rune(text); len(runes) > cellWidth {
		return string(runes[:cellWidth-1]) + "…"
	}
	return text
}

// moment shows a time of RFC 3339 to the second, in UTC.
func moment(text string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
