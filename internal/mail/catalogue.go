package mail

import (
	"embed"
	"encoding/json"
	"fmt"
	htmltemplate "html/template"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"
)

//go:embed catalogue/*.json templates/layout.txt templates/layout.html
var files embed.FS

// DefaultLang is the language of mails to people whose language has no catalogue.
const DefaultLang = "en"

// Languages are the tags that have a catalogue.
func Languages() []string { return []string{DefaultLang, "de"} }

// words are the sentences of one language by key, with placeholders such as {service}.
type words map[string]string

type house struct {
	words map[string]words
	text  *template.Template
	html  *htmltemplate.Template
}

// theHouse reads what is embedded, once. It panics if the build itself is broken; a test reads it.
var theHouse = sync.OnceValue(func() house {
	h := house{words: make(map[string]words)}
	for _, lang := range Languages() {
		var w words
		raw, err := files.ReadFile("catalogue/" + lang + ".json")
		if err == nil {
			err = json.Unmarshal(raw, &w)
		}
		if err != nil {
			panic(fmt.Sprintf("mail: catalogue %s: %v", lang, err))
		}
		h.words[lang] = w
	}
	funcs := template.FuncMap{"wrap": wrap}
	h.text = template.Must(template.New("layout.txt").Funcs(funcs).ParseFS(files, "templates/layout.txt"))
	h.html = htmltemplate.Must(htmltemplate.ParseFS(files, "templates/layout.html"))
	return h
})

// language picks the catalogue for a tag such as "de" or "de-AT".
func (h house) language(tag string) string {
	base, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(tag), "_", "-"), "-")
	if _, ok := h.words[base]; ok {
		return base
	}
	return DefaultLang
}

// say fills a sentence. Pairs are placeholder and value in turn; a value is never searched for placeholders.
func (w words) say(key string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(w[key])
}

// at spells a time to the minute, its zone named.
func (w words) at(t time.Time) string {
	t = t.UTC()
	months := strings.Fields(w.say("months"))
	return w.say("time", "{day}", strconv.Itoa(t.Day()), "{month}", months[t.Month()-1],
		"{year}", strconv.Itoa(t.Year()), "{clock}", t.Format("15:04"))
}

// wrap breaks a sentence into lines of at most 72 characters, where there are spaces.
func wrap(sentence string) string {
	const width = 72
	var out strings.Builder
	length := 0
	for _, word := range strings.Fields(sentence) {
		n := len([]rune(word))
		switch {
		case length == 0:
		case length+1+n > width:
			out.WriteByte('\n')
			length = 0
		default:
			out.WriteByte(' ')
			length++
		}
		out.WriteString(word)
		length += n
	}
	return out.String()
}
