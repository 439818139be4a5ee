package main

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
)

// Anybody may choose a name, and an operator may open the export in a spreadsheet (CWE-1236): no cell is a formula, and every
// text comes back as it was.
func TestNoCellOfAnExportIsAFormula(t *testing.T) {
	names := []string{"=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "'=1", "''=1", "＝1+1", "O'Hara", "'quoted'", "'", "", "Zoë", "\t=1", "\r=1", "\n=1", "1=1"}
	var file bytes.Buffer
	write, err := csvWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	verified := true
	for _, name := range names {
		if err := write(ownLine{Email: "=a@example.org", Verified: &verified, DisplayName: name, Locked: true, LockReason: name}); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(bytes.NewReader(file.Bytes())).ReadAll()
	if err != nil || len(rows) != len(names)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") || strings.HasPrefix(cell, "＝") {
				t.Errorf("a cell begins as a formula does: %q", cell)
			}
		}
	}
	people, refused, err := readRoster(t, bytes.NewReader(file.Bytes()), rosterOptions{format: formatCSV})
	if err != nil || len(refused) != 0 || len(people) != len(names) {
		t.Fatalf("%d people, %v, %v", len(people), refused, err)
	}
	for i, name := range names {
		if p := people[i]; p.Email != "=a@example.org" || p.DisplayName != name || p.LockReason != name {
			t.Errorf("%q came back as %q, %q and %q", name, p.Email, p.DisplayName, p.LockReason)
		}
	}
}
