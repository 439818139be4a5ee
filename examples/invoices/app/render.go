package app

import (
	"bytes"
	"crypto/rand"
	"embed"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strings"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/session"
)

//go:embed templates
var templateFiles embed.FS

// page is a template that was read; parser reads one.
type (
	page   interface{ Execute(io.Writer, any) error }
	parser func(files fs.FS, name string, funcs map[string]any) (page, error)
)

// parseEscaping reads a page as html/template, which escapes every value by the place where it stands.
func parseEscaping(files fs.FS, name string, funcs map[string]any) (page, error) {
	return template.New("frame.html").Funcs(funcs).ParseFS(files, "templates/frame.html", "templates/parts.html", name)
}

func (a *App) readPages() (map[string]page, error) {
	funcs := map[string]any{
		"asset":  func(name string) string { return a.assets[name].address },
		"markup": a.markup,
		"field":  newField,
		"place":  func(v view, to, name string) here { return here{to, name, v.Nav == to} },
		"newKey": rand.Text,
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]page{}
	for _, name := range names {
		if name == "templates/frame.html" || name == "templates/parts.html" {
			continue
		}
		if pages[strings.TrimSuffix(path.Base(name), ".html")], err = a.parse(templateFiles, name, funcs); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// view is what a page shows.
type view struct {
	status int // zero: 200
	page   string

	Title  string
	Nav    string // which of the places above is this
	Body   any
	Notice string
	Alert  string
	Values map[string]string // what was typed
	Faults map[string]string // what is wrong with it
	Wrong  []wrong           // the same, in the order of the form

	Person     *session.Session // nil: nobody is signed in
	CSRF       string
	Accountant bool
}

// show answers with a page. Its headers are completed by Protect.
func (a *App) show(w http.ResponseWriter, r *http.Request, v view) {
	if s, ok := session.From(r.Context()); ok {
		//ringwall:allow rolecheck it decides which links stand above a page, and nothing else
		v.Person, v.CSRF, v.Accountant = s, ringwall.CSRFToken(r.Context()), s.HasPermission(ReadAll)
	}
	if v.Notice == "" {
		v.Notice = notices[r.URL.Query().Get("done")]
	}
	var out bytes.Buffer
	if err := a.pages[v.page].Execute(&out, v); err != nil {
		a.config.Log.ErrorContext(r.Context(), "page not made", "page", v.page, "error", err)
		http.Error(w, "Something went wrong here.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if v.status != 0 {
		w.WriteHeader(v.status)
	}
	_, _ = w.Write(out.Bytes()) // the client is gone: nobody to tell
}

// notices are what a page says after something was done. A link can only choose among them.
var notices = map[string]string{
	"created": "The invoice is made.",
	"paid":    "The invoice is marked as paid.",
	"open":    "The invoice is open again.",
	"comment": "Your comment is there.",
	"sent":    "The money is on its way, once.",
	"profile": "Your profile is changed.",
	"picture": "Your picture is changed.",
}

// again shows the form once more, with what was typed and what is wrong with it. Any other error is given back.
func (a *App) again(w http.ResponseWriter, r *http.Request, v view, err error) error {
	told := explain(err)
	if told.Status != http.StatusUnprocessableEntity || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return err
	}
	v.status, v.Alert = told.Status, "That could not be done. Mend what is marked and try again."
	v.Faults = map[string]string{}
	typed := map[string]string{}
	for name := range r.PostForm {
		typed[name] = r.PostForm.Get(name)
	}
	maps.Copy(typed, v.Values)
	v.Values = typed
	for _, f := range told.Fields {
		if f.Name == "" {
			v.Alert = f.Detail
			continue
		}
		v.Faults[f.Name] = f.Detail
	}
	for _, l := range labels {
		if detail, ok := v.Faults[l.name]; ok {
			v.Wrong = append(v.Wrong, wrong{l.name, l.text, detail})
		}
	}
	switch {
	case len(told.Fields) == 0:
		v.Alert = told.Detail
	case len(v.Wrong) == 0: // a field that no form of ours has
		v.Alert = told.Fields[0].Detail
	}
	a.show(w, r, v)
	return nil
}

// wrong is a line of the summary above a form: the field, what it is called, and how to mend it.
type wrong struct{ Name, Label, Text string }

// labels are what the fields are called, in an order that every form keeps to.
var labels = []struct{ name, text string }{
	{"number", "Number"}, {"customer", "Customer"}, {"to", "To whom"}, {"amount", "Amount"}, {"due", "Due"}, {"status", "Status"}, {"text", "Your comment"},
	{"q", "Customer or number"}, {"sort", "Order"}, {"by", "In order of"}, {"url", "Address"}, {"display_name", "Name"}, {"about", "A few words"}, {"picture", "A new one"},
}

// here is a place above the page, which may be the one that is shown.
type here struct {
	Path, Name string
	Here       bool
}

// field is an input with its label, as the template "field" shows it.
type field struct {
	Name, Label, Hint, Type, Value, Fault string
	Complete, Mode, Accept                string
	Optional, Required                    bool
}

// newField joins what a view knows of a field with what the template says of it, in pairs.
func newField(v view, name, label string, pairs ...string) field {
	f := field{Name: name, Label: label, Type: "text", Complete: "off", Value: v.Values[name], Fault: v.Faults[name]}
	for i := 0; i+1 < len(pairs); i += 2 {
		switch pairs[i] {
		case "hint":
			f.Hint = pairs[i+1]
		case "type":
			f.Type = pairs[i+1]
		case "complete":
			f.Complete = pairs[i+1]
		case "mode":
			f.Mode = pairs[i+1]
		case "accept":
			f.Accept = pairs[i+1]
		case "optional":
			f.Optional = pairs[i+1] == "yes"
		}
	}
	f.Required = !f.Optional && f.Type != "search"
	return f
}
