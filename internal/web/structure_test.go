package web_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// checkPage holds a page against what every page must be, looked at as a browser would parse it.
func checkPage(t *testing.T, body string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	p := pageCheck{t: t, ids: map[string]*html.Node{}, count: map[string]int{}, labels: map[string]bool{}}
	p.walk(root)
	for _, name := range []string{"html", "title", "main", "h1", "header"} {
		if p.count[name] != 1 {
			t.Errorf("there are %d <%s>, want one", p.count[name], name)
		}
	}
	for _, input := range p.inputs {
		p.checkInput(input)
	}
	for _, ref := range p.refs {
		if p.ids[ref] == nil {
			t.Errorf("something refers to the id %q, which is not there", ref)
		}
	}
	if strings.Contains(body, "[") && strings.Contains(body, ".title]") || strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "%!") {
		t.Errorf("a sentence is missing, or a value was refused by the templates:\n%s", body)
	}
}

type pageCheck struct {
	t      *testing.T
	ids    map[string]*html.Node
	refs   []string
	labels map[string]bool
	inputs []*html.Node
	count  map[string]int
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func (p *pageCheck) walk(n *html.Node) {
	if n.Type == html.ElementNode {
		p.element(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		p.walk(c)
	}
}

func (p *pageCheck) element(n *html.Node) {
	if n.Namespace == "" {
		p.count[n.Data]++
	}
	p.attributes(n)
	switch n.Data {
	case "html":
		if lang, _ := attr(n, "lang"); lang != "en" && lang != "de" {
			p.t.Errorf("lang = %q", lang)
		}
	case "script":
		if src, _ := attr(n, "src"); !strings.HasPrefix(src, "/auth/static/") || n.FirstChild != nil {
			p.t.Error("a script that is not a file of ours")
		}
	case "style", "base", "object", "embed":
		p.t.Errorf("there is a <%s>", n.Data)
	case "label":
		target, _ := attr(n, "for")
		p.labels[target] = true
		p.refs = append(p.refs, target)
	case "input":
		p.inputs = append(p.inputs, n)
	case "form":
		p.form(n)
	case "button", "a", "h1", "h2", "h3", "title", "summary":
		if strings.TrimSpace(textOf(n)) == "" {
			p.t.Errorf("a <%s> without words", n.Data)
		}
	case "iframe":
		if sandbox, ok := attr(n, "sandbox"); !ok || sandbox != "" {
			p.t.Error("a frame that is not wholly sandboxed")
		}
	}
}

func (p *pageCheck) attributes(n *html.Node) {
	for _, a := range n.Attr {
		switch {
		case a.Key == "id":
			if p.ids[a.Val] != nil {
				p.t.Errorf("the id %q stands twice", a.Val)
			}
			p.ids[a.Val] = n
		case a.Key == "style", strings.HasPrefix(a.Key, "on"), a.Key == "srcdoc":
			p.t.Errorf("<%s> has %s", n.Data, a.Key)
		case a.Key == "aria-describedby", a.Key == "aria-labelledby":
			p.refs = append(p.refs, strings.Fields(a.Val)...)
		case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
			p.refs = append(p.refs, a.Val[1:])
		case a.Key == "href" || a.Key == "src" || a.Key == "action":
			// The one link that leaves is that of a mail on the page of a development server.
			if !strings.HasPrefix(a.Val, "/auth/") && !strings.HasPrefix(a.Val, "https://id.example.org/auth/") {
				p.t.Errorf("<%s> points to %q", n.Data, a.Val)
			}
		}
	}
}

func (p *pageCheck) form(n *html.Node) {
	if method, _ := attr(n, "method"); method != "post" {
		p.t.Errorf("a form with method %q", method)
	}
	tokens, buttons := 0, 0
	for d := range n.Descendants() {
		if d.Type != html.ElementNode {
			continue
		}
		name, _ := attr(d, "name")
		value, _ := attr(d, "value")
		if name == "csrf_token" && value != "" {
			tokens++
		}
		if kind, _ := attr(d, "type"); d.Data == "button" && kind != "button" {
			buttons++
		}
	}
	if action, _ := attr(n, "action"); tokens != 1 || buttons != 1 {
		p.t.Errorf("the form to %s has %d tokens and %d buttons, want one of each", action, tokens, buttons)
	}
}

// completes are the autocomplete tokens that each field must have, exactly (pages.md).
var completes = map[string][]string{
	"email": {"username", "email"}, "resend-email": {"email"}, "display_name": {"name"}, "code": {"one-time-code"},
	"current_password": {"current-password"}, "new_password": {"new-password"}, "password": {"current-password", "new-password"},
}

func (p *pageCheck) checkInput(n *html.Node) {
	kind, _ := attr(n, "type")
	_, hidden := attr(n, "hidden")
	if kind == "hidden" || hidden {
		return
	}
	id, _ := attr(n, "id")
	if !p.labels[id] {
		p.t.Errorf("the input %q has no label", id)
	}
	if kind == "checkbox" {
		return
	}
	complete, _ := attr(n, "autocomplete")
	if !slices.Contains(completes[id], complete) {
		p.t.Errorf("the input %q has autocomplete %q", id, complete)
	}
	if value, _ := attr(n, "value"); kind == "password" && value != "" {
		p.t.Errorf("the password field %q holds a value", id)
	}
	if strings.Contains(id, "password") && kind != "password" {
		p.t.Errorf("the field %q shows what is typed", id)
	}
	spell, _ := attr(n, "spellcheck")
	if id != "display_name" && spell != "false" {
		p.t.Errorf("the field %q is sent to a spelling service", id)
	}
	for _, a := range []string{"onpaste", "readonly", "maxlength"} {
		if _, ok := attr(n, a); ok {
			p.t.Errorf("the field %q has %s, which is in the way of pasting", id, a)
		}
	}
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}
