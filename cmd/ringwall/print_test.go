package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// A user agent or a display name comes from a stranger and is read on an administrator's terminal.
const hostile = "\x1b]0;owned\x07\x1b[2Jred\u009b31m\u202eevil\u2066\u0000\r\n\U000e0041tag"

func TestATerminalIsToldNothing(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out, err: &out}
	user := userView{Email: hostile, DisplayName: hostile, LockReason: hostile, Locked: true, Roles: []string{hostile}}
	for _, print := range []func() error{
		func() error {
			return a.printTable([]string{"A", "B"}, [][]string{{user.Email, user.roles()}, {user.state(), "x"}})
		},
		func() error { return a.printFields([][2]string{{"Name", hostile}}) },
		func() error { return a.printJSON(user) },
		func() error { return a.say(oneLine(hostile)) },
		func() error { return a.say(auditEvent{Reason: hostile, Actor: hostile}.line()) },
	} {
		out.Reset()
		if err := print(); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x1b\x07\u009b\u202e\u2066\x00\r\U000e0041") {
			t.Errorf("printed %q", out.String())
		}
	}
}

func TestStateTellsAllThatClosesAnAccount(t *testing.T) {
	const then = "2026-03-12T09:41:00Z"
	for want, user := range map[string]userView{
		"open":                                 {},
		"locked: lost":                         {Locked: true, LockReason: "lost"},
		"will be deleted 2026-03-12 09:41:00Z": {DeleteAt: then},
		"must choose a new password since 2026-03-12 09:41:00Z; locked until " + moment(then): {ResetDemandedAt: then, Locked: true, LockedUntil: then},
	} {
		if have := user.state(); have != want {
			t.Errorf("state is %q, want %q", have, want)
		}
	}
}

func TestEscapedJSONIsTheSameValue(t *testing.T) {
	var out bytes.Buffer
	in := map[string]string{"a": hostile + "日本語 Ünï \U0001f600 \ufffd"}
	if err := (&app{out: &out}).printJSON(in); err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if back["a"] != in["a"] {
		t.Errorf("have %q, want %q", back["a"], in["a"])
	}
	if !strings.Contains(out.String(), "日本語 Ünï \U0001f600") {
		t.Errorf("letters were escaped: %s", out.String())
	}
}

func TestLongCellsAreCut(t *testing.T) {
	var out bytes.Buffer
	if err := (&app{out: &out}).printTable([]string{"A"}, [][]string{{strings.Repeat("é", 500)}}); err != nil {
		t.Fatal(err)
	}
	if line := strings.Split(out.String(), "\n")[1]; len([]rune(line)) != cellWidth {
		t.Errorf("the cell is %d wide", len([]rune(line)))
	}
}
