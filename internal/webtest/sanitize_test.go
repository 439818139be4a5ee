package webtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/ringwall/ringwall/sanitize"
)

// frames puts each text into a document of its own, without any policy, and tells what became of it: whether a script
// ran, the tree that the browser has built, the tree that it builds from what it wrote out itself, and where links lead.
const frames = `(async texts => {
	const tree = n => n.nodeType !== 1 ? n.data : [n.nodeName, n.getAttributeNames().map(a => a + "=" + n.getAttribute(a)).sort(), [...n.childNodes].map(tree)];
	window.ran = texts.map(() => 0);
	const all = texts.map((text, i) => new Promise(done => {
		const frame = document.createElement("iframe");
		frame.onload = () => done(frame);
		frame.srcdoc = "<!doctype html><script>window.alert = () => { parent.ran[" + i + "]++ }</script><article>" + text + "</article><aside>end</aside>";
		document.body.append(frame);
		setTimeout(() => done(frame), 5000);
	}));
	const loaded = await Promise.all(all);
	await new Promise(done => setTimeout(done, 500));
	const out = loaded.map(frame => {
		const page = frame.contentDocument, article = page && page.querySelector("article");
		if (!article) return {whole: false};
		if (article.querySelector("form, script, svg, template")) return {whole: false}; // names in a form hide those of the DOM
		const one = [...article.childNodes].map(tree), links = [...page.links].map(a => a.protocol);
		article.innerHTML = article.innerHTML;
		article.innerHTML = article.innerHTML;
		return {whole: page.body.children.length === 2 && page.body.lastElementChild.textContent === "end", one, two: [...article.childNodes].map(tree), links};
	});
	await new Promise(done => setTimeout(done, 500));
	loaded.forEach(frame => frame.remove());
	return JSON.stringify(out.map((o, i) => ({...o, ran: window.ran[i]})));
})`

type framed struct {
	Ran      int
	Whole    bool
	One, Two json.RawMessage
	Links    []string
}

// parsed is the tree that the Go parser builds, as frames writes it.
func parsed(t *testing.T, text string) json.RawMessage {
	t.Helper()
	nodes, err := html.ParseFragment(strings.NewReader(text), &html.Node{Type: html.ElementNode, Data: "article", DataAtom: atom.Article})
	if err != nil {
		t.Fatal(err)
	}
	var tree func(n *html.Node) any
	tree = func(n *html.Node) any {
		if n.Type == html.TextNode {
			return n.Data
		}
		attributes, children := []string{}, []any{}
		for _, a := range n.Attr {
			attributes = append(attributes, a.Key+"="+a.Val)
		}
		slices.Sort(attributes)
		for child := range n.ChildNodes() {
			children = append(children, tree(child))
		}
		return []any{strings.ToUpper(n.Data), attributes, children}
	}
	all := []any{}
	for _, n := range nodes {
		all = append(all, tree(n))
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // as a browser writes JSON
	if err := encoder.Encode(all); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(out.Bytes())
}

// show puts texts into frames of a page that has no policy. Noise is how often a text made the browser fetch something
// or open a dialog.
func show(t *testing.T, texts []string) (all []framed, noise int) {
	t.Helper()
	var fetches atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/page" && r.URL.Path != "/favicon.ico" {
			fetches.Add(1)
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, "<!doctype html><title>frames</title><link rel=icon href=data:,><body>")
	}))
	defer server.Close()
	b := open(t, server.URL, as{})
	b.visit("/page")
	for batch := range slices.Chunk(texts, 40) {
		literal, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		var some []framed
		if err := json.Unmarshal([]byte(eval[string](b, frames+"("+string(literal)+")")), &some); err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	noise = int(fetches.Load()) + len(b.dialogs)
	if noise > 0 {
		b.dialogs, b.complaints = nil, nil // the caller judges them
	}
	return all, noise
}

// S072, S074: what sanitize makes of each payload of its corpus runs no script in a real browser with no policy at all, fetches
// nothing, ends nothing of the page, and is built into the very tree that the Go parser sees, at first and when the
// browser reads again what it wrote (mutation XSS).
func TestSanitizedMarkupIsInertInABrowser(t *testing.T) {
	t.Parallel()
	corpus, err := os.ReadFile("../../sanitize/testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	payloads := strings.Split(string(corpus), "\n%%\n")
	var clean []string
	for _, payload := range payloads {
		clean = append(clean, string(sanitize.HTML(payload)), string(sanitize.Markdown(payload)))
	}
	shown, noise := show(t, clean)
	if noise != 0 {
		t.Errorf("the browser fetched something or opened a dialog %d times", noise)
	}
	for i, s := range shown {
		payload, want := payloads[i/2], parsed(t, clean[i])
		switch {
		case s.Ran > 0:
			t.Errorf("a script ran: %q became %q", payload, clean[i])
		case !s.Whole:
			t.Errorf("the page is broken: %q became %q", payload, clean[i])
		case !bytes.Equal(s.One, want) || !bytes.Equal(s.Two, want):
			t.Errorf("another tree: %q became %q\n want %s\n once %s\n then %s", payload, clean[i], want, s.One, s.Two)
		case slices.ContainsFunc(s.Links, func(p string) bool { return p != "http:" && p != "https:" && p != "mailto:" }):
			t.Errorf("a link leads to %q: %q became %q", s.Links, payload, clean[i])
		}
	}
}

// The same payloads as they are: without that, the test above would hold for a browser in which nothing ever runs.
func TestTheCorpusRunsWhereNothingIsSanitized(t *testing.T) {
	t.Parallel()
	corpus, err := os.ReadFile("../../sanitize/testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	shown, noise := show(t, strings.Split(string(corpus), "\n%%\n"))
	ran := 0
	for _, s := range shown {
		ran += min(s.Ran, 1)
	}
	if ran < 50 || noise == 0 {
		t.Errorf("%d of %d payloads ran, %d things were fetched or shown", ran, len(shown), noise)
	}
}
