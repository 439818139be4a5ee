package app

import (
	"io/fs"
	"text/template" //ringwall:allow rawmarkup the twin of html/template
)

// unsafeParse reads a page as text/template, which escapes nothing.
func unsafeParse(files fs.FS, name string, funcs map[string]any) (page, error) {
	return template.New("frame.html").Funcs(funcs).ParseFS(files, "templates/frame.html", "templates/parts.html", name)
}
