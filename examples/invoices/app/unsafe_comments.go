package app

import (
	"bytes"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/renderer/html"
)

// unsafeMarkdown keeps the HTML that stands in the markdown.
func unsafeMarkdown(text string) string {
	var out bytes.Buffer
	if err := goldmark.New(goldmark.WithRendererOptions(html.WithUnsafe())).Convert([]byte(text), &out); err != nil {
		return text
	}
	return out.String()
}

// unsafeMarkup believes what is stored.
func unsafeMarkup(stored string) template.HTML {
	//ringwall:allow rawmarkup the twin of sanitize.HTML
	return template.HTML(stored) // #nosec G203 -- the twin of sanitize.HTML
}
