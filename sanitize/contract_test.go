package sanitize_test

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ringwall/ringwall/sanitize"
)

func TestHTMLKeepsWhatIsHarmlessAndNothingElse(t *testing.T) {
	const rel = ` rel="nofollow noopener noreferrer"`
	for _, tt := range []struct{ name, in, want string }{
		{"running text", `a <b>b</b> <i>i</i> <code class="language-go">c</code><br>d`, `a <b>b</b> <i>i</i> <code class="language-go">c</code><br>d`},
		{"a link gets its rel", `<a href="https://ann.example/?a=1&amp;b=2" title="t" rel="opener" target="_top">x</a>`, `<a href="https://ann.example/?a=1&amp;b=2"` + rel + ` title="t">x</a>`},
		{"a path is a link", `<a href="/invoices/7#top">x</a>`, `<a href="/invoices/7#top"` + rel + `>x</a>`},
		{"script goes with what it holds", `a<script>alert(1)</script><style>b{}</style>c`, `ac`},
		{"an unknown tag goes, its text stays", `<blink>a</blink><font color=red>b</font>`, `ab`},
		{"no pictures", `a<img src="/own.png"><img src="https://evil.test/t.gif">b`, `ab`},
		{"a link elsewhere is text", `<a href="javascript:alert(1)">x</a><a>y</a>`, `xy`},
		{"no name of somebody in an address", `<a href="https://bank.test@evil.test/">x</a>`, `x`},
		{"nor where a browser looks for one", `<a href="https:bank.test@evil.test/">x</a><a href="http:/bank.test@evil.test/">x</a><a href="https:///bank.test@evil.test/">x</a><a href="///bank.test@evil.test/">x</a>`, `xxxx`},
		{"what goes from an address goes before it is judged, and nothing is left that goes when it is read again", `<a href="?a&#x81;&nbsp;&#x81;">x</a><a href="mailto:&#x81;&nbsp;">y</a>`, `<a href="?a"` + rel + `>x</a><a href="mailto:"` + rel + `>y</a>`},
		{"an address without a host", `<a href="https:">x</a>`, `x`},
		{"another host by the scheme of the page", `<a href="//ann.example/">x</a>`, `<a href="//ann.example/"` + rel + `>x</a>`},
		{"no id, name, class, style", `<p id=a name=b class=c style="position:fixed" data-x=y>d</p>`, `<p>d</p>`},
		{"what is open is closed", `<ul><li>a<li><b>b`, `<ul><li>a</li><li><b>b</b></li></ul>`},
		{"it ends nothing of the page's", `</div></article></li></td>a`, `a`},
		{"an item without a list is text", `<li>a</li><td>b</td><tr>c`, `abc`},
		{"a row without a body gets one", `<table><tr><th>a<td>b</table>`, `<table><tbody><tr><th>a</th><td>b</td></tr></tbody></table>`},
		{"what a parser would move out of a table comes after it", `<table>a<tr><td>b`, `<table></table>ab`},
		{"no link in a link", `<a href=x>a<a href=y>b</a></a>`, `<a href="x"` + rel + `>a</a><a href="y"` + rel + `>b</a>`},
		{"quotes are encoded", `it's "so"`, `it&#39;s &#34;so&#34;`},
		{"control characters go", "a\x00b\x1bc\u0085d\r\ne&#0;&#27;", "abcd\ne\ufffd"},
		{"what is no UTF-8 is marked", "a\xffb", "a\ufffdb"},
		{"nothing", "", ""},
	} {
		if got := string(sanitize.HTML(tt.in)); got != tt.want {
			t.Errorf("%s: HTML(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestMarkdownIsCommonMarkWithoutHTML(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"words", "# T\n\n*a* **b** `c`", "<h1>T</h1>\n<p><em>a</em> <strong>b</strong> <code>c</code></p>\n"},
		{"lists", "3. a\n4. b\n\n- c", "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>\n<ul>\n<li>c</li>\n</ul>\n"},
		{"code names its language", "```go\nf(<x>)\n```", "<pre><code class=\"language-go\">f(&lt;x&gt;)\n</code></pre>\n"},
		{"the words of a picture stay", "a ![a *cat*](https://evil.test/t.gif) b", "<p>a a <em>cat</em> b</p>\n"},
		{"HTML is text", "List<String> <b>x</b>\n\n<script>\nalert(1)\n</script>", "<p>List&lt;String&gt; &lt;b&gt;x&lt;/b&gt;</p>\n<p>&lt;script&gt;\nalert(1)\n&lt;/script&gt;</p>\n"},
		{"a defined link", "[a]\n\n[a]: https://ann.example", "<p><a href=\"https://ann.example\" rel=\"nofollow noopener noreferrer\">a</a></p>\n"},
	} {
		if got := string(sanitize.Markdown(tt.in)); got != tt.want {
			t.Errorf("%s: Markdown(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestTextHoldsNoMarkup(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain text stays", "a < b & c > d, 3<4", "a < b & c > d, 3<4"},
		{"tags go, lines end with blocks", "<h1>Tom &amp; Jerry</h1><p>a<br>b<b>c</b></p>", "Tom & Jerry\na\nbc"},
		{"script goes", "a<script>alert(1)</script>b", "ab"},
		{"what is escaped makes no tag", "&lt;script&gt;alert(1)&lt;/script&gt;", "script>alert(1)/script>"},
		{"however often", "&amp;amp;amp;amp;amp;amp;lt;img src=x&gt;", "amp;amp;lt;img src=x>"},
	} {
		if got := sanitize.Text(tt.in); got != tt.want {
			t.Errorf("%s: Text(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

// What comes out nests as deep as the contract says, however deep it came in: browsers stop at 512 and then move what is left.
func TestNestingIsBounded(t *testing.T) {
	depth := func(text string) (deepest int) {
		nodes, err := html.ParseFragment(strings.NewReader(text), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
		if err != nil {
			t.Fatal(err)
		}
		var walk func(n *html.Node, at int)
		walk = func(n *html.Node, at int) {
			if n.Type == html.ElementNode {
				at++
			}
			deepest = max(deepest, at)
			for child := range n.ChildNodes() {
				walk(child, at)
			}
		}
		for _, n := range nodes {
			walk(n, 0)
		}
		return deepest
	}
	for _, in := range []string{"<div>", "<b>", "<ul><li>", "<blockquote>", "<table><tr><td>", "<dl><dd>"} {
		out := string(sanitize.HTML(strings.Repeat(in, 20_000) + "words"))
		if got := depth(out); got < sanitize.MaxDepth-3 || got > sanitize.MaxDepth || !strings.Contains(out, "words") {
			t.Errorf("HTML(%s…) nests %d deep", in, got)
		}
	}
	for _, in := range []string{"> ", ">", "- ", "1. ", "> - ", "*a ", "**a ", "[", "![", "\\*", "![["} {
		if got := depth(string(sanitize.Markdown(strings.Repeat(in, 20_000) + "words"))); got > sanitize.MaxDepth {
			t.Errorf("Markdown(%s…) nests %d deep", in, got)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	for _, unit := range []string{"\"", "<b>", "ö", "\xff", "> ", "- a\n", "<table><tr><td>x"} {
		in := strings.Repeat(unit, 3*sanitize.MaxBytes/len(unit))
		for name, call := range map[string]func(string) string{
			"HTML": func(in string) string { return string(sanitize.HTML(in)) }, "Markdown": func(in string) string { return string(sanitize.Markdown(in)) }, "Text": sanitize.Text,
		} {
			if out := call(in); len(out) > sanitize.MaxBytes {
				t.Errorf("%s(%q…) gives %d bytes", name, unit, len(out))
			} else if name == "HTML" && string(sanitize.HTML(out)) != out {
				t.Errorf("HTML(%q…) is cut to what HTML changes", unit)
			}
		}
	}
	if out := string(sanitize.HTML("<b>" + strings.Repeat("\"", sanitize.MaxBytes/5))); len(out) < sanitize.MaxBytes-1<<15 || !strings.HasSuffix(out, "</b>") {
		t.Errorf("text that grows is cut to %d bytes, ending in %q", len(out), out[len(out)-8:])
	}
}

// Each link of a few bytes can copy the long target of one definition: 64 KiB of markdown were 200 MB of HTML on the way.
func TestDefinitionsAreNotABomb(t *testing.T) {
	for name, in := range map[string]string{
		"targets": "[a]: /" + strings.Repeat("u", 32<<10) + "\n\n" + strings.Repeat("[a]\n\n", 6<<10),
		"titles":  "[a]: /u '" + strings.Repeat("t", 32<<10) + "'\n\n" + strings.Repeat("[a][]\n\n", 6<<10),
		"both":    "[a]: /" + strings.Repeat("u", 16<<10) + " '" + strings.Repeat("t", 16<<10) + "'\n\n" + strings.Repeat("[x][a] ![y][a]\n\n", 3<<10),
	} {
		out, took := markdownAllocates(in)
		if took > 100<<20 {
			t.Errorf("%s: %d KiB of markdown take %d MiB of memory", name, len(in)>>10, took>>20)
		}
		if !strings.Contains(out, "<a href=") || len(out) > sanitize.MaxBytes {
			t.Errorf("%s: %d bytes came out, beginning with %.40q", name, len(out), out)
		}
	}
}

// For each line the parser keeps a note about each list that is open: a megabyte of empty lines took one of a thousand.
func TestEmptyLinesAreNotABomb(t *testing.T) {
	for name, in := range map[string]string{
		"in lists":            strings.Repeat("- ", 8) + "a\n" + strings.Repeat("\n", 1<<20-100) + "words",
		"in lists in a quote": "> " + strings.Repeat("- ", 7) + "a\n" + strings.Repeat(">\n", 1<<19-100) + "words",
		"in blocks":           strings.Repeat(strings.Repeat("- ", 8)+"a\n"+strings.Repeat("\n", 1000)+"b\n\n", 1000) + "words",
	} {
		out, took := markdownAllocates(in)
		if took > 200<<20 {
			t.Errorf("%s: %d KiB of markdown take %d MiB of memory", name, len(in)>>10, took>>20)
		}
		if !strings.HasPrefix(out, "<") || !strings.Contains(out, "<li>a</li>") || !strings.Contains(out, "words") {
			t.Errorf("%s: %d bytes came out, beginning with %.40q", name, len(out), out)
		}
	}
}

// markdownAllocates returns what Markdown returns, and the bytes that it allocates on the way.
func markdownAllocates(in string) (out string, allocated uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out = string(sanitize.Markdown(in))
	runtime.ReadMemStats(&after)
	return out, after.TotalAlloc - before.TotalAlloc
}
