package settings

import (
	"fmt"
	"strings"
)

// Markdown is docs/settings.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Settings

Each setting can be given as a flag, as a variable, or in a file that a variable names: ` + "`--addr`, `RINGWALL_ADDR`, `RINGWALL_ADDR_FILE`" + `.
A flag wins over a variable; a variable and its ` + "`_FILE`" + ` together are refused, and so is a variable that begins with ` + "`RINGWALL_`" + ` and is none of these.
Secrets are refused as flags, because every user of a machine can list the arguments of its processes. A file that holds a secret must be readable by its owner alone.
In the table "commands" are those that look after what is there: user, session, role, policy, limits, audit, alert and webhook.
This page is made from the declaration in ` + "`internal/settings/table.go`" + `.

| setting | kind | default | read by | what it does |
|---|---|---|---|---|
`)
	for _, s := range Table() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s%s |\n", s.Name, s.Kind(), code(s.Default), s.Users, escape(s.Help), secrecyNote(s))
	}
	b.WriteString("\n## Examples\n\n```sh\n")
	for _, s := range Table() {
		if s.Example != "" && s.Secrecy != Hidden {
			fmt.Fprintf(&b, "%s='%s'\n", s.Variable(), s.Example)
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// String lists those who read a setting.
func (u Users) String() string {
	var names []string
	for i, name := range []string{"dev", "serve", "migrate", "commands"} {
		if u&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func secrecyNote(s Setting) string {
	switch s.Secrecy {
	case Hidden:
		return " Secret: never as a flag."
	case HiddenPassword:
		return " With a password in it: never as a flag."
	default:
		return ""
	}
}

func code(text string) string {
	if text == "" {
		return "none"
	}
	return "`" + text + "`"
}

func escape(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
