package sanitize

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// kind is what an element may hold, and so what a parser does when another begins in it.
type kind uint8

const (
	_         kind = iota
	inline         // running text, in running text
	paragraph      // a block that holds running text alone
	block          // a block that holds blocks and text
	tabular        // a part of a table that holds other parts alone
	void           // <br>, inline without content
	voidBlock      // <hr>
)

// element is one that the writer knows: its kind and, if it stands in certain others alone, which.
type element struct {
	kind    kind
	parents []string
}

// elements are all that come out.
var elements = map[string]element{
	"a": {kind: inline}, "abbr": {kind: inline}, "b": {kind: inline}, "code": {kind: inline}, "del": {kind: inline},
	"em": {kind: inline}, "i": {kind: inline}, "ins": {kind: inline}, "kbd": {kind: inline}, "mark": {kind: inline},
	"q": {kind: inline}, "s": {kind: inline}, "small": {kind: inline}, "strong": {kind: inline}, "sub": {kind: inline},
	"sup": {kind: inline}, "u": {kind: inline}, "br": {kind: void},

	"p": {kind: paragraph}, "pre": {kind: paragraph}, "h1": {kind: paragraph}, "h2": {kind: paragraph},
	"h3": {kind: paragraph}, "h4": {kind: paragraph}, "h5": {kind: paragraph}, "h6": {kind: paragraph},

	"blockquote": {kind: block}, "div": {kind: block}, "ul": {kind: block}, "ol": {kind: block}, "dl": {kind: block},
	"hr": {kind: voidBlock},
	"li": {kind: block, parents: []string{"ul", "ol"}},
	"dt": {kind: block, parents: []string{"dl"}}, "dd": {kind: block, parents: []string{"dl"}},

	"table": {kind: tabular},
	"thead": {kind: tabular, parents: []string{"table"}}, "tbody": {kind: tabular, parents: []string{"table"}},
	"tr": {kind: tabular, parents: []string{"thead", "tbody"}},
	"th": {kind: block, parents: []string{"tr"}}, "td": {kind: block, parents: []string{"tr"}},
}

// tidy is the second layer. It writes HTML anew, tag by tag, so that a browser builds from it the very tree that the
// tags name: no element is left open, moved or made up by the parser. It knows nothing but [elements].
func tidy(in string) string {
	w := &writer{}
	for z := html.NewTokenizer(strings.NewReader(in)); z.Next() != html.ErrorToken && !w.full; {
		switch token := z.Token(); token.Type {
		case html.TextToken:
			w.text(characters(token.Data))
		case html.StartTagToken, html.SelfClosingTagToken:
			w.start(token)
		case html.EndTagToken:
			w.end(token.Data)
		}
	}
	w.closeTo(0)
	return w.out.String()
}

type writer struct {
	out   strings.Builder
	open  []string // names of the elements that are open, the innermost last
	owed  int      // bytes that their end tags will take
	atPre bool     // the last that was written is <pre>, behind which parsers drop a line feed
	full  bool
}

// fits reports whether n bytes more leave room for the end tags. If not, nothing more is written.
func (w *writer) fits(n int) bool {
	w.full = w.full || w.out.Len()+w.owed+n > MaxBytes
	return !w.full
}

func (w *writer) text(data string) {
	if w.isTabular() {
		if strings.Trim(data, " \t\n") != "" {
			w.leaveTable()
		}
	}
	if w.atPre {
		data = strings.TrimLeft(data, "\n")
	}
	for data != "" { // in pieces, so that text that is too long is cut, not lost
		piece := cut(data, 4096)
		data = data[len(piece):]
		escaped := html.EscapeString(piece)
		if !w.fits(len(escaped)) {
			return
		}
		w.out.WriteString(escaped)
		w.atPre = false
	}
}

func (w *writer) start(token html.Token) {
	name := token.Data
	e, ok := elements[name]
	if !ok || !w.makeRoom(name, e) || len(w.open) >= MaxDepth {
		return
	}
	tag, ok := startTag(name, token.Attr)
	if !ok {
		return
	}
	ending := len("</>") + len(name)
	if e.kind == void || e.kind == voidBlock {
		ending = 0
	}
	if !w.fits(len(tag) + ending) {
		return
	}
	w.out.WriteString(tag)
	w.atPre = name == "pre"
	if ending > 0 {
		w.open = append(w.open, name)
		w.owed += ending
	}
}

// makeRoom closes what cannot hold the element. It reports whether the element can stand there then.
func (w *writer) makeRoom(name string, e element) bool {
	switch {
	case e.parents != nil:
		at := w.last(e.parents...)
		if name == "tr" && w.last("table") > at { // a row without a body, as HTML allows
			w.start(html.Token{Data: "tbody"})
			at = w.last(e.parents...)
		}
		if at < 0 {
			return false
		}
		w.closeTo(at + 1)
	case w.isTabular():
		w.leaveTable()
	}
	switch e.kind {
	case inline:
		if at := w.last("a"); name == "a" && at >= 0 {
			w.closeTo(at)
		}
	case paragraph, block, tabular, voidBlock:
		at := slices.IndexFunc(w.open, func(name string) bool {
			return elements[name].kind == inline || elements[name].kind == paragraph
		})
		if at >= 0 {
			w.closeTo(at)
		}
	}
	return true
}

func (w *writer) end(name string) {
	if at := w.last(name); at >= 0 {
		w.closeTo(at)
	}
}

// last is the place of the innermost open element with one of these names; -1 if there is none.
func (w *writer) last(names ...string) int {
	for at := len(w.open) - 1; at >= 0; at-- {
		if slices.Contains(names, w.open[at]) {
			return at
		}
	}
	return -1
}

// closeTo closes elements until n are open.
func (w *writer) closeTo(n int) {
	for len(w.open) > n {
		name := w.open[len(w.open)-1]
		w.open = w.open[:len(w.open)-1]
		w.out.WriteString("</" + name + ">")
		w.owed -= len("</>") + len(name)
		w.atPre = false
	}
}

func (w *writer) isTabular() bool {
	return len(w.open) > 0 && elements[w.open[len(w.open)-1]].kind == tabular
}

// leaveTable closes the innermost table: text between its parts would be moved in front of it.
func (w *writer) leaveTable() { w.closeTo(w.last("table")) }

// startTag writes a start tag with the attributes that may stand in it. It reports false for a link that leads nowhere.
func startTag(name string, attributes []html.Attribute) (string, bool) {
	tag := "<" + name
	add := func(key, value string) { tag += " " + key + `="` + html.EscapeString(characters(value)) + `"` }
	switch name {
	case "a":
		href, ok := attribute(attributes, "href")
		href = strings.TrimSpace(characters(href)) // as it is written and read again
		if !ok || !isLink(href) {
			return "", false
		}
		add("href", href)
		add("rel", "nofollow noopener noreferrer")
		if title, ok := attribute(attributes, "title"); ok {
			add("title", title)
		}
	case "abbr":
		if title, ok := attribute(attributes, "title"); ok {
			add("title", title)
		}
	case "ol":
		if start, ok := attribute(attributes, "start"); ok && number.MatchString(start) {
			add("start", start)
		}
	case "code":
		if class, ok := attribute(attributes, "class"); ok && language.MatchString(class) {
			add("class", class)
		}
	}
	return tag + ">", true
}

// attribute is the first of that name, as browsers take it.
func attribute(attributes []html.Attribute, key string) (string, bool) {
	for _, a := range attributes {
		if a.Key == key && a.Namespace == "" {
			return a.Val, true
		}
	}
	return "", false
}

// isLink reports whether an address leads to where links may, and is written as a parser would write it.
func isLink(href string) bool {
	u, err := url.Parse(href)
	if err != nil || u.User != nil || u.String() != href {
		return false
	}
	if u.Host == "" && (u.Scheme == "http" || u.Scheme == "https" || strings.HasPrefix(href, "//")) {
		return false // "https:a@b", "https:///b": a browser finds a host where we saw none, and perhaps a user name
	}
	return slices.Contains([]string{"", "http", "https", "mailto"}, u.Scheme)
}
