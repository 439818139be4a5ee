package wall_test

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/ringwall/ringwall/examples/invoices/wall"
)

// document is docs/rings.md.
func document(rows []row) string {
	var s strings.Builder
	s.WriteString(`# The wall

` + "`examples/invoices`" + ` is attacked with a real exploit for each class below, in a real Chromium where a browser matters. With all layers off each does its harm; with all
on none does; with any one of the layers that stop it taken away still none; and each of them alone is enough. ` + "`go test ./examples/invoices/wall`" + ` does it
all and holds this page; ` + "`go run ./examples/invoices/cmd/lab`" + ` does it while you watch, with a switch for each layer.

![For each class of attack the layers that stop it, by ring](rings.svg)

How to read the table:

1. A row is a class of attack. Its harm is one sentence that the exploit finds true or false; nothing in between counts.
2. "Off" is the application with every layer off but the session: somebody must be signed in for most attacks to mean anything. There the exploit works.
3. "On" is the real ` + "`Protect`" + ` around the real application, with nothing between.
4. Each layer that stops was taken away alone (no harm), and was left alone with every other layer off (no harm). They stand in the order in which the attack meets them.
5. "Smaller" are layers that make the harm less or its way longer, and do not stop this exploit by themselves.
6. "Log" are events of the audit log that the attempt leaves when all layers are on; a dash means that only the refusal of the application tells.
7. Where a layer is an option or a function, taking it away puts a wrong twin in its place, which stands in a file called unsafe_… that nothing outside of examples can import.
8. One exploit is not all exploits. Who chains two classes (an uploaded script for a stored XSS) must get through the layers of both. In the row of path
   confusion the plain address is open too where both rules are off: what counts there is whether another spelling is the same page.
9. The example runs on SQLite. A layer with "PostgreSQL" behind it is one more there, attacked in the same way.
10. What a layer is and where its code lies is listed below the table.

| attack | harm | off | on | layers that stop it, each of them alone | one of them off | smaller | log |
|---|---|:-:|:-:|---|:-:|---|---|
`)
	for _, r := range rows {
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Name, r.Harm, word(r.AllOff), word(r.AllOn), stops(r), wordOf(r.Off), names(r.Limits), names(r.Records))
	}
	s.WriteString("\n" + `Of two layers each are ` + namesOf(rows, 2) + `; of three or more ` + namesOf(rows, 3) + `. None has one only.

Some layers share code: ` + "`sanitize-store` and `sanitize-show`" + ` call one function, ` + "`frame-options` and `frame-ancestors`" + ` are headers of one policy, ` + "`strict-routing` and `route-rule`" + ` stand in one
router, ` + "`outbound-allowlist` and `outbound-dial`" + ` in one package. A fault in what they share takes both away. A layer that shares nothing with them is left in each of these rows but that of
SSRF: keep a firewall around what your servers may reach.

| layer | ring | what it does | code | its twin |
|---|:-:|---|---|---|
`)
	for _, l := range wall.Layers() {
		if slices.ContainsFunc(rows, func(r row) bool { return slices.Contains(slices.Concat(r.Stops, r.Postgres, r.Limits), l.ID) }) {
			fmt.Fprintf(&s, "| `%s` | %d | %s | %s | %s |\n", l.ID, l.Ring, l.Summary, codes(l.Code), codes([]string{l.Unsafe}))
		}
	}
	var left []string
	for _, l := range wall.Layers() {
		if !slices.ContainsFunc(rows, func(r row) bool { return slices.Contains(slices.Concat(r.Stops, r.Postgres, r.Limits), l.ID) }) {
			left = append(left, l.ID)
		}
	}
	fmt.Fprintf(&s, "\nThese stop no exploit of this wall by themselves and have their tests elsewhere: %s.\n", names(left))
	return s.String()
}

func word(harm bool) string {
	if harm {
		return "**harm**"
	}
	return "none"
}

func wordOf(harms map[string]bool) string {
	for _, harm := range harms {
		if harm {
			return word(true)
		}
	}
	return word(false)
}

func names(ids []string) string {
	if len(ids) == 0 {
		return "–"
	}
	return "`" + strings.Join(ids, "`, `") + "`"
}

// stops are the layers that stop a class, and those that do so on PostgreSQL.
func stops(r row) string {
	text := names(r.Stops)
	for _, id := range r.Postgres {
		text += ", `" + id + "` (PostgreSQL)"
	}
	return text
}

func namesOf(rows []row, stops int) string {
	var list []string
	for _, r := range rows {
		if min(len(r.Stops), 3) == stops {
			list = append(list, r.Name)
		}
	}
	return strings.Join(list, ", ")
}

func codes(list []string) string {
	var links []string
	for _, at := range list {
		file, name, _ := strings.Cut(at, " ")
		if file == "" {
			continue
		}
		shown := file[strings.LastIndex(file, "/")+1:]
		if name != "" {
			shown += ": " + name
		}
		links = append(links, fmt.Sprintf("[%s](../%s)", shown, file))
	}
	if len(links) == 0 {
		return "–"
	}
	return strings.Join(links, ", ")
}

// The picture: a line a class, a column a ring, in each the layers that stop the class.
const (
	nameWidth, ringWidth, endWidth  = 190, 152, 70
	chipHeight, lineGap, headHeight = 22, 12, 118
)

var ringNames = [...]string{"1 browser", "2 volume", "3 input", "4 identity", "5 permission", "6 data", "7 watch"}

func picture(rows []row) string {
	width := nameWidth + endWidth + len(ringNames)*ringWidth + endWidth + 24
	var body strings.Builder
	y := headHeight
	for i, r := range rows {
		tall := r.tallest()*(chipHeight+4) + lineGap
		if i%2 == 0 {
			fmt.Fprintf(&body, `<rect class="band" x="8" y="%d" width="%d" height="%d" rx="6"/>`+"\n", y, width-16, tall)
		}
		r.line(&body, y, tall, width)
		y += tall
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title desc">
<title id="title">The wall: which layers stop which attack</title>
<desc id="desc">`, width, y+20)
	for _, r := range rows {
		fmt.Fprintf(&s, "%s: %s with all layers off, %s with all on; stopped by each of %s. ", r.Name, plain(r.AllOff), plain(r.AllOn), strings.Join(r.Stops, ", "))
	}
	fmt.Fprintf(&s, `</desc>
<style>
text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1b1f24; font-size: 13px }
.paper { fill: #ffffff; stroke: #c9ced6 } .band { fill: #f3f5f8 }
.head { font-size: 20px; font-weight: 600 } .name { font-weight: 600 } .soft { fill: #4b5563; font-size: 12px }
.chip { fill: #d9f0e5; stroke: #1f7a5c } .stop { fill: #0f4d39; font-size: 11.5px }
.thin { fill: none; stroke: #8a94a3; stroke-dasharray: 3 2 } .limit { fill: #4b5563; font-size: 11.5px }
.harm { fill: #b3261e; font-weight: 600 } .none { fill: #1f7a5c; font-weight: 600 }
@media (prefers-color-scheme: dark) {
text { fill: #e8ebef } .paper { fill: #16191d; stroke: #3a414b } .band { fill: #1e2329 } .soft { fill: #b4bcc7 }
.chip { fill: #173a2e; stroke: #3fae88 } .stop { fill: #bfeed9 } .thin { stroke: #6d7785 } .limit { fill: #b4bcc7 }
.harm { fill: #ff8a80 } .none { fill: #5ccba3 }
}
</style>
<rect class="paper" x="1" y="1" width="%d" height="%d" rx="12"/>
<text class="head" x="24" y="38">Which layers stop which attack</text>
<rect class="chip" x="24" y="54" width="16" height="14" rx="4"/><text class="soft" x="46" y="66">stops it, alone too</text>
<rect class="thin" x="186" y="54" width="16" height="14" rx="4"/><text class="soft" x="208" y="66">makes it smaller, or records it</text>
<text class="soft" x="24" y="%d">attack</text><text class="soft" x="%d" y="%d" text-anchor="middle">all off</text>
`, width-2, y+18, headHeight-10, nameWidth+endWidth/2, headHeight-10)
	for i, name := range ringNames {
		fmt.Fprintf(&s, `<text class="soft" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", ringAt(i+1)+ringWidth/2, headHeight-10, name)
	}
	fmt.Fprintf(&s, `<text class="soft" x="%d" y="%d" text-anchor="middle">all on</text>`+"\n", width-endWidth/2-16, headHeight-10)
	s.WriteString(body.String() + "</svg>\n")
	return s.String()
}

func plain(harm bool) string { return strings.Trim(word(harm), "*") }

func ringAt(ring int) int { return nameWidth + endWidth + (ring-1)*ringWidth }

// chips are what stands in the columns of a row, by ring.
func (r row) chips() [len(ringNames) + 1][]chip {
	var by [len(ringNames) + 1][]chip
	put := func(ids []string, stops bool) {
		for _, id := range ids {
			if l, ok := wall.LayerOf(id); ok {
				by[l.Ring] = append(by[l.Ring], chip{id, stops})
			}
		}
	}
	put(r.Stops, true)
	for _, id := range r.Postgres {
		if l, ok := wall.LayerOf(id); ok {
			by[l.Ring] = append(by[l.Ring], chip{id + " (PG)", true})
		}
	}
	put(r.Limits, false)
	for _, event := range r.Records {
		by[7] = append(by[7], chip{event, false})
	}
	return by
}

type chip struct {
	text  string
	stops bool
}

func (r row) tallest() (n int) {
	for _, list := range r.chips() {
		n = max(n, len(list))
	}
	return n
}

func (r row) line(s *strings.Builder, y, tall, width int) {
	middle := y + tall/2 + 5
	fmt.Fprintf(s, `<text class="name" x="24" y="%d">%s</text><text class="%s" x="%d" y="%d" text-anchor="middle">%s</text><text class="%s" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n",
		middle, html.EscapeString(r.Name), plain(r.AllOff), nameWidth+endWidth/2, middle, plain(r.AllOff), plain(r.AllOn), width-endWidth/2-16, middle, plain(r.AllOn))
	for ring, list := range r.chips() {
		at := y + (tall-len(list)*(chipHeight+4)+4)/2
		for _, c := range list {
			box, text := "chip", "stop"
			if !c.stops {
				box, text = "thin", "limit"
			}
			shown := strings.TrimPrefix(c.text, "excess_")
			fmt.Fprintf(s, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="6"/><text class="%s" x="%d" y="%d" text-anchor="middle">%s</text>`+"\n",
				box, ringAt(ring)+4, at, ringWidth-8, chipHeight, text, ringAt(ring)+ringWidth/2, at+15, shown)
			at += chipHeight + 4
		}
	}
}
