package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/input"
	"github.com/ringwall/ringwall/internal/chain"
)

//go:embed words/*.json
var wordFiles embed.FS

// tongues are the languages of the pages; the first is for everybody whose own is missing.
var tongues = []string{"en", "de"}

// language is one language: its catalogue, and the pages made with it.
type language struct {
	tag   string
	texts map[string]text
	pages map[string]func() (*template.Template, error)
}

// text is a sentence, or the two forms of one that counts.
type text struct{ One, Other string }

// UnmarshalJSON reads "sentence" or {"one": "…", "other": "…"}.
func (t *text) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, &t.Other)
	}
	var forms struct{ One, Other string }
	if err := json.Unmarshal(raw, &forms); err != nil {
		return err
	}
	*t = text(forms)
	return nil
}

func (w *Web) readLanguages() error {
	for _, tag := range tongues {
		raw, err := wordFiles.ReadFile("words/" + tag + ".json")
		if err != nil {
			return err
		}
		l := &language{tag: tag}
		if err := json.Unmarshal(raw, &l.texts); err != nil {
			return fmt.Errorf("read the words of %s: %w", tag, err)
		}
		if err := w.readPages(l); err != nil {
			return fmt.Errorf("read the pages in %s: %w", tag, err)
		}
		w.languages = append(w.languages, l)
	}
	return nil
}

// languageOf is the language that the person has chosen; of somebody who has not, or is not signed in, the one that the
// browser asks for, of those that there are.
func (w *Web) languageOf(r *http.Request, ask *chain.Request) *language {
	asked := input.Language(r.Header.Get("Accept-Language"), tongues...)
	if ask != nil && ask.SignedIn && ask.Person.Language != "" {
		asked = ask.Person.Language
	}
	for _, l := range w.languages {
		if l.tag == asked {
			return l
		}
	}
	return w.languages[0]
}

func (l *language) knows(key string) bool {
	_, ok := l.texts[key]
	return ok
}

// say is the sentence of key with each {name} replaced by the value that follows name in pairs; "n" chooses the plural.
// What it returns is text, never HTML. A missing key is an error that a test finds, and says so on the page.
func (l *language) say(key string, pairs ...any) string {
	t, ok := l.texts[key]
	if !ok {
		return "[" + key + "]"
	}
	form := t.Other
	replace := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1])
		if name == "n" && value == "1" && t.One != "" {
			form = t.One
		}
		replace = append(replace, "{"+name+"}", value)
	}
	if len(replace) == 0 {
		return form
	}
	return strings.NewReplacer(replace...).Replace(form)
}

// moment is a time as a page shows it: for machines, and for people in UTC, which a script may make local.
type moment struct{ ISO, Text string }

func (l *language) moment(micros int64) moment {
	t := time.UnixMicro(micros).UTC()
	return moment{ISO: t.Format(time.RFC3339), Text: l.say("time.moment",
		"day", t.Day(), "month", l.say("month."+strconv.Itoa(int(t.Month()))), "year", t.Year(), "clock", t.Format("15:04"))}
}

// age is how long ago something was, as roughly as people say it.
func (l *language) age(ago time.Duration) string {
	switch days := int(ago / (24 * time.Hour)); {
	case days < 1:
		return l.say("age.today")
	case days < 60:
		return l.say("age.days", "n", days)
	case days < 730:
		return l.say("age.months", "n", days/30)
	default:
		return l.say("age.years", "n", days/365)
	}
}
