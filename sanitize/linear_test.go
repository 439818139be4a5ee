package sanitize_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringwall/ringwall/internal/lineartest"
	"github.com/ringwall/ringwall/sanitize"
)

// shape is input of any length, of a kind that some parser takes too long for.
type shape struct {
	name string
	make func(n int) string
}

func repeated(unit string) func(int) string {
	return func(n int) string { return strings.Repeat(unit, n/len(unit)+1)[:n] }
}

// framed has a head and a tail that are as long as each other.
func framed(head, tail string) func(int) string {
	return func(n int) string { return repeated(head)(n/2) + repeated(tail)(n/2) }
}

// growing writes runs of a character, each longer by one than the last.
func growing(unit, between string) func(int) string {
	return func(n int) string {
		var b strings.Builder
		for i := 1; b.Len() < n; i++ {
			b.WriteString(strings.Repeat(unit, i) + between)
		}
		return b.String()[:n]
	}
}

func markupShapes() []shape {
	return []shape{
		{"prose", repeated("<p>Some <b>words</b> &amp; a <a href=\"https://ann.example/x?y=1\">link</a>.</p>\n")}, {"text", repeated("it's \"quoted\" & so on ")}, {"opened", repeated("<b>")}, {"closed", repeated("</b>")}, {"blocks opened", repeated("<div>")}, {"paragraphs opened", repeated("<p><b>")},
		{"opened, then closed", framed("<b>", "</b>")}, {"crossed", repeated("<b><i></b></i>")}, {"lists", repeated("<ul><li>")}, {"tables", repeated("<table><tr><td>")}, {"rows", repeated("<table><tr>x")}, {"links", repeated("<a href=x>")}, {"unknown", repeated("<x y=z>")}, {"skipped", repeated("<object>")}, {"script", repeated("<script>")},
		{"less than", repeated("<")}, {"half tags", repeated("<a ")}, {"half comments", repeated("<!--")}, {"half ends", repeated("</")}, {"half declarations", repeated("<!")}, {"half data", repeated("<![CDATA[")}, {"raw text", repeated("<textarea></textare")}, {"half raw text", repeated("<title></")}, {"attributes", func(n int) string { return "<a " + repeated("href=x ")(n) + ">" }},
		{"distinct attributes", func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "a%d=b ", i)
			}
			return "<a " + b.String() + ">x</a>"
		}},
		{"a long address", func(n int) string { return "<a href=\"http://x/" + repeated("ä")(n) + "\">x</a>" }}, {"a long query", func(n int) string { return "<a href=\"?" + repeated("a&")(n) + "\">x</a>" }}, {"a long title", func(n int) string { return "<a href=x title=\"" + repeated("&quot;")(n) + "\">x</a>" }},
		{"ampersands", repeated("&")}, {"references", repeated("&amp;")}, {"references of references", repeated("&amp;amp;lt;")}, {"a long reference", func(n int) string { return "&" + repeated("a")(n) }}, {"line feeds in pre", func(n int) string { return "<pre>" + repeated("\n")(n) }}, {"not UTF-8", repeated("\xff")},
	}
}

func markdownShapes() []shape {
	return []shape{
		{"prose", repeated("Some *words*, a [link](https://ann.example), `code`.\n\n- one\n- two\n\n")}, {"one paragraph", repeated("word *word* word\n")}, {"brackets", repeated("[")}, {"brackets closed", repeated("]")}, {"brackets both", framed("[", "]")}, {"brackets with words", repeated("[a")}, {"links", repeated("[a](b)")}, {"half links", repeated("[a](")}, {"half links in pointed brackets", repeated("[a](<b")}, {"half titles", repeated("[a](b \"")},
		{"pictures", repeated("![[]()")}, {"pictures nested", framed("![", "](x)")}, {"references", repeated("[a][b]")}, {"definitions", repeated("[a]: b\n")}, {"links to a long definition", func(n int) string { return "[a]: /" + repeated("u")(n/2) + "\n\n" + repeated("[a]\n\n")(n/2) }}, {"half definitions", repeated("[a]: \n")}, {"a long label", func(n int) string { return "[" + repeated("a")(n) + "]: b\n" }}, {"distinct definitions", func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "[%d]: x\n\n[%d] ", i, i)
			}
			return b.String()
		}},
		{"stars", repeated("*")}, {"emphasis opened", repeated("*a ")}, {"emphasis closed", repeated("a* ")}, {"strong", repeated("**a ")}, {"crossed", repeated("*a_ ")}, {"nested", framed("*a ", " a*")}, {"nested both", repeated("*a **b ")}, {"triple", repeated("a***b")}, {"underscores", repeated("_a__b ")},
		{"code", repeated("`a")}, {"growing code", growing("`", "a")}, {"growing stars", growing("*", "a")}, {"fences", repeated("```\n")}, {"growing fences", growing("`", "\n")}, {"tildes", repeated("~~~a\n\n")}, {"angles", repeated("<")}, {"half addresses", repeated("<http:a")}, {"half mail", repeated("<a@b")}, {"half tags", repeated("<a ")}, {"half comments", repeated("<!-- ")}, {"half instructions", repeated("<?a ")},
		{"quotes", repeated(">")}, {"quotes, then lines", framed(">", "a\n")}, {"quotes, then more", framed("> ", "\n>")}, {"quotes, then blank lines", framed("> ", ">\n")}, {"items in a line", repeated("- ")}, {"items, then blank lines", framed("- ", "\n")}, {"items, then lines", framed("* ", "a\n")}, {"numbers in a line", repeated("1. ")}, {"items", repeated("- a\n")}, {"items apart", repeated("- a\n\n")},
		{"items ever deeper", func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				b.WriteString(strings.Repeat("  ", i) + "- a\n")
			}
			return b.String()[:n]
		}},
		{"items ever deeper, then blank lines", func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n/2; i++ {
				b.WriteString(strings.Repeat("  ", i) + "- a\n")
			}
			return b.String() + repeated("\n")(n/2)
		}},
		{"quotes of items", repeated("> - ")}, {"headings", repeated("# a\n")}, {"hashes", repeated("#")}, {"lines under", repeated("a\n=\n")}, {"half lines under", repeated("=")}, {"rules", repeated("* ")}, {"rules with dashes", repeated("-")}, {"indented", repeated("    a\n")}, {"tabs", repeated("\t")}, {"spaces", repeated(" ")}, {"blank lines", repeated("\n")}, {"backslashes", repeated("\\")}, {"escapes", repeated("\\*")}, {"breaks", repeated("a  \n")}, {"pipes", repeated("|a")}, {"references of characters", repeated("&amp;")}, {"NUL", repeated("\x00")},
	}
}

// BenchmarkLinear doubles input that is made to be slow; see [lineartest.Run].
func BenchmarkLinear(b *testing.B) {
	for name, group := range map[string]struct {
		shapes []shape
		call   func(string)
	}{
		"HTML":     {markupShapes(), func(in string) { sanitize.HTML(in) }},
		"Markdown": {markdownShapes(), func(in string) { sanitize.Markdown(in) }},
		"Text":     {markupShapes(), func(in string) { sanitize.Text(in) }},
	} {
		for _, s := range group.shapes {
			b.Run(name+"/"+s.name, func(b *testing.B) {
				lineartest.Run(b, func(n int) func() {
					in := s.make(n)
					return func() { group.call(in) }
				})
			})
		}
	}
}
