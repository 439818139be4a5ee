package bench_test

import (
	"fmt"
	"strings"
	"testing"
)

// judge fails where the attack reached more than the limits allow: the account's own for one account, and nobody but who
// has the right password gets in. The owner is never kept out, and no check fails. How long they took is told, and not judged: that
// depends on the machine too.
func (c campaign) judge(b *testing.B) {
	b.Helper()
	sum := c.total()
	if sum.Other != "" {
		b.Errorf("%s: an answer that is none of the limits': %s", c.name, sum.Other)
	}
	if sum.OwnerOut > 0 {
		b.Errorf("%s: the owner was kept out", c.name)
	}
	if c.Beside.failed > 0 {
		b.Errorf("%s: %d checks failed: %s", c.name, c.Beside.failed, c.Beside.firstFault)
	}
	for i, m := range c.Minutes {
		if m.Checked > attackCeiling {
			b.Errorf("%s: %d attempts reached the password check in minute %d; the ceiling is %d", c.name, m.Checked, i+1, attackCeiling)
		}
	}
	if c.name != "Stuffing" && sum.Entered > 0 {
		b.Errorf("%s: %d attempts got in", c.name, sum.Entered)
	}
}

// The picture: a panel an attack. Above, what was sent each minute and what turned it away; below, on a scale of its own,
// what reached the password check. Marks under it tell whether the owner, who comes four times a minute, got in.
const (
	panelWidth, panelHeight = 500, 370
	chartLeft, chartWidth   = 64, 410
	topHeight, lowHeight    = 90, 90
	topAt, lowAt            = 66, 184 // of the chart's upper edge, in the panel
)

func picture(all []campaign) string {
	var s strings.Builder
	rows := (len(all) + 1) / 2
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title desc">
<title id="title">What got through, minute by minute</title>
<desc id="desc">`, 2*panelWidth+40, rows*panelHeight+96)
	for _, c := range all {
		sum := c.total()
		fmt.Fprintf(&s, "%s: %d attempts, %d reached the password check, %d got in; the owner %s. ", c.name, sum.Sent, sum.Checked, sum.Entered, ownerWords(sum))
	}
	s.WriteString(`</desc>
<style>
text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1b1f24; font-size: 12px }
.paper { fill: #ffffff; stroke: #c9ced6 }
.head { font-size: 20px; font-weight: 600 }
.name { font-size: 15px; font-weight: 600 }
.soft { fill: #4b5563 }
.axis { stroke: #8a94a3; stroke-width: 1 }
.limited { fill: #9aa5b4 } .challenged { fill: #5b8bd0 } .busy { fill: #d8a23a } .checked { fill: #7b57b2 } .entered { fill: #c8372d }
.in { fill: #1f7a5c } .out { fill: #c8372d }
@media (prefers-color-scheme: dark) {
text { fill: #e8ebef } .paper { fill: #16191d; stroke: #3a414b } .soft { fill: #b4bcc7 } .axis { stroke: #6d7785 }
.limited { fill: #6d7785 } .challenged { fill: #6ea0e8 } .busy { fill: #e0b45c } .checked { fill: #a98be0 } .entered { fill: #ef6b60 }
.in { fill: #3fae88 } .out { fill: #ef6b60 }
}
</style>
`)
	fmt.Fprintf(&s, `<rect class="paper" x="1" y="1" width="%d" height="%d" rx="12"/>
<text class="head" x="32" y="40">What got through, minute by minute</text>
`, 2*panelWidth+38, rows*panelHeight+94)
	x := 32
	for _, l := range [][2]string{{"limited", "limited (429)"}, {"challenged", "asked for a proof of work (403)"}, {"busy", "hash queue full (503)"}, {"checked", "reached the password check"}, {"entered", "got in"}} {
		fmt.Fprintf(&s, `<rect class="%s" x="%d" y="56" width="12" height="12" rx="2"/><text x="%d" y="66">%s</text>`+"\n", l[0], x, x+18, l[1])
		x += 40 + 7*len(l[1])
	}
	for i, c := range all {
		c.panel(&s, 20+i%2*panelWidth, 84+i/2*panelHeight)
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func ownerWords(m minute) string {
	if m.OwnerOut == 0 {
		return "signed in every time"
	}
	return "was kept out at least once"
}

// bar is one part of a stacked bar.
type bar struct {
	class string
	n     int
}

func (c campaign) panel(s *strings.Builder, x, y int) {
	sum := c.total()
	fmt.Fprintf(s, `<g transform="translate(%d %d)">
<text class="name" x="14" y="24">%s</text>
<text class="soft" x="14" y="44">%s</text>
`, x, y, c.name, c.what)
	sent, reached := 1, 1
	for _, m := range c.Minutes {
		sent, reached = max(sent, m.Sent), max(reached, m.Checked)
	}
	scale(s, "sent", topAt, topHeight, sent)
	scale(s, "reached the check", lowAt, lowHeight, reached)
	step := chartWidth / len(c.Minutes)
	for i, m := range c.Minutes {
		at := chartLeft + i*step + 4
		stack(s, at, step-8, topAt+topHeight, topHeight, sent, bar{"checked", m.Checked}, bar{"limited", m.Limited}, bar{"challenged", m.Challenged}, bar{"busy", m.Busy})
		stack(s, at, step-8, lowAt+lowHeight, lowHeight, reached, bar{"entered", m.Entered}, bar{"checked", m.Checked - m.Entered})
		mark, class := "✓", "in"
		if m.OwnerOut > 0 {
			mark, class = "✗", "out"
		}
		fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="middle" class="%s">%s</text>`+"\n", at+(step-8)/2, lowAt+lowHeight+16, class, mark)
	}
	fmt.Fprintf(s, `<text class="soft" x="%d" y="%d" text-anchor="end">owner</text>
<text x="14" y="%d">%d sent · %d reached the check · %d got in · the owner %s</text>
<text class="soft" x="14" y="%d">owner: p99 of %d %s ms · checks: p99 %s ms calm, %s ms now, %d failed</text>
</g>
`, chartLeft-8, lowAt+lowHeight+16, lowAt+lowHeight+38, sum.Sent, sum.Checked, sum.Entered, ownerWords(sum),
		lowAt+lowHeight+60, len(sum.Owner)+sum.OwnerOut, millis(quantile(sum.Owner, 0.99)), millis(c.Calm.quantile(0.99)), millis(c.Beside.quantile(0.99)), c.Beside.failed)
}

func scale(s *strings.Builder, what string, at, height, most int) {
	fmt.Fprintf(s, `<path class="axis" d="M%d %d V%d H%d" fill="none"/><text class="soft" x="%d" y="%d" text-anchor="end">%d</text><text class="soft" x="%d" y="%d" text-anchor="end">0</text><text class="soft" x="%d" y="%d">%s</text>`+"\n",
		chartLeft, at, at+height, chartLeft+chartWidth, chartLeft-8, at+10, most, chartLeft-8, at+height, chartLeft, at-6, what)
}

func stack(s *strings.Builder, x, width, floor, height, most int, bars ...bar) {
	y := float64(floor)
	for _, b := range bars {
		tall := float64(height) * float64(b.n) / float64(most)
		if b.n > 0 {
			fmt.Fprintf(s, `<rect class="%s" x="%d" y="%.1f" width="%d" height="%.1f"/>`+"\n", b.class, x, y-tall, width, tall)
		}
		y -= tall
	}
}

// report is the page around the picture.
func report(all []campaign) string {
	var s strings.Builder
	s.WriteString(`# An attack that you can run

` + "`make attack`" + ` guesses, sprays, stuffs and locks out, for ten simulated minutes each, against two nodes on one PostgreSQL that it
starts itself, with the limits as they are when nothing is set (the ceiling is that of two hash slots at the default cost: 600 a
minute). The addresses stand in the header of a trusted proxy. Only the clock is simulated: 500 attempts are sent a second, so ten
minutes pass in 20 to 200 seconds, and an attack weighs three times and more what it would in its own time. Nodes and attacker
share the machine, and whatever else it does shows in the times. It draws this picture, writes this page, takes six minutes, and fails if the owner was kept out, a check of a session
failed, or somebody got in who did not have the password.

![What got through, minute by minute](attack.svg)

| attack | sent | limited | asked for a proof of work | queue full | reached the password check | got in | owner |
|---|---:|---:|---:|---:|---:|---:|---|
`)
	for _, c := range all {
		m := c.total()
		fmt.Fprintf(&s, "| %s: %s | %d | %d | %d | %d | %d | %d | %s |\n", c.name, c.what, m.Sent, m.Limited, m.Challenged, m.Busy, m.Checked, m.Entered, ownerWords(m))
	}
	s.WriteString(`
Meanwhile the owner signs in four times a minute, and 200 sessions a second are checked, half of them at each node; a node on
PostgreSQL reads the database for each. A hash has the default cost, but for spraying and stuffing: there it costs a fifth, since
the queue would let fewer through in such short minutes than the ceiling does, and the ceiling would not be tried. So the owner's
times there are no measure of mark 8: those of guessing and lock-out are.

| attack | the owner (mark 8) | checks (mark 5) |
|---|---|---|
`)
	for _, c := range all {
		fmt.Fprintf(&s, "| %s | %s | %s |\n", c.name, c.ownerTimes(), c.checkTimes())
	}
	s.WriteString(`
This attacker does not solve the proof of work. One who does gets at most two thirds of the ceiling, and pays for each attempt.
The owner comes each minute from another address, in the browser that signed in before the attack. Stuffing gets in with the
pairs that are right and are tried before a limit is reached: no limit can tell them from their owners, which is why chosen
passwords are held against lists of breached ones, and a second factor is worth having.
`)
	return s.String()
}
