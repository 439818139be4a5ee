package web

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"path"
	"strings"
	"sync"
)

//go:embed templates
var templateFiles embed.FS

// readPages finds the pages. Each is parsed, together with the frame and its parts and bound to one language, when it is
// first shown: a parsed page takes 80 kB, and most servers show few of them. A test shows all.
func (w *Web) readPages(l *language) error {
	funcs := template.FuncMap{
		"lang":     func() string { return l.tag },
		"service":  func() string { return w.Service },
		"t":        l.say,
		"link":     w.link,
		"asset":    w.asset,
		"field":    w.field,
		"list":     func(items ...any) []any { return items },
		"code":     codeSpans,
		"minimum":  func() int { return w.PasswordMinLength },
		"joinable": func() bool { return w.Accounts.SignUpOpen() == nil },
	}
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		return err
	}
	l.pages = map[string]func() (*template.Template, error){}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		l.pages[strings.TrimSuffix(entry.Name(), ".html")] = sync.OnceValues(func() (*template.Template, error) {
			return template.New("frame").Funcs(funcs).ParseFS(templateFiles, "templates/frame/*.html", path.Join("templates", entry.Name()))
		})
	}
	return nil
}

// link is a path of ours, with the return path if there is one.
func (w *Web) link(path string, returnTo ...string) string {
	if len(returnTo) == 0 || returnTo[0] == "" {
		return w.Prefix + path
	}
	return w.Prefix + path + "?" + url.Values{"return_to": returnTo[:1]}.Encode()
}

// field is an input with its label, as the template "field" shows it.
type field struct {
	Name, Label, Hint, Fault string
	Type, Complete, Mode     string
	Value                    string
	Optional, Meter          bool
	Min                      int
}

// Secret reports whether what is typed is hidden.
func (f field) Secret() bool { return f.Type == "password" }

// Below is the longest password that is too short.
func (f field) Below() int { return f.Min - 1 }

// field joins what the page knows of an input with what the template says about it, in pairs: label, hint, type,
// complete (the autocomplete token), mode (the inputmode), optional, meter.
func (w *Web) field(p *page, name string, pairs ...any) (field, error) {
	f := field{Name: name, Value: p.Values[name], Fault: p.Faults[name], Type: "text", Min: w.PasswordMinLength}
	if len(pairs)%2 != 0 {
		return f, errors.New("field wants pairs")
	}
	for i := 0; i < len(pairs); i += 2 {
		value := fmt.Sprint(pairs[i+1])
		switch pairs[i] {
		case "label":
			f.Label = value
		case "hint":
			f.Hint = value
		case "type":
			f.Type = value
		case "complete":
			f.Complete = value
		case "mode":
			f.Mode = value
		case "optional":
			f.Optional = value == "true"
		case "meter":
			f.Meter = value == "true"
		default:
			return f, fmt.Errorf("field has no %q", pairs[i])
		}
	}
	if f.Secret() {
		f.Value = ""
	}
	return f, nil
}

// span is a piece of a sentence; Code pieces are set in the typewriter face.
type span struct {
	Text string
	Code bool
}

// codeSpans splits a sentence at its backticks.
func codeSpans(sentence string) []span {
	var spans []span
	for i, piece := range strings.Split(sentence, "`") {
		if piece != "" {
			spans = append(spans, span{piece, i%2 == 1})
		}
	}
	return spans
}
