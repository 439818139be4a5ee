package sanitize_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ringwall/ringwall/sanitize"
)

// allowed is the contract, written down a second time: every element and attribute that may come out.
func allowed() map[string][]string {
	list := map[string][]string{"a": {"href", "title", "rel"}, "abbr": {"title"}, "ol": {"start"}, "code": {"class"}}
	for name := range strings.FieldsSeq("p br hr h1 h2 h3 h4 h5 h6 blockquote pre ul li dl dt dd div table thead tbody tr th td " +
		"b del em i ins kbd mark q s small strong sub sup u") {
		list[name] = nil
	}
	return list
}

// judge reads what came out as a browser does and fails on whatever is not in the contract, on a link that leads
// elsewhere than links may, and on a tree that is another than the one written down.
func judge(t *testing.T, in, out string) {
	t.Helper()
	if len(out) > sanitize.MaxBytes || !utf8.ValidString(out) {
		t.Fatalf("%.200q gives %d bytes, or no UTF-8", in, len(out))
	}
	list := allowed()
	for _, context := range []atom.Atom{atom.Body, atom.Div, atom.Td, atom.Li} {
		nodes, err := html.ParseFragment(strings.NewReader(out), &html.Node{Type: html.ElementNode, Data: context.String(), DataAtom: context})
		if err != nil {
			t.Fatalf("%.200q gives %.200q: %v", in, out, err)
		}
		var again strings.Builder
		for _, n := range nodes {
			inspect(t, in, n, list)
			if err := html.Render(&again, n); err != nil {
				t.Fatal(err)
			}
		}
		// Render writes void elements with a slash and leaves the rest as it was written.
		written := strings.NewReplacer("<br/>", "<br>", "<hr/>", "<hr>").Replace(again.String())
		if written != out {
			t.Fatalf("in a %s, a parser reads another tree:\n in    %.300q\n out   %.300q\n again %.300q", context, in, out, written)
		}
	}
}

func inspect(t *testing.T, in string, n *html.Node, list map[string][]string) {
	t.Helper()
	for n := range withChildren(n) {
		if n.Type == html.TextNode {
			continue
		}
		attributes, ok := list[n.Data]
		if n.Type != html.ElementNode || !ok || n.Namespace != "" {
			t.Fatalf("%.200q: node %d %s %q came through", in, n.Type, n.Namespace, n.Data)
		}
		for _, a := range n.Attr {
			if a.Namespace != "" || !slices.Contains(attributes, a.Key) {
				t.Fatalf("%.200q: attribute %s of %s came through", in, a.Key, n.Data)
			}
			if a.Key == "href" {
				u, err := url.Parse(a.Val)
				if err != nil || u.User != nil || !slices.Contains([]string{"", "http", "https", "mailto"}, u.Scheme) || strings.ContainsFunc(a.Val, func(r rune) bool { return r <= ' ' }) {
					t.Fatalf("%.200q: a link to %q came through", in, a.Val)
				}
			}
		}
		if n.Data == "a" && !slices.Contains(n.Attr, html.Attribute{Key: "rel", Val: "nofollow noopener noreferrer"}) {
			t.Fatalf("%.200q: a link without rel came through", in)
		}
	}
}

func withChildren(n *html.Node) func(yield func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		if !yield(n) {
			return
		}
		for child := range n.Descendants() {
			if !yield(child) {
				return
			}
		}
	}
}

// hold is the whole promise for one input, as HTML, as markdown and as text.
func hold(t *testing.T, in string) {
	t.Helper()
	once := string(sanitize.HTML(in))
	judge(t, in, once)
	if twice := string(sanitize.HTML(once)); twice != once {
		t.Fatalf("HTML is not idempotent:\n in    %.300q\n once  %.300q\n twice %.300q", in, once, twice)
	}
	shown := string(sanitize.Markdown(in))
	judge(t, in, shown)
	if again := string(sanitize.HTML(shown)); again != shown {
		t.Fatalf("HTML changes what Markdown made:\n in    %.300q\n first %.300q\n then  %.300q", in, shown, again)
	}
	plain := sanitize.Text(in)
	if again := sanitize.Text(plain); again != plain {
		t.Fatalf("Text is not idempotent:\n in    %.300q\n once  %.300q\n twice %.300q", in, plain, again)
	}
	for z := html.NewTokenizer(strings.NewReader(plain)); z.Next() != html.ErrorToken; {
		if kind := z.Token().Type; kind != html.TextToken {
			t.Fatalf("Text(%.200q) = %.200q holds a %s", in, plain, kind)
		}
	}
}

// FuzzHTML and FuzzMarkdown: nothing that runs, fetches or submits comes out; what comes out is what a browser builds;
// and doing it again changes nothing.
func FuzzHTML(f *testing.F) {
	for _, payload := range corpus(f) {
		f.Add(payload)
	}
	f.Fuzz(hold)
}

func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{
		"# a\n\n*b* **c** [d](http://e.test \"t\") ![p *q*](x.png)\n\n> a\n> > b\n\n1. x\n\n   y\n2. z\n- w\n\n```go\nf()\n```\n", "[a](javascript:alert(1))", "[a](<javascript:alert(1)>)", "[a]: data:text/html,<script>\n\n[a]",
		"<javascript:alert(1)>", "<script>alert(1)</script>", "[a](http://x \"\"><img src=x onerror=alert(1)>\")", "![\"><img onerror=alert(1)>](x)", "```\"><script>\nx\n```", "<a href=\"x\">`</a><img title='`", "a\\\nb  \nc\n***\n===\n", "\t- x\n\n\t\ty", "[[[[a](b)](c)](d)](e)", "* * * * * x", "&lt;script&gt; &#0; &Tab;",
	} {
		f.Add(seed)
	}
	f.Fuzz(hold)
}
