// Package rawmarkup declares text to be markup in the ways that there are.
package rawmarkup

import (
	"html/template"
	"net/http"
	text "text/template" // want `escapes nothing`
)

var _ = text.New

const logo = "<svg></svg>"

func show(r *http.Request) []any {
	return []any{
		template.HTML(r.FormValue("comment")), // want `template will not escape any more \(HTML\)`
		template.URL(r.FormValue("next")),     // want `template will not escape any more \(URL\)`
		template.JS(r.FormValue("script")),    // want `template will not escape any more \(JS\)`
		template.HTML(logo),                   // a constant is as safe as its author
		template.HTMLEscapeString(r.FormValue("comment")),
	}
}

type fragment = template.HTML

func byAnotherName(r *http.Request) []any {
	return []any{
		fragment(r.FormValue("comment")),        // want `template will not escape any more \(HTML\)`
		(template.HTML)(r.FormValue("comment")), // want `template will not escape any more \(HTML\)`
	}
}

func convert[T ~string](text string) T { return T(text) }

func keep[T any](list ...T) []T { return list }

func generic(r *http.Request, fine template.HTML) []template.HTML {
	return keep(fine, convert[template.HTML](r.FormValue("comment"))) // want `may convert to what html/template will not escape any more \(HTML\)`
}

func excused(fragment string) template.HTML {
	//ringwall:allow rawmarkup made by our own drawing code from numbers
	return template.HTML(fragment)
}
